"""Looking at a cluster: one round trip, then what it means."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.remote import call

from .judging import judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.execution.findings import Finding
    from nemo_run.execution.slurm.executor import SlurmExecutor


def examine(executor: SlurmExecutor) -> Iterator[Finding]:
    """Yield what works of a cluster, and what does not.

    Args:
        executor: How jobs would be asked for.

    Raises:
        RemoteError: Its login node cannot be reached.
        PlanError: A field of the executor makes no sense.
    """
    from nemo_run.config.home import get_nemorun_home
    from nemo_run.execution.slurm.render import render

    target = executor.target("/experiment", "title", "doctor", "test")
    folder = executor.way.job_dir or get_nemorun_home()
    spec = JobSpec(
        experiment="doctor",
        job="test",
        backend=executor.backend,
        directory=target.directory,
        members=(
            Member(
                "test",
                target.directory,
                ("true",),
                nodes=executor.nnodes(),
                processes_per_node=executor.ntasks_per_node,
            ),
        ),
        options=executor.backend_options({}),
    )
    script = render(spec)[0].content.decode("utf-8", "surrogateescape")
    executor.way.connect()
    looking = files("nemo_run.execution.slurm.doctor").joinpath("looking.py").read_text("utf-8")
    answer = call(executor.way, looking, {"folder": folder, "script": script}, again=True)
    yield from judged(answer.value, spec.options)
