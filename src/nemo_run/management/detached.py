"""Processes of our own that outlive the one that starts them, each in a session of its own."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.management.store.files import open_file

if TYPE_CHECKING:
    from collections.abc import Sequence

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND
_ROOT = 2
"""How far above this file the folder lies that the package is imported from."""

_OF_A_JOB = frozenset(
    f"NEMORUN_{name}"
    for name in (
        *("TOKEN", "LEADER", "EXPERIMENT_ID", "JOB", "JOB_DIR", "ATTEMPT", "ATTEMPT_DIR"),
        *("MEMBER", "LOG_DIR", "LAUNCHING_SCRIPT"),
    )
)

# With -m, Python would put the current folder first on the module path, and a user's json.py
# there would take the place of the standard library's. So the path is put right first.
_PROGRAM = (
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[1]]; "
    "from {} import main; sys.exit(main(sys.argv[2:]))"
)

_children: set[int] = set()


def start(module: str, arguments: Sequence[str], log: Path) -> int:
    """Start the ``main`` of a module in a new process, which nobody waits for.

    It is part of no job, even where this process is: it does not end with that job.

    Args:
        module: The module's name.
        arguments: What its ``main`` is given.
        log: The file that its output is added to.

    Returns:
        Its process number, for :func:`has_ended`.

    Raises:
        OSError: It could not be started, or the log cannot be written.
    """
    import subprocess

    root = str(Path(__file__).absolute().parents[_ROOT])
    with os.fdopen(open_file(log, _APPEND), "ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(module), root, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name not in _OF_A_JOB},
            # No Ctrl-C and no closing terminal reaches it.
            start_new_session=True,
        )
    # From here on nobody waits for it through this object.
    process.returncode = 0
    _reap()
    _children.add(process.pid)
    return process.pid


def has_ended(pid: int) -> bool:
    """Whether a process that :func:`start` started has ended; it leaves the process table then."""
    try:
        ended = os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        ended = True
    if ended:
        # The number may be that of another child from now on.
        _children.discard(pid)
    return ended


def _reap() -> None:
    """Let those that have ended leave the process table: a notebook starts many in a day."""
    for pid in list(_children):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] != pid:
                continue
        # Ended now, or waited for by somebody else.
        _children.discard(pid)
