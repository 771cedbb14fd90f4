"""What the folders say that the index does not know yet. Reads only what changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.management.store import layout
from nemo_run.management.store.advice import explained

from . import rows as index_rows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from .rows import Stamp

# A folder changed this shortly before it was read may change again within the same tick of its
# file system's clock (2 seconds on FAT, 1 on older NFS).
_TICK_NANOSECONDS = 2_000_000_000


class Kept(NamedTuple):
    """What the index knows.

    Attributes:
        titles: The time of each title's folder when it was read.
        experiments: For each title's folder, the stamp of each experiment's path.
    """

    titles: dict[str, int]
    experiments: dict[str, dict[str, Stamp]]


class Changes(NamedTuple):
    """What the index is to learn.

    Attributes:
        gone: Paths of experiments that are no more.
        titles: The time of each title's folder that was read.
        stale: The folder, path and stamp of each experiment that is to be read.
        unread: Sentences about folders that could not be read.
    """

    gone: list[str]
    titles: list[tuple[str, int]]
    stale: list[tuple[str, str, Stamp]]
    unread: list[str]


def compare(kept: Kept, bases: Iterable[Path]) -> Changes:
    """Return how the folders differ from what is kept.

    Args:
        kept: What the index knows.
        bases: The folders that hold ``experiments/``.
    """
    left = dict(kept.experiments)
    changes = Changes([], [], [], [])
    for folder, mtime in _title_folders(bases, changes.unread):
        before = left.pop(folder, {})
        paths: Collection[str] = before
        if kept.titles.get(folder) != mtime:
            paths = _read_folder(folder, mtime, before, changes)
        _compare(folder, paths, before, changes)
    changes.gone.extend(path for paths in left.values() for path in paths)
    return changes


def _read_folder(
    folder: str, mtime: int, before: Collection[str], changes: Changes
) -> Collection[str]:
    try:
        paths = index_rows.experiments_in(folder)
    except OSError as error:
        changes.unread.append(_unreadable(folder, error))
        return before
    changes.titles.append((folder, _settled(mtime)))
    return paths


def _compare(
    folder: str, paths: Collection[str], before: dict[str, Stamp], changes: Changes
) -> None:
    changes.gone.extend(path for path in before if path not in paths)
    for path in paths:
        known = before.get(path)
        stamp = index_rows.stamp(path, known)
        if stamp is None:
            changes.gone.append(path)
        elif stamp != known:
            changes.stale.append((folder, path, stamp))


def _title_folders(bases: Iterable[Path], unread: list[str]) -> Iterator[tuple[str, int]]:
    for base in bases:
        try:
            with os.scandir(base / layout.EXPERIMENTS) as entries:
                yield from ((e.path, e.stat().st_mtime_ns) for e in entries if e.is_dir())
        except FileNotFoundError:
            continue
        except OSError as error:
            unread.append(_unreadable(base / layout.EXPERIMENTS, error))


def _unreadable(folder: str | Path, error: OSError) -> str:
    return str(explained("list the experiments in", folder, error, after="Others are listed."))


def _settled(mtime: int) -> int:
    return mtime if time.time_ns() - mtime > _TICK_NANOSECONDS else 0
