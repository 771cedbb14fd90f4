"""Completion in the real shells: what each puts into the line when the Tab key is pressed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from in_terminal import Terminal

SCRIPT = """\
#!{python}
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import nemo_run as run


@dataclass
class Model:
    width: int = 4
    act: Literal["relu", "a b"] = "relu"


@run.cli.factory
@run.autoconvert
def small() -> Model:
    \"\"\"A small one.\"\"\"
    return Model(width=1)


def train(model: Model, learning_rate: float = 0.1, fast: bool = False, data: Path = Path()):
    \"\"\"Train.\"\"\"
    print("trained", model.width, learning_rate)


def _hidden():
    pass


if __name__ == "__main__":
    run.cli.main(train)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with a script, and shells that know nothing of this machine's people."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "job.py"
    script.write_text(SCRIPT.format(python=sys.executable))
    script.chmod(0o755)
    (tmp_path / "data.csv").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    return tmp_path


def installed(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed; make test ENGINES=install brings it")
    return found


def source(program: list[str], shell: str, *options: str) -> str:
    done = subprocess.run(
        [*program, "completion", shell, *options], capture_output=True, text=True, check=True
    )
    return done.stdout


# --- bash -------------------------------------------------------------------------------------


@pytest.fixture
def in_bash(folder, program):
    """Ask the function in bash as bash does: returns what it would put behind the last break."""
    bash = installed("bash")
    Path("complete.sh").write_text(
        source(program, "bash") + source(program, "bash", "--script", "job.py")
    )

    def ask(line: str) -> list[str]:
        asked = (
            "source ./complete.sh\n"
            'COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]}-1))\n'
            'f=$(complete -p "${1%% *}" 2>/dev/null || complete -p "$(basename "${1%% *}")")\n'
            'f=${f##*-F }; "${f%% *}" "${1%% *}"; printf "%s\\n" "${COMPREPLY[@]}"\n'
        )
        done = subprocess.run(
            [bash, "--norc", "-c", asked, "-", line], capture_output=True, text=True, timeout=60
        )
        assert not done.stderr
        return [reply for reply in done.stdout.split("\n") if reply]

    return ask


def test_bash_completes_commands_options_keys_and_values(in_bash):
    assert "experiment " in in_bash("nemo-run ")
    assert in_bash("nemo-run exp") == ["experiment "]
    assert in_bash("nemo-run run job.py:tr") == ["train "]
    assert in_bash("nemo-run run job.py:") == ["train "]
    assert in_bash("nemo-run run job.py:train lear") == ["learning_rate="]
    assert in_bash("nemo-run run job.py:train model") == ["model=", "model."]
    assert in_bash("nemo-run run job.py:train model.w") == ["model.width="]
    # bash has broken the word at the = already.
    assert in_bash("nemo-run run job.py:train model=") == ["small "]
    assert in_bash("nemo-run run job.py:train model.act=a") == ["a\\ b "]
    assert in_bash("nemo-run run job.py:train model=small learning_rate=1 fa") == ["fast="]
    assert in_bash("nemo-run run job.py:train --no-ta") == ["--no-tail-logs "]
    assert in_bash("nemo-run completion f") == ["fish "]


def test_bash_completes_a_script_of_the_users(in_bash):
    assert in_bash("./job.py lear") == ["learning_rate="]
    assert in_bash("./job.py model=s") == ["small "]
    assert "--dryrun " in in_bash("./job.py --dry")


def test_bash_completes_experiments_and_their_jobs(in_bash, made):
    experiment = made("digits", {"train": [], "test": ["train"]})
    assert f"{experiment.id} " in in_bash("nemo-run experiment logs ")
    assert in_bash("nemo-run experiment logs dig") == [f"{experiment.id} ", "digits "]
    assert in_bash("nemo-run experiment logs digits t") == ["train ", "test "]


def test_what_cannot_be_completed_is_silent(in_bash):
    assert in_bash("nemo-run run nowhere.py:train l") == []
    assert in_bash("nemo-run nothing of that kind") == []
    assert in_bash("nemo-run run job.py:nothing l") == []
    Path("broken.py").write_text("raise SystemExit(3)\n")
    assert in_bash("nemo-run run broken.py:train l") == []
    Path("loud.py").write_text("print('word\\tnoise')\ndef f(x: int): pass\n")
    assert in_bash("nemo-run run loud.py:f ") == ["x=", "run.executor=", "run.plugins="]


TYPED = "nemo-run ru\tjob.py:tr\tmodel=sm\tlear\t0.5 data=dat\t"


def typed_in(terminal: Terminal, keys: str, shown: str) -> None:
    """Type, and wait until the line shows what the shell made of it."""
    terminal.seen = ""
    terminal.type(keys)
    terminal.until(shown)


def test_bash_at_a_terminal(folder, program):
    Path("complete.sh").write_text(source(program, "bash"))
    terminal = Terminal(
        [installed("bash"), "--norc", "--noprofile", "-i"],
        {"PS1": "$ ", "COLUMNS": "200", "INPUTRC": "/dev/null"},
    )
    try:
        terminal.until("$ ")
        terminal.type(
            "source ./complete.sh && bind 'set enable-bracketed-paste off' && echo rea''dy\n"
        )
        terminal.until("ready")
        typed_in(
            terminal, "nemo-run ru\tjob.py:tr\tmodel=sm\tlear\t0.5 data=dat\t", "data=data.csv"
        )
        typed_in(terminal, " --direct --yes\n", "trained 1 0.5")
    finally:
        terminal.close()


# --- zsh --------------------------------------------------------------------------------------


def test_zsh_at_a_terminal(folder, program):
    Path("complete.zsh").write_text(
        source(program, "zsh") + source(program, "zsh", "--script", "job.py")
    )
    terminal = Terminal(
        [installed("zsh"), "-f", "-i"], {"PS1": "%% ", "COLUMNS": "200", "ZDOTDIR": str(folder)}
    )
    try:
        terminal.until("% ")
        terminal.type("autoload -Uz compinit; compinit -u; . ./complete.zsh; echo rea''dy\n")
        terminal.until("ready")
        typed_in(
            terminal, "nemo-run ru\tjob.py:tr\tmodel=sm\tlear\t0.5 data=dat\t", "data=data.csv"
        )
        typed_in(terminal, " --direct --yes\n", "trained 1 0.5")
        typed_in(terminal, "./job.py model.\t", "model.act=  -- one of 'relu', 'a b' = 'relu'")
        typed_in(terminal, "act=a\t", "a\\ b")
    finally:
        terminal.close()


# --- fish -------------------------------------------------------------------------------------


def test_fish_completes_with_a_line_about_each(folder, program):
    fish = installed("fish")
    Path("complete.fish").write_text(
        source(program, "fish") + source(program, "fish", "--script", "job.py")
    )

    def ask(line: str) -> list[str]:
        done = subprocess.run(
            [fish, "--no-config", "-c", f"source complete.fish; complete -C {line!r}"],
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert not done.stderr
        return done.stdout.splitlines()

    assert [line.split("\t")[0] for line in ask("nemo-run exp")] == ["experiment"]
    assert ask("nemo-run run job.py:tr") == ["job.py:train\tTrain."]
    assert ask("nemo-run run job.py:train lear") == ["learning_rate=\tfloat = 0.1"]
    assert ask("nemo-run run job.py:train model=") == ["model=small\tA small one."]
    assert ask("nemo-run run job.py:train model.act=a") == ["model.act=a b"]
    assert ask("nemo-run run job.py:train data=dat") == ["data=data.csv"]
    assert ask("./job.py model.w") == ["model.width=\tint = 4"]


# --- the command ------------------------------------------------------------------------------


def test_a_script_that_cannot_answer_is_refused(folder, program, error_snapshot):
    def refusal(script: str) -> str:
        done = subprocess.run(
            [*program, "completion", "bash", "--script", script], capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    error_snapshot("completion: no script", refusal("nowhere.py"))
    Path("job.py").chmod(0o644)
    error_snapshot("completion: script cannot be executed", refusal("job.py"))
    other = Path("other.py")
    other.write_text("#!/usr/bin/env python3\nprint('launched')\n")
    other.chmod(0o755)
    error_snapshot("completion: script of another kind", refusal("other.py"))


def test_help_says_where_to_put_it(program):
    done = subprocess.run([*program, "completion", "--help"], capture_output=True, text=True)
    text = " ".join(done.stdout.split())
    assert 'eval "$(nemo-run completion bash)"' in text
    assert "~/.zshrc" in text
    assert "~/.config/fish/completions/nemo-run.fish" in text
