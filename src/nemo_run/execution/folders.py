"""Where the files of a job lie in its folder, the same for every place that has files. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member


def is_group(spec: JobSpec) -> bool:
    """Return whether the members have folders of their own."""
    return len(spec.members) > 1 or spec.members[0].directory != spec.directory


def attempt_folder(spec: JobSpec) -> str:
    """Return the folder of the attempt that ``spec`` is for."""
    return f"{spec.directory}/attempts/{spec.attempt}"


def member_folder(spec: JobSpec, member: Member) -> str:
    """Return the folder for what a member leaves in this attempt."""
    folder = attempt_folder(spec)
    return f"{folder}/{member.name}" if is_group(spec) else folder


def log_folder(spec: JobSpec, member: Member) -> str:
    """Return the folder of a member's logs in this attempt."""
    folder = f"{spec.directory}/logs/{spec.attempt}"
    return f"{folder}/{member.name}" if is_group(spec) else folder


def log_file(spec: JobSpec, member: Member, rank: int) -> str:
    """Return the log of one rank in this attempt."""
    return f"{log_folder(spec, member)}/rank-{rank}.log"


OUTPUTS = "outputs"
METRICS = "metrics.jsonl"


def output_folder(member: Member) -> str:
    """Return the folder for what the processes of a member leave, the same in every attempt."""
    return f"{member.directory}/{OUTPUTS}"


def metrics_file(member: Member) -> str:
    """Return the file that rank 0 of a member adds its metrics to, in every attempt."""
    return f"{member.directory}/{METRICS}"


def code_folder(spec: JobSpec) -> str:
    """Return the folder of the code that travels with a job, as its engine sees it."""
    return f"{spec.directory}/code"


def code_archive(spec: JobSpec) -> str:
    """Return the tar file on the target that holds the code of a job."""
    return f"{spec.options['store']}/code/{spec.code}.tar"
