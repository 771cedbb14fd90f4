"""Files that arrive under names which another machine chose: none gets out of the folder.

Every step of a path is opened for itself and no link is followed, so that neither a name nor what
lies in the folder already leads elsewhere. A file has its name once it is whole; until then it lies
beside, hidden, and is gone on with.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import StoreError

from .sending import UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from hashlib import _Hash
    from pathlib import Path

    from typing_extensions import Self

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PIECE = 1 << 20
_LONGEST = 255


def parts_of(path: str) -> list[bytes]:
    """Return the steps of a relative path, as the system has them.

    Raises:
        ValueError: It is empty, absolute or climbs, or no file system has such a name.
    """
    parts = path.encode("utf-8", "surrogateescape").split(b"/")
    for part in parts:
        if part in {b"", b".", b".."} or b"\0" in part or len(part) > _LONGEST:
            raise ValueError(f"{path!r} is no path below a folder")
        if part.startswith(UNFINISHED.encode()):
            raise ValueError(f"{path!r} has the name of an unfinished copy")
    return parts


def leads_inside(path: str, link: str) -> bool:
    """Whether a link at ``path`` leads to a place below the same folder.

    Upward steps count at its beginning only: behind a name, which may be a link itself, nobody
    knows where they lead.
    """
    steps = [step for step in link.split("/") if step not in {"", "."}]
    up = 0
    while up < len(steps) and steps[up] == "..":
        up += 1
    if link.startswith("/") or "\0" in link or not link or ".." in steps[up:]:
        return False
    return up <= path.count("/")


@dataclass
class Beginning:
    """What is here of a file that is to come.

    Attributes:
        size: How many bytes; 0 for none.
        seen: The checksum of them.
        whole: Whether they are in a file of its name, not in an unfinished copy.
    """

    size: int
    seen: _Hash
    whole: bool = False


class Folder:
    """A folder that files come into.

    Used in a ``with`` statement.

    Args:
        path: The folder; it is made, and may itself be a link.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._top = -1
        self._parent: tuple[bytes, int] = (b"", -1)

    def __enter__(self) -> Self:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._top = os.open(self.path, _FOLDER)
        try:
            self._lock()
        except BaseException:
            os.close(self._top)
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._leave()
        os.close(self._top)

    def _lock(self) -> None:
        import fcntl

        try:
            fcntl.flock(self._top, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            # Where the file system has no locks on folders, checksums tell.
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                raise StoreError(
                    f"Another process is pulling files into {self.path} right now. Wait for it, "
                    "or pull to another folder: --to FOLDER."
                ) from None

    def _leave(self) -> None:
        if self._parent[1] >= 0:
            os.close(self._parent[1])
        self._parent = (b"", -1)

    def parent(self, parts: list[bytes], *, make: bool) -> int:
        """Return the open folder of a path; valid until the next call.

        Raises:
            OSError: A step of it is missing, a link, or no folder.
        """
        below = b"/".join(parts[:-1])
        if self._parent[1] >= 0 and self._parent[0] == below:
            return self._parent[1]
        self._leave()
        here = os.dup(self._top)
        try:
            for part in parts[:-1]:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=here)
                there = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=here)
                os.close(here)
                here = there
        except BaseException:
            os.close(here)
            raise
        self._parent = (below, here)
        return here

    def standing(self, path: str) -> os.stat_result | None:
        """Return what is known of the file of that name; None where there is none."""
        parts = parts_of(path)
        try:
            return os.lstat(parts[-1], dir_fd=self.parent(parts, make=False))
        except OSError:
            return None

    def beginning(self, path: str, most: int) -> Beginning:
        """Return what is here of a file: of its unfinished copy, else of the file itself.

        Args:
            path: Its path.
            most: How long it is where it comes from; what is longer here is no beginning.
        """
        parts = parts_of(path)
        for name, whole in ((_unfinished(parts[-1]), False), (parts[-1], True)):
            try:
                file = _opened(name, os.O_RDONLY, self.parent(parts, make=False))
            except OSError:
                continue
            with os.fdopen(file, "rb", 0) as content:
                if 0 < os.fstat(file).st_size <= most:
                    return Beginning(*_digest(content), whole)
        return Beginning(0, hashlib.sha256())

    def open(self, path: str, known: Beginning) -> Arriving:
        """Return the file to go on with behind its known beginning."""
        parts = parts_of(path)
        parent = os.dup(self.parent(parts, make=True))
        try:
            file = _opened(_unfinished(parts[-1]), os.O_RDWR | os.O_CREAT, parent)
        except BaseException:
            os.close(parent)
            raise
        arriving = Arriving(parts[-1], parent, file, known.seen.copy())
        try:
            if known.whole and known.size:
                arriving.copy(known.size)
            else:
                os.ftruncate(file, known.size)
                os.lseek(file, known.size, os.SEEK_SET)
        except BaseException:
            arriving.close()
            raise
        return arriving

    def settle(self, path: str, end: Mapping[str, Any]) -> None:
        """Give the time of its source to a file that turned out to be the same."""
        parts = parts_of(path)
        file = _opened(parts[-1], os.O_RDONLY, self.parent(parts, make=False))
        try:
            os.utime(file, ns=(int(end["mtime"]), int(end["mtime"])))
        finally:
            os.close(file)

    def link(self, path: str, link: str) -> None:
        """Make a link that leads inside; one that is there is replaced.

        Raises:
            OSError: Something else is there.
        """
        parts = parts_of(path)
        parent = self.parent(parts, make=True)
        target = link.encode("utf-8", "surrogateescape")
        with contextlib.suppress(OSError):
            if os.readlink(parts[-1], dir_fd=parent) == target:
                return
            os.unlink(parts[-1], dir_fd=parent)
        os.symlink(target, parts[-1], dir_fd=parent)


