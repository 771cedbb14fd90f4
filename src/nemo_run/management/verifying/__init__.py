"""Whether an experiment can still be run again: one thing after the other, none of its code run.

Every check says what is so, and where it is not well, what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Check, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.management.store.record import Record

__all__ = ["Check", "Verdict", "verify", "worst"]


def verify(record: Record, *, connect: bool = True) -> Iterator[Check]:
    """Yield what was looked at and found, the quickest first.

    Args:
        record: The experiment.
        connect: Whether to ask other machines that its jobs ran on.
    """
    from . import code, interpreter, places, stored

    readable = stored.record(record)
    yield readable
    if readable.verdict == "red":
        return  # everything else is read from it
    yield stored.configuration(record)
    yield from stored.launching_script(record)
    yield code.snapshots(record)
    yield from code.modules(record)
    yield interpreter.python(record)
    yield interpreter.packages(record)
    yield from places.images(record, connect=connect)
    yield from places.secrets(record)
    yield from places.targets(record, connect=connect)
