"""From the files of an attempt to an observation: what is true, or that it is not known."""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.execution import processes
from nemo_run.execution.observation import Observation, Reason, State

from . import layout, records
from .records import Claim, Ended

if TYPE_CHECKING:
    from pathlib import Path

# A shell that was started has written who it is long before.
_PATIENCE = 60.0


class Child(NamedTuple):
    """The shell of a job, where this process started it.

    Attributes:
        pid: Its id.
        status: Its exit status, as Python gives it; None while it runs.
    """

    pid: int
    status: int | None


def observe(folder: Path, child: Child | None, *, here: bool) -> Observation:
    """Look at one attempt.

    Args:
        folder: Its folder.
        child: Its shell, if it is a child of this process.
        here: Whether the machine it was submitted on has the name of this one.

    Raises:
        OSError: A file is there and cannot be read.
    """
    claim = records.read_claim(folder)
    if claim is None or claim.leader is None:
        return _unclaimed(folder, claim, child, here=here)
    # In this order: a shell that is gone has written its record before.
    here = claim.is_here(named=here)
    alive = here and leads(claim.leader, folder)
    ended = how_it_ended(folder, _told_by(child, claim))
    asked = _time(folder / layout.CANCELLED)
    if ended:
        found = records.outcome(ended, int(folder.name), claim.time)
        # One that ended in the moment it was to be cancelled ended by itself.
        found = _cancelled(found) if asked is not None and asked <= ended.time else found
    else:
        found = _without_end(folder, claim, alive=alive, here=here, asked=asked is not None)
    return dataclasses.replace(found, members=_members(folder, found, claim.time))


def leads(leader: processes.Identity, folder: Path) -> bool:
    """Whether a process runs and is the shell of this attempt, not one that a file merely names.

    Args:
        leader: The process.
        folder: The attempt's folder, as it was called when the job was started.
    """
    script = os.fsencode(folder / layout.SCRIPT)
    return processes.is_alive(leader) and script in processes.command_line(leader.pid)


def _without_end(
    folder: Path, claim: Claim, *, alive: bool, here: bool, asked: bool
) -> Observation:
    attempt = int(folder.name)
    if alive:
        return Observation(State.RUNNING, attempt=attempt, started=claim.time)
    if not here:
        return _elsewhere(attempt, claim.time, asked=asked)
    if asked:
        return _cancelled(Observation(State.CANCELLED, attempt=attempt, started=claim.time))
    return _lost(attempt, claim)


def _unclaimed(
    folder: Path, claim: Claim | None, child: Child | None, *, here: bool
) -> Observation:
    attempt = int(folder.name)
    if claim is not None and claim.cancelled:
        return Observation(
            State.CANCELLED,
            Reason.CANCELLED,
            attempt=attempt,
            message="cancelled before it began",
            ended=claim.time,
        )
    if child is not None and child.status is None:
        return Observation(State.SUBMITTED, attempt=attempt)
    if child is not None and child.status is not None and not folder.exists():
        # Somebody took the folder away while it ran.
        return records.outcome(Ended(child.status, "", time.time()), attempt, None)
    if child is not None:
        said = _last_line(folder / layout.LEADER_LOG) or f"the shell ended with {child.status}"
        return Observation(State.FAILED, Reason.START, attempt=attempt, message=said)
    if not here:
        return _elsewhere(attempt, None, asked=False)
    return _never_began(folder, attempt)


def _elsewhere(attempt: int, started: float | None, *, asked: bool) -> Observation:
    """Return what can be told of a job on another machine, whose processes nobody here sees."""
    if asked:
        return Observation(
            State.CANCELLED,
            Reason.CANCELLED,
            attempt=attempt,
            message="cancelled; its processes on another machine, if any run, were not reached",
            started=started,
        )
    message = "It runs on another machine. If that is gone for good, cancel the job."
    return Observation(State.UNKNOWN, attempt=attempt, message=message, started=started)


def _never_began(folder: Path, attempt: int) -> Observation:
    script = folder / layout.SCRIPT
    if not folder.exists():
        return Observation(
            State.LOST, Reason.PROCESS_LOST, attempt=attempt, message=f"{folder} is gone"
        )
    written = script.stat().st_mtime if script.exists() else folder.stat().st_mtime
    if time.time() - written < _PATIENCE:
        return Observation(State.SUBMITTED, attempt=attempt)
    return Observation(
        State.LOST, Reason.PROCESS_LOST, attempt=attempt, message="its shell ended before it began"
    )


def how_it_ended(folder: Path, told: Ended | None = None) -> Ended | None:
    """Return how an attempt ended; None while it runs, or if nobody knows.

    Args:
        folder: Its folder.
        told: What its shell said in another way; counts if the record does not say.

    Raises:
        OSError: The record is there and cannot be read, and ``told`` is None.
    """
    try:
        return records.read_exit(folder / layout.EXIT) or told
    except OSError:
        if told is None:
            raise
        return told


def _told_by(child: Child | None, claim: Claim) -> Ended | None:
    """Return what the exit status of the shell says, if the record could not be written."""
    if child is None or claim.leader is None or child.pid != claim.leader.pid:
        return None
    if child.status is None or child.status < 0:
        return None
    return Ended(child.status, "", time.time())


def _cancelled(found: Observation) -> Observation:
    return dataclasses.replace(
        found, state=State.CANCELLED, reason=Reason.CANCELLED, message="cancelled"
    )


def _lost(attempt: int, claim: Claim) -> Observation:
    if claim.leader is not None and claim.leader.boot != processes.boot_id():
        reason, message = Reason.NODE_FAILURE, "the machine was started anew while it ran"
    else:
        left = len(processes.belonging([claim.token]).tasks)
        reason = Reason.PROCESS_LOST
        message = "the shell that leads it is gone (it was killed, or its container was ended)"
        if left:
            message += f"; {left} of its processes still run, and a cancel ends them"
    return Observation(State.LOST, reason, attempt=attempt, message=message, started=claim.time)


def _members(folder: Path, job: Observation, started: float) -> tuple[tuple[str, Observation], ...]:
    """Return how each member of a group stands, by the records of its processes."""
    stopped = _time(folder / layout.STOPPED)
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob(f"*/{layout.EXIT}.*")):
        found.setdefault(path.parent.name, []).append(path)
    return tuple((name, _member(paths, job, started, stopped)) for name, paths in found.items())


def _member(
    paths: list[Path], job: Observation, started: float, stopped: float | None
) -> Observation:
    ends = [records.read_exit(path) for path in paths]
    if any(end is None for end in ends):
        state = State.RUNNING if job.state is State.RUNNING else job.state
        return dataclasses.replace(job, state=state, members=(), message="", exit_code=None)
    known = [end for end in ends if end is not None]
    failed = [end for end in known if end.code != 0]
    decisive = min(failed, key=lambda end: end.time) if failed else max(known, key=lambda e: e.time)
    found = records.outcome(decisive, job.attempt, started)
    if job.state is State.CANCELLED and failed:
        return _cancelled(found)
    if failed and stopped is not None and decisive.time > stopped:
        return dataclasses.replace(_cancelled(found), message="ended with its group")
    return found


def _time(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def _last_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""
