"""What the journal says of one job. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.execution.observation import Observation, Reason, State

from . import events as names

if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import Event


@dataclass(frozen=True)
class JobStatus:
    """One job as the journal knows it.

    Attributes:
        id: The job's id in its experiment.
        state: Where its latest attempt stands.
        reason: Why.
        exit_code: The exit status that decided it; 128 + n for signal n.
        attempt: The latest try, from 1; 0 before the first.
        token: The name under which the attempt was to be submitted.
        handle: What the engine calls it; empty until the engine has answered.
        message: One sentence for a person.
        submitted: When the engine took it, in seconds since the epoch.
        started: When its processes started.
        ended: When it ended.
        members: For a group, what was seen of each member.
        cancel_requested: Whether somebody asked to end it.
        previous: How each earlier attempt ended, oldest first.
        submitted_attempt: The attempt that token and handle are of; an engine that starts a job
            again by itself keeps them for the attempts after it. 0 before the first.
        unbrought: Why what it left on its target is not in the record yet; empty where it is.
    """

    id: str
    state: State = State.CREATED
    reason: Reason = Reason.NONE
    exit_code: int | None = None
    attempt: int = 0
    token: str = ""
    handle: str = ""
    message: str = ""
    submitted: float | None = None
    started: float | None = None
    ended: float | None = None
    members: tuple[tuple[str, Observation], ...] = ()
    cancel_requested: bool = False
    previous: tuple[Observation, ...] = ()
    submitted_attempt: int = 0
    unbrought: str = ""

    @property
    def observation(self) -> Observation:
        """The latest attempt as an observation."""
        return Observation(
            state=self.state,
            reason=self.reason,
            exit_code=self.exit_code,
            attempt=self.attempt,
            message=self.message,
            started=self.started,
            ended=self.ended,
            members=self.members,
        )

    @property
    def unconfirmed(self) -> bool:
        """Whether the engine was to be asked, and nobody knows whether it was."""
        return bool(self.token) and not self.handle and not self.state.terminal

    def describe(self) -> str:
        """Return the state in words, as ``FAILED (exit code 3)``."""
        return describe(self.state, self.reason, self.exit_code)


def describe(state: State, reason: Reason = Reason.NONE, exit_code: int | None = None) -> str:
    """Return a state in words, as ``FAILED (exit code 3)`` or ``LOST (node failure)``."""
    if state in {State.SUCCEEDED, State.RUNNING, State.PENDING, State.SUBMITTED, State.CREATED}:
        return str(state)
    if reason is Reason.EXIT_CODE and exit_code is not None:
        return f"{state} (exit code {exit_code})"
    if reason is Reason.SIGNAL and exit_code is not None:
        return f"{state} (signal {exit_code - 128 if exit_code > 128 else exit_code})"
    if reason in {Reason.NONE, Reason.CANCELLED}:
        return str(state)
    return f"{state} ({reason})"


def _intent(job: JobStatus, event: Event) -> JobStatus:
    job = _at_attempt(job, names.attempt(event))
    if job.state.terminal or job.attempt != names.attempt(event):
        return job
    return dataclasses.replace(
        job, token=str(event.get("token") or ""), submitted_attempt=job.attempt
    )


def _submitted(job: JobStatus, event: Event) -> JobStatus:
    job = _at_attempt(job, names.attempt(event))
    if job.attempt != names.attempt(event):
        return job
    state = State.SUBMITTED if job.state is State.CREATED else job.state
    return dataclasses.replace(
        job,
        state=state,
        handle=str(event.get("handle") or ""),
        submitted=event["time"],
        submitted_attempt=job.attempt,
    )


def _observed(job: JobStatus, event: Event) -> JobStatus:
    seen = names.observation(event)
    job = _at_attempt(job, seen.attempt)
    if job.state.terminal or (seen.attempt and seen.attempt < job.attempt):
        return job
    ended = seen.ended
    if ended is None and seen.state.terminal:
        ended = event["time"]
    return dataclasses.replace(
        job,
        state=seen.state,
        reason=seen.reason,
        exit_code=seen.exit_code,
        message=seen.message,
        started=job.started if seen.started is None else seen.started,
        ended=ended,
        members=seen.members or job.members,
    )


def _skipped(job: JobStatus, event: Event) -> JobStatus:
    if job.state.terminal:
        return job
    return dataclasses.replace(
        job,
        state=State.SKIPPED,
        reason=Reason.DEPENDENCY,
        message=str(event.get("because") or ""),
        ended=event["time"],
    )


def _retried(job: JobStatus, event: Event) -> JobStatus:
    if not job.attempt and not names.attempt(event):
        # It never had a try; what was said of it no longer holds.
        return JobStatus(id=job.id, cancel_requested=job.cancel_requested)
    return _at_attempt(job, names.attempt(event))


def _restarted(job: JobStatus, event: Event) -> JobStatus:
    attempt = names.attempt(event)
    if job.state.terminal or attempt <= job.attempt:
        return job
    why = names.reason(event.get("because"))
    before = dataclasses.replace(
        job.observation,
        state=State.UNKNOWN if why is Reason.NONE else State.FAILED,
        reason=why,
        exit_code=names.number(event.get("exit_code")),
        message="",
        ended=event["time"],
    )
    return JobStatus(
        id=job.id,
        state=State.PENDING,
        attempt=attempt,
        token=job.token,
        handle=job.handle,
        submitted=job.submitted,
        cancel_requested=job.cancel_requested,
        previous=(*job.previous, before) if job.attempt else job.previous,
        submitted_attempt=job.submitted_attempt or job.attempt,
    )


def _unbrought(job: JobStatus, event: Event) -> JobStatus:
    if names.attempt(event) != job.attempt:
        return job
    return dataclasses.replace(job, unbrought=str(event.get("because") or "not tried yet"))


def _brought(job: JobStatus, event: Event) -> JobStatus:
    if names.attempt(event) != job.attempt:
        return job
    return dataclasses.replace(job, unbrought="")


def _at_attempt(job: JobStatus, attempt: int) -> JobStatus:
    """Return the job at the start of ``attempt``, or as it is if that is no later one."""
    if attempt <= job.attempt:
        return job
    previous = (*job.previous, job.observation) if job.attempt else job.previous
    return JobStatus(
        id=job.id,
        attempt=attempt,
        cancel_requested=job.cancel_requested,
        previous=previous,
    )


CHANGES: dict[str, Callable[[JobStatus, Event], JobStatus]] = {
    names.JOB_INTENT: _intent,
    names.JOB_SUBMITTED: _submitted,
    names.JOB_OBSERVED: _observed,
    names.JOB_SKIPPED: _skipped,
    names.JOB_RETRIED: _retried,
    names.JOB_RESTARTED: _restarted,
    names.JOB_UNBROUGHT: _unbrought,
    names.JOB_BROUGHT: _brought,
}
"""How each kind of event changes its job."""
