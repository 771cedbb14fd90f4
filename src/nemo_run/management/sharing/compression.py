"""How archives are compressed: by their suffix when made, by their first bytes when read."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .tar_reading import Stream

SUFFIXES = {".tar.zst": "zstd", ".tzst": "zstd", ".tar.gz": "gzip", ".tgz": "gzip", ".tar": ""}
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"  # RFC 8878, 3.1.1; RFC 1952, 2.3.1
_LEVEL_GZIP = 6
# 128 MiB, what zstd(1) itself accepts without being asked to.
_WINDOW = 1 << 27


def kind_of(name: str) -> str:
    """Return how a file of this name is to be compressed.

    Raises:
        StoreError: The suffix says nothing, or what it needs is not installed.
    """
    for suffix, kind in SUFFIXES.items():
        if name.lower().endswith(suffix):
            if kind == "zstd":
                _zstandard(f"write {name}")
            return kind
    raise StoreError(
        f"{name} says not how it is to be compressed. End it with one of "
        f"{', '.join(SUFFIXES)}: for example {name}.tar.zst."
    )


@contextmanager
def compressing(out: BinaryIO, kind: str) -> Iterator[BinaryIO]:
    """Give a stream whose bytes arrive compressed in ``out``, which stays open."""
    if kind == "zstd":
        made = _zstandard("write it").ZstdCompressor(level=3, write_checksum=True)
        with made.stream_writer(out, closefd=False) as stream:
            yield stream
    elif kind == "gzip":
        with gzip.GzipFile("", "wb", _LEVEL_GZIP, out, mtime=0) as stream:
            yield cast("BinaryIO", stream)
    else:
        yield out


@contextmanager
def decompressing(file: BinaryIO, name: str) -> Iterator[Stream]:
    """Give the bytes of an archive, whatever it is called.

    Raises:
        StoreError: It is damaged, or what it needs is not installed.
    """
    buffered = file if hasattr(file, "peek") else io.BufferedReader(cast("io.RawIOBase", file))
    start = buffered.peek(4)[:4]
    try:
        if start == _ZSTD:
            opener = _zstandard(f"read {name}").ZstdDecompressor(max_window_size=_WINDOW)
            with opener.stream_reader(buffered, closefd=False, read_across_frames=True) as stream:
                yield stream
        elif start[:2] == _GZIP:
            with gzip.GzipFile("", "rb", fileobj=buffered) as unzipped:
                yield unzipped
        else:
            yield cast("Stream", buffered)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _damaged(name, error) from error
    except Exception as error:
        # Only where zstandard is there can its error come from it.
        if type(error).__name__ == "ZstdError":
            raise _damaged(name, error) from error
        raise


def _damaged(name: str, error: Exception) -> StoreError:
    return StoreError(
        f"{name} is damaged or cut off ({error}). Copy it again; nothing was imported."
    )


# The type of the module is not known to mypy: it may not be installed.
def _zstandard(doing: str):  # type: ignore[no-untyped-def]
    try:
        import zstandard
    except ImportError:
        raise StoreError(
            f"To {doing}, the package zstandard is needed: pip install 'nemo-run[share]'. "
            "Archives that end with .tar.gz or .tar need nothing."
        ) from None
    return zstandard
