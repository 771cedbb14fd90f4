"""Times, sizes and counts as a person says them. Pure."""

from __future__ import annotations

import math

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def duration(seconds: float | None) -> str:
    """Return a span of time in its two greatest units: ``1d 4h``, ``3m 12s``, ``0.4s``."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return "0s"
    if seconds < 9.95:
        return f"{seconds:.1f}s".replace(".0s", "s")
    left = round(seconds)
    for at, (unit, size) in enumerate(_UNITS[:-1]):
        if left >= size:
            next_unit, next_size = _UNITS[at + 1]
            rest = left % size // next_size
            return f"{left // size}{unit} {rest}{next_unit}" if rest else f"{left // size}{unit}"
    return f"{left}s"


def ago(then: float | None, now: float) -> str:
    """Return how long ago ``then`` was, in one unit: ``5m ago``."""
    if then is None:
        return "-"
    past = max(0.0, now - then)
    if not math.isfinite(past):
        return "?"
    for unit, size in _UNITS:
        if past >= size:
            return f"{int(past // size)}{unit} ago"
    return "just now"


def moment(then: float | None) -> str:
    """Return a point in time, in the local time zone: ``2026-03-01 14:05:09``."""
    if then is None:
        return "-"
    import time

    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(then))
    except (OverflowError, ValueError, OSError):  # no calendar has it; the file was damaged
        return "?"


def size(count: int) -> str:
    """Return a number of bytes: ``812 B``, ``3.1 MB``; 1 kB is 1000 bytes."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def tally(total: int, done: int, **others: int) -> str:
    """Return how many of the jobs are done, which means that they succeeded, and what else is.

    Args:
        total: How many jobs there are.
        done: How many of them succeeded.
        **others: How many ended in other ways; those that are none are not named.
    """
    named = [f"{count} {how}" for how, count in others.items() if count]
    return ", ".join([f"{done}/{total} done", *named])
