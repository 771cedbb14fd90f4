"""From a :class:`~nemo_run.execution.jobspec.JobSpec` to the scripts that Slurm runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.backend import Artifact

from . import layout
from .rendering.batch import batch_script
from .rendering.step import step_script

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec


def render(spec: JobSpec) -> tuple[Artifact, ...]:
    """Return the batch script of a job, and a step script for each of its members.

    Args:
        spec: The job.

    Raises:
        PlanError: The members do not fit into one job.
    """
    steps = [(layout.step_script(spec, one), step_script(spec, one)) for one in spec.members]
    return (
        _shell(layout.batch_script(spec), batch_script(spec)),
        *(_shell(path, text) for path, text in steps),
    )


def _shell(path: str, text: str) -> Artifact:
    content = text.encode("utf-8", "surrogateescape")
    return Artifact(path, content, mode=0o700, language="sh")
