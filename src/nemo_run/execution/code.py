"""The code that travels with a job: which tree, and what its paths are at the target.

Pure, but that links are followed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .target import Target


@dataclass(frozen=True)
class Code:
    """A snapshot of code, as planning needs to know it.

    Attributes:
        tree: The id of its git tree.
        root: The folder of the launching machine that the code folder of the job stands for.
        holds: Tells whether a path, relative to the root, is in it; None where nobody knows.
        commit: The commit that it started from, where it is known from a record.
        summary: How it differs from that commit, for people, where it is known from a record.
    """

    tree: str
    root: str
    holds: Callable[[str], bool] | None = None
    commit: str = ""
    summary: str = ""


def relative(path: str, root: str) -> str | None:
    """Return ``path`` as seen from ``root``; None where it does not lie below it."""
    # git gives the root without links, and a launching process may have come through one.
    for pure in (PurePath(path), PurePath(os.path.realpath(path))):
        if pure.is_relative_to(root):
            return str(pure.relative_to(root))
    return None


def moved(path: str, root: str, now: str) -> str | None:
    """Return where something below ``root`` is when ``root`` is at ``now``; None if elsewhere."""
    inside = relative(path, root)
    if inside is None:
        return None
    return now if inside == "." else f"{now}/{inside}"


def import_path(entries: Iterable[str], code: Code | None, target: Target) -> list[str]:
    """Return what the worker of a job imports from.

    Paths in the code come from its copy, which goes first. Other paths of the launching machine
    are kept where the job sees its files.

    Args:
        entries: The launching process's own paths.
        code: The code that travels, if any does.
        target: Where the job runs.
    """
    shared = target.here and not target.container
    # What is in the code folder counts, whoever put it there.
    found = [target.code] if code is not None or target.in_code else []
    for entry in entries:
        there = moved(entry, code.root, target.code) if code is not None else None
        if there is not None:
            found.append(there)
        elif shared:
            found.append(entry)
    return list(dict.fromkeys(found))


def start_folder(launched_from: str, code: Code | None, target: Target) -> str:
    """Return the folder in which the processes of a job start.

    Args:
        launched_from: The folder in which the launching process is.
        code: The code that travels, if any does.
        target: Where the job runs.
    """
    if code is not None or target.in_code:
        return target.code
    return launched_from if target.here and not target.container else target.inside
