"""Starting the conductor of an experiment: a process of its own, in a session of its own."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError
from nemo_run.invocation import experiment_command
from nemo_run.management.store.files import open_file

from .charge import taken

if TYPE_CHECKING:
    from subprocess import Popen

    from nemo_run.management.store.record import Record

LOG = "conductor.log"
ONLY_CANCELS = "only-cancels"
HAND_OVER = "hand-over"

_START = 20.0
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND

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
    "from nemo_run.management.conductor.process import main; sys.exit(main(sys.argv[2:]))"
)


_children: set[int] = set()


class Started:
    """A conductor that this process started.

    Attributes:
        pid: Its number.
    """

    def __init__(self, record: Record, pid: int) -> None:
        self.pid = pid
        self._record = record
        self._gone = False

    @property
    def gone(self) -> bool:
        """Whether it has ended, and left the process table."""
        if not self._gone:
            try:
                self._gone = os.waitpid(self.pid, os.WNOHANG)[0] == self.pid
            except ChildProcessError:
                self._gone = True
            if self._gone:
                # The number may be that of another child from now on.
                _children.discard(self.pid)
        return self._gone


def start(record: Record, *, only_cancels: bool = False, hand_over: bool = False) -> Started:
    """Start the conductor of ``record``.

    Args:
        record: The experiment.
        only_cancels: It carries out the requests to cancel, and starts nothing.
        hand_over: It leaves as soon as the engines finish the rest alone.

    Raises:
        StoreError: It could not be started, or there is nothing to drive any more.
    """
    import subprocess

    words = [w for w, wanted in ((ONLY_CANCELS, only_cancels), (HAND_OVER, hand_over)) if wanted]
    try:
        with os.fdopen(open_file(record.path / LOG, _APPEND), "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, _root(), str(record.path), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=_environment(),
                # No Ctrl-C and no closing terminal reaches it.
                start_new_session=True,
            )
    except OSError as error:
        if not record.path.exists():
            raise _deleted(record) from None
        raise StoreError(
            f"The conductor of {record.id} could not be started: {error.strerror or error}. The "
            f"experiment is written down; go on with `{experiment_command('resume', record.id)}`."
        ) from error
    let_go(process)
    return Started(record, process.pid)


def let_go(process: Popen[bytes]) -> None:
    """Take a process for one that may outlive us: nobody waits for it through this object."""
    process.returncode = 0
    _reap()
    _children.add(process.pid)


def _reap() -> None:
    """Let those that have ended leave the process table: a notebook starts many in a day."""
    for pid in list(_children):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] != pid:
                continue
        # Ended now, or waited for by somebody else.
        _children.discard(pid)


def _environment() -> dict[str, str]:
    """Return our environment, without what makes this process part of another job.

    An experiment that is launched inside a job is not ended with that job.
    """
    return {name: value for name, value in os.environ.items() if name not in _OF_A_JOB}


def wait_until_in_charge(record: Record, started: Started) -> None:
    """Return when the conductor has taken charge, or has finished its work already.

    Raises:
        StoreError: It ended before that; the message holds the end of its log.
    """
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline:
        conductor = record.status().conductor
        if conductor is not None and conductor.pid == started.pid:
            return
        if started.gone:
            if not taken(record) and record.status().ended is None:
                raise not_started(record)
            if conductor is None or not conductor.only_cancels or conductor.ended:
                # Another one was faster, which is as good.
                return
        time.sleep(0.01)
    raise not_started(record)


def not_started(record: Record) -> StoreError:
    """Return the error that says how the conductor failed, or that all was deleted."""
    if not record.path.exists():
        return _deleted(record)
    return StoreError(
        f"The conductor of {record.id} ended before its work was done. The end of "
        f"{record.path / LOG}:\n{_last_lines(record)}\nNothing is lost: go on with "
        f"`{experiment_command('resume', record.id)}`."
    )


def _deleted(record: Record) -> StoreError:
    return StoreError(
        f"The experiment {record.id} was deleted or moved while it ran: {record.path} is gone. "
        "Jobs that were running were not stopped, and no others are started."
    )


def _last_lines(record: Record, count: int = 20) -> str:
    try:
        lines = (record.path / LOG).read_text("utf-8", "replace").splitlines()
    except OSError as error:
        return f"  (cannot be read: {error.strerror})"
    return "\n".join(f"  {line}" for line in lines[-count:]) or "  (empty)"


def _root() -> str:
    """Return the folder, or archive, that this package is imported from."""
    return str(Path(__file__).absolute().parents[3])
