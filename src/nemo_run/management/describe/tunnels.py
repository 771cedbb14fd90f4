"""The machines that an experiment's jobs run on, and where the jobs' code lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.execution.folders import code_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nemo_run.execution.jobspec import JobSpec

    from .jobs import Job


def tunnels_of(
    experiment: str, jobs: Sequence[Job], planned: Callable[[str], JobSpec | None]
) -> dict[str, Any]:
    """Return the tunnel of each executor that has one, by its key.

    Args:
        experiment: The experiment's id.
        jobs: Its jobs.
        planned: Returns what was planned for a job, if it was.
    """
    found: dict[str, Any] = {}
    for job in jobs:
        tunnel = getattr(job.executor, "tunnel", None)
        if tunnel is None:
            continue
        tunnel = found.setdefault(tunnel.key, tunnel)
        spec = planned(job.id)
        if spec is not None and spec.code:
            tunnel.packaging_jobs[f"{experiment}:{job.id}"] = _code_of(spec)
    return found


def _code_of(spec: JobSpec) -> Any:
    from nemo_run.remote import PackagingJob

    # The archive stays as it was sent; the folder of a job is the job's to write in.
    return PackagingJob(symlink=False, src_path=None, dst_path=code_archive(spec))
