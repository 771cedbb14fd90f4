"""A git tree as a tar archive: exact bytes, executable bits, links; nothing of git's attributes."""

from __future__ import annotations

import os
import tarfile
from contextlib import closing
from typing import TYPE_CHECKING

from .objects import Objects
from .tree import EXECUTABLE, LINK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .git import Git

_BLOCK = 512
_RECORD = 20 * _BLOCK
# Archives are equal whenever they are made. Who unpacks with `tar -m` gets the present time.
_TIME = 946_684_800


def tar(git: Git, tree: str) -> Iterator[bytes]:
    """Yield the archive of a tree.

    Args:
        git: The repository that has it.
        tree: Its id.
    """
    written = 0
    listed = git.run("ls-tree", "-r", "-z", "--full-tree", tree)
    with closing(Objects(git)) as objects:
        for line in listed.split(b"\0")[:-1]:
            about, _, path = line.partition(b"\t")
            mode, _, blob = about.decode().split(" ")
            for piece in _member(path, int(mode, 8), objects.pieces(blob)):
                written += len(piece)
                yield piece
    yield bytes(2 * _BLOCK + -(written + 2 * _BLOCK) % _RECORD)


def _member(path: bytes, mode: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(os.fsdecode(path))
    size: int = next(pieces)  # type: ignore[assignment]
    info.mtime = _TIME
    info.mode = 0o755 if mode in (EXECUTABLE, LINK) else 0o644
    if mode == LINK:
        info.type = tarfile.SYMTYPE
        info.linkname = os.fsdecode(b"".join(pieces))
        yield _header(info)
        return
    info.size = size
    yield _header(info)
    yield from pieces
    yield bytes(-size % _BLOCK)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
