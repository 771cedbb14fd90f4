"""What the files of a Slurm job are called; programs derive from this class to name them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.mixin import ConfigurableMixin

if TYPE_CHECKING:
    from pathlib import Path

# What stands for the folder and the name of a job while nobody knows them yet.
FOLDER = "/nemo-run-folder-of-the-job"
JOB = "nemo-run-name-of-the-job"

_NAMES = ("stdout", "stderr", "srun_stdout", "srun_stderr", "ls_term")


@dataclass(kw_only=True)
class SlurmJobDetails(ConfigurableMixin):
    """Names of the files that a job writes; a subclass overrides the properties.

    Names may hold what Slurm replaces (``%j``; sbatch(1), "filename pattern") and
    ``${SLURM_RESTART_COUNT:-0}``.

    Attributes:
        job_name: What to call the job; by default its id in the experiment.
        folder: Where the files lie; by default in the job's folder on the cluster.
        ray_log_prefix: What names of Ray's logs begin with.
    """

    job_name: str | None = None
    folder: str | None = None
    ray_log_prefix: str = "ray-"

    @property
    def stdout(self) -> str | Path:
        """What the batch script itself writes."""
        return f"{self.folder}/sbatch_{self.job_name}_%j.out"

    @property
    def stderr(self) -> str | Path:
        """The batch script's errors, where they are kept apart."""
        return f"{self.folder}/sbatch_{self.job_name}_%j.err"

    @property
    def srun_stdout(self) -> str | Path:
        """What a task writes: a link to the log of its first process."""
        return f"{self.folder}/log-{self.job_name}_%j_${{SLURM_RESTART_COUNT:-0}}.out"

    @property
    def srun_stderr(self) -> str | Path:
        """A task's errors, where they are kept apart."""
        return f"{self.folder}/log-{self.job_name}_%j_${{SLURM_RESTART_COUNT:-0}}.err"

    @property
    def ls_term(self) -> str:
        """A shell pattern that matches the logs of tasks."""
        return f"{self.folder}/log*"


def named(details: SlurmJobDetails) -> dict[str, Any]:
    """Return what a subclass may have overridden as data, with :data:`FOLDER` and :data:`JOB`.

    Args:
        details: The names; not changed.
    """
    known = copy.copy(details)
    known.folder = details.folder if details.folder is not None else FOLDER
    known.job_name = details.job_name if details.job_name is not None else JOB
    names = {name: str(getattr(known, name)) for name in _NAMES}
    return {**names, "job_name": details.job_name, "merged": _is_merged(details)}


def _is_merged(details: SlurmJobDetails) -> bool:
    """Whether the program names its log itself, and so expects all processes in that one."""
    return type(details).srun_stdout is not SlurmJobDetails.srun_stdout


def located(name: str, folder: str, job: str) -> str:
    """Return a name of :func:`named` for one job.

    Args:
        name: The name.
        folder: The job's folder.
        job: What to call the job.
    """
    return name.replace(FOLDER, folder).replace(JOB, job)
