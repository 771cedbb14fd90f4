"""What can go: experiments that a rule does not keep, and what no experiment refers to any more.

Snapshots of code and tables of packages are shared, so they go only when no record names them and
nobody can be about to: while it is looked and forgotten, nobody makes an experiment
(:mod:`.store.housekeeping`), and what is younger than a day stays.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError, StoreError

from . import marks, store
from .store import finding, layout
from .store.files import read_file
from .store.housekeeping import collecting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .index.rows import Row
    from .store.record import Record

YOUNG = 24 * 3600.0
"""What is younger, in seconds, is left alone."""

_CODE = "code.git"
_TARS = "code"
_PACKAGES = "packages"
# A git tree (40 digits, 64 with SHA-256), or the digest of a table of packages.
_NAMED = re.compile(rb"(?<![0-9a-f])(?:[0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])")
_TAR = re.compile(r"([0-9a-f]{40,64})\.tar$")
_TABLE = re.compile(r"([0-9a-f]{64})\.json$")


@dataclass(frozen=True)
class Rules:
    """Which of the experiments that were chosen stay all the same.

    Attributes:
        younger: Those made in so many last seconds.
        last: So many newest of each title.
        user: Only experiments of this user go; empty for all.
    """

    younger: float = 0
    last: int = 0
    user: str = ""


@dataclass(frozen=True)
class Spared:
    """An experiment that stays.

    Attributes:
        row: Its line.
        why: A few words.
    """

    row: Row
    why: str


@dataclass(frozen=True)
class Forgotten:
    """What no experiment refers to.

    Attributes:
        trees: Snapshots in ``code.git``.
        files: Archives of snapshots, and tables of packages.
        freed: Bytes; of a dry run, without what git would free.
        kept: Why snapshots and tables were kept, where nobody can tell what refers to them.
    """

    trees: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    freed: int = 0
    kept: str = ""


def sort_out(rows: Iterable[Row], rules: Rules, everything: Iterable[Row]) -> list[Spared | Row]:
    """Return each experiment that may go as its row, and each that stays with the reason. Pure.

    Args:
        rows: Those that were chosen.
        rules: What stays.
        everything: All experiments, which tell the newest of each title.
    """
    newest: dict[str, int] = {}
    last: set[str] = set()
    for row in sorted(everything, key=lambda row: (row.created, row.id), reverse=True):
        newest[row.title] = newest.get(row.title, 0) + 1
        if newest[row.title] <= rules.last:
            last.add(row.path)
    now = time.time()
    return [Spared(row, why) if (why := _why(row, rules, last, now)) else row for row in rows]


def _why(row: Row, rules: Rules, last: set[str], now: float) -> str:
    age = now - row.created
    reasons = (
        (marks.KEEP in row.tags, f"tagged {marks.KEEP}"),
        (bool(row.error), "damaged; delete it by its id"),
        (bool(rules.user) and row.user != rules.user, f"of {row.user or 'somebody else'}"),
        (age < (rules.younger or 0), "young enough"),
        (row.path in last, f"one of the last {rules.last} of its title"),
        (not row.state.terminal, f"not over: {row.state}"),
    )
    return next((why for holds, why in reasons if holds), "")


def size_of(path: str | os.PathLike[str]) -> int:
    """Return the bytes that a folder takes on its disk; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                found = os.lstat(os.path.join(folder, name))  # noqa: PTH118 - runs for every file
            except OSError:
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * 512
    return total


def dependants(record: Record, everything: Iterable[Row]) -> list[str]:
    """Return the ids of experiments that repeat this one; they do without it."""
    return [row.id for row in everything if row.rerun_of == record.id]


def delete_all(records: Sequence[Record]) -> Iterator[tuple[Record, int, str]]:
    """Delete experiments, and yield each with the bytes freed, or with why it stays.

    Each goes out of sight in one step, so that a kill leaves none that is listed in part.
    """
    from . import operations

    for record in records:
        if marks.KEEP in marks.read(record).tags:
            yield record, 0, f"It was tagged {marks.KEEP} meanwhile."
            continue
        taken = size_of(record.path)
        try:
            operations.delete(record)
        except NemoRunError as error:
            yield record, 0, str(error)
        else:
            yield record, taken, ""


def sweep() -> int:
    """Remove what killed processes left behind, and return how many things."""
    return store.sweep(YOUNG)


