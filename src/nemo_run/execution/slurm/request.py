"""The script of a job from parts that a program put together itself, as the reference has it."""

from __future__ import annotations

import dataclasses
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError

from .details import named
from .interactive import plain
from .options import options_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.jobspec import JobSpec

    from .executor import SlurmExecutor


def get_packaging_job_key(exp_id: str, job_name: str) -> str:
    """Return the key of ``tunnel.packaging_jobs`` under which the code of a job is found.

    Args:
        exp_id: The experiment.
        job_name: The job.
    """
    return f"{exp_id}:{job_name}"


@dataclass(kw_only=True)
class SlurmBatchRequest:
    """A batch script for commands, without an experiment around them.

    Attributes:
        launch_cmd: What submits it: ``["sbatch", "--parsable"]``.
        jobs: The name of each command.
        command_groups: The commands, each as its words; one word is a line of shell.
        executor: Where and how.
        max_retries: How many more times a failure is tried.
        extra_env: Variables of all commands.
        setup: More lines of shell before them.
        launcher: Not used: commands are run as they are.
    """

    launch_cmd: Sequence[str]
    jobs: Sequence[str]
    command_groups: Sequence[Sequence[str]]
    executor: SlurmExecutor
    max_retries: int
    extra_env: dict[str, str] = field(default_factory=dict)
    setup: Sequence[str] | None = None
    launcher: Any = None

    def materialize(self) -> str:
        """Return the batch script; the commands of the tasks are in step scripts beside it.

        Raises:
            PlanError: The executor has values that Slurm would not understand.
        """
        from .rendering.batch import batch_script

        return batch_script(self.spec())

    def spec(self) -> JobSpec:
        """Return the job that the commands make.

        Raises:
            PlanError: There are not as many names as commands.
        """
        from nemo_run.execution.jobspec import JobSpec, Member

        if not self.jobs or len(self.jobs) != len(self.command_groups):
            raise PlanError(
                f"SlurmBatchRequest has {len(self.jobs)} jobs and {len(self.command_groups)} "
                f"command_groups; it needs a name for each command."
            )
        executor = self.executor
        folder = executor.job_dir or f"{executor.way.job_dir or '/nemo_run'}/{executor.job_name}"
        environment = plain({**executor.env_vars, **self.extra_env}, "SlurmBatchRequest")
        members = tuple(
            Member(
                name=name,
                directory=folder if len(self.jobs) == 1 else f"{folder}/{name}",
                command=_words(group),
                environment=environment,
                working_directory="/nemo_run/code" if executor.container_image else folder,
                nodes=executor.nodes,
                processes_per_node=executor.ntasks_per_node,
            )
            for name, group in zip(self.jobs, self.command_groups, strict=True)
        )
        return JobSpec(
            experiment=executor.experiment_id or "",
            job=executor.job_name,
            backend="slurm",
            directory=folder,
            members=members,
            retries=self.max_retries,
            inside="/nemo_run" if executor.container_image else "",
            options=self._options(),
        )

    def _options(self) -> dict[str, Any]:
        options = options_of(self.executor)
        lines = [*(self.setup or ()), *filter(None, [self.executor.setup_lines])]
        details = self.executor.job_details
        if details.job_name is None and len(self.jobs) == 1:
            details = dataclasses.replace(details, job_name=self.jobs[0])
        return {
            **options,
            "job_details": named(details),
            **({"setup_lines": "\n".join(lines)} if lines else {}),
        }


def _words(command: Sequence[str]) -> tuple[str, ...]:
    if len(command) == 1 and len(shlex.split(command[0])) > 1:
        return ("sh", "-c", command[0])
    return tuple(command)
