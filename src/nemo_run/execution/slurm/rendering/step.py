"""The step scripts: what each process of a member runs, perhaps in a container. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.execution.folders import METRICS, OUTPUTS, is_group
from nemo_run.execution.quoting import is_variable, quote
from nemo_run.execution.slurm import layout, macros

from . import fault_tolerance, members, resume, secrets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.execution.jobspec import JobSpec, Member


def step_script(spec: JobSpec, member: Member) -> str:
    """Return the script that each process of a member runs.

    Args:
        spec: The job.
        member: One of its members.
    """
    blocks = [
        _head(member),
        _facts(spec, member),
        _which(spec),
        _log(spec, member),
        resume.step(spec, member),
        fault_tolerance.variables(spec, member),
        _environment(member.environment, member),
        secrets.step(spec, member),
        _program(member),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(member: Member) -> list[str]:
    return [
        "#!/bin/sh",
        f"# What each process of {_comment(member.name)} runs. Written by NeMo Run.",
    ]


def _comment(text: str) -> str:
    return text.encode("unicode_escape").decode()


def _facts(spec: JobSpec, member: Member) -> list[str]:
    folder, below = layout.inside(spec), layout.below(spec, member)
    attempts, logs = quote(f"{folder}/attempts/"), quote(f"{folder}/logs/")
    after = quote(below) if below else ""
    return [
        "# srun(1), output environment variables, in the words that PyTorch reads.",
        'export RANK="$SLURM_PROCID" LOCAL_RANK="$SLURM_LOCALID" NODE_RANK="$SLURM_NODEID"',
        f"export WORLD_SIZE={member.nodes * member.processes_per_node}",
        f"export LOCAL_WORLD_SIZE={member.processes_per_node}",
        f"export NEMORUN_MEMBER={quote(member.name)}",
        f'export NEMORUN_ATTEMPT_DIR={attempts}"$NEMORUN_ATTEMPT"{after}',
        f'export NEMORUN_LOG_DIR={logs}"$NEMORUN_ATTEMPT"{after}',
        f"export NEMORUN_OUTPUT_DIR={quote(f'{folder}{below}/{OUTPUTS}')}",
        f"export NEMORUN_METRICS_FILE={quote(f'{folder}{below}/{METRICS}')}",
    ]


def _which(spec: JobSpec) -> list[str]:
    if not is_group(spec):
        return []
    return [
        "# The batch script ends this step when another member has decided.",
        '[ "$SLURM_PROCID" != 0 ] ||',
        f'    echo "$SLURM_JOB_ID.$SLURM_STEP_ID" >"$NEMORUN_ATTEMPT_DIR/{layout.STEP}"',
    ]


def _log(spec: JobSpec, member: Member) -> list[str]:
    ranks = member.ranks_per_process
    if member.nodes * member.processes_per_node * ranks == 1:
        return []
    options = members.options_of(spec, spec.members.index(member))
    if options["job_details"]["merged"]:
        return ["# Its name says that one log is for all.", "export NEMORUN_ONE_LOG=1"]
    first = '"$SLURM_PROCID"' if ranks == 1 else f"$((SLURM_PROCID * {ranks}))"
    found = [f"export NEMORUN_FIRST_RANK={first}"]
    if member.nodes * member.processes_per_node == 1:
        return found
    log = '"$NEMORUN_LOG_DIR/rank-$NEMORUN_FIRST_RANK'
    errors = "2>&1" if options["stderr_to_stdout"] else f'2>>{log}.err"'
    return [
        "# srun writes the log of the first process, each other one its own.",
        *found,
        '[ "$SLURM_PROCID" = 0 ] ||',
        f'    exec >>{log}.log" {errors}',
    ]


def _environment(environment: Mapping[str, str], member: Member) -> list[str]:
    return [
        f"export {name}={macros.expanded(value, member)}"
        for name, value in environment.items()
        if is_variable(name)
    ]


def _program(member: Member) -> list[str]:
    odd = {n: v for n, v in member.environment.items() if not is_variable(n)}
    through = [f"{quote(n + '=')}{macros.expanded(v, member)}" for n, v in odd.items()]
    command = [macros.expanded(word, member) for word in member.command]
    words = ["exec", *(["env", *through] if through else []), *command]
    return [f"cd {quote(member.working_directory)} || exit", " ".join(words)]
