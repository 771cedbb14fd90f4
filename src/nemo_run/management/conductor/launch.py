"""Starting the conductor of an experiment: a process of its own, in a session of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError
from nemo_run.invocation import experiment_command
from nemo_run.management import detached

from .charge import taken

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record

LOG = "conductor.log"
ONLY_CANCELS = "only-cancels"
HAND_OVER = "hand-over"

_PROCESS = "nemo_run.management.conductor.process"
_START = 20.0


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
        self._gone = self._gone or detached.has_ended(self.pid)
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
    words = [w for w, wanted in ((ONLY_CANCELS, only_cancels), (HAND_OVER, hand_over)) if wanted]
    try:
        pid = detached.start(_PROCESS, [str(record.path), *words], record.path / LOG)
    except OSError as error:
        if not record.path.exists():
            raise _deleted(record) from None
        raise StoreError(
            f"The conductor of {record.id} could not be started: {error.strerror or error}. The "
            f"experiment is written down; go on with `{experiment_command('resume', record.id)}`."
        ) from error
    return Started(record, pid)


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
