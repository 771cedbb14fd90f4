"""The code of a moment, as one git tree."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError

from .tree import shown, tree_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .quarantine import Quarantine
    from .store import CodeStore
    from .tree import Entry

_LARGE = 100_000_000


@dataclass(frozen=True)
class CodePlace:
    """Where a packager is asked for the code, and where the code is to be kept.

    Attributes:
        working_directory: The folder of the launching process.
        store: The bare repository that keeps snapshots; it need not be there yet.
    """

    working_directory: str
    store: str

    def is_ours(self, path: str | bytes) -> bool:
        """Whether a file is one of our own: of the home, which may lie in the user's project.

        Args:
            path: An absolute path.
        """
        return os.fsencode(path).startswith(self._own)

    @functools.cached_property
    def _own(self) -> tuple[bytes, ...]:
        from nemo_run.config.home import get_nemorun_home

        homes = [os.path.join(self.working_directory, p) for p in (get_nemorun_home(), self.store)]  # noqa: PTH118
        found = {f"{place}/" for home in homes for place in (home, os.path.realpath(home))}
        # A home above the project does not make the project ours.
        here = (f"{self.working_directory}/", f"{os.path.realpath(self.working_directory)}/")
        return tuple(os.fsencode(p) for p in found if not any(one.startswith(p) for one in here))


@dataclass
class Contents:
    """What a packager found: the entries of a snapshot, before anything is written.

    Attributes:
        entries: Path in the code folder → entry.
        root: The folder of this machine that the code folder stands for; empty for none.
        commit: The commit that the code started from; empty without one.
        modified: How many tracked files differ from the commit.
        untracked: How many files are in no commit.
        warnings: Sentences for the person who launches.
        left_out: Tells why a path below the root does not travel; None where nobody can tell.
        holding: What must live until the bytes are read.
    """

    entries: dict[bytes, Entry]
    root: str
    commit: str = ""
    modified: int = 0
    untracked: int = 0
    warnings: tuple[str, ...] = ()
    left_out: Callable[[bytes], str] | None = None
    holding: list[object] = field(default_factory=list)

    def lay_over(self, more: Mapping[bytes, Entry], whose: str, before: str) -> None:
        """Add entries. Where a path is taken, the new one counts, and a warning says so.

        Args:
            more: What to add.
            whose: Where it comes from, for the warning.
            before: Where what was there comes from.
        """
        replaced = [
            path
            for path, entry in more.items()
            if (old := self.entries.get(path)) and (old.id, old.mode) != (entry.id, entry.mode)
        ]
        if replaced:
            others = f" and {len(replaced) - 1} more" if len(replaced) > 1 else ""
            self.warnings += (
                f"{shown(replaced[0])}{others} of {before} is replaced by that of {whose}.",
            )
        self.entries.update(more)


@dataclass(frozen=True)
class Snapshot:
    """The code of a moment; its bytes lie aside until :meth:`keep`.

    Attributes:
        tree: The id of its git tree. Equal ids are equal bytes, executable bits and links.
        root: The folder of this machine that the code folder of a job stands for; empty for none.
        files: How many files it holds.
        size: Their bytes in all.
        commit: The commit that it started from; empty without one.
        modified: How many tracked files differ from the commit.
        untracked: How many files are in no commit.
        warnings: Sentences for the person who launches.
        left_out: Tells why a path below the root is not in it; None where nobody can tell.
    """

    tree: str
    root: str
    files: int
    size: int
    commit: str = ""
    modified: int = 0
    untracked: int = 0
    warnings: tuple[str, ...] = ()
    left_out: Callable[[bytes], str] | None = field(default=None, repr=False, compare=False)
    _paths: frozenset[bytes] = field(default=frozenset(), repr=False, compare=False)
    _store: CodeStore | None = field(default=None, repr=False, compare=False)
    _quarantine: Quarantine | None = field(default=None, repr=False, compare=False)

    def summary(self) -> str:
        """Return one line: ``412 files, 3.1 MB, commit abc1234 + 2 modified + 1 untracked``."""
        count = f"{self.files} file{'' if self.files == 1 else 's'}, {in_units(self.size)}"
        states = [(self.modified, "modified"), (self.untracked, "untracked")]
        parts = [
            *([f"commit {self.commit[:7]}"] if self.commit else []),
            *(f"{number} {what}" for number, what in states if number),
        ]
        return ", ".join([count, *([" + ".join(parts)] if parts else [])])

    def holds(self, path: str | bytes) -> bool:
        """Whether a file or folder, relative to the root, is in the snapshot."""
        name = os.path.normpath(os.fsencode(path))
        return name in self._paths or name in self._folders

    def files_with(self, lines: Iterable[bytes]) -> list[str]:
        """Return the files that hold one of some pieces of text, each without a newline.

        Raises:
            PackagingError: The snapshot cannot be searched.
        """
        if self._quarantine is not None:
            return self._quarantine.files_with(lines)
        return self._store.files_with(self.tree, lines) if self._store is not None else []

    def keep(self) -> None:
        """Move the bytes into the store, so that jobs can have them; harmless when done already.

        Raises:
            PackagingError: They could not be written.
        """
        if self._quarantine is not None:
            self._quarantine.keep(f"{self.root}\n\n{self.summary()}\n")
        elif self._store is not None:
            self._store.check(self.tree)

    @functools.cached_property
    def _folders(self) -> frozenset[bytes]:
        return folders_of(self._paths)


def folders_of(paths: Iterable[bytes]) -> frozenset[bytes]:
    """Return every folder that a path is in, with the root as ``.`` and as nothing."""
    found = {b"", b"."}
    for path in paths:
        folder = path.rpartition(b"/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition(b"/")[0]
    return frozenset(found)


def snapshot_of(contents: Contents, place: CodePlace) -> Snapshot:
    """Return a snapshot of what a packager found. Nothing is written but temporary files.

    Args:
        contents: What was found; its entries become what was really read.
        place: Where it is to be kept.

    Raises:
        PackagingError: A file cannot be read, or is the folder of another.
    """
    from .store import CodeStore

    _refuse_clashes(contents.entries)
    store = CodeStore(place.store)
    tree = tree_id(contents.entries)
    quarantine = None
    if not store.has(tree):
        quarantine = store.quarantine(contents.entries)
        tree = quarantine.tree
    contents.holding.clear()
    size = sum(entry.size for entry in contents.entries.values())
    return Snapshot(
        tree=tree,
        root=contents.root,
        files=len(contents.entries),
        size=size,
        commit=contents.commit,
        modified=contents.modified,
        untracked=contents.untracked,
        warnings=(*contents.warnings, *_about_size(contents.entries, size)),
        left_out=contents.left_out,
        _paths=frozenset(contents.entries),
        _store=store,
        _quarantine=quarantine,
    )


def _refuse_clashes(entries: Mapping[bytes, Entry]) -> None:
    folders = folders_of(entries)
    clash = next((path for path in entries if path in folders), None)
    if clash is not None:
        raise PackagingError(
            f"{shown(clash)} would be both a file and a folder of the code that travels. Leave one "
            "of them out."
        )


def _about_size(entries: Mapping[bytes, Entry], size: int) -> list[str]:
    if size <= _LARGE:
        return []
    largest = sorted(entries.items(), key=lambda one: one[1].size, reverse=True)[:3]
    named = ", ".join(f"{shown(path)} ({in_units(entry.size)})" for path, entry in largest)
    text = (
        f"The code that travels is {in_units(size)} large. The largest files are {named}. Have git "
        "ignore what no job needs (.gitignore), or send a part with subpath=."
    )
    return [text]


def in_units(size: float) -> str:
    """Return a number of bytes for reading: ``512 bytes``, ``3.1 MB``."""
    if size < 1000:
        return f"{size:.0f} byte{'' if size == 1 else 's'}"
    units = iter(("kB", "MB", "GB"))
    unit, size = next(units), size / 1000
    while size >= 999.95 and unit != "GB":
        unit, size = next(units), size / 1000
    return f"{size:.1f} {unit}"
