"""What the output of ``logs`` does not hold: refusals and remarks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.exceptions import NotFoundError
from nemo_run.management.watch.logs import log_files
from nemo_run.management.watch.ranks import DEFAULT_RANKS, chosen_files, failed_ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import JobStatus
    from nemo_run.management.watch.ranks import Ranks

_MOST_JOBS = 5


def require_ranks(record: Record, jobs: Sequence[JobStatus], ranks: Ranks) -> None:
    """Refuse ranks that none of the jobs has.

    Raises:
        NotFoundError: It names those that there are.
    """
    files = {job.id: log_files(record, job.id, max(job.attempt, 1)) for job in jobs}
    sizes = {job: 1 + max(file.rank for file in found) for job, found in files.items() if found}
    # What the largest does not have, none has.
    missing = ranks.missing(max(sizes.values(), default=0)) if sizes else []
    if missing:
        there = "; ".join(
            f"{job} has {_ranks(range(size))}" for job, size in list(sizes.items())[:_MOST_JOBS]
        )
        raise NotFoundError(f"There is no rank {', '.join(missing)}: {there}.")


def require_attempt(jobs: Sequence[JobStatus], attempt: int) -> None:
    """Refuse an attempt that none of the jobs has had.

    Raises:
        NotFoundError: It names those that there are.
    """
    tries = {job.id: max(job.attempt, 1) for job in jobs}
    if attempt > max(tries.values(), default=0):
        there = "; ".join(
            f"{job} has had {'attempt 1 only' if count == 1 else f'attempts 1-{count}'}"
            for job, count in list(tries.items())[:_MOST_JOBS]
        )
        raise NotFoundError(f"There is no attempt {attempt}: {there}.")


def ranks_not_shown(record: Record, jobs: Sequence[JobStatus], ranks: Ranks) -> str:
    """Return the sentence about processes whose output nobody asked for; empty if there are none.

    Args:
        record: The experiment.
        jobs: The jobs that are shown.
        ranks: Which of their processes are.
    """
    if ranks.text != DEFAULT_RANKS:
        return ""
    left_out = {job.id: _not_shown(record, job, ranks) for job in jobs}
    named = [f"{_ranks(left)} of {job}" for job, left in left_out.items() if left]
    if not named:
        return ""
    more = f" and of {len(named) - _MOST_JOBS} more jobs" if len(named) > _MOST_JOBS else ""
    return f"Not shown: {', '.join(named[:_MOST_JOBS])}{more}. To see them: --rank all"


def _not_shown(record: Record, job: JobStatus, ranks: Ranks) -> list[int]:
    attempt = max(job.attempt, 1)
    files = log_files(record, job.id, attempt)
    shown = chosen_files(files, ranks, failed_ranks(record, job, attempt))
    return sorted({file.rank for file in files if file not in shown})


def _ranks(numbers: Iterable[int]) -> str:
    """Return numbers in words: ``rank 1``, ``ranks 1-3, 5``."""
    ordered = sorted(numbers)
    runs: list[list[int]] = []
    for number in ordered:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return f"rank{'s' * (len(ordered) > 1)} {', '.join(texts)}"
