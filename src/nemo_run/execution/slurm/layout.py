"""Where a job on Slurm keeps what. Pure: paths from a spec, nothing from the disk."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

from nemo_run.execution.folders import attempt_folder, is_group

from .details import located

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.execution.jobspec import JobSpec, Member

# What a store keeps a snapshot in: a git tree's id, SHA-1 or SHA-256.
_ARCHIVE = re.compile(r"/code/(?P<tree>[0-9a-f]{40}|[0-9a-f]{64})\.tar$")

STARTED = "started"
EXIT = "exit"
# In the folder of a member: what srun said, and which step of Slurm it is (only in groups).
SRUN_MESSAGES = "srun.log"
STEP = "step"


def job_title(spec: JobSpec) -> str:
    """Return the name of the job's folder, which its files are called after."""
    return posixpath.basename(spec.directory)


def batch_script(spec: JobSpec) -> str:
    """Return the script that sbatch is given."""
    return f"{attempt_folder(spec)}/{job_title(spec)}_sbatch.sh"


def secrets_folder(spec: JobSpec) -> str:
    """Return the folder of a job's secrets; below it they lie by the attempt they came with."""
    return f"{spec.directory}/secrets"


def secrets_file(spec: JobSpec) -> str:
    """Return the file with the secrets of a submission."""
    return f"{secrets_folder(spec)}/{spec.attempt}/variables"


def step_name(member: Member) -> str:
    """Return the name of the script that each process of a member runs."""
    return f"step-{member.name}.sh"


def step_script(spec: JobSpec, member: Member) -> str:
    """Return the script that each process of a member runs, as srun's machine sees it."""
    return f"{attempt_folder(spec)}/{step_name(member)}"


def inside(spec: JobSpec) -> str:
    """Return the job's folder as its processes see it."""
    return spec.inside or spec.directory


def below(spec: JobSpec, member: Member) -> str:
    """Return what a member's name adds to the folders of its job."""
    return f"/{member.name}" if is_group(spec) else ""


def log_name(spec: JobSpec, options: dict[str, Any], which: str) -> str:
    """Return the name that the job's details give to a file, with Slurm's ``%`` kept.

    Args:
        spec: The job.
        options: Those of the job or of a member, with their ``job_details``.
        which: ``stdout``, ``stderr``, ``srun_stdout`` or ``srun_stderr``.
    """
    details = options["job_details"]
    title = details["job_name"] or job_title(spec)
    folder = spec.directory.replace("%", "%%")
    return located(details[which], folder, title.replace("%", "%%").replace("/", "_"))


def batch_output(spec: JobSpec, which: str) -> str:
    """Return the file that sbatch is told for what the batch script says, with its ``%``.

    Slurm makes no folders, and one whose name holds the job's id cannot be made before there is
    one; then the output goes to the job's own folder, and the name becomes a link to it.

    Args:
        spec: The job.
        which: ``stdout`` or ``stderr``.
    """
    name = log_name(spec, dict(spec.options), which)
    if "%" not in posixpath.dirname(name).replace("%%", ""):
        return name
    return posixpath.join(spec.directory.replace("%", "%%"), posixpath.basename(name))


def archive(spec: JobSpec) -> tuple[str, str] | None:
    """Return the tree of a job's code and the archive that holds it; None where none travels.

    What another experiment's ``tunnel.packaging_jobs`` names is such an archive, too, so that
    ``packager.symlink_from_remote_dir`` may be either a folder or one of those.
    """
    if spec.code:
        return spec.code, f"{spec.options['store']}/code/{spec.code}.tar"
    path = str(spec.options.get("symlink_from_remote_dir") or "")
    found = _ARCHIVE.search(path)
    return (found["tree"], path) if found else None


def linked_folder(options: Mapping[str, Any]) -> str:
    """Return the folder on the target that a job's code folder is a link to; empty for none."""
    path = str(options.get("symlink_from_remote_dir") or "")
    return "" if _ARCHIVE.search(path) else path
