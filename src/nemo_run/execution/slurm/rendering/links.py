"""The names that people and programs expect of logs, as links to the logs. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from nemo_run.execution.folders import is_group
from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout

from . import members

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec

# sbatch(1), "filename pattern"; a log that is one file for all tasks is that of task 0.
_PATTERNS = {
    "%%": "%",
    "%j": '"$SLURM_JOB_ID"',
    "%J": '"$SLURM_JOB_ID"',
    "%A": '"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"',
    "%a": '"${SLURM_ARRAY_TASK_ID:-0}"',
    "%x": '"$SLURM_JOB_NAME"',
    "%u": '"$USER"',
    "%N": '"$SLURMD_NODENAME"',
    "%n": "0",
    "%s": "0",
    "%t": "0",
}
_RESTARTS = '"${SLURM_RESTART_COUNT:-0}"'
_PIECE = re.compile(r"%[%jJAaxuNnst]|\$\{?SLURM_RESTART_COUNT(?::-0\})?")


def lines(spec: JobSpec) -> list[str]:
    """Return the lines that link the names of the job's details to its logs.

    Args:
        spec: The job.
    """
    found: dict[str, str] = {}
    options_of_job = dict(spec.options)
    for index, member in enumerate(spec.members):
        options = members.options_of(spec, index)
        kinds = {"srun_stdout": "rank-0.log"}
        if not options["stderr_to_stdout"]:
            kinds["srun_stderr"] = "rank-0.err"
        for kind, file in kinds.items():
            name = _name(spec, index, kind)
            while name in found:
                stem, suffix = posixpath.splitext(name)
                name = f"{stem}-{member.name}{suffix}"
            found[name] = f'"$logs"{quote(layout.below(spec, member) + "/" + file)}'
    for kind in ("stdout",) if spec.options["stderr_to_stdout"] else ("stdout", "stderr"):
        real, name = layout.batch_output(spec, kind), layout.log_name(spec, options_of_job, kind)
        if real != name:
            found[name] = shell_name(real)
    folders = sorted({posixpath.dirname(name) for name in found} - {spec.directory})
    made = [f"mkdir -p {' '.join(map(shell_name, folders))}"] if folders else []
    links = [f"ln -sfn {log} {shell_name(name)}" for name, log in found.items()]
    return ["# The names of the logs under which people look for them.", *made, *links]


def _name(spec: JobSpec, index: int, kind: str) -> str:
    options = members.options_of(spec, index)
    name = layout.log_name(spec, options, kind)
    if not is_group(spec) or options["job_details"]["job_name"]:
        return name
    title = f"{layout.job_title(spec)}-{spec.members[index].name}".replace("%", "%%")
    named = {**options, "job_details": {**options["job_details"], "job_name": title}}
    return layout.log_name(spec, named, kind)


def shell_name(name: str) -> str:
    """Return a file name with Slurm's patterns as a word of the batch script."""
    pieces, end = [], 0
    for found in _PIECE.finditer(name):
        pieces += [_literal(name[end : found.start()]), _PATTERNS.get(found[0], _RESTARTS)]
        end = found.end()
    return "".join([*pieces, _literal(name[end:])])


def _literal(text: str) -> str:
    return quote(text) if text else ""
