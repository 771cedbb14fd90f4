"""Ctrl-C while waiting: the first leaves, a second one cancels."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.management.store.record import Record

WINDOW = 3.0
"""How long after the first Ctrl-C a second one is understood as the wish to cancel, in seconds."""


def leave(record: Record, cancel: Callable[[], object]) -> str:
    """Leave an experiment that goes on; on a second Ctrl-C soon after, cancel it.

    On a terminal the person is asked before anything is cancelled.

    Args:
        record: The experiment.
        cancel: Asks for the end of all jobs.

    Returns:
        One sentence that says what was done.
    """
    try:
        # Inside, as the second one may come while this is being read.
        _say(
            f"\nLeaving; experiment {record.id} goes on.\n{how_to_come_back(record)}\n"
            f"Press Ctrl-C again within {WINDOW:g} seconds to cancel it."
        )
        time.sleep(WINDOW)
    except KeyboardInterrupt:
        if not _agreed(record):
            return f"left experiment {record.id}; it goes on"
        cancel()
        return f"asked to cancel experiment {record.id}"
    return f"left experiment {record.id}; it goes on"


def how_to_come_back(record: Record) -> str:
    """Return the commands that look at, and that end, an experiment."""
    return (
        f"  look:    nemo-run experiment status {record.id}\n"
        f"  follow:  nemo-run experiment logs -f {record.id}\n"
        f"  cancel:  nemo-run experiment cancel {record.id}"
    )


def how_to_look_back(record: Record) -> str:
    """Return the commands that look at, and that repeat, an experiment that has ended."""
    return (
        f"  look:    nemo-run experiment status {record.id}\n"
        f"  logs:    nemo-run experiment logs {record.id}\n"
        f"  repeat:  nemo-run experiment rerun {record.id}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - for the person at the keyboard


def _agreed(record: Record) -> bool:
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    try:
        print(f"\nCancel all jobs of {record.id}? [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
        return sys.stdin.readline().strip().lower() in {"y", "yes"}
    except KeyboardInterrupt:
        # Somebody who presses it three times does not want to be asked.
        return True
