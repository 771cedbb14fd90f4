"""How a person calls this program: command lines that work when they are pasted."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

_PROGRAM = "nemo-run"


def command_line(*words: str) -> str:
    """Return the command line that calls this program with ``words``, quoted for a shell.

    Args:
        words: What follows the program: ``"experiment", "show"`` and an id.
    """
    return shlex.join([*_program(), *map(str, words)])


def experiment_command(*words: str) -> str:
    """Return the command line ``nemo-run experiment …``; see :func:`command_line`."""
    return command_line("experiment", *words)


def _program() -> list[str]:
    """Return the program as a shell finds it: by name, by path, or through this Python."""
    from shutil import which

    if which(_PROGRAM):
        return [_PROGRAM]
    # An environment that is not activated is on no PATH, and its programs lie beside its Python.
    beside = Path(sys.executable).parent / _PROGRAM
    if os.access(beside, os.X_OK):
        return [str(beside)]
    return [sys.executable or "python", "-m", "nemo_run"]
