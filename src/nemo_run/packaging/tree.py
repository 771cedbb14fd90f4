"""The entries of a snapshot and the id of their git tree. Pure, but for reading files' bytes.

Formats: git-hash-object(1) and "Git Internals - Git Objects" of the Git book.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PackagingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .git import Git

FILE, EXECUTABLE, LINK, FOLDER = 0o100644, 0o100755, 0o120000, 0o40000
_PIECE = 1 << 20


@dataclass(frozen=True)
class Entry:
    """One file of a snapshot, and where its bytes are.

    Attributes:
        mode: As git has it: plain file, executable or symbolic link.
        id: The id of its blob.
        size: In bytes.
        path: The file of this machine that holds the bytes.
        data: The bytes themselves, of a link.
        blob: The repository that holds them, and their id there.
    """

    mode: int
    id: str
    size: int
    path: bytes | None = None
    data: bytes | None = None
    blob: tuple[Git, str] | None = None


class Vanished(Exception):  # noqa: N818 - no error: the file counts as deleted
    """A file was deleted, or became something else, while we looked."""


def entry_of(path: bytes, mode: int | None = None) -> Entry:
    """Return the entry of a file or link of this machine.

    Args:
        path: The file.
        mode: What git has recorded, where the file system cannot tell what is executable.

    Raises:
        Vanished: There is no such file, or link, any more.
        PackagingError: It cannot be read.
    """
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            return entry_of_bytes(os.readlink(path), LINK)  # noqa: PTH115 - bytes
        if not stat.S_ISREG(status.st_mode):
            raise Vanished
        if mode not in (FILE, EXECUTABLE):
            mode = EXECUTABLE if status.st_mode & stat.S_IXUSR else FILE
        id_, size = _identify(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Vanished from None
    except OSError as error:
        raise PackagingError(
            f"{shown(path)} cannot be read ({error.strerror}), so the code cannot be sent as it "
            "is. Make it readable, or have git ignore it (.gitignore)."
        ) from None
    return Entry(mode, id_, size, path=path)


def entry_of_bytes(data: bytes, mode: int = FILE) -> Entry:
    """Return the entry of something that is in memory."""
    return Entry(mode, _blob(len(data), [data]), len(data), data=data)


def _identify(path: bytes) -> tuple[str, int]:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - bytes are no pathlib path
        pieces = pieces_of(file)
        size = next(pieces)
        return _blob(size, pieces), size


def pieces_of(file: Any) -> Iterator[Any]:
    """Yield the size of an open file, then its bytes.

    What is appended meanwhile, as to a log, is left for the next snapshot.

    Raises:
        PackagingError: It is large, and became shorter while it was read.
    """
    left = os.fstat(file.fileno()).st_size
    if left <= _PIECE:
        data = _upto(file, left)
        yield len(data)
        yield data
        return
    yield left
    while left:
        piece = file.read(min(left, _PIECE))
        if not piece:
            raise PackagingError(f"{shown(file.name)} became shorter while it was read; try again.")
        left -= len(piece)
        yield piece


def _upto(file: Any, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := file.read(size - len(data))):
        data += piece
    return data


def _blob(size: int, pieces: Any) -> str:
    found = blob_hash(size)
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def blob_hash(size: int) -> hashlib._Hash:
    """Return what makes the id of a blob from its bytes, of which there are ``size``."""
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def tree_id(entries: Mapping[bytes, Entry]) -> str:
    """Return the id of the git tree that holds ``entries``.

    Args:
        entries: Path, with ``/`` between its parts, → entry. No path may be the folder of another.
    """
    root: dict[bytes, Any] = {}
    for path, entry in entries.items():
        *folders, name = path.split(b"/")
        place = root
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = entry
    return _tree(root).hex()


def _tree(folder: dict[bytes, Any]) -> bytes:
    lines = []
    for name, part in folder.items():
        if isinstance(part, dict):
            lines.append((name + b"/", b"%o %s\0%s" % (FOLDER, name, _tree(part))))
        else:
            lines.append((name, b"%o %s\0%s" % (part.mode, name, bytes.fromhex(part.id))))
    text = b"".join(line for _, line in sorted(lines))
    return hashlib.sha1(b"tree %d\0%s" % (len(text), text), usedforsecurity=False).digest()


def shown(path: bytes | str) -> str:
    """Return a path for a message, on one line whatever its bytes are."""
    text = os.fsdecode(path)
    return text if text.isprintable() else ascii(text)[1:-1]
