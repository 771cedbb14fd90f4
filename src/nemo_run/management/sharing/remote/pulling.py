"""Pulling experiments from a remote home: the same care as with an archive of somebody else."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import NotFoundError, StoreError, nearest
from nemo_run.management.sharing.arriving import Arrival, keep_packages, sums
from nemo_run.management.store import finding, locations
from nemo_run.management.store.housekeeping import making
from nemo_run.management.store.record import Record

from . import code, manifests
from .blobs import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .manifests import Entry, Manifest
    from .place import Place

_TRIES = 5


@dataclass(frozen=True)
class Pulled:
    """What was done with one experiment.

    Attributes:
        id: Its id.
        path: Its folder.
        what: ``new``, ``updated``, ``same``, or ``own`` for one that was made here.
        going: Whether it was not over when it was pushed.
        missing: Code trees that the remote home does not have.
    """

    id: str
    path: str
    what: str
    going: bool = False
    missing: tuple[str, ...] = ()


class Pulling:
    """Pulls experiments from one remote home.

    Attributes:
        entries: What there is, the newest manifest of each last.

    Args:
        place: The remote home.
        progress: Called with an id, the bytes of it that came, and all of them.
    """

    def __init__(
        self,
        place: Place,
        progress: Callable[[str, int, int], None] = lambda _id, _done, _of: None,
    ) -> None:
        self._place = place
        self._progress = progress
        self.entries = manifests.entries(place)

    def named(self, text: str) -> str:
        """Return the id that a person means: it, the start of just one, or a title's newest.

        Raises:
            NotFoundError: None or several fit.
        """
        if text in self.entries:
            return text
        titled = [one for one in self.entries if one.rpartition("_")[0] == text]
        if titled:
            return max(titled, key=lambda one: self.entries[one][-1].created)
        started = [one for one in self.entries if text and one.startswith(text)]
        if len(started) == 1:
            return started[0]
        many = f"{len(started)} begin with it" if started else "none has that id or title"
        raise NotFoundError(
            f"not found: {text}. Of the experiments in {self._place.shown} {many}."
            f"{nearest(text, self.entries)}"
        )

    def pull(self, experiment_id: str) -> Pulled:
        """Pull one experiment.

        Raises:
            StoreError: It is damaged, or another one with its id is here.
        """
        for _ in range(_TRIES):
            entry = self.entries[experiment_id][-1]
            try:
                return self._pull(entry)
            except FileNotFoundError as error:
                if isinstance(error, StoreError):
                    raise
                # A newer manifest took its place.
                self.entries = manifests.entries(self._place)
        raise StoreError(f"{experiment_id} in {self._place.shown} changes all the time; try again.")

    def _pull(self, entry: Entry) -> Pulled:
        there = next(finding.folders_named(entry.id, locations.bases()), None)
        here = Record(there) if there else None
        source = f"{self._place.shown} {entry.name}"
        if here is not None and here.copied is None:
            return Pulled(entry.id, str(here.path), "own")
        if here is not None and here.copied and here.copied.source == source:
            return Pulled(entry.id, str(here.path), "same")
        manifest = manifests.read(self._place, entry)
        if here is not None:
            _require_same_origin(here, manifest)
            if here.status().seq > entry.seq or _is_same(here, manifest):
                return Pulled(entry.id, str(here.path), "same")
        reader = Reader(self._place)
        # Until a record names the code and the packages, nothing but this keeps them from gc.
        with making():
            missing = code.pull(self._place, reader, manifest.trees)
            for digest in manifest.packages:
                keep_packages(digest, reader.read(digest))
            record = self._bring(manifest, reader, here, source)
        what = "new" if here is None else "updated"
        return Pulled(entry.id, str(record.path), what, manifest.going, tuple(missing))

    def _bring(
        self, manifest: Manifest, reader: Reader, here: Record | None, source: str
    ) -> Record:
        total, done = sum(file.size for file in manifest.files), 0
        with Arrival(manifest.id, replaces=here) as arrival:
            for file in manifest.files:
                pieces = _checked(file.path, file.sha256, reader.pieces(file.pieces))
                arrival.add(file.path, pieces, executable=file.executable)
                done += file.size
                self._progress(manifest.id, done, total)
            record = arrival.finish(manifest.taken, source)
        assert record is not None
        return record


def _checked(path: str, sha256: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
        yield piece
    if found.hexdigest() != sha256:
        raise StoreError(f"{path!r:.200} is damaged in the remote home. Nothing was pulled.")


def _require_same_origin(here: Record, manifest: Manifest) -> None:
    if str(here.meta.get("identity") or "") != manifest.identity:
        raise StoreError(
            f"There is another experiment {here.id} at {here.path}; nothing was pulled. Delete it, "
            "or pull into another home (NEMORUN_HOME)."
        )


def _is_same(here: Record, manifest: Manifest) -> bool:
    outputs = any("/outputs/" in file.path for file in manifest.files)
    there = {file.path: (file.size, file.sha256) for file in manifest.files}
    return sums(here, outputs=outputs) == there
