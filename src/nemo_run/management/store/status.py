"""What the journal says: the state of an experiment and of its jobs. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.execution.observation import State

from . import events as names
from .job_status import CHANGES, JobStatus, describe
from .journal import CORRUPT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .events import Event

__all__ = ["ConductorStatus", "ExperimentStatus", "JobStatus", "combined", "describe", "replay"]


HANDED_OVER = "handed over"
"""Why a conductor left, where the engines do the rest without it."""


@dataclass(frozen=True)
class ConductorStatus:
    """The process that has, or had, charge of the experiment.

    Attributes:
        pid: Its number on ``host``.
        host: The machine.
        identity: What tells it from another process with the same number.
        started: When it took charge.
        ended: When it left on purpose; None while it runs, and if it was killed.
        why: Why it left.
        only_cancels: Whether it carries out requests to cancel and starts nothing.
    """

    pid: int
    host: str
    identity: str
    started: float
    ended: float | None = None
    why: str = ""
    only_cancels: bool = False


@dataclass(frozen=True)
class ExperimentStatus:
    """An experiment as its journal knows it.

    Attributes:
        jobs: Each job by id, in the order of the experiment.
        created: When the folder was made, in seconds since the epoch.
        started: When its jobs began to be submitted.
        ended: When it ended; None while it goes on.
        cancel_requested: Whether somebody asked to end all of it.
        conductor: Who has charge of it.
        heard: The number of the event with which it last said that it heard of requests.
        seq: The number of the last event.
        corrupt_lines: Where in the journal lines lie that cannot be read, as byte offsets.
        doubt: Since when and why this is only what was last known; empty where it is the truth.
        copied: The sentence that says what it is a copy of; empty where it is none.
    """

    jobs: Mapping[str, JobStatus] = field(default_factory=dict)
    created: float | None = None
    started: float | None = None
    ended: float | None = None
    cancel_requested: bool = False
    conductor: ConductorStatus | None = None
    heard: int = 0
    seq: int = 0
    corrupt_lines: tuple[int, ...] = ()
    doubt: str = ""
    copied: str = ""

    @property
    def handed_over(self) -> bool:
        """Whether the engines finish it alone: no process is there, and none is needed."""
        last = self.conductor
        if self.ended is not None or last is None or last.ended is None:
            return False
        return last.why == HANDED_OVER

    @property
    def state(self) -> State:
        """Where the experiment stands, derived from its jobs."""
        return combined((job.state for job in self.jobs.values()), started=self.started is not None)

    @property
    def states(self) -> dict[str, State]:
        """The state of each job."""
        return {job.id: job.state for job in self.jobs.values()}


def replay(events: Iterable[Event], before: ExperimentStatus | None = None) -> ExperimentStatus:
    """Return what events add up to.

    Events that come twice, or in another order than they were written, change nothing: their
    ``seq`` counts.

    Args:
        events: From the start of the journal, or those after ``before``.
        before: What the earlier events added up to.
    """
    known = before or ExperimentStatus()
    fresh: dict[int, Event] = {}
    corrupt = set(known.corrupt_lines)
    for event in events:
        if event["event"] == CORRUPT:
            corrupt.add(event["offset"])
        elif event["seq"] > known.seq:
            fresh.setdefault(event["seq"], event)
    fold = _Fold(known)
    for seq in sorted(fresh):
        fold.add(fresh[seq])
    return fold.status(seq=max(fresh, default=known.seq), corrupt_lines=tuple(sorted(corrupt)))


def combined(states: Iterable[State], *, started: bool = True) -> State:
    """Return the state of a whole from those of its parts.

    Args:
        states: Of each part.
        started: Whether the whole was set going.
    """
    present = set(states)
    going = present - _TERMINAL_ORDER_SET
    if not present:
        return State.SUCCEEDED if started else State.CREATED
    if not going:
        return next(_SHOWN_AS[s] for s in _TERMINAL_ORDER if s in present)
    # Parts that ended beside parts that have not: the whole is under way.
    if State.RUNNING in going or (started and present - going):
        return State.RUNNING
    return next(s for s in _GOING_ORDER if s in going)


_TERMINAL_ORDER = (State.FAILED, State.LOST, State.CANCELLED, State.SUCCEEDED, State.SKIPPED)
_TERMINAL_ORDER_SET = frozenset(_TERMINAL_ORDER)
_SHOWN_AS = {s: s for s in _TERMINAL_ORDER} | {State.LOST: State.FAILED}
_GOING_ORDER = (
    State.RUNNING,
    State.PENDING,
    State.SUBMITTED,
    State.UNKNOWN,
    State.CREATED,
)


class _Fold:
    """A status being added to; its parts are replaced, never changed."""

    def __init__(self, before: ExperimentStatus) -> None:
        self._jobs = dict(before.jobs)
        self._before = before
        self._fields: dict[str, Any] = {}

    def status(self, **fields: Any) -> ExperimentStatus:
        return dataclasses.replace(self._before, jobs=self._jobs, **self._fields, **fields)

    def add(self, event: Event) -> None:
        change, job_id = CHANGES.get(event["event"]), event.get("job")
        if change is not None and isinstance(job_id, str):
            self._set(change(self._job(job_id), event))
            if event["event"] in _REOPENING:
                self._fields["ended"] = None
        act = _EXPERIMENT_CHANGES.get(event["event"])
        if act is not None:
            act(self, event)

    def _job(self, job_id: str) -> JobStatus:
        return self._jobs.get(job_id) or JobStatus(job_id)

    def _set(self, job: JobStatus) -> None:
        self._jobs[job.id] = job

    def created(self, event: Event) -> None:
        self._fields["created"] = event["time"]
        jobs = event.get("jobs")
        for job_id in jobs if isinstance(jobs, list) else ():
            if isinstance(job_id, str):
                self._jobs.setdefault(job_id, JobStatus(job_id))

    def started(self, event: Event) -> None:
        first = self._fields.get("started", self._before.started)
        self._fields["started"] = event["time"] if first is None else first

    def resumed(self, event: Event) -> None:
        self.started(event)
        self._fields.update(ended=None, cancel_requested=False)
        for job in list(self._jobs.values()):
            # An attempt that runs and was asked to end goes on ending.
            ending = job.cancel_requested and bool(job.handle) and not job.state.terminal
            self._set(dataclasses.replace(job, cancel_requested=ending))

    def ended(self, event: Event) -> None:
        self._fields["ended"] = event["time"]

    def cancel(self, event: Event) -> None:
        job_id = event.get("job")
        if job_id is None:
            self._fields["cancel_requested"] = True
        for job in list(self._jobs.values()):
            if job_id in (None, job.id):
                self._set(dataclasses.replace(job, cancel_requested=True))

    def conductor_started(self, event: Event) -> None:
        self._fields["conductor"] = ConductorStatus(
            pid=names.number(event.get("pid")) or 0,
            host=str(event.get("host") or ""),
            identity=str(event.get("identity") or ""),
            started=event["time"],
            only_cancels=event.get("only_cancels") is True,
        )

    def heard(self, event: Event) -> None:
        self._fields["heard"] = event["seq"]

    def conductor_ended(self, event: Event) -> None:
        conductor = self._fields.get("conductor", self._before.conductor)
        if conductor is not None:
            self._fields["conductor"] = dataclasses.replace(
                conductor, ended=event["time"], why=str(event.get("why") or "")
            )


_REOPENING = frozenset({names.JOB_INTENT, names.JOB_RETRIED})
_EXPERIMENT_CHANGES: dict[str, Callable[[_Fold, Event], None]] = {
    names.EXPERIMENT_CREATED: _Fold.created,
    names.EXPERIMENT_STARTED: _Fold.started,
    names.EXPERIMENT_RESUMED: _Fold.resumed,
    names.EXPERIMENT_ENDED: _Fold.ended,
    names.JOB_CANCEL_REQUESTED: _Fold.cancel,
    names.CONDUCTOR_STARTED: _Fold.conductor_started,
    names.CONDUCTOR_HEARD: _Fold.heard,
    names.CONDUCTOR_ENDED: _Fold.conductor_ended,
}
