"""Reading experiments from an archive that somebody else may have written. Runs nothing of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from nemo_run.exceptions import StoreError
from nemo_run.management.store import layout
from nemo_run.management.store.advice import explained
from nemo_run.management.store.housekeeping import making

from . import trees
from .arriving import Arrival, bounded, keep_packages, packages_limit
from .compression import decompressing
from .exporting import EXPERIMENTS, FORMAT, HEAD, PACK, PACKAGES, SUMS
from .tar_reading import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Self

    from nemo_run.management.store.record import Record

    from .tar_reading import Member, Stream

_LARGEST_HEAD = 64 << 20
_MOST_FILES = 2_000_000
_FREELY = 4 << 30
"""Bytes that an archive may unpack to whatever its size."""
_RATIO = 200
"""How much larger than the archive the files may be beyond that; logs shrink to a fiftieth."""
_LEFT_FREE = 64 << 20


@dataclass(frozen=True)
class Imported:
    """What arrived.

    Attributes:
        records: The experiments that are new here.
        same: Ids of those that were here already, equal to the last byte.
        going: Ids of those that were not over when they were exported.
        trees: The code trees that came with them.
    """

    records: tuple[Record, ...]
    same: tuple[str, ...]
    going: tuple[str, ...]
    trees: tuple[str, ...]


def import_from(
    path: str,
    *,
    own_id: str = "",
    any_size: bool = False,
    stream: BinaryIO | None = None,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Imported:
    """Make the experiments of an archive visible here: all of them, or none.

    Args:
        path: The archive.
        own_id: The id that its only experiment shall get.
        any_size: Do not refuse files that are far larger than the archive.
        stream: Read this instead; ``path`` is what it is called.
        progress: Called with the bytes written so far, and how many there are said to be.

    Raises:
        StoreError: It cannot be read, is damaged, or holds what no export holds.
        AlreadyExistsError: An id is taken by another experiment.
    """
    try:
        with contextlib.ExitStack() as held:
            file = stream or held.enter_context(open(path, "rb"))  # noqa: PTH123
            size = os.fstat(file.fileno()).st_size if stream is None else 0
            unpacked = held.enter_context(decompressing(file, path))
            most = math.inf if any_size else max(_FREELY, size * _RATIO)
            limited = _Limited(unpacked, most, path)
            arriving = held.enter_context(_Arriving(path, own_id, progress))
            return arriving.read(limited)
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        if isinstance(error, FileNotFoundError):
            raise StoreError(f"There is no file {path}. Nothing was imported.") from None
        raise explained("import", path, error) from error


class _Limited:
    """A stream that refuses to become larger than it may, or than there is room for."""

    def __init__(self, stream: Stream, most: float, name: str) -> None:
        self._stream, self._most, self._name = stream, most, name
        self._done = self._looked = 0

    def read(self, size: int, /) -> bytes:
        data = self._stream.read(size)
        self._done += len(data)
        if self._done > self._most:
            raise StoreError(
                f"{self._name} unpacks to more than {self._done >> 20} MiB, far more than its own "
                "size: it may be made to fill the disk. Nothing was imported. If you trust whoever "
                "made it: --any-size."
            )
        if self._done - self._looked > _LEFT_FREE:
            self._looked = self._done
            _require_room(self._name)
        return data


def _require_room(name: str) -> None:
    home = layout.home()
    while not home.exists():
        home = home.parent
    if shutil.disk_usage(home).free < _LEFT_FREE:
        raise StoreError(
            f"There is no room for what {name} holds on the disk of {home}. Nothing was imported. "
            "Free some space, or set NEMORUN_HOME to a folder on another disk."
        )


class _Arriving:
    """An archive that is being read."""

    def __init__(self, path: str, own_id: str, progress: Callable[[int, int], None]) -> None:
        self._path, self._own_id, self._progress = path, own_id, progress
        self._head: dict[str, Any] = {}
        self._arrivals: dict[str, Arrival] = {}
        self._sums: dict[str, str] = {}
        self._code: trees.Arriving | None = None
        self._packages: dict[str, bytes] = {}
        self._held = contextlib.ExitStack()
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._held.close()

    def read(self, stream: Any) -> Imported:
        checked = False
        for member, pieces in members(stream):
            if checked:
                raise StoreError(f"{self._path} goes on after its end; nothing was imported.")
            if not self._head:
                self._begin(member, pieces)
            elif member.name == SUMS:
                self._check(bounded(pieces, _LARGEST_HEAD, SUMS))
                checked = True
            else:
                self._take(member, pieces)
        if not checked:
            raise StoreError(f"{self._path} is cut off; nothing was imported. Copy it again.")
        return self._finish()

    def _begin(self, member: Member, pieces: Iterable[bytes]) -> None:
        if member.name != HEAD:
            raise StoreError(
                f"{self._path} is no export of an experiment: it begins with {member.name!r:.100} "
                f"instead of {HEAD}."
            )
        self._head = _head(self._path, bounded(self._counted(HEAD, pieces), _LARGEST_HEAD, HEAD))
        ids = [one["id"] for one in self._head["experiments"]]
        if self._own_id and len(ids) != 1:
            raise StoreError(f"{self._path} holds {len(ids)} experiments; --as names one only.")
        for one in ids:
            self._arrivals[one] = self._held.enter_context(Arrival(one, self._own_id))

    def _take(self, member: Member, pieces: Iterable[bytes]) -> None:
        if len(self._sums) > _MOST_FILES:
            raise StoreError(f"{self._path} holds more than {_MOST_FILES} files. It is refused.")
        if member.name in self._sums:
            raise StoreError(f"{self._path} holds {member.name!r:.200} twice. It is refused.")
        counted = self._counted(member.name, pieces)
        top, _, below = member.name.partition("/")
        experiment_id, _, inside = below.partition("/")
        if top == EXPERIMENTS and experiment_id in self._arrivals:
            arrival = self._arrivals[experiment_id]
            arrival.add(inside, counted, executable=member.executable)
        elif top == PACKAGES and below.endswith(".json") and len(below) == 69:
            self._packages[below[:64]] = bounded(counted, packages_limit(), member.name)
            if len(self._packages) > len(self._arrivals):
                raise StoreError(f"{self._path} holds more tables of packages than experiments.")
        elif member.name == PACK and self._head["trees"]:
            self._code = self._held.enter_context(trees.Arriving(trees.store()))
            self._code.take(counted)
        else:
            raise StoreError(
                f"{self._path} holds {member.name!r:.200}, which is no file of an export. Nothing "
                "was imported."
            )

    def _counted(self, name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
        found = hashlib.sha256()
        for piece in pieces:
            found.update(piece)
            self._done += len(piece)
            self._progress(self._done, int(self._head.get("bytes", 0)))
            yield piece
        self._sums[name] = found.hexdigest()

    def _check(self, content: bytes) -> None:
        said = _document(self._path, content)
        wrong = [name for name in self._sums if said.get(name) != self._sums[name]]
        wrong += [name for name in said if name not in self._sums]
        if wrong:
            raise StoreError(
                f"{self._path} is damaged: {wrong[0]!r:.200} is not what was exported. Copy it "
                "again; nothing was imported."
            )

    def _finish(self) -> Imported:
        # Until a record names the code and the packages, nothing but this keeps them from gc.
        with making():
            return self._finished()

    def _finished(self) -> Imported:
        wanted = self._head["trees"]
        if wanted:
            if self._code is None:
                raise StoreError(f"{self._path} holds no code, and says that it does.")
            self._code.keep(wanted, f"imported from {os.path.basename(self._path)}")  # noqa: PTH119
        for digest, content in self._packages.items():
            keep_packages(digest, content)
        records, same = [], []
        for one in self._head["experiments"]:
            record = self._arrivals[one["id"]].finish(one["taken"], self._path)
            if record is None:
                same.append(one["id"])
            else:
                records.append(record)
        going = tuple(one["id"] for one in self._head["experiments"] if one["going"])
        return Imported(tuple(records), tuple(same), going, tuple(wanted))


def _head(path: str, content: bytes) -> dict[str, Any]:
    said = _document(path, content)
    form = said.get("format")
    if type(form) is int and form > FORMAT:
        raise StoreError(
            f"{path} was written by a later version of NeMo Run (format {form}, this one reads "
            f"{FORMAT}). Install that version here."
        )
    listed, wanted = said.get("experiments"), said.get("trees")
    if form != FORMAT or not isinstance(listed, list) or not isinstance(wanted, list):
        raise StoreError(f"{path} is no export of an experiment: its {HEAD} is none.")
    found = [_experiment(one) for one in listed]
    if not found or not all(found) or not all(map(trees.is_tree, wanted)):
        raise StoreError(f"{path} is no export of an experiment: its {HEAD} is none.")
    size = said.get("bytes")
    return {
        "bytes": size if type(size) is int and size >= 0 else 0,
        "experiments": found,
        "trees": wanted,
    }


def _experiment(said: object) -> Mapping[str, Any] | None:
    if not isinstance(said, dict) or not isinstance(said.get("id"), str) or "/" in said["id"]:
        return None
    taken = said.get("taken")
    when = float(taken) if isinstance(taken, (int, float)) else 0.0
    return {"id": said["id"], "taken": when, "going": said.get("going") is True}


def _document(path: str, content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is no export of an experiment, or damaged.") from error
    if not isinstance(said, dict):
        raise StoreError(f"{path} is no export of an experiment, or damaged.")
    return said