class Arriving:
    """A file that comes in pieces, each at its place."""

    def __init__(self, name: bytes, parent: int, file: int, seen: _Hash) -> None:
        self._name = name
        self._parent = parent
        self._file = file
        self.seen = seen

    def copy(self, size: int) -> None:
        """Begin with what the file of that name holds."""
        source = _opened(self._name, os.O_RDONLY, self._parent)
        os.ftruncate(self._file, 0)
        with os.fdopen(source, "rb", 0) as content:
            while size > 0 and (piece := content.read(min(_PIECE, size))):
                self._put(piece)
                size -= len(piece)

    def write(self, data: bytes) -> None:
        """Add what came."""
        self.seen.update(data)
        self._put(data)

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def keep(self, end: Mapping[str, Any]) -> None:
        """Give the file its name, now that it is whole."""
        os.fchmod(self._file, 0o700 if end.get("run") else 0o600)
        os.utime(self._file, ns=(int(end["mtime"]), int(end["mtime"])))
        os.fsync(self._file)
        os.replace(
            _unfinished(self._name), self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent
        )

    def drop(self) -> None:
        """Remove what came; it was damaged."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_unfinished(self._name), dir_fd=self._parent)

    def close(self) -> None:
        """Let go of it; what came stays."""
        os.close(self._file)
        os.close(self._parent)


def _unfinished(name: bytes) -> bytes:
    # Its own name may be as long as names can be.
    return f"{UNFINISHED}{hashlib.sha256(name).hexdigest()[:32]}".encode()


def _opened(name: bytes, flags: int, folder: int) -> int:
    """Open a plain file, whatever somebody may have put in its place."""
    flags |= os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.open(name, flags, 0o600, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise OSError(errno.EINVAL, "It is no plain file", os.fsdecode(name))
    return file


def _digest(file: Any) -> tuple[int, _Hash]:
    seen, size = hashlib.sha256(), 0
    while piece := file.read(_PIECE):
        seen.update(piece)
        size += len(piece)
    return size, seen
