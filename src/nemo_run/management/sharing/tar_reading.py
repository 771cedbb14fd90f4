"""Reading a tar archive that somebody else wrote: plain files only, in bounded memory.

Python's ``tarfile`` reads extended headers whole, however long they say they are, keeps all members
in memory, and knows links and devices. Here only what an export has is understood.
Format: POSIX pax, https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 512
_PIECE = 1 << 20
_LONGEST_HEADER = 1 << 16
_KINDS = {
    b"1": "a link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"6": "a pipe",
}


class Stream(Protocol):
    """Bytes that come one after the other."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many; none at the end."""
        ...


@dataclass(frozen=True)
class Member:
    """A file of an archive.

    Attributes:
        name: Its path, as the archive says; not to be trusted.
        size: Its bytes.
        executable: Whether its owner may run it.
    """

    name: str
    size: int
    executable: bool


def members(stream: Stream) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """Yield each file with its bytes, which must be used before the next one is asked for.

    Raises:
        StoreError: It is cut off, damaged, or holds what no export holds.
    """
    extended: dict[str, bytes] = {}
    while True:
        header = _exactly(stream, _BLOCK)
        if not header.strip(b"\0"):
            return
        kind = header[156:157]
        size = _number(header[124:136])
        _check_sum(header)
        if kind in {b"x", b"L"}:
            if size > _LONGEST_HEADER:
                raise _damaged(f"a header says that it has {size} bytes")
            data = _exactly(stream, size + -size % _BLOCK)[:size]
            extended.update(_records(data) if kind == b"x" else {"path": data.rstrip(b"\0")})
            continue
        raw = extended.get("path") or _name(header)
        if "size" in extended:
            size = _decimal(extended["size"])
        extended = {}
        name = raw.decode("utf-8", "surrogateescape")
        if kind == b"5" and not size:
            continue
        if kind not in {b"0", b"\0"}:
            what = _KINDS.get(kind, f"a member of kind {kind!r}")
            raise _damaged(f"it holds {what}, {name!r:.200}; exports hold plain files only")
        pieces = _pieces(stream, size)
        yield Member(name, size, bool(_number(header[100:108]) & 0o100)), pieces
        for _ in pieces:  # what was not asked for
            pass
        _exactly(stream, -size % _BLOCK)


def _pieces(stream: Stream, size: int) -> Iterator[bytes]:
    while size:
        piece = stream.read(min(_PIECE, size))
        if not piece:
            raise _damaged("it is cut off")
        size -= len(piece)
        yield piece


def _exactly(stream: Stream, size: int) -> bytes:
    return b"".join(_pieces(stream, size))


def _name(header: bytes) -> bytes:
    name, prefix = header[:100].split(b"\0")[0], header[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and header[257:262] == b"ustar" else name


def _number(field: bytes) -> int:
    if field[:1] == b"\x80":  # in base 256, as GNU tar writes large ones
        return int.from_bytes(field[1:], "big")
    text = field.strip(b" \0")
    try:
        return int(text, 8) if text else 0
    except ValueError:
        raise _damaged("a header is no header of tar") from None


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 18:
        raise _damaged("a header is no header of tar")
    return int(text)


def _check_sum(header: bytes) -> None:
    summed = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    if summed != _number(header[148:156]):
        raise _damaged("a header does not have the sum that it says")


def _records(data: bytes) -> dict[str, bytes]:
    found = {}
    while data:
        length, _, _ = data.partition(b" ")
        end = _decimal(length)
        record, data = data[len(length) + 1 : end], data[end:]
        if end <= len(length) + 1 or not record.endswith(b"\n"):
            raise _damaged("an extended header is none")
        key, _, value = record[:-1].partition(b"=")
        found[key.decode("ascii", "replace")] = value
    return found


def _damaged(what: str) -> StoreError:
    return StoreError(f"The archive cannot be read: {what}. Nothing was imported.")
