"""Bytes in a remote home, each under its sum: sent once, checked whenever they are read."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError

from .manifests import blob_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

    from .place import Place

PIECE = 8 << 20
"""Bytes of a piece: what grows is sent again from its last piece on."""
_LARGEST = 64 << 20
_CACHED = 3


class Sender:
    """Sends blobs that are not there yet, several at once. Used in a ``with`` statement.

    Attributes:
        sent: The bytes that were sent.
        known: Blobs that are there.

    Args:
        place: Where to.
        known: Blobs that are there for certain.
    """

    def __init__(self, place: Place, known: Iterable[str] = ()) -> None:
        self.sent = 0
        self.known = set(known)
        self._place = place
        self._threads = ThreadPoolExecutor(place.parallel)
        self._going: list[Future[int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=kind is not None)

    def send(self, data: bytes) -> str:
        """Send bytes, unless they are there, and return the name of their blob."""
        name = hashlib.sha256(data).hexdigest()
        if name in self.known:
            return name
        self.known.add(name)
        while len(self._going) > self._place.parallel:
            self.sent += self._going.pop(0).result()
        self._going.append(self._threads.submit(self._send, name, data))
        return name

    def _send(self, name: str, data: bytes) -> int:
        if self._place.has(blob_name(name)):
            return 0
        self._place.write(blob_name(name), data)
        return len(data)

    def finish(self) -> None:
        """Wait until all is there."""
        while self._going:
            self.sent += self._going.pop(0).result()


def in_pieces(pieces: Iterable[bytes], size: int = PIECE) -> Iterator[bytes]:
    """Yield the same bytes in pieces of one size, but for the last."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


class Reader:
    """Reads blobs, and remembers the last few.

    Args:
        place: Where from.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    def read(self, name: str) -> bytes:
        """Return a blob.

        Raises:
            StoreError: It is not there, or not what its name says.
        """
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        try:
            data = self._place.read(blob_name(name), _LARGEST)
        except FileNotFoundError:
            raise StoreError(f"{blob_name(name)} is missing in {self._place.shown}.") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError(f"{blob_name(name)} in {self._place.shown} is damaged.")
        self._kept[name] = data
        if len(self._kept) > _CACHED:
            self._kept.popitem(last=False)
        return data

    def pieces(self, listed: Iterable[tuple[str, int, int]]) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            StoreError: A blob is missing, damaged, or shorter than it should be.
        """
        for name, offset, length in listed:
            data = self.read(name)[offset : offset + length]
            if len(data) != length:
                raise StoreError(f"{blob_name(name)} in {self._place.shown} is too short.")
            yield data
