"""Times and durations as Slurm reads and writes them."""

from __future__ import annotations

import re
import time

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def limit_seconds(text: str) -> int | None:
    """Return a time limit in seconds; None is without limit.

    Args:
        text: ``minutes``, ``minutes:seconds``, ``hours:minutes:seconds``, ``days-hours``,
            ``days-hours:minutes`` or ``days-hours:minutes:seconds`` (sbatch(1), ``--time``).

    Raises:
        ValueError: It is none of them.
    """
    if text.upper() in {"UNLIMITED", "INFINITE", "-1"}:
        return None
    days, dash, rest = text.rpartition("-")
    parts = [int(part) for part in rest.split(":")]
    if dash:
        hours, minutes, seconds = ([*parts, 0, 0])[:3]
        return ((int(days) * 24 + hours) * 60 + minutes) * 60 + seconds
    if len(parts) == 3:
        return (parts[0] * 60 + parts[1]) * 60 + parts[2]
    minutes, seconds = ([*parts, 0])[:2]
    return minutes * 60 + seconds


def begin_time(text: str, now: float) -> float:
    """Return the time of ``--begin``: ``now``, ``now+60``, ``now+1hour`` or ISO 8601.

    Raises:
        ValueError: It is none of them.
    """
    found = re.fullmatch(r"now(?:([+-])(\d+)([a-z]?)[a-z]*)?", text)
    if found:
        seconds = int(found[2] or 0) * _UNITS[found[3] or ""]
        return now - seconds if found[1] == "-" else now + seconds
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"):
        try:
            return time.mktime(time.strptime(text, form))
        except ValueError:
            continue
    raise ValueError(text)


def iso(moment: float) -> str:
    """Return a time as the clients print it, in local time."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(moment))


def short(seconds: float | None) -> str:
    """Return a duration as squeue prints it: ``0:04``, ``1:00:00``, ``1-00:00:00``."""
    if seconds is None:
        return "UNLIMITED"
    days, hours, minutes, rest = _split(seconds)
    if days:
        return f"{days}-{hours:02}:{minutes:02}:{rest:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def full(seconds: float | None) -> str:
    """Return a duration as sacct and scontrol print it: ``00:00:04``, ``1-00:00:00``."""
    if seconds is None:
        return "UNLIMITED"
    days, hours, minutes, rest = _split(seconds)
    return f"{days}-" * bool(days) + f"{hours:02}:{minutes:02}:{rest:02}"


def _split(seconds: float) -> tuple[int, int, int, int]:
    whole = max(0, int(seconds))
    return whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
