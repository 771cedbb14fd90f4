"""Numbers of bytes as people read them. Pure."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def size(number: int) -> str:
    """Return a number of bytes with three digits and a unit: ``1.53 MiB``."""
    value, at = float(number), 0
    while value >= 1000 and at < len(_UNITS) - 1:
        value, at = value / 1024, at + 1
    return f"{number} B" if at == 0 else f"{value:.3g} {_UNITS[at]}"
