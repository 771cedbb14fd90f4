"""Pushing experiments into a remote home: only what is new, the manifest last."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError
from nemo_run.management.capture import packages
from nemo_run.management.sharing import contents, trees
from nemo_run.management.store.files import read_file

from . import code, manifests
from .blobs import PIECE, Sender, in_pieces
from .manifests import Entry, Manifest, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nemo_run.management.store.record import Record

    from .place import Place

_SMALL = 256 << 10
"""Files of fewer bytes go together into one blob: each request takes its time."""
_FIRST = b'{"format": 1}\n'


@dataclass(frozen=True)
class Pushed:
    """What was done with one experiment.

    Attributes:
        id: Its id.
        sent: Bytes that were sent.
        changed: Whether there was anything new.
        newer: Whether the remote home knows more of it than is known here.
        missing: Code trees that are not kept here any more.
    """

    id: str
    sent: int = 0
    changed: bool = True
    newer: bool = False
    missing: tuple[str, ...] = ()


class Pushing:
    """Pushes experiments into one remote home.

    Args:
        place: The remote home.
        outputs: Also what jobs left in ``NEMORUN_OUTPUT_DIR``, as far as it is here.
        progress: Called with an id, the bytes of it that were read, and all of them.
    """

    def __init__(
        self,
        place: Place,
        *,
        outputs: bool = False,
        progress: Callable[[str, int, int], None] = lambda _id, _done, _of: None,
    ) -> None:
        self._place = place
        self._outputs = outputs
        self._progress = progress
        self._entries = manifests.entries(place)
        self._trees = {tree: depth for tree, (depth, _) in code.listed(place).items()}
        if not place.has("nemo-run.json"):
            place.write("nemo-run.json", _FIRST)

    def push(self, record: Record) -> Pushed:
        """Push one experiment.

        Raises:
            StoreError: Something cannot be read or written, or another experiment has its id.
        """
        there = self._entries.get(record.id, [])
        before = self._before(record, there)
        status = record.status()
        seq, going = status.seq, status.started is not None and status.ended is None
        if before is not None and there[-1].seq > seq:
            return Pushed(record.id, changed=False, newer=True)
        parts = contents.parts(record, outputs=self._outputs)
        known = {file.path: file for file in before.files} if before else {}
        blobs = {blob for file in known.values() for blob, _, _ in file.pieces}
        wanted = trees.trees_of(record)
        with Sender(self._place, blobs) as sender:
            missing = code.push(self._place, sender, wanted, self._trees)
            tables = self._packages(record, sender, before)
            files = self._files(record, parts, known, sender)
            sender.finish()
        if before is not None and self._outputs is False:
            # What somebody pushed with its outputs keeps them.
            files += [f for f in before.files if _is_output(f.path, {one.path for one in files})]
        if before is not None and {*files} == {*before.files} and going == before.going:
            return Pushed(record.id, sender.sent, changed=False, missing=tuple(missing))
        taken = record.copied.taken if record.copied else time.time()
        identity = str(record.meta.get("identity") or "")
        here = tuple(tree for tree in wanted if tree not in missing)
        made = Manifest(record.id, identity, taken, going, tuple(files), here, tables)
        content = made.content()
        states = [str(job.state) for job in status.jobs.values()]
        entry = Entry(
            record.id,
            seq,
            time.time_ns() // 1_000_000,
            int(record.created),
            str(status.state),
            len(states),
            states.count("SUCCEEDED"),
            manifests.digest_of(content),
        )
        self._place.write(f"{manifests.FOLDER}/{entry.name}", content)
        for older in there:
            self._place.remove(f"{manifests.FOLDER}/{older.name}")
        self._entries[record.id] = [entry]
        return Pushed(record.id, sender.sent + len(content), missing=tuple(missing))

    def _before(self, record: Record, there: Sequence[Entry]) -> Manifest | None:
        """Return what the remote home has of an experiment."""
        if not there:
            return None
        try:
            found = manifests.read(self._place, there[-1])
        except FileNotFoundError:
            return None  # somebody else pushes it, too
        if found.identity != str(record.meta.get("identity") or ""):
            raise StoreError(
                f"{self._place.shown} has another experiment with the id {record.id}; nothing was "
                "pushed. Import one of the two under another id (--as)."
            )
        return found

    def _packages(self, record: Record, sender: Sender, before: Manifest | None) -> tuple[str, ...]:
        digest = packages.digest_of(record.meta.get("packages"))
        if digest is None:
            return ()
        if before is not None and digest in before.packages:
            return (digest,)
        for path in packages.places(record):
            with contextlib.suppress(OSError):
                content = read_file(path)
                if hashlib.sha256(content).hexdigest() == digest:
                    return (sender.send(content),)
        return ()

    def _files(
        self,
        record: Record,
        parts: Sequence[contents.Part],
        known: Mapping[str, Stored],
        sender: Sender,
    ) -> list[Stored]:
        """Send the files of an experiment, and return what the manifest says of them."""
        total, done = sum(part.size for part in parts), 0
        found: dict[str, Stored] = {}
        together = _Together(sender)
        by_sum = {file.sha256: file for file in known.values()}
        for part in parts:
            old = known.get(part.path)
            if old is not None and (old.size, old.changed) == (part.size, part.changed):
                found[part.path] = old
            elif part.size >= _SMALL:
                found[part.path] = _large(part, sender)
            else:
                data = b"".join(contents.read(part))
                same = by_sum.get(hashlib.sha256(data).hexdigest())
                pieces = same.pieces if same else None
                together.add(_bare(part, hashlib.sha256(data).hexdigest()), data, pieces)
            done += part.size
            self._progress(record.id, done, total)
        found.update({file.path: file for file in together.finish()})
        return [found[part.path] for part in parts]


class _Together:
    """Small files, which go into blobs together."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._held = bytearray()
        self._waiting: list[tuple[Stored, int]] = []
        self._found: list[Stored] = []

    def add(
        self, file: Stored, data: bytes, pieces: tuple[tuple[str, int, int], ...] | None
    ) -> None:
        """Take a file; with the pieces where its bytes are, if they are there already."""
        if pieces is not None:
            self._found.append(dataclasses.replace(file, pieces=pieces))
            return
        self._waiting.append((file, len(self._held)))
        self._held += data
        if len(self._held) >= PIECE:
            self._send()

    def finish(self) -> list[Stored]:
        """Return all files with their pieces."""
        if self._waiting:
            self._send()
        return self._found

    def _send(self) -> None:
        blob = self._sender.send(bytes(self._held)) if self._held else ""
        for file, at in self._waiting:
            pieces = ((blob, at, file.size),) if file.size else ()
            self._found.append(dataclasses.replace(file, pieces=pieces))
        self._waiting, self._held = [], bytearray()


def _large(part: contents.Part, sender: Sender) -> Stored:
    total, pieces = hashlib.sha256(), []
    for piece in in_pieces(contents.read(part)):
        total.update(piece)
        pieces.append((sender.send(piece), 0, len(piece)))
    return dataclasses.replace(_bare(part, total.hexdigest()), pieces=tuple(pieces))


def _bare(part: contents.Part, sha256: str) -> Stored:
    return Stored(part.path, part.size, sha256, part.executable, part.changed, ())


def _is_output(path: str, here: set[str]) -> bool:
    return "/outputs/" in path and path not in here
