"""Which job of one experiment is compared with which of another. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nemo_run.exceptions import NotFoundError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from .documents import Job, Run

Pair = tuple["Job", "Job"]


def pairs(a: Run, b: Run) -> list[Pair]:
    """Return the jobs that belong together: points of sweeps by what varies, others by name.

    One job and one job belong together whatever they are called.
    """
    left, right = list(a.jobs), list(b.jobs)
    found: dict[str, Pair] = {}
    for key in (_point, _values, _name):
        for one, other in _by(key, left, right):
            found[one.id] = one, other
            left.remove(one)
            right.remove(other)
    if len(a.jobs) == len(b.jobs) == 1 and left:
        return [(left[0], right[0])]
    return [found[job.id] for job in a.jobs if job.id in found]


def _by(key: Callable[[Job], Hashable], left: Sequence[Job], right: Sequence[Job]) -> list[Pair]:
    theirs: dict[Hashable, Job] = {}
    for job in right:
        theirs.setdefault(key(job), job)
    return [
        (job, theirs.pop(name)) for job in left if (name := key(job)) is not None and name in theirs
    ]


def _point(job: Job) -> Hashable:
    return (job.varied.sweep, _values(job)) if job.varied else None


def _values(job: Job) -> Hashable:
    return json.dumps(dict(job.varied.values), sort_keys=True) if job.varied else None


def _name(job: Job) -> Hashable:
    return job.id


def job_named(run: Run, name: str) -> Job:
    """Return the job with this id, or with this place in the order, from 0.

    Raises:
        NotFoundError: There is none.
    """
    by_id = {job.id: job for job in run.jobs}
    if name in by_id:
        return by_id[name]
    if name.isdecimal() and int(name) < len(run.jobs):
        return run.jobs[int(name)]
    raise NotFoundError(
        f"Experiment {run.id} has no job {name!r}.{nearest(name, by_id)} "
        f"Its jobs are: {', '.join(by_id) or 'none'}."
    )
