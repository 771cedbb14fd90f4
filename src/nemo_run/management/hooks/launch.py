"""Starting the process that tells hooks. Whatever goes wrong with it is no matter of the run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.management.conductor.launch import let_go
from nemo_run.management.store.files import open_file

from . import stored

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record

# See conductor/launch.py: the path is put right before anything of the user can be imported.
_PROGRAM = (
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[1]]; "
    "from nemo_run.management.hooks.process import main; sys.exit(main(sys.argv[2:]))"
)
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def start(record: Record) -> str:
    """Let hooks be told of what the journal says, now and as long as somebody writes it.

    Nothing is started for an experiment without hooks, and none for one that somebody else made
    or that is a copy.

    Args:
        record: The experiment.

    Returns:
        Why nobody is told, should it have failed; else nothing.
    """
    if not (record.path / stored.FILE).exists() or not stored.are_ours(record):
        return ""
    import subprocess

    try:
        with os.fdopen(open_file(record.path / stored.LOG, _APPEND), "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, _root(), str(record.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
    except OSError as error:
        return f"the hooks cannot be told: {error.strerror or error}"
    let_go(process)
    return ""


def _root() -> str:
    return str(Path(__file__).absolute().parents[3])
