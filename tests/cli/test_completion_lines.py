"""What a program answers when a shell asks it, for lines of every kind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOYS = '''\
import nemo_run as run

print("noise")

@run.cli.entrypoint(namespace="toy")
def pretrain(steps: int = 1, fast: bool = False, größe: int = 1, rate: float = 1.0):
    """Pretrain a toy."""

@run.cli.factory(target=pretrain)
def quick() -> run.Partial[pretrain]:
    """A quick one."""
    raise AssertionError("a factory was called")

@run.cli.entrypoint(namespace="toy.data", type="experiment")
def clean(ctx: run.cli.RunContext, depth: int = 1):
    pass

def main():
    run.cli.create_cli()()
'''


@pytest.fixture
def ask(tmp_path, program, monkeypatch):
    """Ask as bash does; the cursor stands at ``|`` or at the end. Returns kinds and texts."""
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    (site / "toys-1.dist-info").mkdir(parents=True)
    (site / "toys.py").write_text(TOYS)
    (site / "toys-1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: toys\nVersion: 1\n"
    )
    (site / "toys-1.dist-info" / "entry_points.txt").write_text("[nemo_run.cli]\ntoy = toys\n")
    Path("values.yaml").touch()

    def ask(line: str, command: list[str] = program) -> list[str]:
        point = line.find("|") if "|" in line else len(line)
        asked = {
            "_NEMO_RUN_COMPLETE": "bash_complete",
            "COMP_LINE": line.replace("|", ""),
            "COMP_POINT": str(point),
            "COMP_WORDBREAKS": " \t\n\"'><=;|&(:",
            "PYTHONPATH": str(site),
        }
        done = subprocess.run(
            command, env={**os.environ, **asked}, capture_output=True, text=True, encoding="utf-8"
        )
        assert done.stderr == ""
        return [" ".join(answer.split("\t")[:2]) for answer in done.stdout.splitlines()]

    return ask


def test_commands_of_installed_packages(ask):
    assert "word toy" in ask("nemo-run ")
    assert ask("nemo-run toy ") == ["word data", "word pretrain"]
    assert ask("nemo-run toy pretrain f") == ["part fast="]
    assert "word quick" in ask("nemo-run toy pretrain ")
    assert ask("nemo-run toy data clean ")[0] == "part depth="
    assert ask("nemo-run toy pretrain --factory q") == ["word quick"]
    assert ask("nemo-run toy pretrain --factory=q") == ["word quick"]
    assert ask("nemo-run toy pretrain -f ") == ["word quick"]


def test_values_of_options_that_are_files(ask):
    for option in ("--config ", "-c ", "--yaml ", "--export ", "--sweep-list "):
        assert ask(f"nemo-run toy pretrain {option}val") == ["file val"], option


def test_profiles_keys_and_the_functions_of_a_file(ask):
    Path("nemo-run.toml").write_text('[executors.h100]\nexecutor = "local"\n')
    assert ask("nemo-run profile show h") == ["word h100"]
    assert ask("nemo-run toy pretrain --explain st") == ["word steps"]
    Path("job.py").write_text(
        "from dataclasses import dataclass\n\n@dataclass\nclass Trap: ...\n\ndef train(): ...\n"
    )
    assert ask("nemo-run run job.py:t") == ask("nemo-run run job.py:") == ["word train"]


def test_options_and_keys_can_stand_in_any_order(ask):
    assert ask("nemo-run toy pretrain --dryrun st") == ["part steps="]
    assert ask("nemo-run toy pretrain steps=1 --dryr") == ["word --dryrun"]
    assert ask("nemo-run toy pretrain --name x fast=t") == ["word true"]
    assert ask("nemo-run --no-color toy pretrain st") == ["part steps="]


def test_the_cursor_may_stand_in_the_middle(ask):
    assert ask("nemo-run toy pretrain st| fast=true") == ["part steps="]
    assert ask("nemo-run toy|x pretrain") == ["word toy"]


def test_names_of_other_languages_and_quotes(ask):
    assert ask("nemo-run toy pretrain gr") == ["part größe="]
    assert ask("nemo-run toy pretrain 'gr") == ["part größe="]
    assert ask("nemo-run toy pretrain 'st") == ["part steps="]


@pytest.mark.parametrize(
    "line",
    ["", "nemo-run", "nemo-run toy pretrain 'a b", "nemo-run toy pretrain a\\",
     "nemo-run toy nothing ", "nemo-run experiment logs nothing x ", "nemo-run run ",
     "nemo-run run : ", "nemo-run run x.py ",
     "nemo-run run -", "nemo-run toy pretrain --max-parallel ", "nemo-run toy pretrain steps=="],
)  # fmt: skip
def test_no_line_makes_it_fail_aloud(ask, line):
    ask(line)


def test_a_program_made_of_commands_answers_too(ask, tmp_path):
    program = tmp_path / "toolbox"
    program.write_text("import toys\ntoys.main()\n")
    command = [sys.executable, str(program)]
    assert ask("toolbox toy pretrain f", command) == ["noise", "part fast="]
    assert "word experiment" in ask("toolbox ", command)


def test_what_asks_in_an_unknown_way_gets_nothing(ask, program):
    for asked in ("powershell_complete", "bash_nothing", "1", ""):
        done = subprocess.run(
            [*program, "--version"],
            env={**os.environ, "_NEMO_RUN_COMPLETE": asked},
            capture_output=True,
        )
        assert (done.returncode, done.stdout) == (1, b"")
