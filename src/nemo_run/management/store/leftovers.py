"""What processes that were killed left behind: drafts, half-written files, half-made repositories.

Whoever writes a file writes it under a hidden name that mkstemp(3) made, and renames it. Nothing
else is looked for, and nothing where users keep files of their own.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from . import layout
from .finding import hidden_folders, records

if TYPE_CHECKING:
    from collections.abc import Iterator

_RANDOM = r"[a-z0-9_]{8}"
_HALF_WRITTEN = re.compile(
    rf"\.(?:.+\.(?:jsonl?|tar|toml|sh|py|csv)|nemorun|bring|{layout.LOCATIONS})\.{_RANDOM}$"
)
# A job's script; in the folder of an attempt all files are ours.
_SCRIPT = re.compile(rf"\.{_RANDOM}$")
_REPOSITORY = re.compile(rf"code\.git\.{_RANDOM}$")
_ATTEMPTS = "attempts"


def sweep(before: float) -> int:
    """Remove what is older than a time, and return how many files and folders.

    Args:
        before: Seconds since the epoch.
    """
    return sum(_removed(path, before) for path in _found())


def _found() -> Iterator[str]:
    yield from map(str, hidden_folders())
    home = layout.home()
    for folder in (home, home / "code", home / "packages"):
        yield from _named(folder, _HALF_WRITTEN)
    yield from _named(home, _REPOSITORY)
    for record in records():
        yield from _named(record.path, _HALF_WRITTEN)
        for job in _folders(record.path / layout.JOBS):
            yield from _named(job, _HALF_WRITTEN)
            for attempt in _folders(job / _ATTEMPTS):
                yield from _named(attempt, _HALF_WRITTEN)
                yield from _named(attempt, _SCRIPT)


def _named(folder: Path, pattern: re.Pattern[str]) -> list[str]:
    return [entry.path for entry in _entries(folder) if pattern.match(entry.name)]


def _folders(folder: Path) -> list[Path]:
    return [Path(e.path) for e in _entries(folder) if e.is_dir(follow_symlinks=False)]


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _removed(path: str, before: float) -> bool:
    try:
        info = os.lstat(path)
        if info.st_mtime >= before:
            return False
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114
            shutil.rmtree(path)
        else:
            Path(path).unlink()
    except OSError:
        # Somebody else removes it, or may not be disturbed; the next sweep sees.
        return False
    return True
