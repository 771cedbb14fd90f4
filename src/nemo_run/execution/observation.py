"""What is known of a job: its state, why, and since when. Never an exception, never a guess."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(str, enum.Enum):
    """Where a job stands. UNKNOWN is never the end, and never a reason to cancel."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"
    LOST = "LOST"
    UNKNOWN = "UNKNOWN"

    def __str__(self) -> str:
        return self.value

    @property
    def terminal(self) -> bool:
        """Whether nothing more can happen to a job in this state."""
        return self in TERMINAL


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.SKIPPED, State.LOST})


class Reason(str, enum.Enum):
    """Why a job is where it is."""

    NONE = ""
    EXIT_CODE = "exit code"
    SIGNAL = "signal"
    TIME_LIMIT = "time limit"
    OUT_OF_MEMORY = "out of memory"
    NODE_FAILURE = "node failure"
    PREEMPTED = "preempted"
    DEPENDENCY = "dependency"
    IMAGE = "image"
    QUOTA = "quota"
    CANCELLED = "cancelled"
    START = "could not start"
    PROCESS_LOST = "process lost"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Observation:
    """One look at one job.

    Attributes:
        state: Where it stands.
        reason: Why.
        exit_code: The exit status of the process that decided it; 128 + n for signal n.
        attempt: Which try this is, from 1.
        message: One sentence for a person: what the engine or the job said.
        started: When its processes started, in seconds since the epoch.
        ended: When they ended.
        members: For a group, the observation of each member by name; else empty.
    """

    state: State
    reason: Reason = Reason.NONE
    exit_code: int | None = None
    attempt: int = 1
    message: str = ""
    started: float | None = None
    ended: float | None = None
    members: tuple[tuple[str, Observation], ...] = ()


def exit_reason(code: int) -> tuple[Reason, str]:
    """Return why a process with this exit status failed, and words that say so.

    Args:
        code: Its exit status; 128 + n for signal n.
    """
    import signal

    try:
        number = signal.Signals(code - 128) if code > 128 else None
    except ValueError:
        number = None
    if number is None:
        return Reason.EXIT_CODE, f"exit code {code}"
    return Reason.SIGNAL, f"ended by signal {int(number)} ({number.name})"
