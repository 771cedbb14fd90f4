"""How often a machine was spoken to; tests and benchmarks read it."""

from __future__ import annotations

from collections import Counter

_counts: Counter[str] = Counter()


def count(key: str) -> None:
    """Note one round trip to the machine ``key``."""
    _counts[key] += 1


def counted(key: str) -> int:
    """Return how many there were in this process."""
    return _counts[key]
