"""The batch script: what Slurm runs on the first node of a job. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.folders import is_group
from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout

from . import code, facts, fault_tolerance, links, resume, secrets, srun, waiting
from .header import header

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec

_WHO = """\
# Job {job} of experiment {experiment}. Written by NeMo Run; what each process runs is in step-*.sh.

job={folder}
# Slurm runs this script again when it requeues the job; each run is an attempt of its own.
attempt=$(({attempt} + ${{SLURM_RESTART_COUNT:-0}}))
here=$job/attempts/$attempt
logs=$job/logs/$attempt
"""

_FOLDERS = """\
(umask 077 && mkdir -p {folders}) || exit
echo "started $(date +%s)" >"$here/{started}"

# Writes down how the attempt ended.
record() {{{first_failure}
    echo "exit $1 by $2" >"$here/{exit}.new" && mv "$here/{exit}.new" "$here/{exit}"
}}

finish() {{
    record "$1" "$2"{forget}
    exit "$1"
}}

# Asked to end, we wait for the steps, which Slurm asks as well, and write down how they ended.
trap : HUP INT TERM
"""

# Where the executor has an array of its own, its tasks share the record.
_FIRST_FAILURE = """
    # Of the tasks of the array, one that failed is what counts.
    case $(cat "$here/{exit}" 2>/dev/null) in '' | 'exit 0 '*) ;; *) return ;; esac"""


def batch_script(spec: JobSpec) -> str:
    """Return the batch script of a job.

    Args:
        spec: The job.
    """
    blocks = [
        ["#!/bin/bash", *header(spec)],
        _who(spec),
        _exports(spec),
        _folders(spec),
        resume.prologue(spec),
        links.lines(spec),
        code.lines(spec),
        facts.lines(spec),
        waiting.functions(spec),
        _setup(spec),
        srun.memory_lines(spec),
        *_steps(spec),
        srun.memory_end(spec),
        fault_tolerance.results(spec),
        resume.epilogue(spec),
        ['finish "$code" "$by"'],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def comment(text: str) -> str:
    """Return ``text`` as part of a comment: on one line, whatever it holds."""
    return text.encode("unicode_escape").decode()


def _who(spec: JobSpec) -> list[str]:
    text = _WHO.format(
        job=comment(spec.job),
        experiment=comment(spec.experiment),
        folder=quote(spec.directory),
        attempt=spec.attempt,
    )
    return text.rstrip("\n").split("\n")


def _exports(spec: JobSpec) -> list[str]:
    token = spec.token.rpartition("/")[0]
    return [
        f'export NEMORUN_TOKEN={quote(token + "/")}"$attempt"',
        f"export NEMORUN_EXPERIMENT_ID={quote(spec.experiment)}",
        f"export NEMORUN_JOB={quote(spec.job)}",
        'export NEMORUN_ATTEMPT="$attempt"',
        f"export NEMORUN_JOB_DIR={quote(layout.inside(spec))}",
    ]


def _folders(spec: JobSpec) -> list[str]:
    folders = ['"$here"', '"$logs"']
    if is_group(spec):
        names = [quote(member.name) for member in spec.members]
        folders = [f'"${place}"/{name}' for place in ("here", "logs") for name in names]
    text = _FOLDERS.format(
        folders=" ".join(folders),
        started=layout.STARTED,
        exit=layout.EXIT,
        forget=secrets.forget(spec),
        first_failure=_FIRST_FAILURE.format(exit=layout.EXIT) if spec.options.get("array") else "",
    )
    return text.rstrip("\n").split("\n")


def _setup(spec: JobSpec) -> list[str]:
    lines = spec.options.get("setup_lines")
    if not lines:
        return []
    # A "set -e" there would end this script before it has written down how a step ended.
    return ["# The executor's setup_lines.", *lines.rstrip("\n").split("\n"), "set +eu"]


def _steps(spec: JobSpec) -> list[list[str]]:
    if len(spec.members) == 1:
        return [[*srun.lines(spec, 0), *waiting.for_one(spec)]]
    pause = int(spec.options.get("wait_time_for_group_job", 0))
    started = [
        [*srun.lines(spec, index), f"steps[{index}]=$!", *([f"sleep {pause}"] if pause else [])]
        for index in range(len(spec.members))
    ]
    started[-1] = started[-1][:-1] if pause else started[-1]
    return [waiting.before_group(spec), *started, waiting.for_group(spec)]
