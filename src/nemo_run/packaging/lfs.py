"""Commits hold pointers where files are kept by git LFS.

The format of a pointer: docs/spec.md of git-lfs.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from .objects import Reader
from .tree import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .tree import Entry

_BEGINNING = b"version https://git-lfs"
_SIZES = range(100, 300)


def about_pointers(entries: Mapping[bytes, Entry]) -> list[str]:
    """Return a sentence if a commit has pointers in place of files.

    Args:
        entries: The files of the commit.
    """
    with closing(Reader()) as reader:

        def content(entry: Entry) -> bytes:
            _size, *pieces = reader.pieces(entry)
            return b"".join(pieces)

        found = [
            path
            for path, entry in entries.items()
            if entry.size in _SIZES and content(entry).startswith(_BEGINNING)
        ]
    if not found:
        return []
    others = f" and {len(found) - 1} more" if len(found) > 1 else ""
    sentence = (
        f"{shown(found[0])}{others} would travel as a pointer of git LFS, which is what the commit "
        "holds. Send the working state (without ref=), or name such files with include_pattern=."
    )
    return [sentence]
