"""Waiting until engines have what they can be given, for who then leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError

from .plans import spec_of
from .watch.logs import watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .conductor.launch import Started
    from .store.record import Record
    from .store.status import ExperimentStatus, JobStatus

_PAUSE = 0.05


def wait_until_submitted(record: Record, started: Started) -> ExperimentStatus:
    """Return when every job that waits for nothing was submitted or refused.

    Only engines whose jobs need no process of ours are waited for: who detaches from those wants
    to know that they have the jobs, and under which names.

    Args:
        record: The experiment.
        started: Its conductor; without it nothing more happens.
    """
    now = watch(record)
    first = [str(document["id"]) for document in record.jobs if not document.get("dependencies")]
    waited = [job for job in first if _finishes_alone(record, job)]
    while True:
        # Asked before the journal is read, so that its last words are.
        gone = started.gone
        status = now()
        jobs = (status.jobs[job] for job in waited if job in status.jobs)
        if gone or status.handed_over or all(_is_settled(job) for job in jobs):
            return status
        time.sleep(_PAUSE)


def submitted_as(jobs: Iterable[JobStatus], most: int = 5) -> str:
    """Return what engines call jobs, in a few words: ``train 4242, test 4243``; may be empty."""
    named = [f"{job.id} {_short(job.handle)}" for job in jobs if "://" in job.handle]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more


def _short(handle: str) -> str:
    return handle.partition("#")[0].rpartition("/")[2]


def _is_settled(job: JobStatus) -> bool:
    return bool(job.handle) or job.state.terminal


def _finishes_alone(record: Record, job: str) -> bool:
    from nemo_run.execution.registry import get_backend

    try:
        spec = spec_of(record, job)
        return spec is not None and get_backend(spec.backend).capabilities.finishes_alone
    except (NemoRunError, ImportError):
        # Its conductor says what is wrong.
        return False
