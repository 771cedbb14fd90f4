"""The lines that sbatch reads: ``#SBATCH --option=value``. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError
from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout
from nemo_run.execution.slurm.gpus import gpu_options

from . import members, resume

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.execution.jobspec import JobSpec

# Options whose fields have their names.
_FIELDS = (
    "account",
    "partition",
    "time",
    "qos",
    "comment",
    "signal",
    "exclusive",
    "array",
    "open_mode",
    "segment",
    "network",
    "constraint",
    "exclude",
    "mem",
    "mem_per_cpu",
    "mem_per_gpu",
    "cpus_per_task",
    "cpus_per_gpu",
)
# What each component of a hetjob says for itself.
_OF_COMPONENT = (
    "partition",
    "constraint",
    "exclude",
    "mem",
    "mem_per_cpu",
    "mem_per_gpu",
    "cpus_per_task",
    "cpus_per_gpu",
)


def header(spec: JobSpec) -> list[str]:
    """Return the lines with the options of sbatch, sorted; of a hetjob a section a component.

    Args:
        spec: The job.
    """
    options = dict(spec.options)
    groups = members.components(spec)
    first = {**_job(spec, options), **_size(spec, groups[0]), **resume.sbatch_options(spec)}
    lines = _lines(first, _own(options))
    for group in groups[1:]:
        lines += ["#SBATCH hetjob", *_lines(_component(spec, group), {})]
    return lines


def may_be_requeued(spec: JobSpec) -> bool:
    """Return whether Slurm may start the job again by itself."""
    options = {**resume.sbatch_options(spec), **_own(dict(spec.options))}
    return bool(options.get("requeue"))


def job_name(spec: JobSpec) -> str:
    """Return what Slurm calls the job: its prefix and its name."""
    options = spec.options
    name = options["job_details"]["job_name"] or spec.job
    return f"{options.get('job_name_prefix') or ''}{name}"


def _job(spec: JobSpec, options: dict[str, Any]) -> dict[str, Any]:
    if options.get("array") and spec.array is not None:
        raise PlanError(
            f"Job {spec.job!r} is a point of a sweep, which becomes a job array itself, and its "
            f"executor has array={options['array']!r}. Leave array out."
        )
    given = {name: options.get(name) for name in _FIELDS}
    stdout = layout.batch_output(spec, "stdout")
    stderr = layout.batch_output(spec, "stderr")
    if options.get("array"):
        stdout, stderr = (name.replace("%j", "%A_%a") for name in (stdout, stderr))
    return {
        **given,
        "job_name": job_name(spec),
        "comment": options.get("comment") or spec.token,
        "chdir": spec.directory,
        "output": stdout,
        "error": None if options["stderr_to_stdout"] else stderr,
    }


def _size(spec: JobSpec, group: tuple[int, ...]) -> dict[str, Any]:
    """Return how many nodes and processes the members of one component need at most."""
    found = [spec.members[index] for index in group]
    options = members.options_of(spec, group[0])
    tasks = max(member.processes_per_node for member in found)
    return {
        "nodes": max(member.nodes for member in found),
        "ntasks_per_node": tasks,
        **gpu_options(options, tasks),
    }


def _component(spec: JobSpec, group: tuple[int, ...]) -> dict[str, Any]:
    options = members.options_of(spec, group[0])
    return {**{name: options.get(name) for name in _OF_COMPONENT}, **_size(spec, group)}


def _own(options: dict[str, Any]) -> dict[str, Any]:
    given = options.get("additional_parameters", {})
    return {name.lstrip("-").replace("-", "_"): value for name, value in given.items()}


def _lines(found: Mapping[str, Any], own: Mapping[str, Any]) -> list[str]:
    if "requeue" in own or "no_requeue" in own:
        found = {n: v for n, v in found.items() if n not in ("requeue", "no_requeue")}
    both = {**found, **own}
    return [_line(name, both[name]) for name in sorted(both) if _is_said(both[name])]


def _is_said(value: object) -> bool:
    return value is not None and value is not False


def _line(name: str, value: object) -> str:
    option = f"#SBATCH --{name.replace('_', '-')}"
    return option if value is True else f"{option}={sbatch_word(str(value))}"


def sbatch_word(text: str) -> str:
    r"""Return ``text`` as sbatch reads a word of an ``#SBATCH`` line.

    It knows the quotes of a shell, but takes ``\`` as an escape inside of them too.
    """
    return quote(text.replace("\\", "\\\\"))
