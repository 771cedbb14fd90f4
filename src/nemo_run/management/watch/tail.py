"""Reading a file that grows: by byte offset, in small pieces, never half a line.

Nothing here holds a file open between two reads, and nothing holds more of it than a chunk, so
that a thousand logs, or one of a gigabyte, cost the same.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nemo_run.management.store.files import open_file

CHUNK = 1 << 18
"""The most bytes that one read returns."""

_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Cursor:
    """A place in a file, from which reading goes on, in this process or in another.

    Attributes:
        path: The file; it need not exist yet.
        offset: How many of its bytes were read.
        inode: Which file that was; 0 when none was seen.
    """

    path: str
    offset: int = 0
    inode: int = 0


def read(cursor: Cursor, limit: int = CHUNK) -> tuple[bytes, Cursor]:
    """Return what was written after ``cursor``, and the cursor after that.

    A file that is not there gives nothing. One that was cut short or replaced is read from its
    start.

    Args:
        cursor: Where to begin.
        limit: The most bytes to return.

    Raises:
        OSError: The file is there and cannot be read.
    """
    try:
        found = Path(cursor.path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return b"", cursor
    offset = cursor.offset
    if found.st_size < offset or (cursor.inode and found.st_ino != cursor.inode):
        offset = 0
    if found.st_size == offset:
        return b"", Cursor(cursor.path, offset, found.st_ino)
    with _opened(cursor.path) as file:
        file.seek(offset)
        data = file.read(limit)
    return data, Cursor(cursor.path, offset + len(data), found.st_ino)


def _opened(path: str) -> IO[bytes]:
    return os.fdopen(open_file(path, os.O_RDONLY), "rb", buffering=0)


def start_of_last_lines(path: str, count: int) -> Cursor:
    """Return the cursor at the last ``count`` lines of ``path``, reading it from its end."""
    try:
        with _opened(path) as file:
            size = file.seek(0, os.SEEK_END)
            inode = os.fstat(file.fileno()).st_ino
            if count <= 0:
                return Cursor(path, size, inode)
            position, wanted = size, count
            while position > 0:
                begin = max(0, position - CHUNK)
                file.seek(begin)
                block = file.read(position - begin)
                # The newline that ends the file begins no line.
                end = len(block) - 1 if position == size and block.endswith(b"\n") else len(block)
                while (end := block.rfind(b"\n", 0, end)) >= 0:
                    wanted -= 1
                    if wanted == 0:
                        return Cursor(path, begin + end + 1, inode)
                position = begin
            return Cursor(path, 0, inode)
    except OSError:
        # Reading says what is wrong, if anything is.
        return Cursor(path)


class Lines:
    """Turns the chunks of one file into whole lines.

    A line that does not end is given out in parts of a mebibyte, cut between characters. Of a
    line that was written over with carriage returns (a progress bar) only the last state is
    given out.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take a chunk and return the whole lines that are there now."""
        text = self._rest + data
        end = text.rfind(b"\n") + 1
        whole, rest = last_states(text[:end]), _last_state(text[end:])
        if len(rest) > _LONGEST_LINE:
            cut = _between_characters(rest)
            whole, rest = whole + rest[:cut], rest[cut:]
        self._rest = rest
        return whole

    @property
    def rest(self) -> bytes:
        """The line that has no end yet, as it looks now."""
        return self._rest

    def flush(self) -> bytes:
        """Return the line that has no end yet, and forget it."""
        rest, self._rest = self._rest, b""
        return rest


def last_states(text: bytes) -> bytes:
    """Return ``text`` with each line as it looked in the end."""
    if b"\r" not in text:
        return text
    return b"\n".join(map(_last_state, text.split(b"\n")))


def _last_state(line: bytes) -> bytes:
    # What ends with a carriage return, as lines of Windows do, is not written over yet.
    return line[line.rstrip(b"\r").rfind(b"\r") + 1 :]


def _between_characters(text: bytes) -> int:
    """Return the end of the last whole UTF-8 character; bytes that are none count as whole."""
    for back in range(1, 4):
        byte = text[-back]
        if byte & 0xC0 == 0x80:
            continue
        length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
        return len(text) - back if length > back else len(text)
    return len(text)
