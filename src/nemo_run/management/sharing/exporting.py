"""Writing experiments into one file that opens on another machine."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from nemo_run import __version__, atomic
from nemo_run.exceptions import StoreError
from nemo_run.management.capture import packages
from nemo_run.management.store.advice import explained
from nemo_run.management.store.files import read_file

from . import contents, trees
from .compression import compressing, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nemo_run.management.store.record import Record

FORMAT = 1
HEAD = "nemo-run.json"
SUMS = "checksums.json"
EXPERIMENTS = "experiments"
PACKAGES = "packages"
PACK = "code.pack"
_BLOCK = 512


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The file; ``-`` for standard output.
        size: Its bytes.
        files: How many files it holds.
        going: Experiments that were not over: they are in it as they were then.
        trees: The code trees in it.
        missing: Code trees that are not kept here any more.
    """

    path: str
    size: int
    files: int
    going: tuple[str, ...]
    trees: tuple[str, ...]
    missing: tuple[str, ...]


def export(
    records: Sequence[Record],
    target: str,
    *,
    outputs: bool = False,
    force: bool = False,
    stream: BinaryIO | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Exported:
    """Write everything that was captured of experiments into one file.

    The file is there when it is whole, and not before.

    Args:
        records: The experiments.
        target: The file; its suffix says how it is compressed.
        outputs: Also what jobs left in ``NEMORUN_OUTPUT_DIR``, as far as it was brought here.
        force: Replace a file that is there.
        stream: Write to this instead; ``target`` only says how.
        progress: Called with the bytes read so far, and all of them.

    Raises:
        StoreError: Something cannot be read or written, or the file is there already.
    """
    kind = kind_of(target)
    if stream is not None:
        counted = _Counted(stream)
        with compressing(cast("BinaryIO", counted), kind) as out:
            written = _Archive(out, progress).write(records, outputs=outputs)
        return Exported("-", counted.size, *written)
    path = Path(target).expanduser()
    if path.exists() and not force:
        raise StoreError(f"{path} is there already. Choose another name, or replace it: --force.")
    if not path.parent.is_dir():
        raise StoreError(
            f"There is no folder {path.parent} to write {path.name} to. Make it first."
        )
    try:
        with _published(path, force=force) as file:
            with compressing(file, kind) as out:
                written = _Archive(out, progress).write(records, outputs=outputs)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
    except OSError as error:
        raise explained("write", path, error) from error
    return Exported(str(path), size, *written)


@contextlib.contextmanager
def _published(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Give a hidden file that gets its name at the end."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        if force:
            Path(temporary).replace(path)
        else:
            # Fails where somebody else was faster; file systems without links get a rename.
            try:
                os.link(temporary, path)
            except FileExistsError:
                raise
            except OSError:
                Path(temporary).rename(path)
        atomic.sync_folder(path.parent)
    finally:
        Path(temporary).unlink(missing_ok=True)


class _Archive:
    """An archive that is being written."""

    def __init__(self, out: BinaryIO, progress: Callable[[int, int], None]) -> None:
        self._out = out
        self._progress = progress
        self._sums: dict[str, str] = {}
        self._done = self._total = 0

    def write(
        self, records: Sequence[Record], *, outputs: bool
    ) -> tuple[int, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        taken = time.time()
        going = tuple(record.id for record in records if _is_going(record))
        listed = {record.id: contents.parts(record, outputs=outputs) for record in records}
        wanted = list(dict.fromkeys(t for record in records for t in trees.trees_of(record)))
        code = trees.store()
        here = tuple(tree for tree in wanted if code.has(tree))
        self._total = sum(part.size for found in listed.values() for part in found)
        head = {
            "format": FORMAT,
            "nemo_run": __version__,
            "exported": taken,
            "bytes": self._total,
            "experiments": [_described(record, taken, going) for record in records],
            "trees": here,
        }
        self._add(HEAD, _json(head))
        for record in records:
            for part in listed[record.id]:
                self._stream(f"{EXPERIMENTS}/{record.id}/{part.path}", part)
        for name, content in _packages(records):
            self._add(f"{PACKAGES}/{name}", content)
        if here:
            self._code(code, here)
        files = len(self._sums)
        self._add(SUMS, _json(self._sums))
        self._out.write(bytes(2 * _BLOCK))
        return files, going, here, tuple(tree for tree in wanted if tree not in here)

    def _code(self, code: Any, wanted: Sequence[str]) -> None:
        # A header says how long its file is, so the pack is made first.
        with tempfile.TemporaryFile() as made:
            for piece in trees.pack(code, wanted):
                made.write(piece)
            size = made.tell()
            made.seek(0)
            self._pieces(PACK, size, iter(lambda: made.read(contents.PIECE), b""))

    def _stream(self, name: str, part: contents.Part) -> None:
        self._pieces(name, part.size, contents.read(part), executable=part.executable)

    def _add(self, name: str, content: bytes) -> None:
        self._pieces(name, len(content), [content])

    def _pieces(
        self, name: str, size: int, pieces: Iterable[bytes], *, executable: bool = False
    ) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o700 if executable else 0o600
        self._out.write(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        found = hashlib.sha256()
        for piece in pieces:
            found.update(piece)
            self._out.write(piece)
            self._done += len(piece)
            self._progress(min(self._done, self._total), self._total)
        self._out.write(bytes(-size % _BLOCK))
        self._sums[name] = found.hexdigest()


class _Counted(io.RawIOBase):
    """Counts what goes through."""

    def __init__(self, out: BinaryIO) -> None:
        super().__init__()
        self._out = out
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._out.write(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        self._out.flush()


def _described(record: Record, taken: float, going: Sequence[str]) -> dict[str, Any]:
    # What a copy knows is as old as the copy.
    when = record.copied.taken if record.copied else taken
    return {"id": record.id, "title": record.title, "taken": when, "going": record.id in going}


def _is_going(record: Record) -> bool:
    status = record.status()
    return status.started is not None and status.ended is None


def _packages(records: Iterable[Record]) -> Iterator[tuple[str, bytes]]:
    done: set[str] = set()
    for record in records:
        for path in packages.places(record):
            if path.name in done:
                continue
            with contextlib.suppress(OSError):
                content = read_file(path)
                if hashlib.sha256(content).hexdigest() == path.stem:
                    done.add(path.name)
                    yield path.name, content


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=1) + "\n").encode()
