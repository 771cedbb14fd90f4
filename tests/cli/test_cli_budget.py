"""What the command line imports: nothing that the command at hand does not need."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "rich",
    "yaml",
    "jinja2",
    "fiddle",
    "torch",
    "asyncio",
    "http",
    "multiprocessing",
    "sqlite3",
}


def imported_by(*arguments: str) -> set[str]:
    """The modules that ``nemo-run ARGUMENTS`` has imported at its end."""
    program = (
        "import json, sys, io\n"
        "from nemo_run.cli.app import main\n"
        "out, sys.stdout = sys.stdout, io.StringIO()\n"
        "main(sys.argv[1:])\n"
        "json.dump(sorted(sys.modules), out)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["experiment", "--help"]],
    ids=" ".join,
)
def test_help_imports_no_room_and_little_else(arguments):
    modules = imported_by(*arguments)
    assert not modules & HEAVY
    rooms = {name.split(".")[1] for name in modules if name.startswith("nemo_run.")}
    assert rooms <= {"cli", "console", "compat", "exceptions", "lazy", "project"}
    assert len(modules) < 175


@pytest.mark.parametrize("command", ["logs", "status", "show", "cancel", "delete", "list"])
def test_help_of_a_command_imports_no_backend_and_nothing_heavy(command):
    modules = imported_by("experiment", command, "--help")
    assert not modules & HEAVY
    assert not any(name.startswith("nemo_run.execution.local") for name in modules)
    assert not any(name.startswith("nemo_run.config.") for name in modules)


@pytest.mark.parametrize("command", ["logs", "status", "cancel"])
def test_looking_at_an_experiment_imports_no_configuration_code(made, command):
    experiment = made(started=False)
    modules = imported_by("experiment", command, experiment.id)
    assert not modules & {"rich", "yaml", "jinja2", "fiddle", "torch", "asyncio", "sqlite3"}
    assert "nemo_run.config.files.codec" not in modules
    assert "nemo_run.config.graph.node" not in modules


def test_listing_imports_no_configuration_code_and_no_backend(made):
    made()
    modules = imported_by("experiment", "list")
    assert not modules & (HEAVY - {"sqlite3"})
    assert "nemo_run.config.graph.node" not in modules
    assert not any(name.startswith("nemo_run.execution.local") for name in modules)
