"""Which files a person means: ``ID [JOB] [GLOB]``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nemo_run.cli.experiment.shared.selection import job_of
from nemo_run.exceptions import NotFoundError, PlanError, nearest
from nemo_run.management.artifacts import patterns

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record


def chosen(record: Record, job: str | None, pattern: str | None) -> tuple[str | None, str]:
    """Return the id of the job, or None for all, and the pattern, or an empty text.

    Args:
        record: The experiment.
        job: The first word; where it is the only one, it may be a pattern.
        pattern: The second.

    Raises:
        NotFoundError: There is no such job.
        UsageError: The pattern leads out of the folder.
    """
    if job is not None and pattern is None:
        try:
            return job_of(record, job), ""
        except NotFoundError:
            # A word that is nearly the name of a job is a slip of the finger.
            if not _is_pattern(job) and nearest(job, [str(one["id"]) for one in record.jobs]):
                raise
            job, pattern = None, job
    if pattern is not None:
        try:
            patterns.checked([pattern], "The word behind ID")
        except PlanError as error:
            raise click.UsageError(str(error)) from None
    return (job_of(record, job) if job is not None else None), pattern or ""


def _is_pattern(word: str) -> bool:
    return any(sign in word for sign in "*?[/.")
