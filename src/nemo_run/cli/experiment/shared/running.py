"""The running job that a command is to enter."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from nemo_run.exceptions import BackendError, NotFoundError
from nemo_run.execution.findings import Entered
from nemo_run.execution.jobspec import Handle
from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command

from .selection import job_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record


def become(command: Sequence[str]) -> NoReturn:
    """Go on as another program, which then has this one's terminal, signals and exit code.

    Args:
        command: The program and its arguments.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvp(command[0], list(command))  # noqa: S606 - a list of words, no shell


def running_job(record: Record, text: str | None) -> tuple[Entered, JobSpec, Handle]:
    """Return the backend, the plan and the handle of a job that runs.

    Args:
        record: The experiment.
        text: The job; None for the only one that runs.

    Raises:
        NotFoundError: There is no such job, or it does not run.
        BackendError: Jobs of its engine cannot be entered.
    """
    from nemo_run.execution.registry import get_backend
    from nemo_run.management.operations import status
    from nemo_run.management.plans import spec_of

    known = status(record).jobs
    going = [job for job, one in known.items() if one.state is State.RUNNING]
    if text is None and len(going) != 1:
        named = f"These run: {', '.join(going)}. Name one." if going else "None of its jobs runs."
        raise NotFoundError(f"Which job of {record.id}? {named}")
    job = job_of(record, text) if text is not None else going[0]
    if known[job].state is not State.RUNNING:
        raise NotFoundError(
            f"{job} of {record.id} is {known[job].describe()}; only a job that runs can be "
            f"entered. See {experiment_command('status', record.id)}"
        )
    spec = spec_of(record, job)
    if spec is None:
        raise NotFoundError(f"The plan of {job} of {record.id} is gone, so it cannot be entered.")
    backend: object = get_backend(spec.backend)
    if not isinstance(backend, Entered):
        raise BackendError(f"{job} runs on {spec.backend!r}, whose jobs cannot be entered.")
    return backend, spec, Handle(known[job].handle)
