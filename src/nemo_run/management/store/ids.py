"""Ids of experiments: ``<title>_<time in nanoseconds>``, or what the user chose."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from . import names

if TYPE_CHECKING:
    from collections.abc import Callable

_OURS = re.compile(r"(?P<title>.+)_(?P<time>[0-9]{19})$", re.DOTALL)
_lock = threading.Lock()
_latest = 0
_SECOND = 1_000_000_000


def new_id(title: str, clock: Callable[[], int] = time.time_ns) -> str:
    """Return an id for a new experiment, unlike any other that this process made.

    Another process may hold the same one; :func:`nemo_run.management.store.draft` finds out.

    Args:
        title: The experiment's title.
        clock: Gives the time in nanoseconds.
    """
    global _latest  # noqa: PLW0603 - the clock may stand still between two calls
    with _lock:
        now = clock()
        # A clock that was set back by more than this is believed.
        _latest = _latest + 1 if now <= _latest < now + _SECOND else now
        now = _latest
    return f"{names.folder(title, 'experiment title')}_{now:019d}"


def another(experiment_id: str) -> str:
    """Return an id like one that :func:`new_id` made and that turned out to be taken.

    It is up to a millisecond later, by chance, so that processes whose clocks stand at the same
    time do not try the same ones in turn.
    """
    from secrets import randbelow

    match = _OURS.match(experiment_id)
    if match is None:
        raise ValueError(f"{experiment_id!r} was not made here")
    return f"{match['title']}_{int(match['time']) + 1 + randbelow(1_000_000):019d}"


def time_of(experiment_id: str) -> int | None:
    """Return when an id was made, in nanoseconds since the epoch; None for a user's own id."""
    match = _OURS.match(experiment_id)
    return int(match["time"]) if match else None


def folder_of(experiment_id: str) -> str | None:
    """Return the title folder that an id made here lies in; None for a user's own id."""
    match = _OURS.match(experiment_id)
    return match["title"] if match else None
