"""What can happen to an experiment: the events of its journal, made here and nowhere else.

An event is a plain dictionary. The journal adds ``seq`` and ``time``. Readers ignore names and
fields that they do not know, so that either may be added without a new format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.execution.observation import Observation, Reason, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Event = dict[str, Any]

EXPERIMENT_CREATED = "experiment.created"
EXPERIMENT_STARTED = "experiment.started"
EXPERIMENT_RESUMED = "experiment.resumed"
EXPERIMENT_ENDED = "experiment.ended"
JOB_INTENT = "job.intent"
JOB_SUBMITTED = "job.submitted"
JOB_OBSERVED = "job.observed"
JOB_SKIPPED = "job.skipped"
JOB_RETRIED = "job.retried"
JOB_CANCEL_REQUESTED = "job.cancel_requested"
CONDUCTOR_STARTED = "conductor.started"
CONDUCTOR_ENDED = "conductor.ended"


def experiment_created(title: str, jobs: Sequence[str]) -> Event:
    """The folder exists, with these jobs in it."""
    return {"event": EXPERIMENT_CREATED, "title": title, "jobs": list(jobs)}


def experiment_started() -> Event:
    """Jobs will be submitted from now on."""
    return {"event": EXPERIMENT_STARTED}


def experiment_resumed(by: str = "") -> Event:
    """Somebody asked to go on: earlier requests to cancel no longer count."""
    return {"event": EXPERIMENT_RESUMED, "by": by}


def experiment_ended(state: State) -> Event:
    """Nothing more will happen by itself."""
    return {"event": EXPERIMENT_ENDED, "state": str(state)}


def job_intent(job: str, attempt: int, token: str) -> Event:
    """The engine is about to be asked to start this attempt. On disk before it is asked."""
    return {"event": JOB_INTENT, "job": job, "attempt": attempt, "token": token}


def job_submitted(job: str, attempt: int, handle: str) -> Event:
    """The engine has the attempt and calls it ``handle``."""
    return {"event": JOB_SUBMITTED, "job": job, "attempt": attempt, "handle": handle}


def job_observed(job: str, observation: Observation) -> Event:
    """One look at a job that showed something new."""
    return {"event": JOB_OBSERVED, "job": job, **_observation_fields(observation)}


def job_skipped(job: str, because: str) -> Event:
    """The job can never start; ``because`` names the dependency and its end."""
    return {"event": JOB_SKIPPED, "job": job, "because": because}


def job_retried(job: str, attempt: int, because: str = "") -> Event:
    """The job gets another try, which is number ``attempt``."""
    return {"event": JOB_RETRIED, "job": job, "attempt": attempt, "because": because}


def job_cancel_requested(job: str | None, by: str = "") -> Event:
    """Somebody wants one job to end, or with None all of them."""
    return {"event": JOB_CANCEL_REQUESTED, "job": job, "by": by}


def conductor_started(pid: int, host: str, identity: str) -> Event:
    """A process has taken charge of the experiment."""
    return {"event": CONDUCTOR_STARTED, "pid": pid, "host": host, "identity": identity}


def conductor_ended(why: str, cpu_seconds: float = 0.0, peak_memory_mib: float = 0.0) -> Event:
    """The process in charge left on purpose; what it cost goes with it."""
    return {
        "event": CONDUCTOR_ENDED,
        "why": why,
        "cpu_seconds": round(cpu_seconds, 3),
        "peak_memory_mib": round(peak_memory_mib, 1),
    }


def observation(event: Mapping[str, Any]) -> Observation:
    """Return the observation that :func:`job_observed` wrote.

    A state or reason of a later version reads as UNKNOWN or no reason, with its name in the
    message.
    """
    message = str(event.get("message") or "")
    state = _member(State, event.get("state"), State.UNKNOWN)
    if state is State.UNKNOWN and event.get("state") not in (None, str(State.UNKNOWN)):
        message = f"{event['state']} {message}".strip()
    members = event.get("members")
    return Observation(
        state=state,
        reason=_member(Reason, event.get("reason"), Reason.NONE),
        exit_code=_typed(event.get("exit_code"), int),
        attempt=attempt(event),
        message=message,
        started=_typed(event.get("started"), float),
        ended=_typed(event.get("ended"), float),
        members=tuple(
            (name, observation(fields))
            for name, fields in (members.items() if isinstance(members, dict) else ())
            if isinstance(fields, dict)
        ),
    )


def attempt(event: Mapping[str, Any]) -> int:
    """Return which attempt an event is about; 0 if it does not say."""
    return _typed(event.get("attempt"), int) or 0


def _observation_fields(seen: Observation) -> dict[str, Any]:
    fields: dict[str, Any] = {"attempt": seen.attempt, "state": str(seen.state)}
    optional = {
        "reason": str(seen.reason),
        "exit_code": seen.exit_code,
        "message": seen.message,
        "started": seen.started,
        "ended": seen.ended,
        "members": {name: _observation_fields(member) for name, member in seen.members},
    }
    return fields | {k: v for k, v in optional.items() if v is not None and v not in ("", {})}


def _typed(value: Any, kind: type) -> Any:
    """Return the value if it is of the kind that this version writes, else None."""
    return value if isinstance(value, (int, kind)) and not isinstance(value, bool) else None


def _member(kind: Any, value: Any, default: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        return default
