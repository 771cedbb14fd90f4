"""Ctrl-C: held back while an experiment is begun; the first leaves it, a second one cancels."""

from __future__ import annotations

import builtins
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from nemo_run.invocation import experiment_command
from nemo_run.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

WINDOW = 3.0
"""How long after the first Ctrl-C a second one is understood as the wish to cancel, in seconds."""


class Left(KeyboardInterrupt):
    """The person left an experiment that goes on, or cancelled it; the message says which."""

    def _render_traceback_(self) -> list[str]:
        # What a notebook shows: https://ipython.readthedocs.io/en/stable/config/integrating.html
        return [str(self)]


class LeftProgram(Left, SystemExit):
    """The same in a program: where nobody catches it, that ends with code 130 and no traceback."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = 130


class HeldBack:
    """A ``with`` block in which Ctrl-C waits until :meth:`release`, or until its end."""

    def __init__(self) -> None:
        self._before: Any = None
        self._seen = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            # None belongs to another language's handler, which cannot be put back.
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._see)
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Let Ctrl-C through again, also one that came before.

        Raises:
            KeyboardInterrupt: One came before, and nobody handles it in another way.
        """
        before, self._before = self._before, None
        if before is None:
            return
        signal.signal(signal.SIGINT, before)
        if self._seen:
            signal.raise_signal(signal.SIGINT)

    def _see(self, _number: int, _frame: object) -> None:
        self._seen = True


def leave(
    record: Record, cancel: Callable[[], object], wait: Callable[[], ExperimentStatus]
) -> Left:
    """Leave an experiment that goes on; at a terminal, a second Ctrl-C soon after cancels it.

    Args:
        record: The experiment.
        cancel: Asks for the end of all jobs.
        wait: Waits until they have ended.

    Returns:
        The exception to raise, which says what was done.
    """
    kind = Left if _is_interactive() else LeftProgram
    left = kind(f"left experiment {record.id}; it goes on")
    try:
        # Inside, as the second one may come while this is being read.
        say(f"\nLeaving; experiment {record.id} goes on.\n{how_to_come_back(record)}")
        if not _is_at_terminal():
            return left
        say(f"Press Ctrl-C again within {WINDOW:g} seconds to cancel it.")
        time.sleep(WINDOW)
    except KeyboardInterrupt:
        if _is_at_terminal():
            return kind(_cancelled(record, cancel, wait))
    return left


def _cancelled(
    record: Record, cancel: Callable[[], object], wait: Callable[[], ExperimentStatus]
) -> str:
    """Cancel an experiment and wait for its end; one more Ctrl-C leaves at once."""
    try:
        with HeldBack():
            say(
                f"\nCancelling experiment {record.id}; waiting for its jobs to end. "
                "Ctrl-C leaves at once."
            )
            cancel()
        say(f"Experiment {record.id}: {wait().state}")
    except KeyboardInterrupt:
        return f"asked to cancel experiment {record.id}"
    return f"cancelled experiment {record.id}"


def how_to_come_back(record: Record) -> str:
    """Return the commands that look at, and that end, an experiment."""
    return (
        f"  look:    {experiment_command('status', record.id)}\n"
        f"  follow:  {experiment_command('logs', '-f', record.id)}\n"
        f"  cancel:  {experiment_command('cancel', record.id)}"
    )


def how_to_look_back(record: Record) -> str:
    """Return the commands that look at, and that repeat, an experiment that has ended."""
    return (
        f"  look:    {experiment_command('status', record.id)}\n"
        f"  logs:    {experiment_command('logs', record.id)}\n"
        f"  repeat:  {experiment_command('rerun', record.id)}"
    )


def _is_interactive() -> bool:
    """Tell whether statements are typed one by one: the interpreter goes on after each."""
    return hasattr(sys, "ps1") or hasattr(builtins, "__IPYTHON__") or bool(sys.flags.interactive)


def _is_at_terminal() -> bool:
    return all(stream and stream.isatty() for stream in (sys.stdin, sys.stderr))
