"""Reading a journal again and again: nothing is opened, or locked, while nothing was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .events import Event
    from .journal import Journal


def read_on(journal: Journal, offset: int) -> tuple[list[Event], int]:
    """Return the events after ``offset``, and the offset to go on from.

    Args:
        journal: The journal.
        offset: 0, or what an earlier call returned.

    Raises:
        StoreError: The journal is there and cannot be read.
    """
    try:
        if journal.path.stat().st_size == offset:
            return [], offset
    except OSError:
        # Reading says what is wrong.
        return journal.read(offset)
    return journal.read(offset)
