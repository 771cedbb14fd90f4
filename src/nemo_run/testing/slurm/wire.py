"""What the programs and the controller say to each other: one value a message, on a Unix socket.

``marshal`` and not ``json``: a program that runs a thousand times must import next to nothing.
"""

from __future__ import annotations

import marshal
import os
import socket

# Not from ``typing``: to import it costs more than all else a program does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SOCKET = "slurmctld.sock"
_HEADER = 4


def connect(folder: str) -> socket.socket:
    """Return a connection to the controller of a folder.

    Raises:
        OSError: Nobody listens there.
    """
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = f"{folder}/{SOCKET}"
    if len(path.encode()) < 100:
        link.connect(path)
        return link
    # A socket's path has 108 bytes at most: a short name for a long folder.
    at = os.open(folder, os.O_RDONLY)
    try:
        link.connect(f"/proc/self/fd/{at}/{SOCKET}")
    finally:
        os.close(at)
    return link


def pack(message: Any) -> bytes:
    """Return a message's bytes."""
    body = marshal.dumps(message)
    return len(body).to_bytes(_HEADER, "big") + body


class Reader:
    """The messages of a connection, in whatever pieces they come."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Return the messages that are complete with these bytes."""
        self._bytes += data
        found = []
        while len(self._bytes) >= _HEADER:
            size = _HEADER + int.from_bytes(self._bytes[:_HEADER], "big")
            if len(self._bytes) < size:
                break
            # The folder is its owner's alone (0700), and so are both ends.
            found.append(marshal.loads(bytes(self._bytes[_HEADER:size])))  # noqa: S302
            del self._bytes[:size]
        return found


def receive(link: socket.socket, reader: Reader) -> list[Any]:
    """Wait for messages; none means that the other side is gone."""
    while data := link.recv(1 << 20):
        if found := reader.feed(data):
            return found
    return []
