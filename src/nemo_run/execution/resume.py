"""How a job goes on after its time limit, a preemption or the death of a node. Pure data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nemo_run.config.mixin import ConfigurableMixin
from nemo_run.exceptions import PlanError, nearest, shown

from .observation import Reason, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .observation import Observation

Cause = Literal["time limit", "preemption", "node failure"]
"""What may interrupt a job that has done nothing wrong."""

CAUSES: tuple[Cause, ...] = ("time limit", "preemption", "node failure")

INTERRUPTED = 75
"""Exit status of a batch script whose tasks were interrupted and ended with 0 (sysexits.h,
EX_TEMPFAIL): the engine must not take it for a job that is done."""

REFUSED = "resume: "
"""What the reason in an exit record begins with when the policy lets no further attempt start."""

_CAUSE_OF: dict[Reason, str] = {
    Reason.TIME_LIMIT: "time limit",
    Reason.PREEMPTED: "preemption",
    Reason.NODE_FAILURE: "node failure",
}

_NEVER_AGAIN = frozenset({State.SUCCEEDED, State.CANCELLED, State.SKIPPED})

# sbatch(1), --signal=[{R|B|RB}[:]]<sig_num>[@sig_time].
_SIGNAL = re.compile(
    r"(?:(?P<where>[RB]{1,2}):)?(?:SIG)?(?P<name>[A-Z][A-Z0-9]*|\d+)(?:@(?P<before>\d+))?", re.ASCII
)
# sbatch(1), --time; of its forms those that cannot be taken for a number of seconds.
_CLOCK = re.compile(
    r"(?:(?P<days>\d+)-)?(?P<hours>\d+)(?::(?P<minutes>\d+))?(?::(?P<seconds>\d+))?", re.ASCII
)
_NO_STOP = frozenset({"KILL", "STOP", "CONT", "CHLD", "ALRM", "TSTP"})
_LONGEST_NOTICE = 65535  # sbatch(1): "The sig_time must have an integer value between 0 and 65535"


@dataclass(kw_only=True)
class Resume(ConfigurableMixin):
    """Starts a job again after it was interrupted, in the same folder, within limits.

    An error of the task's own is no interruption: those are for the executor's ``retries``.

    Attributes:
        max_attempts: How often the job may start in all.
        max_time: How long its attempts may take together: seconds, or ``"48:00:00"``,
            ``"2-12:00:00"``; None for no limit. No attempt starts after that.
        on: What it goes on after: ``"time limit"``, ``"preemption"``, ``"node failure"``.
        signal: What the tasks get before the time limit. Processes that do not catch it are not
            ended by it. A ``signal`` of the executor's own goes before.
        signal_before: Seconds between that signal and the limit.
        how: ``"requeue"``: the batch script asks Slurm to start the same job again.
            ``"chain"``: each attempt is a job of its own, submitted after the last one ended.
        progress: Files that change when the task gets on, such as ``"checkpoints/**"``: patterns
            below the job's folder, or absolute ones. None: progress is not looked at.
        no_progress: After so many attempts in a row without progress the job is not started again.
        finished: A file, as for ``progress``, that the task leaves when it is done. With it, only
            that decides whether a task that ended with 0 after the signal was done.
    """

    max_attempts: int = 10
    max_time: int | str | None = None
    on: tuple[Cause, ...] | Cause = CAUSES
    signal: str = "USR1"
    signal_before: int = 60
    how: Literal["requeue", "chain"] = "requeue"
    progress: str | tuple[str, ...] | None = None
    no_progress: int = 2
    finished: str | None = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            PlanError: One does; the message names it.
        """
        _check_count("max_attempts", self.max_attempts)
        _check_count("no_progress", self.no_progress)
        _check_count("signal_before", self.signal_before, at_most=_LONGEST_NOTICE)
        for cause in self.causes:
            if cause not in CAUSES:
                raise PlanError(
                    f"Resume.on has {shown(cause)}; it may have "
                    f"{', '.join(map(repr, CAUSES))}.{nearest(str(cause), CAUSES)}"
                )
        how: object = self.how
        if how not in ("requeue", "chain"):
            raise PlanError(f"Resume.how is {shown(how)}; it may be 'requeue' or 'chain'.")
        signal_option(self.signal, self)
        _ = self.seconds
        patterns: list[object] = [*self.patterns, *([self.finished] if self.finished else [])]
        for pattern in patterns:
            if not isinstance(pattern, str) or not pattern.strip() or "\0" in pattern:
                raise PlanError(f"Resume.progress or finished is {shown(pattern)}, no pattern.")

    @property
    def causes(self) -> tuple[str, ...]:
        """What it goes on after, without repeats."""
        named = (self.on,) if isinstance(self.on, str) else tuple(self.on)
        return tuple(dict.fromkeys(named))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns of files that tell progress; none where it is not looked at."""
        if self.progress is None:
            return ()
        return (self.progress,) if isinstance(self.progress, str) else tuple(self.progress)

    @property
    def seconds(self) -> int | None:
        """``max_time`` in seconds; None for no limit."""
        if self.max_time is None:
            return None
        return _seconds(self.max_time)

    def to_options(self) -> dict[str, Any]:
        """Return the policy as plain JSON data, from which :func:`policy_of` makes it again."""
        self.check()
        return {
            "max_attempts": self.max_attempts,
            "max_time": self.max_time,
            "on": list(self.causes),
            "signal": self.signal,
            "signal_before": self.signal_before,
            "how": self.how,
            "progress": list(self.patterns) or None,
            "no_progress": self.no_progress,
            "finished": self.finished,
        }


def policy_of(options: object) -> Resume | None:
    """Return the policy in what :meth:`Resume.to_options` gave; None where there is none.

    Args:
        options: That data, or None.
    """
    if not isinstance(options, dict):
        return None
    lists = {n: tuple(v) for n, v in options.items() if isinstance(v, list)}
    return Resume(**{**options, **lists})


class Signal(NamedTuple):
    """A signal before the time limit.

    Attributes:
        name: Without ``SIG``.
        before: Seconds before the limit.
        option: The value of sbatch's ``--signal`` that lets the batch script have it.
    """

    name: str
    before: int
    option: str


def signal_option(executors: str | None, policy: Resume) -> Signal:
    """Return the signal that a job gets before its time limit.

    The batch script gets it and hands it on to the tasks, so that it knows why they end.

    Args:
        executors: The executor's own ``signal``, as sbatch takes it; it goes before the policy's.
        policy: Says which signal otherwise, and when.

    Raises:
        PlanError: That is no signal, or one that nobody can answer.
    """
    given = executors or policy.signal
    whose = "signal of the executor" if executors and executors != policy.signal else "signal"
    found = _SIGNAL.fullmatch(str(given))
    if found is None or found["name"] in _NO_STOP or found["name"] in ("9", "19", "18"):
        raise PlanError(
            f"The {whose} is {shown(given)}; with resume it must be a signal that tasks can "
            f"answer, as in 'USR1' or 'USR1@120' (sbatch --signal)."
        )
    before = int(found["before"] or policy.signal_before)
    if not 1 <= before <= _LONGEST_NOTICE:
        raise PlanError(
            f"The {whose} is {shown(given)}; the seconds before the limit must be from 1 to "
            f"{_LONGEST_NOTICE}."
        )
    reserved = "R" if "R" in (found["where"] or "") else ""
    return Signal(found["name"], before, f"{reserved}B:{found['name']}@{before}")


_INTERRUPTED_BY = re.compile(
    r"(?:resume: .*, after )?(?P<cause>time limit|preemption|node failure)(?:, requeued)?"
)


def reason_in(by: str) -> Reason:
    """Return what interrupted an attempt; no reason where nothing did.

    Args:
        by: What its exit record says after ``by``.
    """
    found = _INTERRUPTED_BY.fullmatch(by.strip())
    causes = {cause: reason for reason, cause in _CAUSE_OF.items()}
    return causes[found["cause"]] if found else Reason.NONE


class Decision(NamedTuple):
    """Whether a job is to be started again.

    Attributes:
        again: Whether it is.
        reason: Why, or why not, for a person.
    """

    again: bool
    reason: str


def next_attempt(policy: Resume, previous: Sequence[Observation], now: float) -> Decision:
    """Decide whether an interrupted job is to be submitted once more.

    Jobs that Slurm itself starts again do not come here, as they have not ended. Progress is
    looked at by the batch script, which says ``resume: …`` in its exit record.

    Args:
        policy: The job's policy.
        previous: How its attempts ended, oldest first.
        now: Seconds since the epoch.
    """
    why_not = _refusal(policy, previous, now)
    if why_not:
        return Decision(again=False, reason=why_not)
    last = previous[-1]
    number = max(len(previous), last.attempt) + 1
    cause = _CAUSE_OF[last.reason]
    return Decision(
        again=True, reason=f"attempt {number} of at most {policy.max_attempts} after {cause}"
    )


def _refusal(policy: Resume, previous: Sequence[Observation], now: float) -> str:
    if not previous or not previous[-1].state.terminal:
        return "the job has not ended"
    last = previous[-1]
    cause = _CAUSE_OF.get(last.reason)
    if last.state in _NEVER_AGAIN or cause is None:
        return f"the job ended {last.state} by {last.reason or 'itself'}, which is no interruption"
    if REFUSED in last.message:
        return last.message[last.message.index(REFUSED) :]
    if cause not in policy.causes:
        return f"{REFUSED}it is not asked for after {cause}"
    return _spent(policy, previous, now)


def _spent(policy: Resume, previous: Sequence[Observation], now: float) -> str:
    if max(len(previous), previous[-1].attempt) >= policy.max_attempts:
        return f"{REFUSED}all {policy.max_attempts} attempts are used"
    used = sum(_duration(one, now) for one in previous)
    if policy.seconds is not None and used >= policy.seconds:
        return f"{REFUSED}all of {clock(policy.seconds)} is used"
    return ""


def clock(seconds: int) -> str:
    """Return a duration as Slurm writes it: ``48:00:00``.

    Args:
        seconds: The duration.
    """
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _duration(one: Observation, now: float) -> float:
    if one.started is None:
        return 0.0
    return max(0.0, (now if one.ended is None else one.ended) - one.started)


def _check_count(name: str, value: object, at_most: int = 1 << 31) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= at_most:
        upto = f"to {at_most}" if at_most < 1 << 31 else "up"
        raise PlanError(
            f"Resume.{name} is {shown(value)}; it must be a whole number from 1 {upto}."
        )


def _seconds(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    is_number = isinstance(value, str) and value.strip().isdecimal()
    total = None if is_number or not isinstance(value, str) else limit_seconds(value)
    if total is None:
        raise PlanError(
            f"Resume.max_time is {shown(value)}; it must be a number of seconds, or hours, minutes "
            f"and seconds as in '48:00:00', with days as in '2-12:00:00'."
        )
    if total == 0:
        raise PlanError(f"Resume.max_time is {shown(value)}; it must be more than no time.")
    return total


def limit_seconds(text: str | None) -> int | None:
    """Return a time of Slurm in seconds; None where it is none, or no limit.

    Args:
        text: As sbatch takes it: minutes, minutes and seconds, hours, minutes and seconds, or
            days, a dash, and hours with or without the rest (sbatch(1), ``--time``).
    """
    found = _CLOCK.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        return None
    parts = [int(part) for part in (found["hours"], found["minutes"], found["seconds"]) if part]
    if found["days"] is None and len(parts) < 3:
        parts.insert(0, 0)  # minutes come first
    hours, minutes, seconds = [*parts, 0, 0][:3]
    return ((int(found["days"] or 0) * 24 + hours) * 60 + minutes) * 60 + seconds
