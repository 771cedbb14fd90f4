"""An experiment on disk, to be looked at. Reading one runs none of its code."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import (
    CorruptRecordError,
    LaterVersionError,
    NotFoundError,
    StoreError,
    nearest,
)
from nemo_run.invocation import experiment_command
from nemo_run.management.describe.dag import KINDS

from . import copies, ids, layout
from .advice import explained, later
from .events import is_time
from .files import read_file
from .journal import Journal
from .status import ExperimentStatus, JobStatus, replay

if TYPE_CHECKING:
    import os


# What the reference implementation calls its records; it may share the home.
_OLDER = ("_CONFIG", "_TASKS")


class Record:
    """A view of an experiment's folder.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()

    def __repr__(self) -> str:
        return f"Record({str(self.path)!r})"

    @property
    def id(self) -> str:
        """The experiment's id, which is the name of its folder."""
        return self.path.name

    @cached_property
    def meta(self) -> dict[str, Any]:
        """What ``experiment.json`` says.

        Raises:
            CorruptRecordError: The file is missing or holds no JSON object.
            LaterVersionError: A later version made it.
        """
        return read_meta(self.path / layout.META)

    @property
    def title(self) -> str:
        """The title as the user wrote it."""
        return str(self.meta["title"])

    @property
    def created(self) -> float:
        """When the experiment was made, in seconds since the epoch."""
        return float(self.meta["created"])

    @property
    def jobs(self) -> list[dict[str, Any]]:
        """The jobs' documents, in order."""
        return list(self.meta.get("jobs", []))

    @property
    def journal(self) -> Journal:
        """Everything that happened."""
        return Journal(self.path / layout.JOURNAL)

    def status(self) -> ExperimentStatus:
        """Return what the journal says now."""
        events, _ = self.journal.read()
        known = replay(events, self.unstarted)
        return copies.as_copy(known, self.copied) if self.copied else known

    @cached_property
    def copied(self) -> copies.Copied | None:
        """Where it is from, if it was made elsewhere and came here as a copy."""
        return copies.read(self.path)

    @property
    def unstarted(self) -> ExperimentStatus:
        """The status before the first event: its jobs are known, whatever became of the journal."""
        try:
            return ExperimentStatus({job["id"]: JobStatus(job["id"]) for job in self.jobs})
        except LaterVersionError:
            raise
        except StoreError:
            # Then the journal is all there is.
            return ExperimentStatus()

    def refuse_later(self) -> None:
        """Make sure that no later version wrote the experiment; one that is damaged may pass.

        Raises:
            LaterVersionError: One did.
        """
        try:
            self.status()
        except LaterVersionError:
            raise
        except StoreError:
            return

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the document of one job.

        Raises:
            NotFoundError: The experiment has no such job.
        """
        documents = {str(job["id"]): job for job in self.jobs}
        if job_id in documents:
            return documents[job_id]
        raise NotFoundError(
            f"Experiment {self.id} has no job {job_id!r}.{nearest(job_id, documents)} "
            f"Its jobs are: {', '.join(documents) or 'none'}."
        )

    def job_dir(self, job_id: str) -> Path:
        """Return the folder of one job; it need not exist."""
        return layout.job_folder(self.path, job_id)

    @property
    def sort_key(self) -> tuple[int, str]:
        """What orders experiments by age: the time they were made, never a file's time."""
        made = ids.time_of(self.id)
        if made is None:
            made = int(self.created * 1e9)
        return made, self.id


def read_meta(path: Path) -> dict[str, Any]:
    """Return the content of an ``experiment.json``.

    Raises:
        CorruptRecordError: It is missing, no JSON object, or lacks what every one has.
        LaterVersionError: A later version made it.
        StoreError: The system refuses to read it.
    """
    try:
        meta = json.loads(read_file(path))
    except (FileNotFoundError, NotADirectoryError):
        raise _missing(path) from None
    except OSError as error:
        raise explained("read", path, error, after="") from error
    except (ValueError, RecursionError) as error:
        raise _corrupt(path, f"is not JSON ({error})") from error
    if not isinstance(meta, dict):
        raise _corrupt(path, f"holds a {type(meta).__name__} instead of an object")
    version = meta.get("format", layout.FORMAT)
    if type(version) is int and version > layout.FORMAT:
        raise later(path, version, layout.FORMAT)
    wrong = _wrong_field(meta)
    if wrong:
        raise _corrupt(path, wrong)
    return meta


def _wrong_field(meta: dict[str, Any]) -> str:
    if not isinstance(meta.get("title"), str):
        return "has no 'title'"
    if not is_time(meta.get("created")):
        return "has no time of creation ('created')"
    jobs = meta.get("jobs", [])
    if not isinstance(jobs, list) or not all(
        isinstance(job, dict) and isinstance(job.get("id"), str) and job["id"] for job in jobs
    ):
        return "has jobs without an 'id'"
    if not all(_are_members(job.get("members", [])) for job in jobs):
        return "has 'members' of a job without a 'name'"
    known = {job["id"] for job in jobs}
    return next(
        filter(None, (_wrong_edge(j["id"], j.get("dependencies", []), known) for j in jobs)), ""
    )


def _are_members(listed: object) -> bool:
    return isinstance(listed, list) and all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in listed
    )


def _wrong_edge(job: str, edges: object, known: set[str]) -> str:
    """Return what is wrong with what a document says that a job depends on."""
    listed = edges if isinstance(edges, list) else [None]
    for edge in listed:
        other, kind = (
            (edge.get("job"), edge.get("kind", "afterok"))
            if isinstance(edge, dict)
            else (edge, "afterok")
        )
        if not isinstance(other, str) or other not in known:
            return f"has 'dependencies' of {job!r} that are no jobs"
        if kind not in KINDS:
            return f"has a dependency of {job!r} of the unknown kind {kind!r}"
    return ""


def _missing(path: Path) -> CorruptRecordError:
    if any((path.parent / name).exists() for name in _OLDER):
        return CorruptRecordError(
            f"The experiment {path.parent} was written by the reference implementation, whose "
            "records only that one can read. Its files were not touched."
        )
    return _corrupt(path, "is missing")


def _corrupt(path: Path, what: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"The file {path} {what}. Restore it from a backup, or remove the experiment with "
        f"`{experiment_command('delete', path.parent.name)}`; other experiments are not affected."
    )
