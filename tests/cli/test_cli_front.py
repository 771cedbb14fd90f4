"""The program's front: help, version, exit codes, and what it does when it is wrong itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import nemo_run


def run_program(program: list[str], *arguments: str, **options):
    return subprocess.run([*program, *arguments], capture_output=True, text=True, **options)


def test_the_version_is_that_of_the_package(program):
    done = run_program(program, "--version")
    assert (done.returncode, done.stdout) == (0, f"nemo-run, version {nemo_run.__version__}\n")


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_explains_itself_under_its_own_name(program, option):
    listed = run_program(program, "experiment", option).stdout
    names = ["list", "show", "status", "logs", "cancel", "resume", "rerun", "delete", "reindex"]
    for name in names:
        assert f"\n  {name} " in listed
    done = run_program(program, "experiment", "logs", option)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: nemo-run experiment logs [OPTIONS] ID [JOB]\n")
    for word in ("--follow", "--rank", "--attempt", "--tail", "--grep", "--json", "--verbose"):
        assert word in done.stdout


@pytest.mark.parametrize("arguments", [[], ["experiment"]])
def test_without_a_command_the_help_is_an_error(program, arguments):
    done = run_program(program, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Commands:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "case"),
    [
        (["experimnet"], "cli: unknown group"),
        (["exp", "list"], "cli: beginning of a group"),
        (["list"], "cli: command of a group without its group"),
        (["lgos", "digits"], "cli: misspelt command of a group without its group"),
    ],
)
def test_an_unknown_group_is_answered_with_the_nearest(program, error_snapshot, arguments, case):
    done = run_program(program, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    error_snapshot(case, done.stderr)


def test_our_own_mistake_is_shown_whole_and_called_a_bug():
    # A table entry that leads nowhere stands for a mistake of ours.
    program = (
        "import sys\n"
        "from nemo_run.cli import app\n"
        "app.app._commands_of['broken'] = ('operator:nothing', '')\n"
        "sys.exit(app.main(['broken']))\n"
    )
    done = run_program([sys.executable, "-c", program])
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "AttributeError" in done.stderr
    assert done.stderr.endswith(
        "error: This is a bug in NeMo Run. Please report it with the lines above.\n"
    )


def test_a_file_that_the_system_refuses_is_a_sentence(program, tmp_path):
    (tmp_path / "home").write_text("no folder")
    done = run_program(
        program, "experiment", "list", env={**os.environ, "NEMORUN_HOME": str(tmp_path / "home")}
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


def test_an_encoding_without_the_characters_of_a_title_is_no_reason_to_stop(program, made):
    made("Zahlen ≤ 9")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = run_program(program, "experiment", "list", env=environment)
    assert done.returncode == 0, done.stderr
    assert "Zahlen \\u2264 9" in done.stdout


def test_a_closed_output_is_no_traceback(program, made):
    experiment = made()
    done = run_program(
        ["sh", "-c", '"$@" >&-', "sh", *program, "experiment", "show", experiment.id]
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("experiment", "ls"), "Did you mean 'list'?"),
        (("experiment", "rm", "x"), "Did you mean 'delete'?"),
        (("train.py:fit", "lr=1"), "Write nemo-run run train.py:fit"),
    ],
)
def test_words_of_other_tools_lead_to_the_command(program, words, expected):
    done = run_program(program, *words)
    assert done.returncode == 2
    assert expected in done.stderr
