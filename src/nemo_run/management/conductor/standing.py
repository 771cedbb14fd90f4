"""How an experiment stands, as the steps of its conductor need it, and noting what they do.

All of it is read from the journal, and nothing counts before it is written there.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import CorruptRecordError, NemoRunError, StoreError
from nemo_run.execution.jobspec import Handle, backend_of
from nemo_run.execution.observation import State
from nemo_run.management.describe import dag
from nemo_run.management.plans import is_elsewhere, own_spec
from nemo_run.management.store.reading import read_on
from nemo_run.management.store.status import JobStatus, replay
from nemo_run.saying import say

from .backoff import BackOff
from .limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store import Record
    from nemo_run.management.store.events import Event

SHORTEST = 0.05
"""Seconds until the next look after something has happened."""


class Standing:
    """How one experiment stands.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
        log: Takes lines for whoever looks for the cause of trouble.

    Attributes:
        status: What the journal says.
        stopping: Set to leave at the next chance.
        log: Where lines go.
    """

    def __init__(
        self,
        record: Record,
        backend_named: Callable[[str], Backend],
        *,
        log: Callable[[str], None] | None = None,
    ) -> None:
        self.status = record.unstarted
        self.stopping = False
        # The number of the last event of each kind.
        self._last: dict[str, int] = {}
        self._record = record
        self._journal = record.journal
        self._backend_named = backend_named
        self.log = log or _to_stderr
        self._nodes = [dag.node(job["id"], job.get("dependencies", ())) for job in record.jobs]
        self._limits = Limits(record.jobs)
        self._specs: dict[str, JobSpec] = {}
        self._offset = 0
        # The jobs, where the steps look for them; dicts, for they keep their order.
        self._unconfirmed: dict[str, None] = {}
        self._running: dict[str, None] = {}
        self._open = {node.id: None for node in self._nodes}
        self._waiting = dict(self._open)
        # Whether a job has ended since jobs were last started, so that another one may have room.
        self._freed = False
        self._ready: list[str] = []
        self._moved = True
        self._pause = SHORTEST
        self._backoff = BackOff(self.log)
        self._unusable: dict[str, Exception] = {}
        # So that each comes after those that it waits for.
        self._node = {node.id: node for node in dag.ordered(self._nodes)}
        # The handle of each job that was found to be its own, and of each that its engine knows.
        self._own: dict[str, str] = {}
        self._told: dict[str, str] = {}
        # How often in a row an engine could not tell how a job stands.
        self._untold: dict[str, int] = {}
        # When each engine is looked at next, and since when results are being waited for.
        self._due: dict[str, float] = {}
        self._bringing: dict[str, float] = {}
        # What could not be brought a moment ago, and why; nothing where all of a job is here.
        self._fetched: dict[str, str] = {}
        self._remote: dict[str, bool] = {}

    def _hear(self) -> None:
        try:
            fresh, self._offset = read_on(self._journal, self._offset)
        except CorruptRecordError as error:
            self._stop(str(error))
            return
        except StoreError as error:
            self._backoff.failed("journal", error)
            return
        if not fresh:
            if not self._journal.path.exists():
                self._stop(f"{self._journal.path} is gone.")
            return
        self.status = replay(fresh, self.status)
        self._last.update({event["event"]: event.get("seq", 0) for event in fresh})
        self._moved = True
        self._pause = SHORTEST
        jobs = self.status.jobs
        touched = {str(event["job"]) for event in fresh if event.get("job")}
        # What names no job may concern all: a request to cancel, or to go on.
        general = any(not event.get("job") for event in fresh)
        for job in jobs if general else touched & jobs.keys():
            self._sort(jobs[job])
        waiting = [node for node in self._nodes if node.id in self._waiting]
        before = {edge.job for node in waiting for edge in node.edges}
        self._ready = dag.ready(waiting, {job: self._known(job).state for job in before})

    def _stop(self, why: str) -> None:
        if not self.stopping:
            self.log(f"{why} Nothing more is started.")
        self.stopping = True

    def _sort(self, job: JobStatus) -> None:
        """Put a job where the steps look for it."""
        for place, belongs in (
            (self._open, not job.state.terminal),
            (self._waiting, _is_waiting(job)),
            (self._unconfirmed, job.unconfirmed),
            (self._running, bool(job.handle) and not job.state.terminal),
        ):
            if belongs:
                place[job.id] = None
            else:
                place.pop(job.id, None)
        self._limits.note(job.id, going=bool(job.token or job.handle) and not job.state.terminal)
        self._freed = self._freed or job.state.terminal

    def _write(self, happened: Sequence[Event]) -> bool:
        """Write events and take note of them; False when the disk does not take them now."""
        if not happened:
            return True
        if self._backoff.waiting("journal") or not self._journal.path.exists():
            return False
        try:
            self._journal.append(happened)
        except StoreError as error:
            self._backoff.failed("journal", error)
            return False
        self._backoff.worked("journal")
        self._hear()
        return True

    def _known(self, job: str) -> JobStatus:
        # A journal whose first line was damaged does not name all jobs.
        return self.status.jobs.get(job) or JobStatus(job)

    def _spec(self, job: str) -> JobSpec:
        attempt = max(self._known(job).attempt, 1)
        if job not in self._specs or self._specs[job].attempt != attempt:
            spec = own_spec(self._record, job, attempt)
            self._specs[job] = dataclasses.replace(spec, attempt=attempt)
        return self._specs[job]

    def _is_remote(self, job: str) -> bool:
        """Whether what a job leaves lies on a target of its own."""
        if job not in self._remote:
            try:
                self._remote[job] = is_elsewhere(self._record, self._spec(job))
            except StoreError:
                return False
        return self._remote[job]

    def _backend_name(self, job: str) -> str:
        # What runs is looked at and ended, whatever became of its plan.
        return backend_of(self._known(job).handle) or self._spec(job).backend

    def _handle(self, job: str) -> Handle:
        return Handle(self._known(job).handle)

    def _handles(self, jobs: Iterable[str]) -> list[Handle]:
        return [self._handle(job) for job in jobs]

    def _by_backend(self, jobs: Iterable[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for job in jobs:
            if job in self._unusable:
                continue
            try:
                backend = self._backend_named(self._backend_name(job))
            except (NemoRunError, ImportError) as error:
                self._backoff.failed(f"job {job}", error)
                self._unusable[job] = error
            else:
                found.setdefault(backend.name, []).append(job)
        return found


def _is_waiting(job: JobStatus) -> bool:
    """Whether nobody was asked to start a job, and nobody wants its end."""
    return job.state is State.CREATED and not job.token and not job.cancel_requested


def _to_stderr(line: str) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    say(f"{stamp} {line}")
