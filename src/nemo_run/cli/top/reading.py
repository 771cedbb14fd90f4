"""What runs, read again and again, as cheaply as that can be done."""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from nemo_run.console.terminal import plain
from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import State
from nemo_run.management.index import rows
from nemo_run.management.index.rows import stamp
from nemo_run.management.looking import looked_at
from nemo_run.management.metrics import Metrics, fetch, metrics_files
from nemo_run.management.operations import notice
from nemo_run.management.store.record import Record
from nemo_run.management.watch.logs import LogReader, log_files, watch
from nemo_run.management.watch.ranks import Ranks
from nemo_run.management.watch.tail import read, start_of_last_lines

from .view import Experiment, Job

if TYPE_CHECKING:
    from nemo_run.management.store.status import ExperimentStatus, JobStatus

GOING = (State.CREATED, State.SUBMITTED, State.PENDING, State.RUNNING, State.UNKNOWN)
_MOST_JOBS = 50
_LOOK_SECONDS = 2.0
_LAST_BYTES = 4096
# What goes on comes first, then what went wrong.
_ORDER = {State.RUNNING: 0, State.FAILED: 1, State.LOST: 1, State.PENDING: 2, State.SUBMITTED: 2}
_LATER = 3


class Reading:
    """Reads what runs: the index says which experiments, their files the rest.

    An experiment that ends while it is watched stays in sight.
    """

    def __init__(self) -> None:
        self._watched: dict[str, Watched] = {}
        self.warnings: list[str] = []

    def now(self) -> tuple[Experiment, ...]:
        """Return how everything stands now."""
        try:
            listing = rows(state=GOING)
        except NemoRunError as error:
            self.warnings = [str(error)]
            return ()
        self.warnings = listing.warnings
        for row in reversed(listing.rows):
            if not row.error and row.path not in self._watched:
                self._watched[row.path] = Watched(row.path)
        found = []
        for path, watched in [*self._watched.items()][::-1]:
            seen = watched.now()
            if seen is None:
                # It was deleted, or is damaged; the list of experiments says more.
                del self._watched[path]
            else:
                found.append(seen)
        return tuple(found)


class Watched:
    """One experiment: read again only where its files have changed.

    Args:
        path: Its folder.
    """

    def __init__(self, path: str) -> None:
        self._record = Record(path)
        self._journal = watch(self._record)
        self._stamp: object = None
        self._looked = 0.0
        self._status: ExperimentStatus | None = None
        self._doubt = ""
        self._jobs: dict[str, _Files] = {}

    def now(self) -> Experiment | None:
        """Return how it stands; None where it cannot be read."""
        if stamp(str(self._record.path)) is None:
            return None
        try:
            status = self._stands()
            title, user_jobs = self._record.title, list(status.jobs.values())
        except (NemoRunError, OSError):
            return None
        shown = sorted(user_jobs, key=lambda job: _ORDER.get(job.state, _LATER))[:_MOST_JOBS]
        states = [job.state for job in user_jobs]
        return Experiment(
            id=self._record.id,
            title=title,
            state=str(status.state),
            jobs=tuple(self._job(job) for job in shown),
            count=len(states),
            succeeded=states.count(State.SUCCEEDED),
            failed=states.count(State.FAILED) + states.count(State.LOST),
            started=status.started,
            ended=status.ended,
            doubt=self._doubt,
        )

    def _stands(self) -> ExperimentStatus:
        seen = stamp(str(self._record.path))
        status = self._status
        if status is None or seen != self._stamp:
            self._stamp, status = seen, self._journal()
            self._looked = 0.0
        if status.ended is None and time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            if status.handed_over:
                status = looked_at(self._record, status)
                fetch(self._record, status=status)
            self._doubt = notice(self._record, status)
        self._status = status
        return status

    def _job(self, job: JobStatus) -> Job:
        files = self._jobs.setdefault(job.id, _Files(self._record, job.id))
        files.update(job)
        return Job(
            experiment=self._record.id,
            id=job.id,
            state=str(job.state),
            told=job.describe(),
            attempt=job.attempt,
            started=job.started,
            ended=job.ended,
            metrics=files.metrics,
            line=files.line,
        )


class _Files:
    """The last line and the last metrics of a job, read where the files have grown."""

    def __init__(self, record: Record, job: str) -> None:
        self._record = record
        self._id = job
        self._attempt = 0
        self._log = ""
        self._seen: tuple[int, int] = (-1, -1)
        self._read: Metrics | None = None
        self.line = ""
        self.metrics: dict[str, float] = {}

    def update(self, job: JobStatus) -> None:
        if not job.attempt:
            return
        if job.attempt != self._attempt:
            self._attempt, self._log, self._seen = job.attempt, log_of(self._record, job), (-1, -1)
        self._read_line()
        try:
            self._read_metrics()
        except (NemoRunError, OSError):
            self.metrics = {}

    def _read_line(self) -> None:
        try:
            found = os.stat(self._log) if self._log else None  # noqa: PTH116 - often, and many
        except OSError:
            return
        if found is None or (found.st_size, found.st_mtime_ns) == self._seen:
            return
        self._seen = (found.st_size, found.st_mtime_ns)
        lines = last_lines(self._log, 1)
        self.line = lines[-1] if lines else ""

    def _read_metrics(self) -> None:
        if self._read is None:
            files = metrics_files(self._record, self._id)
            self._read = Metrics(next(iter(files.values()))) if files else None
        if self._read is not None:
            self._read.update()
            self.metrics = self._read.last()


class Log:
    """The log of one job, which is copied here from where the job runs as it grows.

    Args:
        record: The experiment.
        job: The job's id.
    """

    def __init__(self, record: Record, job: str) -> None:
        self.place = (record.id, job)
        self._record = record
        self._reader = LogReader(record, [job], Ranks("0"), last_lines=1)

    def update(self) -> None:
        """Copy what is new; a target that cannot be reached is asked again later."""
        with contextlib.suppress(NemoRunError, OSError):
            for _ in self._reader.read(self._record.status()):
                continue


def log_of(record: Record, job: JobStatus) -> str:
    """Return the log of a job's first process; empty where nobody can tell."""
    try:
        files = log_files(record, job.id, max(job.attempt, 1))
    except (NemoRunError, OSError):
        return ""
    return files[0].path if files else ""


def last_lines(path: str, count: int) -> list[str]:
    """Return the last lines of a file, without colours; none where it cannot be read."""
    try:
        cursor = start_of_last_lines(path, count)
        data, _ = read(cursor, _LAST_BYTES * count)
    except OSError:
        return []
    # Of a progress bar that was written over, the last state counts.
    return [plain(line.rstrip(b"\r").rpartition(b"\r")[2]) for line in data.splitlines()]
