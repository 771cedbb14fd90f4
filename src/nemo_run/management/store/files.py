"""Opening the files of an experiment: whatever lies in their place, nobody is led elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from nemo_run.shared_home import mode_in

if TYPE_CHECKING:
    from pathlib import Path


def open_file(path: str | Path, flags: int, mode: int = 0o600) -> int:
    """Open a plain file and return its descriptor.

    Args:
        path: The file.
        flags: As of ``os.open``.
        mode: Its permissions, should it be made.

    Raises:
        OSError: It could not be opened, or is a link, a pipe, a device or a folder.
    """
    # Opening a named pipe would wait for its other end, and whoever wrote a record could lead us
    # to any file by a link.
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, "It is a link where a file should be") from None
        raise
    try:
        found = os.fstat(descriptor)
        if flags & os.O_CREAT and not found.st_size and stat.S_IMODE(found.st_mode) == mode:
            # Perhaps it was made just now; in a shared home the group may read it.
            wanted = mode_in(os.path.dirname(path), mode)  # noqa: PTH120
            if wanted != mode:
                os.fchmod(descriptor, wanted)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(  # noqa: TRY301 - the descriptor is closed below
                errno.EINVAL, "It is a pipe, a device or a folder where a file should be"
            )
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_file(path: str | Path) -> bytes:
    """Return what a plain file holds.

    Raises:
        OSError: It could not be read, or is a pipe, a device or a folder.
    """
    with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
        return file.read()
