"""Which experiment and which job a person means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.exceptions import NotFoundError

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record


def record_of(text: str) -> Record:
    """Return the experiment with this id, start of an id, title or folder.

    Raises:
        NotFoundError: There is none.
        AmbiguousError: There are several.
    """
    from nemo_run.management.store import find

    try:
        return find(text)
    except NotFoundError as error:
        raise NotFoundError(f"not found: {text}. {error}") from None


def job_of(record: Record, text: str) -> str:
    """Return the id of the job with this id, or with this place in the order, from 0.

    Raises:
        NotFoundError: There is none.
    """
    jobs = [str(job["id"]) for job in record.jobs]
    if text not in jobs and text.isdecimal() and int(text) < len(jobs):
        return jobs[int(text)]
    try:
        record.job(text)
    except NotFoundError as error:
        raise NotFoundError(f"not found: {text}. {error}") from None
    return text
