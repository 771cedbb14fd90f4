"""What can happen to an experiment: the events of its journal, made here and nowhere else.

An event is a plain dictionary. The journal adds ``seq`` and ``time``. Readers ignore names and
fields that they do not know, so that either may be added without a new format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from nemo_run.execution.observation import Observation, Reason, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeGuard

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
JOB_RESTARTED = "job.restarted"
JOB_UNBROUGHT = "job.unbrought"
JOB_BROUGHT = "job.brought"
JOB_CANCEL_REQUESTED = "job.cancel_requested"
CONDUCTOR_STARTED = "conductor.started"
CONDUCTOR_HEARD = "conductor.heard"
CONDUCTOR_ENDED = "conductor.ended"

_YEAR_10000 = 253_402_300_800


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
    """The job gets another try, which is number ``attempt``; 0 if it never had one."""
    return {"event": JOB_RETRIED, "job": job, "attempt": attempt, "because": because}


def job_restarted(job: str, attempt: int, because: str = "", exit_code: int | None = None) -> Event:
    """The engine itself started the job again: the same handle, attempt number ``attempt``.

    ``because`` is the reason why the attempt before ended, as far as it is known.
    """
    event: Event = {"event": JOB_RESTARTED, "job": job, "attempt": attempt, "because": because}
    return event if exit_code is None else {**event, "exit_code": exit_code}


def job_unbrought(job: str, attempt: int, because: str) -> Event:
    """The attempt has ended, and what it left on its target could not be copied here yet."""
    return {"event": JOB_UNBROUGHT, "job": job, "attempt": attempt, "because": because}


def job_brought(job: str, attempt: int) -> Event:
    """What the attempt left on its target is here after all."""
    return {"event": JOB_BROUGHT, "job": job, "attempt": attempt}


def job_cancel_requested(job: str | None, by: str = "") -> Event:
    """Somebody wants one job to end, or with None all of them."""
    return {"event": JOB_CANCEL_REQUESTED, "job": job, "by": by}


def conductor_started(pid: int, host: str, identity: str, *, only_cancels: bool = False) -> Event:
    """A process has taken charge of the experiment, or only of cancelling what was asked."""
    started = {"event": CONDUCTOR_STARTED, "pid": pid, "host": host, "identity": identity}
    return {**started, "only_cancels": True} if only_cancels else started


def conductor_heard() -> Event:
    """The process in charge has read the requests to cancel so far."""
    return {"event": CONDUCTOR_HEARD}


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
        exit_code=number(event.get("exit_code")),
        attempt=attempt(event),
        message=message,
        started=_moment(event.get("started")),
        ended=_moment(event.get("ended")),
        members=tuple(
            # A member has no members.
            (name, observation({**fields, "members": None}))
            for name, fields in (members.items() if isinstance(members, dict) else ())
            if isinstance(fields, dict)
        ),
    )


def reason(value: object) -> Reason:
    """Return the reason that an event names; of one of a later version nothing."""
    found: Reason = _member(Reason, value, Reason.NONE)
    return found


def attempt(event: Mapping[str, Any]) -> int:
    """Return which attempt an event is about; 0 if it does not say."""
    return number(event.get("attempt")) or 0


def is_time(value: object) -> TypeGuard[float]:
    """Whether a value is a time that can be shown: seconds since the epoch, before year 10000."""
    return type(value) in (int, float) and 0 <= cast("float", value) < _YEAR_10000


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


def number(value: object) -> int | None:
    """Return a whole number that others can keep as well, else None."""
    return value if type(value) is int and abs(value) < 1 << 31 else None


def _moment(value: object) -> float | None:
    return value if is_time(value) else None


def _member(kind: Any, value: Any, default: Any) -> Any:
    try:
        return kind(value)
    except (ValueError, TypeError):
        return default
