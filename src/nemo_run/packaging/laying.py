"""Snapshots as files in a folder: exact bytes, executable bits and links; no filter of git's."""

from __future__ import annotations

import os
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError

from .git import of_store
from .objects import Objects
from .tree import EXECUTABLE, LINK, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .store import CodeStore

_REFUSED = {b"", b".", b".."}
_GIT = b".git"


def lay(
    store: CodeStore,
    tree: str,
    folder: str | os.PathLike[str],
    told: Callable[[int, int], None] | None = None,
) -> int:
    """Write the files of a snapshot into a folder, over what has their names there.

    Done again after it was cut short, it leaves the same files.

    Args:
        store: Where the snapshot is kept.
        tree: Its id.
        folder: The folder; made where it is not there.
        told: Is told how many files are written, and how many there are.

    Returns:
        How many files there are.

    Raises:
        PackagingError: There is no such snapshot, it names a file outside of the folder, or a file
            cannot be written.
    """
    store.check(tree)
    git = of_store(store.path)
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]
    entries = list(map(_entry, listed))
    root = os.fsencode(Path(folder).absolute())
    made: set[bytes] = set()
    with closing(Objects(git)) as objects:
        for number, (path, mode, blob) in enumerate(entries, 1):
            try:
                _make_parents(root, path, made)
                _write(root + b"/" + path, mode, objects.pieces(blob))
            except OSError as error:
                raise PackagingError(
                    f"{shown(path)} cannot be written into {os.fsdecode(root)}: "
                    f"{error.strerror or error}."
                ) from error
            if told is not None:
                told(number, len(entries))
    return len(entries)


def _entry(line: bytes) -> tuple[bytes, int, str]:
    about, _, path = line.partition(b"\t")
    mode, _, blob = about.decode().split(" ")
    steps = path.split(b"/")
    # Somebody else may have made the store; git itself lets no such path in.
    if not _REFUSED.isdisjoint(steps) or any(step.lower() == _GIT for step in steps):
        raise PackagingError(f"The snapshot holds {shown(path)}, which no folder of code may hold.")
    return path, int(mode, 8), blob


def _make_parents(root: bytes, path: bytes, made: set[bytes]) -> None:
    """Make the folders that lead to a path; what is in their place and no folder goes."""
    at = root
    for step in [b"", *path.split(b"/")[:-1]]:
        at = at + b"/" + step if step else at
        if at in made:
            continue
        if at != root and (os.path.islink(at) or not os.path.isdir(at)):  # noqa: PTH112, PTH114
            with suppress(FileNotFoundError):
                os.unlink(at)  # noqa: PTH108
        os.makedirs(at, exist_ok=True)  # noqa: PTH103
        made.add(at)


def _write(path: bytes, mode: int, pieces: Iterator[bytes]) -> None:
    next(pieces)  # the size
    with suppress(FileNotFoundError, IsADirectoryError):
        os.unlink(path)  # noqa: PTH108
    if mode == LINK:
        os.symlink(b"".join(pieces), path)  # noqa: PTH211
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o777 if mode == EXECUTABLE else 0o666), "wb") as file:
        for piece in pieces:
            file.write(piece)
