"""The experiments on disk: make one, find one, list them, delete one.

Every experiment is a folder ``<base>/experiments/<title>/<id>``, with ``$NEMORUN_HOME`` as base
unless the user chose another. It is made under a hidden name and renamed when whole, so that
nobody ever sees a part of one.
"""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import AlreadyExistsError, StoreError

from . import catalog as _catalog
from . import events, ids, layout, locations, names
from .advice import explained
from .journal import Journal
from .record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

FORMAT = 1
"""The version of the layout. A later one may add files and fields; see ``docs/storage.md``."""

find = _catalog.find
find_id = _catalog.find_id
find_title = _catalog.find_title
catalog = _catalog.catalog
records = _catalog.records
new_id = ids.new_id


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
            StoreError: It could not be written.
        """
        target = self.folder / self._relative(Path(path))
        data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        try:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.touch(mode=0o600)
            target.write_bytes(data)
            target.chmod(mode)
        except OSError as error:
            raise explained("write", target, error) from error

    def publish(self, meta: Mapping[str, Any]) -> Record:
        """Make the experiment visible, whole, and return it.

        Args:
            meta: What else ``experiment.json`` shall say; ``jobs`` lists a document for each
                job, with its ``id``.

        Raises:
            AlreadyExistsError: Another process made one with this id in the meantime.
            StoreError: It could not be written; nothing is visible.
        """
        from json import dumps

        job_ids = [str(job["id"]) for job in meta.get("jobs", [])]
        document = {
            "format": FORMAT,
            "id": self.id,
            "title": self.title,
            "created": self.created,
            **{k: v for k, v in meta.items() if k not in {"format", "id", "title", "created"}},
        }
        self.write(layout.META, dumps(document, indent=2, ensure_ascii=False) + "\n")
        Journal(self.folder / layout.JOURNAL).append(
            [events.experiment_created(self.title, job_ids)]
        )
        self._rename()
        if self._base != layout.home():
            locations.add(self._base)
        return Record(self.path)

    def discard(self) -> None:
        """Remove what was written, unless it was published."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self.path) if path.is_absolute() else path

    def _rename(self) -> None:
        try:
            self.folder.rename(self.path)
        except OSError as error:
            if self.path.exists():
                raise _exists(self.id, self.path) from error
            raise explained("make the experiment", self.path, error) from error


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
    folder = titled / f"{layout.UNFINISHED}-{uuid.uuid4().hex}"
    experiment_id = id or new_id(title, clock)
    while made_here:
        folder = titled / f".{experiment_id}{layout.UNFINISHED}"
        # The folder is taken first and looked at after: its owner renames it away in one step,
        # so that either it is in the way here or the finished experiment is.
        if _make(folder):
            if not (titled / experiment_id).exists():
                return Draft(base, title, experiment_id, folder)
            folder.rmdir()
        experiment_id = ids.following(experiment_id)
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


def delete(record: Record, *, force: bool = False) -> None:
    """Remove an experiment with all its files. One that is gone already is no error.

    Args:
        record: The experiment.
        force: Also when its jobs may be running; they are not stopped.

    Raises:
        StoreError: Its jobs may be running, or the system refuses.
    """
    if not force:
        _refuse_running(record)
    # Out of sight first, in one step: nobody sees a part of it, and of two who delete only one
    # gets to the files.
    away = record.path.parent / f"{layout.DELETED}-{uuid.uuid4().hex}"
    try:
        record.path.rename(away)
        shutil.rmtree(away)
        _remove_if_empty(record.path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained("delete the experiment", record.path, error) from error


def sweep(older_than: float = 24 * 3600.0, now: float | None = None) -> int:
    """Remove what processes that were killed left behind, and return how many folders.

    Args:
        older_than: Leave alone what is younger, in seconds.
        now: The time, in seconds since the epoch.
    """
    limit = (time.time() if now is None else now) - older_than
    removed = 0
    for folder in _catalog.hidden_folders():
        try:
            if folder.stat().st_mtime < limit:
                shutil.rmtree(folder)
                removed += 1
        except OSError:
            # Somebody else removes it, or may not be disturbed; the next sweep sees.
            continue
    return removed


def _make(folder: Path) -> bool:
    """Make a folder and say whether it was us; a title folder removed meanwhile comes back."""
    while True:
        try:
            atomic.make_folder(folder.parent)
            folder.mkdir(mode=0o700)
            return True
        except FileExistsError:
            return False
        except FileNotFoundError:
            continue
        except OSError as error:
            raise explained("make the experiment folder", folder.parent, error) from error


def _refuse_taken(experiment_id: str, base: Path) -> None:
    for path in _catalog.folders_named(experiment_id, {*locations.bases(), base}):
        raise _exists(experiment_id, path)


def _exists(experiment_id: str, path: Path) -> AlreadyExistsError:
    return AlreadyExistsError(
        f"There is an experiment {experiment_id!r} already, at {path}. Choose another id, leave "
        f"the id out, or remove that one with `nemo-run experiment delete {experiment_id}`."
    )


def _refuse_running(record: Record) -> None:
    status = record.status()
    going = [job.id for job in status.jobs.values() if not job.state.terminal]
    if status.started is not None and going:
        raise StoreError(
            f"Experiment {record.id} is not over: {', '.join(going[:5])}"
            f"{' and others' if len(going) > 5 else ''}. Cancel it first with "
            f"`nemo-run experiment cancel {record.id}`, or delete it with --force; what runs is "
            "then not stopped."
        )


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        # Other experiments have this title.
        return
