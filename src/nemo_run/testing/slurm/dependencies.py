"""``--dependency``: what a job waits for, and whether it is there (sbatch(1))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .model import COMPLETED, PENDING, Job

if TYPE_CHECKING:
    from .state import Cluster

_KINDS = {"after", "afterany", "afterok", "afternotok", "aftercorr", "singleton"}
MET, WAITING, NEVER = "met", "waiting", "never"


def read_dependency(
    cluster: Cluster, text: str, refusal: type[Exception]
) -> list[tuple[str, str, str]]:
    """Return what a text asks for: (kind, job id, ``,`` or ``?`` between them).

    A job that is not known any more counts as done, as it does for slurmctld.

    Raises:
        refusal: The text is no dependency.
    """
    if not text:
        return []
    between = "?" if "?" in text else ","
    found: list[tuple[str, str, str]] = []
    for item in text.split(between):
        kind, _, ids = item.partition(":")
        if kind not in _KINDS or (kind != "singleton" and not ids):
            raise refusal("Job dependency problem")
        for one in ids.split(":"):
            name = one.partition("+")[0]
            if kind != "singleton" and not re.fullmatch(r"\d+(_\d+|_\*)?", name):
                raise refusal("Job dependency problem")
            if kind == "singleton" or cluster.find(name.removesuffix("_*")):
                found.append((kind, name, between))
    return found


def standing(cluster: Cluster, job: Job) -> str:
    """Return whether a job's dependencies are met, may be, or never will be."""
    if not job.dependency:
        return MET
    answers = [_one(cluster, job, kind, name) for kind, name, _ in job.dependency]
    if job.dependency[0][2] == "?":
        if MET in answers:
            return MET
        return WAITING if WAITING in answers else NEVER
    if NEVER in answers:
        return NEVER
    return WAITING if WAITING in answers else MET


def _one(cluster: Cluster, job: Job, kind: str, name: str) -> str:
    if kind == "singleton":
        others = (other for other in cluster.unfinished() if other is not job)
        same = (other.name == job.name and other.user == job.user for other in others if other.id)
        first = (other.id < job.id for other in cluster.unfinished() if other.name == job.name)
        return WAITING if any(same) and any(first) else MET
    jobs = cluster.find(name.removesuffix("_*"))
    if kind == "aftercorr" and job.array_index is not None:
        jobs = [other for other in jobs if other.array_index == job.array_index] or jobs
    if kind == "after":
        return MET if all(other.state != PENDING for other in jobs) else WAITING
    if kind == "afterany":
        return MET if all(other.ended for other in jobs) else WAITING
    return _by_success(kind, jobs)


def _by_success(kind: str, jobs: list[Job]) -> str:
    if kind == "afternotok":
        if not all(other.ended for other in jobs):
            return WAITING
        return MET if any(other.state != COMPLETED for other in jobs) else NEVER
    if any(other.ended and other.state != COMPLETED for other in jobs):
        return NEVER
    return MET if all(other.ended for other in jobs) else WAITING


def shown(cluster: Cluster, job: Job) -> str:
    """Return the dependencies as squeue's ``%E`` shows them; what is met is not shown."""
    texts = []
    for kind, name, between in job.dependency:
        answer = _one(cluster, job, kind, name)
        if answer == MET:
            continue
        whole = bool(cluster.find(name)) and cluster.find(name)[0].array_id and "_" not in name
        text = f"{kind}:{name}_*" if whole else f"{kind}:{name}" if name else kind
        texts.append((f"{text}({'failed' if answer == NEVER else 'unfulfilled'})", between))
    return (texts[0][1] if texts else ",").join(text for text, _ in texts)
