"""Reading the bytes of entries and blobs one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .git import GitError
from .tree import Vanished, pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .git import Git
    from .tree import Entry

_PIECE = 1 << 20


class Objects:
    """The blobs of one repository, read through a running ``git cat-file --batch``."""

    def __init__(self, git: Git) -> None:
        self._process = git.start("cat-file", "--batch")

    def pieces(self, blob: str) -> Iterator[Any]:
        """Yield the size of a blob, then its bytes; all of them must be taken.

        Args:
            blob: Its id.

        Raises:
            PackagingError: The repository does not have it.
        """
        ask, answer = self._process.stdin, self._process.stdout
        if ask is None or answer is None:
            raise GitError("git cat-file has no streams.")
        ask.write(f"{blob}\n".encode())
        ask.flush()
        words = answer.readline().split()
        if len(words) != 3:
            raise GitError(f"git has no object {blob} there: {b' '.join(words).decode()}.")
        left = int(words[2])
        yield left
        while left:
            piece = answer.read(min(left, _PIECE))
            if not piece:
                raise GitError(f"git ended while it gave the object {blob}.")
            left -= len(piece)
            yield piece
        answer.read(1)

    def close(self) -> None:
        """End the program."""
        self._process.kill()
        self._process.communicate()


class Reader:
    """The bytes of entries, wherever they are."""

    def __init__(self) -> None:
        self._repositories: dict[object, Objects] = {}

    def pieces(self, entry: Entry) -> Iterator[Any]:
        """Yield the size of an entry, then its bytes; all of them must be taken.

        Raises:
            Vanished: The file is there no more.
            PackagingError: They cannot be read.
        """
        if entry.data is not None:
            yield len(entry.data)
            yield entry.data
        elif entry.blob is not None:
            git, blob = entry.blob
            if git.where not in self._repositories:
                self._repositories[git.where] = Objects(git)
            yield from self._repositories[git.where].pieces(blob)
        else:
            yield from _file(entry.path or b"")

    def close(self) -> None:
        """End the programs that were started."""
        for objects in self._repositories.values():
            objects.close()


def _file(path: bytes) -> Iterator[Any]:
    try:
        file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - bytes are no pathlib path
    except OSError:
        raise Vanished from None  # it could be read a moment ago
    with file:
        yield from pieces_of(file)
