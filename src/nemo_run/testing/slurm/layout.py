"""What one srun runs: which task on which node, with what environment (srun(1))."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import hostlist
from .jobenv import file_values, job_variables, step_variables, tasks_on
from .model import Job, Step
from .submission import Caller, Refused

if TYPE_CHECKING:
    from .engine import Engine

# srun(1), "INPUT ENVIRONMENT VARIABLES": what an allocation or the user sets for every srun.
_FROM_ENVIRONMENT = {
    "SLURM_EXPORT_ENV": "export",
    "SLURM_KILL_BAD_EXIT": "kill-on-bad-exit",
    "SLURM_WAIT": "wait",
    "SLURM_LABELIO": "label",
    "SLURM_OPEN_MODE": "open-mode",
    "SLURM_NTASKS_PER_NODE": "ntasks-per-node",
    "SLURM_NTASKS": "ntasks",
    "SLURM_STDOUTMODE": "output",
    "SLURM_STDERRMODE": "error",
}


def with_environment(options: dict[str, str], environment: dict[str, str]) -> dict[str, str]:
    """Return the options with those that come from the environment below them."""
    found = dict(options)
    for variable, name in _FROM_ENVIRONMENT.items():
        if variable in environment and name not in options:
            found[name] = environment[variable]
    return found


def component(
    engine: Engine,
    caller: Caller,
    job: Job,
    typed: dict[str, str],
    command: list[str],
    *,
    step_id: int,
    first_task: int,
) -> tuple[Step, dict[str, Any]]:
    """Return a step of a job, and what srun must know to start its tasks.

    Raises:
        Refused: The job has no such nodes.
    """
    options = with_environment(typed, caller.environment)
    if job.het_id:
        # What the environment says of tasks is another component's.
        options = {**options, **_tasks_of(job, typed)}
    nodes, tasks, said = _nodes_and_tasks(job, typed, options)
    numbers = tasks_on(tasks, len(nodes), int(options.get("ntasks-per-node", "0") or 0))
    step = Step(
        id=step_id,
        name=typed.get("job-name") or command[0].rpartition("/")[2],
        nodes=nodes,
        tasks=tasks,
        start=engine.now(),
        submit_line=" ".join(["srun", *caller.words]),
        launcher=caller.pid,
        containers={key: value for key, value in options.items() if key.startswith("container-")},
    )
    plan = {
        "command": command,
        "options": options,
        "said": said,
        "common": job_variables(engine.cluster, job) | step_variables(step, numbers),
        "files": file_values(job, step=str(step_id)),
        "tasks": list(_tasks(job, options, nodes, numbers, first_task)),
        "kill_wait": engine.cluster.settings.kill_wait,
    }
    return step, plan


def _nodes_and_tasks(
    job: Job, typed: dict[str, str], options: dict[str, str]
) -> tuple[list[str], int, list[str]]:
    names = list(job.node_names)
    if "exclude" in typed:
        banned = set(hostlist.expand(typed["exclude"]))
        names = [name for name in names if name not in banned]
    asked = hostlist.expand(typed.get("nodelist", ""))
    if set(asked) - set(names):
        raise Refused(
            "srun: error: Unable to create step for job "
            f"{job.id}: Requested node configuration is not available"
        )
    names = names[int(typed.get("relative", 0)) :]
    count = int(typed["nodes"].partition("-")[0]) if "nodes" in typed else len(names)
    tasks = int(options.get("ntasks", 0))
    said = []
    if tasks and tasks < count:
        text = f"can't run {tasks} processes on {count} nodes, setting nnodes to {tasks}"
        said.append(f"srun: Warning: {text}")
        count = tasks
    per_node = int(options.get("ntasks-per-node") or 0)
    if per_node and tasks > per_node and per_node * count != tasks:
        said.append(
            f"srun: Warning: can't honor --ntasks-per-node set to {per_node} which doesn't match "
            f"the requested tasks {tasks} with the number of requested nodes {count}. "
            "Ignoring --ntasks-per-node."
        )
        del options["ntasks-per-node"]
    if count > len(names) or _too_many(job, options, count, tasks):
        text = "More processors requested than permitted"
        raise Refused(*said, f"srun: error: Unable to create step for job {job.id}: {text}")
    chosen = (asked + [name for name in names if name not in asked])[:count]
    chosen = [name for name in job.node_names if name in chosen]
    return chosen, tasks or len(chosen) * int(options.get("ntasks-per-node", "1") or 1), said


def _tasks_of(job: Job, typed: dict[str, str]) -> dict[str, str]:
    if {"ntasks", "ntasks-per-node", "nodes"} & typed.keys():
        return {}
    own = {name: job.options[name] for name in ("ntasks-per-node",) if name in job.options}
    return {**own, "ntasks": str(job.tasks)}


def _too_many(job: Job, options: dict[str, str], nodes: int, tasks: int) -> bool:
    if "overcommit" in options:
        return False
    return tasks * int(options.get("cpus-per-task", "1")) > nodes * job.cpus


def _tasks(
    job: Job, options: dict[str, str], nodes: list[str], numbers: list[int], first: int
) -> list[tuple[str, dict[str, str]]]:
    found: list[tuple[str, dict[str, str]]] = []
    at = first
    for index, (node, number) in enumerate(zip(nodes, numbers, strict=True)):
        ranks = ",".join(str(at + local) for local in range(number))
        for local in range(number):
            own = {
                "SLURMD_NODENAME": node,
                "HOSTNAME": node,
                "SLURM_GTIDS": ranks,
                "SLURM_CPUS_ON_NODE": str(job.cpus),
                "SLURM_LOCALID": str(local),
                "SLURM_NODEID": str(index),
                "SLURM_PROCID": str(at + local),
                "SLURM_TOPOLOGY_ADDR": node,
                "SLURM_TOPOLOGY_ADDR_PATTERN": "node",
                **_gpus(job, options, node, local),
            }
            found.append((node, own))
        at += number
    return found


def _gpus(job: Job, options: dict[str, str], node: str, local: int) -> dict[str, str]:
    gpus = job.node_gpus.get(node, [])
    if not gpus or options.get("gpus") == "0" or options.get("gres") == "none":
        return {}
    per_task = options.get("gpus-per-task", job.options.get("gpus-per-task", ""))
    if per_task.isdigit():
        gpus = gpus[local * int(per_task) : (local + 1) * int(per_task)]
    text = ",".join(map(str, gpus))
    return {
        "CUDA_VISIBLE_DEVICES": text,
        "SLURM_JOB_GPUS": text,
        "SLURM_STEP_GPUS": text,
        "SLURM_GPUS_ON_NODE": str(len(gpus)),
    }
