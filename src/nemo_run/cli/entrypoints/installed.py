"""Which installed packages bring commands: the entry-point group ``nemo_run.cli``.

Their ``entry_points.txt`` are read as the packaging specification describes them
(https://packaging.python.org/en/latest/specifications/entry-points/), because
``importlib.metadata`` costs more than the rest of ``--help`` together.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

GROUP = "nemo_run.cli"
_METADATA = (".dist-info", ".egg-info")


class Point(NamedTuple):
    """One entry point.

    Attributes:
        name: What the command is called.
        value: ``package.module`` or ``package.module:attribute``.
        distribution: The package that brings it, as it is installed.
    """

    name: str
    value: str
    distribution: str


def installed_points(*, thorough: bool = False) -> dict[str, list[Point]]:
    """Return the entry points of installed packages by name; imports none of the packages.

    Args:
        thorough: Ask ``importlib.metadata``, which also knows packages in zip files and such.
    """
    found: dict[str, list[Point]] = {}
    for point in _asked() if thorough else _read():
        same = found.setdefault(point.name, [])
        if point.value not in {other.value for other in same}:
            same.append(point)
    return found


def _read() -> Iterator[Point]:
    seen: set[str] = set()
    for folder in sys.path:
        try:
            names = sorted(os.listdir(folder or os.curdir))  # noqa: PTH208 - far quicker
        except OSError:
            continue
        for name in names:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122
            if suffix not in _METADATA:
                continue
            distribution = stem.partition("-")[0]
            if distribution in seen:
                continue  # what stands first on the path is what is imported
            seen.add(distribution)
            yield from _points_of(os.path.join(folder, name), distribution)  # noqa: PTH118


def _points_of(folder: str, distribution: str) -> Iterator[Point]:
    try:
        with open(os.path.join(folder, "entry_points.txt"), encoding="utf-8") as file:  # noqa: PTH118, PTH123
            text = file.read()
    except (OSError, UnicodeDecodeError):
        return
    if GROUP not in text:
        return
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == f"[{GROUP}]"
        elif inside and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield Point(name.strip(), value.partition("[")[0].strip(), distribution)


def _asked() -> Iterator[Point]:
    from importlib import metadata

    for point in metadata.entry_points(group=GROUP):
        dist = getattr(point, "dist", None)
        yield Point(point.name, point.value, dist.name if dist else "an installed package")