def forget(*, dry: bool = False, gone: Iterable[str] = (), older_than: float = YOUNG) -> Forgotten:
    """Forget snapshots of code and tables of packages that no experiment refers to.

    Args:
        dry: Only say what would go.
        gone: Paths of experiments that count as deleted, for a dry run.
        older_than: Leave alone what is younger, in seconds.

    Raises:
        StoreError: Experiments are being made without a pause, or the system refuses.
        PackagingError: git refuses.
    """
    home = layout.home()
    if not home.is_dir():
        return Forgotten()
    with collecting():
        try:
            named = _named(frozenset(gone))
        except _UnknownError as unknown:
            return Forgotten(kept=str(unknown))
        before = time.time() - older_than
        trees = tuple(_trees(home / _CODE, named, before))
        files = (
            *_files(home / _TARS, _TAR, named, before),
            *_files(home / _PACKAGES, _TABLE, named, before),
        )
        freed = sum(_length(file) for file in files)
        if dry:
            return Forgotten(trees, files, freed)
        for file in files:
            file.unlink(missing_ok=True)
        return Forgotten(trees, files, freed + _forget_trees(home / _CODE, trees, older_than))


class _UnknownError(Exception):
    """It cannot be told what records refer to."""


def _named(gone: frozenset[str] = frozenset()) -> set[str]:
    """Return everything that looks like the name of a snapshot or table, in any record.

    The bytes are searched, so that a record which is damaged, of a later version or still being
    made counts like any other.
    """
    for place in _places():
        if not (place / layout.EXPERIMENTS).is_dir():
            raise _UnknownError(
                f"{place} is not there, and experiments in it may need code that is kept. Mount "
                f"it, or take its line out of {layout.home() / layout.LOCATIONS}."
            )
    found: set[str] = set()
    try:
        folders = [*(record.path for record in finding.records()), *finding.hidden_folders()]
    except NemoRunError as error:
        raise _UnknownError(str(error)) from error
    for folder in folders:
        if str(folder) not in gone:
            found.update(_named_in(folder))
    return found


def _places() -> list[Path]:
    """Return where else experiments are said to lie, whether it is there now or not."""
    try:
        lines = read_file(layout.home() / layout.LOCATIONS).splitlines()
    except OSError:
        return []
    return [Path(os.fsdecode(line)) for line in lines if line.startswith(b"/")]


def _named_in(folder: Path) -> set[str]:
    try:
        content = read_file(folder / layout.META)
    except FileNotFoundError:
        if folder.name.startswith(".") or not (folder / layout.JOURNAL).exists():
            return set()  # one that is being made names nothing yet; see making()
        raise _UnknownError(
            f"{folder} has no {layout.META}, so nobody can tell which code it needs. Restore the "
            "file, or delete the experiment."
        ) from None
    except OSError as error:
        raise _UnknownError(
            f"{folder / layout.META} cannot be read ({error.strerror or error}), so nobody can "
            "tell which code it needs."
        ) from error
    return {match.decode() for match in _NAMED.findall(content)}


def _trees(store_path: Path, named: set[str], before: float) -> Iterator[str]:
    if not (store_path / "HEAD").exists():
        return
    from nemo_run.packaging.store import CodeStore

    for tree, kept_at in CodeStore(store_path).ages().items():
        if tree not in named and kept_at < before:
            yield tree


def _files(
    folder: Path, pattern: re.Pattern[str], named: set[str], before: float
) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for path in entries:
        match = pattern.match(path.name)
        try:
            if match and match[1] not in named and path.lstat().st_mtime < before:
                yield path
        except OSError:
            continue


def _length(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0


def _forget_trees(store_path: Path, trees: Sequence[str], older_than: float) -> int:
    if not trees:
        return 0
    from nemo_run.packaging.store import CodeStore

    code = CodeStore(store_path)
    taken = size_of(store_path)
    for tree in trees:
        code.forget(tree)
    code.prune(older_than)
    return max(0, taken - size_of(store_path))


def refuse_others(record: Record) -> None:
    """Refuse to delete what another user made.

    Raises:
        StoreError: It is of somebody else.
    """
    try:
        owner = record.path.stat().st_uid
    except OSError:
        return
    if owner != os.getuid():
        raise StoreError(
            f"{record.id} belongs to another user of this machine (user id {owner}). Add --force "
            "to delete it all the same."
        )
