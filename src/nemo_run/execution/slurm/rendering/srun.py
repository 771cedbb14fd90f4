"""How the members of a job are started: one srun each. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.execution.quoting import quote
from nemo_run.execution.slurm import layout, macros
from nemo_run.execution.slurm.gpus import gpu_options

from . import containers, facts, members, waiting

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec

_WIDTH = 96


def lines(spec: JobSpec, index: int) -> list[str]:
    """Return the command that starts a member in the background.

    Args:
        spec: The job.
        index: The number of the member.
    """
    member = spec.members[index]
    step = layout.step_script(spec, member).replace(spec.directory, layout.inside(spec), 1)
    words = [
        *_meeting(spec, index),
        "srun",
        *_options(spec, index),
        f"sh {quote(step)}",
        *_messages(spec, index),
    ]
    return wrapped([*words[:-1], f"{words[-1]} &"])


def _messages(spec: JobSpec, index: int) -> list[str]:
    if not waiting.needs_messages(spec):
        return []
    below = quote(layout.below(spec, spec.members[index]) + f"/{layout.SRUN_MESSAGES}")
    return [f'2>"$here"{below}']


def _meeting(spec: JobSpec, index: int) -> list[str]:
    if not facts.needs_port(spec, index):
        return []
    nodes = facts.nodes_of(spec, index)
    address = '"$head_node_ip"' if index == 0 else f'"$(address "${{{nodes}[0]}}")"'
    return [f"MASTER_ADDR={address}", f'MASTER_PORT="$(free_port {index})"']


def _options(spec: JobSpec, index: int) -> list[str]:
    member = spec.members[index]
    options = members.options_of(spec, index)
    found: dict[str, Any] = {
        "job-name": member.name,
        "nodes": member.nodes,
        "ntasks": member.nodes * member.processes_per_node,
        "ntasks-per-node": member.processes_per_node,
        # From Slurm 22.05 on, steps do not take it from the job (srun(1)).
        "cpus-per-task": options.get("cpus_per_task"),
    }
    if "members" in spec.options:
        found |= gpu_options(options, member.processes_per_node)
    words = [f"--{n.replace('_', '-')}={quote(str(v))}" for n, v in found.items() if v is not None]
    return [
        *_place(spec, index),
        *words,
        *_ending(),
        *_logs(spec, index, options),
        *containers.words(spec, options),
        *(macros.expanded(str(word), member) for word in options.get("srun_args", []) or []),
    ]


def _place(spec: JobSpec, index: int) -> list[str]:
    if len(spec.members) == 1:
        return []
    if members.is_heterogeneous(spec):
        found = [f"--het-group={members.component(spec, index)}"]
    else:
        found = []
    member = spec.members[index]
    if member.nodes < members.total_nodes(spec, index):
        nodes = facts.nodes_of(spec, index)
        found.append(f'--nodelist="$(IFS=,; echo "${{{nodes}[*]:0:{member.nodes}}}")"')
    return [*found, "--overlap"]


def _ending() -> list[str]:
    # A process that ended well is no reason to end the others (--wait); one that failed is.
    return ["--kill-on-bad-exit=1", "--wait=0"]


def _logs(spec: JobSpec, index: int, options: dict[str, Any]) -> list[str]:
    folder = f'"${{logs//%/%%}}"{quote(layout.below(spec, spec.members[index]).replace("%", "%%"))}'
    if not layout.below(spec, spec.members[index]):
        folder = '"${logs//%/%%}"'
    found = [f"--output={folder}/rank-0.log"]
    if not options["stderr_to_stdout"]:
        found.append(f"--error={folder}/rank-0.err")
    return [*found, "--open-mode=append"]


def memory_lines(spec: JobSpec) -> list[str]:
    """Return the commands that log the memory in use on all GPUs while the job runs."""
    if not spec.options.get("memory_measure"):
        return []
    found = ["# The memory in use on each node's GPUs, every five seconds."]
    for number, group in enumerate(members.components(spec)):
        nodes = members.total_nodes(spec, group[0])
        place = [f"--het-group={number}"] if members.is_heterogeneous(spec) else []
        words = [
            "srun",
            *place,
            "--overlap",
            "--mem=0",  # the task's step has all memory that the job asked for
            f"--nodes={nodes}",
            f"--ntasks={nodes}",
            "--ntasks-per-node=1",
            '--output="${logs//%/%%}"/memory-%N.log',
            "nvidia-smi",
            "--query-gpu=timestamp,index,memory.total,memory.used",
            "--format=csv",
            "--loop=5 &",
        ]
        found += [*wrapped(words), "memory+=($!)"]
    return found


def memory_end(spec: JobSpec) -> list[str]:
    """Return the line that ends what :func:`memory_lines` started."""
    return ['kill "${memory[@]}" 2>/dev/null'] if spec.options.get("memory_measure") else []


def wrapped(words: list[str]) -> list[str]:
    """Return a command over as many lines as it needs to be read."""
    found = [words[0]]
    for word in words[1:]:
        if len(found[-1]) + len(word) + 1 > _WIDTH and found[-1].strip():
            found[-1] += " \\"
            found.append(f"    {word}")
        else:
            found[-1] += f" {word}"
    return found
