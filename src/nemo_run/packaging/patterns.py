"""Files that are named by patterns of the shell, ignored by git or not."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from nemo_run.exceptions import PackagingError

from .tree import Vanished, entry_of, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .snapshot import CodePlace
    from .tree import Entry


def as_list(value: str | Sequence[str]) -> list[str]:
    """Return one pattern, several or none as a list."""
    return [value] * bool(value) if isinstance(value, (str, os.PathLike)) else list(value)


def pairs(patterns: str | Sequence[str], folders: str | Sequence[str], name: str) -> None:
    """Check that patterns and the folders they are relative to come in equal numbers.

    Args:
        patterns: One or several.
        folders: One or several; none stands for the same folder for each.
        name: What the field of the folders is called.

    Raises:
        ValueError: They do not.
    """
    if not as_list(folders):
        return
    if len(as_list(patterns)) != len(as_list(folders)):
        raise ValueError(
            f"include_pattern has {len(as_list(patterns))} entries and {name} has "
            f"{len(as_list(folders))}: {as_list(patterns)!r} and {as_list(folders)!r}. Give one "
            "folder for each pattern."
        )


def matched(pattern: str, folder: str, place: CodePlace) -> dict[bytes, Entry]:
    """Return the files that match a pattern, by their path below ``folder``.

    A folder that matches stands for everything in it but Python's ``__pycache__``, and ``**`` for
    any folders. What belongs to git itself (``.git``) is never taken.

    Args:
        pattern: As the shell writes it; seen from ``folder`` unless it is absolute.
        folder: An absolute path.
        place: Where the launching process is.

    Raises:
        PackagingError: A file that matches does not lie below the folder, or cannot be read.
    """
    found: dict[bytes, Entry] = {}
    starts = glob.iglob(os.path.expanduser(pattern), root_dir=folder, recursive=True)  # noqa: PTH111, PTH207
    for start in sorted(os.path.normpath(os.path.join(folder, one)) for one in starts):  # noqa: PTH118
        for file in _files(os.fsencode(start)):
            path = os.path.relpath(file, os.fsencode(folder))
            if path.split(b"/")[0] == b"..":
                raise PackagingError(
                    f"The pattern {pattern!r} matches {shown(file)}, which is not below "
                    f"{shown(folder)}. Give a relative path that is above all that matches."
                )
            if is_gits(path) or path in found or place.is_ours(file):
                continue
            try:
                found[path] = entry_of(file)
            except Vanished:
                continue
    return found


def _files(start: bytes) -> Iterator[bytes]:
    if os.path.islink(start) or not os.path.isdir(start):  # noqa: PTH112, PTH114 - bytes
        yield start
        return
    for folder, names, files in os.walk(start, onerror=_refuse):
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]  # noqa: PTH114, PTH118
        names[:] = sorted({*names} - {*links, b".git", b"__pycache__"})
        for name in sorted([*files, *links]):
            yield os.path.join(folder, name)  # noqa: PTH118 - bytes


def _refuse(error: OSError) -> None:
    raise PackagingError(
        f"The folder {shown(os.fspath(error.filename))} cannot be read ({error.strerror}), so the "
        "code in it cannot be sent."
    )


def is_gits(path: bytes) -> bool:
    """Whether a path is that of a repository's own files, which no tree can hold."""
    return any(part.lower() == b".git" for part in path.split(b"/"))
