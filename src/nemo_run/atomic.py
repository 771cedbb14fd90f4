"""Files that are either the old one or the new one, whatever happens in between."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from pathlib import Path

from nemo_run.shared_home import is_readable_by_group, mode_in


def write_bytes(path: str | os.PathLike[str], content: bytes, *, mode: int | None = None) -> None:
    """Replace the file at ``path`` in one step and sync it to disk.

    A reader sees the old content or the new, never a part; after a crash or on a full disk the
    old file is still there.

    Args:
        path: The file. Its folder must exist.
        content: What it shall hold.
        mode: Permissions of the new file; by default it is for its owner alone, and for the group
            to read where a home is shared.

    Raises:
        OSError: The file could not be written; nothing was changed.
    """
    target = Path(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode_in(target.parent, 0o600) if mode is None else mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def write_text(path: str | os.PathLike[str], text: str, *, mode: int | None = None) -> None:
    """Replace the file at ``path`` with ``text`` as UTF-8; see :func:`write_bytes`."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"), mode=mode)


def write_for_user(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Replace a file that the user named, with the permissions that the user's files have.

    Links are followed. A file that is there keeps its permissions; a new one has those that the
    umask leaves. No folder is made: one that is not there is more likely misspelt.

    Args:
        path: The file; ``~`` is the user's folder.
        content: What it shall hold; a text as UTF-8.

    Returns:
        The path, as it was named.

    Raises:
        OSError: The file could not be written, or is no regular file; nothing was changed. It
            names the path as the user did.
    """
    named = Path(path).expanduser()
    raw = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    try:
        target = Path(os.path.realpath(named))  # a link that leads round is told below
        write_bytes(target, raw, mode=_mode_for_user(target))
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(named)) from error
    return named


def _mode_for_user(target: Path) -> int:
    """Return the permissions for a file.

    Raises:
        OSError: What is there may not be written, or is no regular file.
    """
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        usual = os.umask(0o077)  # it can only be read by setting it
        os.umask(usual)
        return 0o666 & ~usual
    if not stat.S_ISREG(mode):
        what = "Is a directory" if stat.S_ISDIR(mode) else "Is no regular file"
        raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, what)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(mode)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder that only its owner can read, with those above it, and return it.

    In a home that is shared with a group (``shared_home.py``) the group may read it.
    """
    folder = Path(path)
    for missing in reversed([p for p in (folder, *folder.parents) if not p.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
        if is_readable_by_group(missing.parent) and missing.name != "secrets":
            missing.chmod(0o2750)
    return folder


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Wait until the names in a folder are on disk, as far as its file system can."""
    # A rename is durable once its folder is synced (rename(2), fsync(2)); not all file systems
    # can, and then the rename is as durable as they make it.
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)


def sync_file(path: str | os.PathLike[str]) -> None:
    """Wait until what a file holds is on disk.

    Raises:
        OSError: It cannot be opened, or the disk refuses it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: str | os.PathLike[str]) -> None:
    """Wait until a folder is on disk with all that lies below it.

    Raises:
        OSError: A file cannot be opened, or the disk refuses it.
    """
    for inside, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(inside, name))
        sync_folder(inside)
