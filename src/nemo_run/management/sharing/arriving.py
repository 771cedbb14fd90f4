"""Experiments that arrive: written aside, checked, and made visible whole. Nothing of them is run.

Whoever wrote them is not trusted: a path leads nowhere else, and no size is believed.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import AlreadyExistsError, PlanError, StoreError
from nemo_run.management.capture import packages
from nemo_run.management.store import copies, finding, layout, locations, names
from nemo_run.management.store.advice import explained
from nemo_run.management.store.drafting import reserve
from nemo_run.management.store.record import Record, read_meta

from . import contents

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

    from nemo_run.management.store.drafting import Draft

    Sums = Mapping[str, tuple[int, str]]

# What people write on an experiment later does not make it another one.
NOT_COMPARED = frozenset({"marks.json", "conductor.log"})
_LARGEST_DOCUMENT = 64 << 20
_LARGEST_PACKAGES = 16 << 20


class Arrival:
    """One experiment that arrives. Used in a ``with`` statement; removed unless finished.

    Attributes:
        id: The id that it gets here.
        sums: Size and SHA-256 of each file so far, by path.

    Args:
        experiment_id: The id that it is said to have.
        own_id: Another one that it shall get.
        replaces: The copy that is here and may be replaced by this one.
    """

    def __init__(
        self, experiment_id: str, own_id: str = "", *, replaces: Record | None = None
    ) -> None:
        self.id = own_id or experiment_id
        self.sums: dict[str, tuple[int, str]] = {}
        self._said = experiment_id
        self._draft: Draft | None = None
        self._meta: dict[str, Any] = {}
        self._replaces = replaces
        self._there = None if own_id or replaces else _existing(experiment_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._draft is not None:
            self._draft.discard()

    def add(self, path: str, pieces: Iterable[bytes], *, executable: bool = False) -> None:
        """Take one file; the first is ``experiment.json``.

        Raises:
            StoreError: It is none that an experiment has, or cannot be written.
        """
        if not contents.is_safe(path) or not contents.travels(path):
            raise StoreError(
                f"It holds a file {path!r:.200} of {self._said!r:.80}, which no experiment that "
                "was shared has. Nothing was imported."
            )
        if path in self.sums:
            raise StoreError(f"It holds the file {path!r:.200} twice. Nothing was imported.")
        if not self.sums:
            pieces = [self._begin(path, pieces)]
        self.sums[path] = self._write(path, pieces, executable=executable)

    def _begin(self, path: str, pieces: Iterable[bytes]) -> bytes:
        """Read ``experiment.json`` and make the folder; return what is to be written."""
        if path != layout.META:
            raise StoreError(f"{self._said!r:.80} does not begin with {layout.META}.")
        content = bounded(pieces, _LARGEST_DOCUMENT, path)
        try:
            meta = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise StoreError(f"The {layout.META} of {self._said!r:.80} is not JSON.") from error
        title = meta.get("title") if isinstance(meta, dict) else None
        if not isinstance(title, str) or meta.get("id") != self._said:
            raise StoreError(
                f"The {layout.META} of {self._said!r:.80} is that of another experiment, or of "
                "none. Nothing was imported."
            )
        self._meta = meta
        if self._there is not None:
            return content
        try:
            self._draft = self._reserved(title)
        except PlanError as error:
            raise StoreError(f"It cannot be imported: {error}") from error
        return content

    def _reserved(self, title: str) -> Draft:
        if self._replaces is None:
            return reserve(title, self.id)
        from nemo_run.management.store.drafting import Draft

        folder = self._replaces.path.parent / f"{layout.UNFINISHED}-{os.urandom(8).hex()}"
        folder.mkdir(mode=0o700)
        return Draft(layout.home(), title, self.id, folder)

    def _write(self, path: str, pieces: Iterable[bytes], *, executable: bool) -> tuple[int, str]:
        found, size = hashlib.sha256(), 0
        descriptor = self._open(path, executable=executable)
        try:
            for piece in pieces:
                found.update(piece)
                size += len(piece)
                if descriptor >= 0:
                    _write_all(descriptor, piece)
        except OSError as error:
            raise explained("write", path, error) from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return size, found.hexdigest()

    def _open(self, path: str, *, executable: bool) -> int:
        if self._draft is None:
            return -1
        target = self._draft.folder / path
        try:
            # Our own folder, in which there are no links.
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            return os.open(target, flags, 0o700 if executable else 0o600)
        except FileExistsError as error:
            raise StoreError(
                f"Two files of {self._said} have one name on this file system: {path!r:.200}. "
                "Nothing was imported."
            ) from error
        except OSError as error:
            raise explained("write", target, error) from error

    def finish(self, taken: float, source: str) -> Record | None:
        """Make it visible and return it; None where the same experiment is here already.

        Args:
            taken: When the original was as this is, in seconds since the epoch.
            source: What it came from.

        Raises:
            AlreadyExistsError: Another one with its id is here.
            StoreError: It is not whole, or cannot be written.
        """
        if layout.META not in self.sums or layout.JOURNAL not in self.sums:
            raise StoreError(f"{self._said!r:.80} has no {layout.JOURNAL}; nothing was imported.")
        if self._there is not None:
            _require_same(self._there, self.sums)
            return None
        assert self._draft is not None
        if self.id != self._said:
            self._rename()
        read_meta(self._draft.folder / layout.META)  # raises for what no reader accepts
        copied = copies.Copied(
            taken,
            time.time(),
            str(self._meta.get("host") or ""),
            str(self._meta.get("folder") or ""),
            source,
        )
        self._draft.write(copies.MARK, copied.text())
        if self._replaces is not None:
            away = self._replaces.path.parent / f"{layout.DELETED}-{os.urandom(8).hex()}"
            self._replaces.path.rename(away)
            record = self._draft.adopt()
            import shutil

            shutil.rmtree(away, ignore_errors=True)
            return record
        return self._draft.adopt()

    def _rename(self) -> None:
        """Give it the id that it shall have here."""
        assert self._draft is not None
        target = self._draft.folder / layout.META
        target.write_text(
            json.dumps({**self._meta, "id": self.id, "imported_id": self._said}, indent=2) + "\n"
        )


def sums(record: Record, *, outputs: bool = False) -> dict[str, tuple[int, str]]:
    """Return size and SHA-256 of each file of an experiment that travels, by path."""
    found = {}
    for part in contents.parts(record, outputs=outputs):
        total = hashlib.sha256()
        for piece in contents.read(part):
            total.update(piece)
        found[part.path] = part.size, total.hexdigest()
    return found


def bounded(pieces: Iterable[bytes], most: int, what: str) -> bytes:
    """Return all pieces together.

    Raises:
        StoreError: They are more than ``most`` bytes.
    """
    found = bytearray()
    for piece in pieces:
        found += piece
        if len(found) > most:
            raise StoreError(f"{what!r:.200} is larger than any such file is ({most} bytes).")
    return bytes(found)


def keep_packages(digest: str, content: bytes) -> None:
    """Store a table of packages under its digest.

    Raises:
        StoreError: It is not what its name says, or cannot be written.
    """
    from nemo_run import atomic

    if hashlib.sha256(content).hexdigest() != digest:
        raise StoreError(f"The table of packages {digest!r:.80} is damaged. Nothing was imported.")
    path = layout.home() / packages.FOLDER / f"{digest}.json"
    try:
        if not path.exists():
            atomic.make_folder(path.parent)
            atomic.write_bytes(path, content)
    except OSError as error:
        raise explained("write", path, error) from error


def packages_limit() -> int:
    """Return how large a table of packages may be, in bytes."""
    return _LARGEST_PACKAGES


def _existing(experiment_id: str) -> Record | None:
    try:
        names.check_id(experiment_id)
    except PlanError as error:
        raise StoreError(f"It cannot be imported: {error}") from error
    there = next(finding.folders_named(experiment_id, locations.bases()), None)
    return Record(there) if there else None


def _require_same(record: Record, arrived: Sums) -> None:
    outputs = any("/outputs/" in path for path in arrived)
    here = sums(record, outputs=outputs)
    paths = sorted((here.keys() | arrived.keys()) - NOT_COMPARED)
    other = [path for path in paths if here.get(path) != arrived.get(path)]
    if not other:
        return
    more = f" and {len(other) - 3} more" if len(other) > 3 else ""
    raise AlreadyExistsError(
        f"There is an experiment {record.id} at {record.path}, and what would be imported differs "
        f"from it: {', '.join(other[:3])}{more}. Nothing was imported. Give it another id with "
        "--as, or delete the one that is here."
    )


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
