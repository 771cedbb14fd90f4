"""From what Slurm and a job's own records say to what is known of the job. Pure.

Three witnesses: squeue knows what goes on, and for a while (``MinJobAge``) what ended; sacct
knows what ended, where there is accounting, but late; the job's batch script writes down how it
ended where nothing killed it first.
"""

from __future__ import annotations

import calendar
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from nemo_run.execution.observation import Observation, Reason, State, exit_reason
from nemo_run.execution.resume import reason_in

from .wording import SIGNALS, WHY, failure, waiting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PATIENCE = 60.0
"""Seconds for which a job may be in neither squeue nor sacct before it counts as lost."""

LATE = 30.0
"""Seconds that sacct may take to hear of an end; the record of the job says more than nothing."""

# squeue(1), JOB STATE CODES. COMPLETING hides what the job came to.
PENDING = frozenset(
    {"PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD"}
    | {"SPECIAL_EXIT", "SUSPENDED", "STOPPED", "POWER_UP_NODE"}
)
RUNNING = frozenset({"RUNNING", "COMPLETING", "SIGNALING", "STAGE_OUT", "RESIZING", "UPDATE_DB"})
ENDED = frozenset({"COMPLETED", "CANCELLED", *WHY})


class Row(NamedTuple):
    """What squeue says of a job, or of one component of it."""

    id: str
    state: str
    reason: str = ""
    restarts: int = 0
    status: int = 0
    started: float | None = None
    ended: float | None = None


class Account(NamedTuple):
    """What sacct says of a job, or of one component of it."""

    id: str
    state: str
    code: int | None = None
    number: int = 0
    started: float | None = None
    ended: float | None = None
    reason: str = ""
    by: str = ""


class Ended(NamedTuple):
    """What a batch script wrote down at its end."""

    code: int
    by: str
    time: float


@dataclass(frozen=True)
class Record:
    """What a job has written down.

    Attributes:
        attempt: Which attempt it is of, Slurm's own restarts counted.
        ended: How it ended; None where nothing is written.
        started: When it began.
        members: For a group, how each member ended; None of one that has not said so.
        cancelled: Whether we have asked Slurm to end it.
        mine: Whether its folder is this user's; None where there is no folder.
        age: How many seconds ago it was submitted; None where nobody wrote that down.
    """

    attempt: int = 1
    ended: Ended | None = None
    started: float | None = None
    members: Mapping[str, Ended | None] | None = None
    cancelled: bool = False
    mine: bool | None = None
    age: float | None = None


def row(fields: Sequence[str]) -> Row:
    """Return a row of squeue from its columns."""
    job, state, reason, restarts, status, started, ended = fields
    return Row(job, state, reason, _number(restarts), _number(status), when(started), when(ended))


def account(fields: Sequence[str]) -> Account:
    """Return a row of sacct from its columns."""
    job, state, exit_code, started, ended, reason = fields
    word, _, more = state.partition(" ")
    code, _, number = exit_code.partition(":")
    return Account(
        job,
        word.rstrip("+"),
        int(code) if code.isdigit() else None,
        _number(number),
        when(started),
        when(ended),
        reason,
        more.removeprefix("by ").strip(),
    )


def record(fields: Mapping[str, Any]) -> Record:
    """Return what a job has written down, from the agent's answer."""
    ended = fields.get("ended")
    found = (fields.get("members") or {}).items()
    members = {name: Ended(*end) if end else None for name, end in found}
    return Record(
        attempt=fields["attempt"],
        ended=Ended(*ended) if ended else None,
        started=fields.get("started"),
        members=members,
        cancelled=bool(fields.get("cancelled")),
        mine=fields.get("mine"),
        age=fields.get("age"),
    )


