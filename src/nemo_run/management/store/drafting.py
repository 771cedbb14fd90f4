"""Making an experiment: written under a hidden name, and renamed when whole."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import AlreadyExistsError, StoreError
from nemo_run.invocation import experiment_command
from nemo_run.shared_home import open_up

from . import events, finding, ids, layout, locations, names
from .advice import explained
from .journal import Journal
from .layout import FORMAT
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

_PRIVATE = 0o600
# From here on, waiting for the whole system once is quicker than for each file.
_SYNC_EACH = 200
_RETRIES = 100
# A thousand jobs share one copy of the worker. Less than a block of the disk is not worth a link.
_LARGE = 4096


class Draft:
    """An experiment that is being written, and that nobody sees yet.

    Used in a ``with`` statement; what was not published is removed at its end.

    Attributes:
        id: Its id; nobody else gets it.
        title: Its title.
        path: Where it will be.
        folder: Where it is written.
        created: When it was begun, in seconds since the epoch.
    """

    def __init__(self, base: Path, title: str, experiment_id: str, folder: Path) -> None:
        self.id = experiment_id
        self.title = title
        self.path = folder.parent / experiment_id
        self.folder = folder
        self.created = (ids.time_of(experiment_id) or time.time_ns()) / 1e9
        self._base = base
        self._folders: set[Path] = set()
        self._files: set[Path] = set()
        self._large: dict[tuple[bytes, int], Path] = {}
        self._published = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.discard()

    def job_dir(self, job_id: str) -> Path:
        """Return where the folder of a job will be, once published."""
        return layout.job_folder(self.path, job_id)

    def write(self, path: str | Path, content: str | bytes, *, mode: int = 0o600) -> None:
        """Write a file of the experiment.

        Args:
            path: Relative to the experiment, or absolute as it will be once published.
            content: Its text or bytes.
            mode: Its permissions.

        Raises:
            StoreError: It could not be written, or was written before.
        """
        inside = self._relative(Path(path))
        target = self.folder / inside
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        try:
            self._make_parent(target.parent)
            if not self._link(target, data, mode):
                _write(target, data, mode)
        except FileExistsError as error:
            raise StoreError(
                f"Two files of the experiment {self.id} have one name, {inside}. Do the names of "
                "two jobs differ in case only? Rename one; nothing was made."
            ) from error
        except OSError as error:
            raise explained("write", target, error) from error
        self._files.add(target)

    def _link(self, target: Path, data: bytes, mode: int) -> bool:
        """Make a second name for a large file that was written before, if the disk has such."""
        if len(data) < _LARGE:
            return False
        first = self._large.setdefault((data, mode), target)
        if first == target:
            return False
        try:
            os.link(first, target)
        except FileExistsError:
            raise
        except OSError:
            return False  # a file system without links gets a copy
        return True

    def publish(self, meta: Mapping[str, Any]) -> Record:
        """Make the experiment visible, whole, and return it.

        Args:
            meta: What else ``experiment.json`` shall say; ``jobs`` lists a document for each
                job, with its ``id``.

        Raises:
            AlreadyExistsError: Another process made one with this id in the meantime.
            StoreError: It could not be written; nothing is visible.
        """
        job_ids = [str(job["id"]) for job in meta.get("jobs", [])]
        own = {"format": FORMAT, "id": self.id, "title": self.title, "created": self.created}
        # Of two records with one id, it tells whose job an engine has.
        own["identity"] = os.urandom(8).hex()
        self.write(layout.META, _json({**own, **meta, **own}))
        Journal(self.folder / layout.JOURNAL).begin(
            [events.experiment_created(self.title, job_ids)]
        )
        self._sync()
        self._rename()
        if self._base != layout.home():
            locations.add(self._base)
        return Record(self.path)

    def adopt(self) -> Record:
        """Make visible, whole, what was put into ``folder``: a copy, with its own documents.

        Raises:
            AlreadyExistsError: Another process made one with this id in the meantime.
            StoreError: It could not be written; nothing is visible.
        """
        try:
            atomic.sync_tree(self.folder)
        except OSError as error:
            raise explained("write", self.folder, error) from error
        self._rename()
        if self._base != layout.home():
            locations.add(self._base)
        return Record(self.path)

    def discard(self) -> None:
        """Remove what was written, unless it was published."""
        # Once renamed away, a folder of that name is somebody else's.
        if not self._published:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _relative(self, path: Path) -> Path:
        inside = path.relative_to(self.path) if path.is_absolute() else path
        if ".." in inside.parts:
            raise ValueError(f"{path} lies outside of the experiment")
        return inside

    def _make_parent(self, folder: Path) -> None:
        if folder in self._folders:
            return
        if folder != self.folder:
            self._make_parent(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
        self._folders.add(folder)

    def _sync(self) -> None:
        """Wait until everything written is on disk, so that no power loss leaves half of it."""
        try:
            if len(self._files) > _SYNC_EACH:
                os.sync()
                return
            for path in self._files:
                atomic.sync_file(path)
            for folder in self._folders:
                atomic.sync_folder(folder)
        except OSError as error:
            raise explained("write", self.folder, error) from error

    def _rename(self) -> None:
        open_up(self.folder)
        try:
            self.folder.rename(self.path)
        except OSError as error:
            if self.path.exists():
                raise _exists(self.id, self.path) from error
            raise explained("make the experiment", self.path, error) from error
        self._published = True
        # Up to the folder that holds the home: any of these may have been made just now, by us or
        # by another process that has not come as far.
        for folder in (self.path.parent, self._base / layout.EXPERIMENTS, self._base):
            atomic.sync_folder(folder)
        atomic.sync_folder(self._base.parent)


def draft(
    title: str,
    id: str | None = None,  # noqa: A002 - the word of the public interface
    base_dir: str | Path | None = None,
    *,
    clock: Callable[[], int] = time.time_ns,
) -> Draft:
    """Begin an experiment and take an id for it.

    Args:
        title: Its title.
        id: The user's own id; else ``<title>_<time in nanoseconds>`` is made, and a free one
            taken if another process had the same idea. An id from :func:`new_id` counts as
            made here.
        base_dir: Where ``experiments/`` lies, if not in ``$NEMORUN_HOME``.
        clock: Gives the time in nanoseconds.

    Raises:
        PlanError: The title or the id cannot be used.
        AlreadyExistsError: There is an experiment with this id.
        StoreError: The folder cannot be made.
    """
    base = layout.base(base_dir)
    titled = layout.title_folder(base, title)
    made_here = id is None or ids.folder_of(id) == titled.name
    if id is not None and not made_here:
        names.check_id(id)
        _refuse_taken(id, base)
    folder = titled / f"{layout.UNFINISHED}-{os.urandom(8).hex()}"
    experiment_id = id or ids.new_id(title, clock)
    while made_here:
        folder = titled / f".{experiment_id}{layout.UNFINISHED}"
        # The folder is taken first and looked at after: its owner renames it away in one step,
        # so that either it is in the way here or the finished experiment is.
        if _make(folder):
            if not (titled / experiment_id).exists():
                return Draft(base, title, experiment_id, folder)
            folder.rmdir()
        experiment_id = ids.another(experiment_id)
    _make(folder)
    return Draft(base, title, experiment_id, folder)


def reserve(title: str, experiment_id: str, base_dir: str | Path | None = None) -> Draft:
    """Begin a copy of an experiment, which has its id already.

    Raises:
        PlanError: The title or the id cannot be used.
        AlreadyExistsError: There is an experiment with this id.
        StoreError: The folder cannot be made.
    """
    base = layout.base(base_dir)
    titled = layout.title_folder(base, title)
    names.check_id(experiment_id)
    _refuse_taken(experiment_id, base)
    folder = titled / f"{layout.UNFINISHED}-{os.urandom(8).hex()}"
    _make(folder)
    return Draft(base, title, experiment_id, folder)


def create(
    title: str,
    id: str | None = None,  # noqa: A002 - the word of the public interface
    base_dir: str | Path | None = None,
    *,
    meta: Mapping[str, Any] | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> Record:
    """Make an experiment in one step; see :func:`draft`.

    Args:
        title: Its title.
        id: The user's own id.
        base_dir: Where ``experiments/`` lies, if not in ``$NEMORUN_HOME``.
        meta: What else ``experiment.json`` shall say.
        files: Relative path → content.
    """
    with draft(title, id, base_dir) as new:
        for path, content in (files or {}).items():
            new.write(path, content)
        return new.publish(meta or {})


def _write(target: Path, data: bytes, mode: int) -> None:
    with open(target, "wb", opener=_private) as file:
        file.write(data)
        if mode != _PRIVATE:
            os.fchmod(file.fileno(), mode)


def _make(folder: Path) -> bool:
    """Make a folder and say whether it was us who made it."""
    # Whoever deletes the last experiment of a title removes the title's folder.
    for left in reversed(range(_RETRIES)):
        try:
            atomic.make_folder(folder.parent)
            return _make_last(folder)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and left:
                continue
            raise explained("make the experiment folder", folder.parent, error) from None
    return False


def _make_last(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True


def _refuse_taken(experiment_id: str, base: Path) -> None:
    for path in finding.folders_named(experiment_id, {*locations.bases(), base}):
        raise _exists(experiment_id, path)


def _exists(experiment_id: str, path: Path) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"There is an experiment {experiment_id!r} already, at {path}. Choose another id, leave "
        f"the id out, or remove that one with `{experiment_command('delete', experiment_id)}`."
    )


def _private(path: str, flags: int) -> int:
    # Two files of one name would be two jobs in one folder, or names that differ in case only on
    # a file system that takes them for one.
    return os.open(path, flags | os.O_EXCL, _PRIVATE)


def _json(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A command line or a folder whose bytes are no text.
        text = json.dumps(document, indent=2)
    return f"{text}\n"
