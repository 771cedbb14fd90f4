"""Waiting until engines have what they can be given, for who then leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError

from .operations import engine_id
from .plans import spec_of
from .watch.logs import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .conductor.launch import Started
    from .store.record import Record
    from .store.status import ExperimentStatus, JobStatus

_PAUSE = 0.05
SILENT = 10.0
"""Seconds after which the person is told why nothing happens."""


def wait_until_submitted(
    record: Record, started: Started, say: Callable[[str], None]
) -> ExperimentStatus:
    """Return when every job that waits for nothing was submitted or refused.

    Only engines whose jobs need no process of ours are waited for: who detaches from those wants
    to know that they have the jobs, and under which names. An engine that is away is waited for
    until the person leaves; the conductor goes on.

    Args:
        record: The experiment.
        started: Its conductor; without it nothing more happens.
        say: Told what is in the way, once for each trouble.
    """
    begun, told = time.monotonic(), ""
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
        trouble = last_trouble(record) if time.monotonic() - begun > SILENT else ""
        if trouble and trouble != told:
            say(not_yet(trouble))
            told = trouble
        time.sleep(_PAUSE)


def not_yet(trouble: str) -> str:
    """Return the sentence about jobs that no engine has taken."""
    return f"Not submitted yet: {trouble} Ctrl-C leaves; it is tried again without you."


def last_trouble(record: Record) -> str:
    """Return what the conductor last complained about, without the time it did; may be empty."""
    try:
        lines = (record.path / "conductor.log").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    # 2026-01-31 12:00:00 slurm: submit: …
    return lines[-1].split(" ", 2)[-1] if lines else "the engine has not answered."


def submitted_as(jobs: Iterable[JobStatus], most: int = 5) -> str:
    """Return what engines call jobs, in a few words: ``train 4242, test 4243``; may be empty."""
    named = [f"{job.id} {engine_id(job)}" for job in jobs if "://" in job.handle]
    more = f" and {len(named) - most} more" if len(named) > most else ""
    return ", ".join(named[:most]) + more


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