def when(said: str) -> float | None:
    """Return a time of Slurm, in UTC, as seconds since the epoch; None for ``Unknown`` etc."""
    try:
        return float(calendar.timegm(time.strptime(said, "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def _number(said: str) -> int:
    return int(said) if said.isdigit() else 0


def observe(
    rows: Sequence[Row],
    accounts: Sequence[Account],
    record: Record | None,
    *,
    attempt: int,
    unseen: float = 0.0,
    accounting: bool = True,
    now: float | None = None,
) -> Observation:
    """Return what is known of one job.

    Args:
        rows: What squeue says; several for the components of a heterogeneous job.
        accounts: What sacct says.
        record: What the job has written; None where nobody looked.
        attempt: The attempt that was submitted.
        unseen: For how many seconds squeue has not known it.
        accounting: Whether sacct can be asked at all.
        now: The time; the clock's where it is None.
    """
    now = time.time() if now is None else now
    record = record or Record(attempt)
    rows = [r for r in rows if r.state != "REVOKED"] or list(rows)
    live = [r for r in rows if r.state not in ENDED]
    if live:
        return _going(live, record, attempt, now)
    verdict = _worst_row(rows, accounts) or _worst_account(accounts)
    if verdict is not None:
        return _ended(verdict, record, attempt, now)
    return _unseen(accounts, record, unseen, accounting=accounting, now=now)


def _going(rows: Sequence[Row], record: Record, attempt: int, now: float) -> Observation:
    row = next((r for r in rows if r.state in RUNNING), rows[0])
    number = attempt + max(r.restarts for r in rows)
    if row.state == "COMPLETING" and record.ended and now - record.ended.time > 10 * LATE:
        # A node that does not let go may keep a job completing for hours.
        return _by_record(record, record.ended)
    if row.state in RUNNING:
        word = "" if row.state == "RUNNING" else f"Slurm: {row.state}"
        return Observation(State.RUNNING, attempt=number, message=word, started=row.started)
    if row.state not in PENDING:
        return Observation(
            State.UNKNOWN, attempt=number, message=f"Slurm calls its state {row.state!r}."
        )
    reason, message = waiting(row)
    return Observation(State.PENDING, reason, attempt=number, message=message)


def _worst_row(rows: Sequence[Row], accounts: Sequence[Account]) -> Account | None:
    """Return the end that squeue shows, with what sacct knows of it beside."""
    ended = [_as_account(r, accounts) for r in rows if r.state in ENDED]
    return max(ended, key=_badness, default=None)


def _as_account(row: Row, accounts: Sequence[Account]) -> Account:
    by = next((a.by for a in accounts if a.id == row.id and a.state == row.state), "")
    # squeue gives the status as wait(2) does.
    return Account(
        row.id,
        row.state,
        row.status >> 8,
        row.status & 0x7F,
        row.started,
        row.ended,
        row.reason,
        by,
    )


def _worst_account(accounts: Sequence[Account]) -> Account | None:
    if any(a.state not in ENDED for a in accounts):
        return None
    return max(accounts, key=_badness, default=None)


def _badness(end: Account) -> tuple[bool, bool, int]:
    return end.state != "COMPLETED", end.state != "CANCELLED", end.code or 0


def _ended(end: Account, record: Record, attempt: int, now: float) -> Observation:
    times = (record.started or end.started, end.ended)
    number = max(record.attempt, attempt)
    if end.state == "CANCELLED":
        return _cancelled(end, record, number)
    if end.state == "COMPLETED" and _broke_off(record):
        return _without_an_end(end, record, number, now)
    if end.state == "COMPLETED":
        return Observation(State.SUCCEEDED, Reason.NONE, 0, number, "", *times, _members(record))
    own = record.ended
    if own and own.code and end.state == "FAILED":
        return _by_record(record, own, ended=end.ended)
    # Of a lost node, and of memory (125), Slurm gives numbers that are no signals.
    is_signal = 0 < end.number <= SIGNALS and WHY[end.state] is not Reason.NODE_FAILURE
    status = own.code if own else 128 + end.number if is_signal else end.code or 0
    reason, message = failure(end, status)
    return Observation(
        State.FAILED, reason, status or None, number, message, *times, _members(record)
    )


def _broke_off(record: Record) -> bool:
    """Whether the batch script began and did not come to its end, as far as can be read."""
    return record.mine is True and record.started is not None and record.ended is None


def _without_an_end(end: Account, record: Record, number: int, now: float) -> Observation:
    """Return what a script came to that ended well before its last line: the task did not run."""
    if end.ended is not None and abs(now - end.ended) < PATIENCE:
        # What a node has written may be seen a little later elsewhere.
        message = "it ended; what it wrote down is awaited"
        return Observation(State.RUNNING, attempt=number, message=message, started=record.started)
    message = (
        "the batch script ended before the task did, without an error: an exit or an open "
        "here-document in setup_lines? What it printed is in the job's sbatch_*.out"
    )
    return Observation(State.FAILED, Reason.START, None, number, message, record.started, end.ended)


def _cancelled(end: Account, record: Record, number: int) -> Observation:
    times = (record.started or end.started, end.ended)
    never = end.started is None or end.started == end.ended
    if "Dependency" in end.reason and never and not record.cancelled:
        message = f"a job it waits for did not end as it must (Slurm: {end.reason})"
        return Observation(State.SKIPPED, Reason.DEPENDENCY, None, number, message, None, end.ended)
    who = f" by user {end.by}" if end.by else ""
    message = "" if record.cancelled else f"it was cancelled{who}"
    started = None if end.started is None else times[0]
    return Observation(
        State.CANCELLED,
        Reason.CANCELLED,
        None,
        number,
        message,
        started,
        end.ended,
        _members(record),
    )


def _unseen(
    accounts: Sequence[Account], record: Record, unseen: float, *, accounting: bool, now: float
) -> Observation:
    """Return what is known of a job that squeue does not have and sacct does not call ended."""
    own = record.ended
    if own is not None:
        # Slurm knows the cause, a little later; a task that is cancelled may end with 0 too.
        if not accounting or now - own.time > LATE:
            return _by_record(record, own)
        return Observation(
            State.RUNNING,
            attempt=record.attempt,
            message=f"it ended with {own.code}; Slurm's word on it is awaited",
            started=record.started,
        )
    if record.cancelled and unseen > LATE:
        return Observation(State.CANCELLED, Reason.CANCELLED, None, record.attempt)
    new = record.age is not None and record.age <= PATIENCE
    if unseen <= PATIENCE or record.mine is False or new:
        return Observation(
            State.UNKNOWN,
            attempt=record.attempt,
            message="neither squeue nor sacct knows it, and it has not written how it ended",
        )
    said = f" (sacct: {accounts[0].state})" if accounts else ""
    return Observation(
        State.LOST,
        Reason.PROCESS_LOST,
        None,
        record.attempt,
        f"Slurm does not know it any more{said}, and it has not written how it ended",
        record.started,
    )


def _by_record(record: Record, own: Ended, ended: float | None = None) -> Observation:
    times = (record.started, ended or own.time)
    if record.cancelled:
        # Slurm was asked to end it while it ran; many tasks end with 0 when they are.
        return Observation(
            State.CANCELLED, Reason.CANCELLED, None, record.attempt, "", *times, _members(record)
        )
    if own.code == 0:
        return Observation(
            State.SUCCEEDED, Reason.NONE, 0, record.attempt, "", *times, _members(record)
        )
    reason, what = exit_reason(own.code)
    reason = reason_in(own.by) or reason
    message = f"{own.by}: {what}" if own.by else what
    return Observation(
        State.FAILED, reason, own.code, record.attempt, message, *times, _members(record)
    )


def _members(record: Record) -> tuple[tuple[str, Observation], ...]:
    return tuple(
        (name, _member(end, record)) for name, end in sorted((record.members or {}).items())
    )


def _member(end: Ended | None, record: Record) -> Observation:
    if end is None or (end.code and end.by.endswith("stopped")):
        # What had to end with the group had no say in how that ended.
        code, time = (end.code, end.time) if end else (None, None)
        return Observation(State.CANCELLED, Reason.CANCELLED, code, record.attempt, "", None, time)
    if end.code == 0:
        return Observation(State.SUCCEEDED, Reason.NONE, 0, record.attempt, ended=end.time)
    reason, message = exit_reason(end.code)
    return Observation(State.FAILED, reason, end.code, record.attempt, message, ended=end.time)
