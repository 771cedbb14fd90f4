"""What to tell the user when the operating system refuses a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from nemo_run.exceptions import LaterVersionError, StoreError

_ELSEWHERE = "set NEMORUN_HOME to a folder on another disk"
_ADVICE = {
    errno.ENOSPC: f"The disk is full. Free some space, or {_ELSEWHERE}",
    errno.EDQUOT: f"Your disk quota is used up. Free some space, or {_ELSEWHERE}",
    errno.EFBIG: f"The file may not grow (see `ulimit -f`). Raise the limit, or {_ELSEWHERE}",
    errno.EACCES: "Ask its owner for access, or set NEMORUN_HOME to a folder that you may write",
    errno.EPERM: "Ask its owner for access, or set NEMORUN_HOME to a folder that you may write",
    errno.EROFS: "It is mounted read-only. Set NEMORUN_HOME to a folder that you may write",
    errno.ENOTDIR: "A file lies where a folder should be. Move it away",
    errno.ENOENT: "Its parent cannot hold folders. Set NEMORUN_HOME to a folder that you may write",
    errno.EEXIST: "Something else of that name is in the way. Choose another name or move it away",
    errno.EIO: f"The disk reports an error. Check it, or {_ELSEWHERE}",
    errno.EINVAL: "Move it away, and restore the file from a backup if there is one",
    errno.ENAMETOOLONG: "The path is too long. Use a shorter title or NEMORUN_HOME",
}


def explained(
    doing: str,
    path: str | os.PathLike[str],
    error: OSError,
    after: str = "Nothing was changed.",
) -> StoreError:
    """Return the error that says what could not be done, where, why, and what to do.

    Args:
        doing: The act, as ``write the journal``.
        path: The file or folder.
        error: What the operating system said.
        after: How things are left.
    """
    why = error.strerror or str(error)
    advice = _dangling(path) or _ADVICE.get(error.errno or 0, "Check the folder and try again")
    return StoreError(f"Could not {doing} {os.fspath(path)}: {why}. {advice}. {after}".strip())


def later(path: str | os.PathLike[str], found: int, known: int) -> LaterVersionError:
    """Return the error for a file of a format that this version does not know.

    Args:
        path: The file.
        found: Its format.
        known: The latest format that is known here.
    """
    from nemo_run import __version__

    return LaterVersionError(
        f"The file {os.fspath(path)} was made by a later version of NeMo Run (format {found}; this "
        f"one, {__version__}, knows formats up to {known}). Upgrade NeMo Run here to read it. "
        "Nothing was changed; other experiments are not affected."
    )


def _dangling(path: str | os.PathLike[str]) -> str:
    """Return what to do where a part of ``path`` is a link to nothing."""
    for part in (Path(path), *Path(path).parents):
        if part.is_symlink() and not part.exists():
            return (
                f"{part} is a symbolic link to {part.readlink()}, which does not exist. Make "
                "that folder, or remove the link"
            )
    return ""
