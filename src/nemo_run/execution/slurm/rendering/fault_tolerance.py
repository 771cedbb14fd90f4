"""The files by which NVIDIA's fault tolerance knows of a job's attempts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member

FLAG = "FAULT_TOL_FINISHED_FLAG_FILE"


def variables(spec: JobSpec, member: Member) -> list[str]:
    """Return the lines of a step's script that name the flag of a finished training.

    Args:
        spec: The job.
        member: The member that the step runs.
    """
    if "fault_tolerance" not in spec.options or FLAG in member.environment:
        return []
    return [
        f"export {FLAG}={quote(f'{layout.inside(spec)}/{layout.job_title(spec)}_finished_flag')}"
    ]


def results(spec: JobSpec) -> list[str]:
    """Return the lines of the batch script that note how the attempt ended: S or F, a line each.

    Args:
        spec: The job.
    """
    if "fault_tolerance" not in spec.options:
        return []
    given = spec.options["fault_tolerance"]["job_results_file"]
    file = given or f"/nemo_run/{layout.job_title(spec)}_job_results"
    if file.startswith("/nemo_run/"):  # the batch script is outside of the container
        file = spec.directory + file.removeprefix("/nemo_run")
    return [
        "# How each attempt ended, for the fault tolerance.",
        f'if [ "$code" -eq 0 ]; then echo S; else echo F; fi >>{quote(file)}',
    ]
