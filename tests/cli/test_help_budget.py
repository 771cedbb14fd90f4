"""What the help and the completion of an entrypoint import: nothing that runs anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "entrypoint.py"
HEAVY = {
    "rich", "yaml", "jinja2", "fiddle", "torch", "asyncio", "http", "multiprocessing", "sqlite3",
    "json", "socket", "logging", "tomllib", "importlib.metadata",
}  # fmt: skip


def imported_by(*words: str, **environment: str) -> set[str]:
    """The modules that the script has imported when it has answered."""
    program = (
        "import runpy, sys\n"
        "sys.argv = sys.argv[1:]\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end\n"
        "names = sorted(sys.modules)\n"
        "import json\njson.dump(names, sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(SCRIPT), *words],
        capture_output=True, text=True, env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_of_an_entrypoint_imports_little():
    modules = imported_by("--help")
    assert not modules & HEAVY
    rooms = {".".join(name.split(".")[:2]) for name in modules if name.startswith("nemo_run.")}
    assert not rooms & {
        "nemo_run.management", "nemo_run.execution", "nemo_run.packaging", "nemo_run.worker",
    }  # fmt: skip
    assert len(modules) < 195


@pytest.mark.parametrize("line", ["train ", "train model.", "train model="])
def test_completion_of_keys_and_values_imports_nothing_heavy(line):
    modules = imported_by(
        _NEMO_RUN_COMPLETE="bash_complete", COMP_LINE=line, COMP_POINT=str(len(line))
    )
    assert not modules & (HEAVY - {"tomllib"})
    assert not any(name.startswith("nemo_run.management") for name in modules)


def test_the_help_of_a_script_shows_what_can_be_given():
    done = subprocess.run([sys.executable, SCRIPT, "--help"], capture_output=True, text=True)
    text = " ".join(done.stdout.split())
    assert done.returncode == 0
    assert text.startswith("Usage: entrypoint.py [OPTIONS] [KEY=VALUE]... Train a model. Arguments")
    assert "model Model required What is trained." in text
    assert "model.width int = 128 Units of each layer." in text
    assert "model=small small A small one." in text
    assert "--dryrun" in text
