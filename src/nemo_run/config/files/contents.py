"""What a file of configuration holds: one that is a regular file, and of a size to be read."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import IO

from .source import fault

LIMIT = 100_000_000
"""The most bytes that a file of configuration may have."""

# What the shell has opened for us may be a pipe: --config <(command).
_GIVEN = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


def contents(path: str) -> bytes:
    """Return the bytes of a file that the user named; links are followed.

    Args:
        path: The file; ``~`` is the user's folder.

    Raises:
        OverrideError: It is a pipe, a device or the like, or it is too large.
        OSError: It cannot be read.
    """
    file = Path(path).expanduser()
    mode = file.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or path.startswith(_GIVEN)):
        raise fault("It is no regular file, so it is not read. Copy what it gives to a file.", path)
    with file.open("rb") as stream:
        return limited(stream, path)


def limited(stream: IO[bytes], name: str) -> bytes:
    """Return the bytes of a stream.

    Raises:
        OverrideError: There are too many.
    """
    found = stream.read(LIMIT + 1)
    if len(found) > LIMIT:
        raise fault(
            f"It holds more than {LIMIT // 1_000_000} MB, which is no configuration. Name the "
            "file in it, and read that in the task.",
            name,
        )
    return found
