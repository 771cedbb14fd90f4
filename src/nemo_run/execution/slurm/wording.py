"""What Slurm's words mean to a person: states, reasons, and numbers of signals. Pure."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from nemo_run.execution.observation import Reason, exit_reason

if TYPE_CHECKING:
    from .states import Account, Row

# squeue(1), JOB STATE CODES: the ends that are failures.
WHY = {
    "FAILED": Reason.EXIT_CODE,
    "TIMEOUT": Reason.TIME_LIMIT,
    "DEADLINE": Reason.TIME_LIMIT,
    "OUT_OF_MEMORY": Reason.OUT_OF_MEMORY,
    "NODE_FAIL": Reason.NODE_FAILURE,
    "BOOT_FAIL": Reason.NODE_FAILURE,
    "LAUNCH_FAILED": Reason.START,
    "RECONFIG_FAIL": Reason.START,
    "PREEMPTED": Reason.PREEMPTED,
}

_SAID = {
    Reason.TIME_LIMIT: "it reached its time limit",
    Reason.OUT_OF_MEMORY: "it needed more memory than it was given",
    Reason.NODE_FAILURE: "a node it ran on failed",
    Reason.PREEMPTED: "it had to make room for another job",
    Reason.START: "Slurm could not start it",
}

# squeue(1), JOB REASON CODES: those of which a user should hear.
_WAITING = {
    "Dependency": "it waits for another job",
    "Resources": "it waits for free nodes",
    "Priority": "jobs of higher priority are before it",
    "JobArrayTaskLimit": "as many jobs of its array run as may at once",
    "BeginTime": "it may not begin yet",
    "JobHeldUser": "it is held; release it with: scontrol release {id}",
    "JobHeldAdmin": "an administrator holds it",
    "launch_failed_requeued_held": "its launch failed and it is held; scontrol release {id}",
    "job_requeued_in_held_state": "it was requeued and is held; scontrol release {id}",
    "PartitionTimeLimit": "it never starts: its time limit is longer than its partition allows",
    "PartitionNodeLimit": "it never starts: it asks for more nodes than its partition has",
    "PartitionDown": "its partition is down",
    "PartitionInactive": "its partition is inactive",
    "AssocGrpGRES": "its account uses as many GPUs as it may",
    "QOSMaxJobsPerUserLimit": "as many jobs of yours run as may at once",
    "InvalidAccount": "it never starts: its account is not valid",
    "InvalidQOS": "it never starts: its QOS is not valid",
    "BadConstraints": "it never starts: no node has what it asks for",
    "DependencyNeverSatisfied": "it never starts: a job it waits for did not end as it must",
    "Licenses": "it waits for licences",
    "ReqNodeNotAvail": "a node it asks for is not available",
}
SIGNALS = 64
_NOT_STARTED = frozenset({"BadConstraints", "JobLaunchFailure", "launch_failed_requeued_held"})
_QUOTA = re.compile(r"^(Assoc|QOS|MaxJobs)")


_STEP = 600


def waiting(row: Row) -> tuple[Reason, str]:
    """Return why a job waits, and words that say so."""
    word = row.reason.partition(",")[0].strip()
    said = _WAITING.get(word, "").replace("{id}", row.id)
    if row.state not in {"PENDING", "CONFIGURING"}:
        said = said or f"Slurm: {row.state}"
    if not said and word not in {"", "None"}:
        said = f"Slurm's reason: {row.reason}"
    elif said and word not in {"", "None"}:
        said = f"{said} ({row.reason})"
    if row.started is not None:
        said = f"{said}; {_expected(row.started)}" if said else _expected(row.started)
    if word.startswith("Dependency"):
        return Reason.DEPENDENCY, said
    return (Reason.QUOTA if _QUOTA.match(word) else Reason.NONE), said


def _expected(start: float) -> str:
    """Return when Slurm thinks that a job may start (squeue(1), START_TIME of a pending job).

    In steps of ten minutes: the estimate moves a little at each of Slurm's own looks.
    """
    around = time.localtime(round(start / _STEP) * _STEP)
    return f"it may start around {time.strftime('%Y-%m-%d %H:%M', around)}"


def failure(end: Account, status: int) -> tuple[Reason, str]:
    """Return why a job failed, and words that say so.

    Args:
        end: What Slurm says of its end.
        status: Its exit status, 128 + n for signal n.
    """
    reason = WHY[end.state]
    if reason is not Reason.EXIT_CODE:
        return reason, f"{_SAID[reason]} (Slurm: {end.state})"
    if end.reason in _NOT_STARTED:
        return Reason.START, f"{_SAID[Reason.START]} ({end.reason})"
    return exit_reason(status)
