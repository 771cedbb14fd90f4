"""Looking for a secret in everything that a run has left: every byte, also where it is packed.

::

    assert traces([home, target], ["hf_abcdefgh"]) == []

A value is looked for as it is, as base64, hex, a URL, JSON, a shell and UTF-16 spell it, in the
names and the contents of files, in what is compressed inside of them, and in the objects of git.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote as of_url
from urllib.parse import quote_plus

from nemo_run.execution.quoting import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DEEPEST = 4
"""How many layers of compression are opened."""


def forms(value: str) -> set[bytes]:
    """Return the bytes by which a value may stand somewhere.

    Args:
        value: The secret.
    """
    raw = value.encode("utf-8", "surrogateescape")
    texts = {json.dumps(value)[1:-1], repr(value)[1:-1], of_url(value), quote_plus(value)}
    texts |= {quote(value), quote(value).strip("'"), raw.hex(), raw.hex().upper()}
    found = {raw, value.encode("utf-16-le", "surrogatepass"), raw[::-1]}
    return found | {text.encode("utf-8", "surrogateescape") for text in texts} | set(_base64(raw))


def _base64(raw: bytes) -> Iterator[bytes]:
    # Inside of a longer text it begins at any of three places; its own ends depend on its
    # neighbours.
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            coded = encode(b"\0" * before + raw).rstrip(b"=")
            inner = coded[-(-before * 8 // 6) : -1]
            if len(inner) >= 6:
                yield inner


def traces(places: Iterable[Path | str], values: Iterable[str]) -> list[str]:
    """Return where values stand: paths, and what in a packed file they stand in.

    Args:
        places: Files and folders.
        values: The secrets.
    """
    wanted = set().union(*map(forms, values))
    found: list[str] = []
    for place in places:
        for path in sorted(_files(Path(place))):
            name = os.fsencode(path)
            if any(form in name for form in wanted):
                found.append(f"the name {path}")
            if path.is_file() and not path.is_symlink():
                found += [f"{path}{inside}" for inside in _standing(_read(path), wanted)]
            elif _is_repository(path):
                found += [f"{path}: git objects"] if _standing_in_git(path, wanted) else []
    return found


def _files(place: Path) -> Iterator[Path]:
    yield place
    if place.is_dir() and not place.is_symlink():
        for child in place.iterdir():
            yield from _files(child)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""  # removed meanwhile


def _standing(data: bytes, wanted: set[bytes], depth: int = 0) -> Iterator[str]:
    if any(form in data for form in wanted):
        yield ""
    for kind, opened in _opened(data) if depth < DEEPEST else ():
        for inside in _standing(opened, wanted, depth + 1):
            yield f" ({kind}){inside}"


def _opened(data: bytes) -> Iterator[tuple[str, bytes]]:
    for kind, starts, unpack in _PACKINGS:
        if data.startswith(starts):
            try:
                opened = unpack(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, ImportError):
                continue
            yield kind, opened
    if data.startswith(b"PK"):
        yield from _zipped(data)
    elif data[257:262] == b"ustar":
        yield from _of_tar(data)


def _zipped(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                yield f"zip {name}", archive.read(name)
    except zipfile.BadZipFile:
        return


def _of_tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield f"tar {member.name}", file.read()
    except tarfile.TarError:
        return


def _unzstd(data: bytes) -> bytes:
    import zstandard

    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)) as reader:
            return bytes(reader.read())
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error


_PACKINGS: tuple[tuple[str, tuple[bytes, ...], Callable[[bytes], bytes]], ...] = (
    ("gzip", (b"\x1f\x8b",), gzip.decompress),
    ("zlib", (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"), zlib.decompress),
    ("bzip2", (b"BZh",), bz2.decompress),
    ("xz", (b"\xfd7zXZ",), lzma.decompress),
    ("zstd", (b"\x28\xb5\x2f\xfd",), _unzstd),
)


def _is_repository(path: Path) -> bool:
    return (path / "objects").is_dir() and (path / "HEAD").is_file()


def _standing_in_git(path: Path, wanted: set[bytes]) -> bool:
    """Whether an object, loose or packed, reachable or not, holds one of the forms."""
    listed = subprocess.run(
        ["git", "--git-dir", str(path), "cat-file", "--batch-all-objects", "--batch"],
        capture_output=True,
        check=True,
    )
    return any(form in listed.stdout for form in wanted)


def command_lines(values: Iterable[str]) -> list[str]:
    """Return the command lines of this machine's processes in which values stand now.

    Args:
        values: The secrets.
    """
    wanted = set().union(*map(forms, values))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has ended
        if any(form in words for form in wanted):
            found.append(words.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found
