"""What clients show of a job, one function a fact; squeue, sacct and scontrol choose among them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from . import times
from .dependencies import shown as dependency_shown
from .hostlist import ranges
from .jobenv import file_name, file_values, output_of
from .model import PENDING, RUNNING, SHORT, Job

if TYPE_CHECKING:
    from .state import Cluster

NULL = "(null)"


def state(job: Job) -> str:
    """Its state; one that is being ended is COMPLETING."""
    return "COMPLETING" if job.state == RUNNING and job.ending else job.state


def short_state(job: Job) -> str:
    """Its state in two letters."""
    return SHORT.get(state(job), state(job))


def where(job: Job) -> str:
    """Its nodes, or why it waits or failed, as ``%R``."""
    quiet = {"RUNNING", "COMPLETED", "CANCELLED", "COMPLETING"}
    return job.node_list if state(job) in quiet else f"({job.reason})"


def start(job: Job, now: float) -> str:
    """When it started, or will at the earliest known."""
    if job.start is not None:
        return times.iso(job.start)
    if job.state == PENDING and job.begin > now:
        return times.iso(job.begin)
    return times.iso(job.end) if job.end is not None and job.cancelled_by is not None else "N/A"


def end(job: Job, now: float) -> str:
    """When it ended, or will at the latest."""
    if job.end is not None:
        return times.iso(job.end)
    began = job.start if job.start is not None else job.begin if job.begin > now else None
    if began is None or job.time_limit is None:
        return "N/A"
    return times.iso(began + job.time_limit)


def time_left(job: Job, now: float) -> str:
    """How much of its limit is left."""
    if job.time_limit is None:
        return "UNLIMITED"
    return times.short(job.time_limit - job.elapsed(now))


def command(job: Job) -> str:
    """Its script and arguments; ``(null)`` for a wrapped one."""
    return " ".join([job.command, *job.arguments]) if job.command else NULL


def dependency(cluster: Cluster, job: Job) -> str:
    """What it still waits for."""
    return dependency_shown(cluster, job) or NULL


def output(job: Job, stream: str) -> str:
    """The file of its output; the node is not filled in, as scontrol does not."""
    values = file_values(job)
    del values["N"]
    return file_name(output_of(job, stream), values)


def exit_text(code: tuple[int, int]) -> str:
    """An exit status as ``3:0``: code, signal."""
    return f"{code[0]}:{code[1]}"


def array_rest(jobs: list[Job]) -> str:
    """The indices of an array's waiting elements, as squeue writes them: ``2-3,7%2``."""
    text = ranges([str(job.array_index) for job in jobs])
    return f"{text}%{jobs[0].array_limit}" if jobs[0].array_limit else text


def tres(job: Job, prefix: str = "gres:") -> str:
    """Its GPUs a node; N/A without."""
    return f"{prefix}gpu:{job.gpus}" if job.gpus else "N/A"


def host() -> str:
    """This machine's name."""
    return os.uname().nodename
