"""The environment of jobs and of steps, and the file names of their output (sbatch(1), srun(1))."""

from __future__ import annotations

import os
import re
from itertools import groupby
from typing import TYPE_CHECKING

from . import hostlist

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .model import Job, Step
    from .state import Cluster

MARK = "NEMORUN_FAKE_SLURM"
_KEPT = ("HOME", "USER", "LOGNAME", "SHELL", "LANG")


def exported(job: Job, folder: str) -> dict[str, str]:
    """Return what a job gets of the environment it was submitted from (``--export``)."""
    rule = job.options.get("export", job.environment.get("SBATCH_EXPORT", "ALL"))
    parts = rule.split(",")
    own = dict(job.environment)
    if "ALL" not in parts:
        own = {name: job.environment[name] for name in _KEPT if name in job.environment}
        own["PATH"] = f"{folder}/bin:/usr/local/bin:/usr/bin:/bin"
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            own[name] = value
        elif name not in {"ALL", "NONE", "NIL", ""} and name in job.environment:
            own[name] = job.environment[name]
    if rule != "ALL":
        own["SLURM_EXPORT_ENV"] = rule
    # What an outer job left there is not this one's.
    return {name: value for name, value in own.items() if not name.startswith(_LEFT)}


_LEFT = ("SLURM_JOB", "SLURM_STEP", "SLURM_ARRAY", "SLURM_HET", "SLURM_PROCID", "SLURM_RESTART")


def counts(numbers: list[int]) -> str:
    """Return numbers a node as Slurm writes them: ``2(x3),1``."""
    runs = [(number, len(list(run))) for number, run in groupby(numbers)]
    return ",".join(f"{number}(x{times})" if times > 1 else str(number) for number, times in runs)


def tasks_on(tasks: int, nodes: int, per_node: int = 0) -> list[int]:
    """Return how many of the tasks run on each node: in blocks, evenly."""
    if per_node:
        return [max(0, min(per_node, tasks - per_node * at)) for at in range(nodes)]
    return [tasks // nodes + (at < tasks % nodes) for at in range(nodes)]


def job_variables(cluster: Cluster, job: Job) -> dict[str, str]:
    """Return what an allocation tells its processes."""
    per_node = int(job.options.get("ntasks-per-node", 0))
    nodes = job.node_list
    found = {
        "SLURM_CLUSTER_NAME": cluster.name,
        "SLURM_CONF": f"{cluster.folder}/slurm.conf",
        "SLURM_JOBID": str(job.id),
        "SLURM_JOB_ACCOUNT": job.options.get("account", job.user),
        "SLURM_JOB_CPUS_PER_NODE": counts([job.cpus] * len(job.node_names)),
        "SLURM_JOB_GID": str(job.gid),
        "SLURM_JOB_ID": str(job.id),
        "SLURM_JOB_NAME": job.name,
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_JOB_NUM_NODES": str(len(job.node_names)),
        "SLURM_JOB_PARTITION": job.partition,
        "SLURM_JOB_QOS": job.options.get("qos", "normal"),
        "SLURM_JOB_UID": str(job.uid),
        "SLURM_JOB_USER": job.user,
        "SLURM_NNODES": str(len(job.node_names)),
        "SLURM_NODELIST": nodes,
        "SLURM_SUBMIT_DIR": job.submit_directory,
        "SLURM_SUBMIT_HOST": os.uname().nodename,
        "SLURM_TASKS_PER_NODE": counts(tasks_on(job.tasks, len(job.node_names), per_node)),
        MARK: cluster.folder,
    }
    for option, name in _GIVEN.items():
        if option in job.options:
            found[name] = job.options[option]
    if {"ntasks", "ntasks-per-node"} & job.options.keys():
        found["SLURM_NTASKS"] = found["SLURM_NPROCS"] = str(job.tasks)
    if job.restarts:
        found["SLURM_RESTART_COUNT"] = str(job.restarts)
    return found | _array(cluster, job) | _het(cluster, job)


_GIVEN = {
    "ntasks-per-node": "SLURM_NTASKS_PER_NODE",
    "cpus-per-task": "SLURM_CPUS_PER_TASK",
    "cpus-per-gpu": "SLURM_CPUS_PER_GPU",
    "gpus": "SLURM_GPUS",
    "gpus-per-node": "SLURM_GPUS_PER_NODE",
    "gpus-per-task": "SLURM_GPUS_PER_TASK",
    "mem": "SLURM_MEM_PER_NODE",
    "mem-per-cpu": "SLURM_MEM_PER_CPU",
    "mem-per-gpu": "SLURM_MEM_PER_GPU",
}


def _array(cluster: Cluster, job: Job) -> dict[str, str]:
    if job.array_index is None:
        return {}
    indices = sorted(other.array_index or 0 for other in cluster.find(str(job.array_id)))
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    return {
        "SLURM_ARRAY_JOB_ID": str(job.array_id),
        "SLURM_ARRAY_TASK_COUNT": str(len(indices)),
        "SLURM_ARRAY_TASK_ID": str(job.array_index),
        "SLURM_ARRAY_TASK_MAX": str(indices[-1]),
        "SLURM_ARRAY_TASK_MIN": str(indices[0]),
        "SLURM_ARRAY_TASK_STEP": str(step),
    }


def _het(cluster: Cluster, job: Job) -> dict[str, str]:
    if not job.het_id:
        return {}
    components = cluster.het(job.het_id)
    found = {"SLURM_HET_SIZE": str(len(components))}
    for at, component in enumerate(components):
        found[f"SLURM_JOB_ID_HET_GROUP_{at}"] = str(component.id)
        found[f"SLURM_JOB_NODELIST_HET_GROUP_{at}"] = component.node_list
        found[f"SLURM_JOB_NUM_NODES_HET_GROUP_{at}"] = str(len(component.node_names))
        found[f"SLURM_JOB_PARTITION_HET_GROUP_{at}"] = component.partition
        found[f"SLURM_NTASKS_HET_GROUP_{at}"] = str(component.tasks)
        found[f"SLURM_NNODES_HET_GROUP_{at}"] = str(len(component.node_names))
        per_node = int(component.options.get("ntasks-per-node", 0))
        on = tasks_on(component.tasks, max(1, len(component.node_names)), per_node)
        found[f"SLURM_TASKS_PER_NODE_HET_GROUP_{at}"] = counts(on)
    return found


def batch_variables(cluster: Cluster, job: Job) -> dict[str, str]:
    """Return the environment of a job's batch script."""
    first = job.node_names[0]
    gpus = ",".join(map(str, job.node_gpus.get(first, [])))
    own = {
        "ENVIRONMENT": "BATCH",
        "HOSTNAME": first,
        "SLURMD_NODENAME": first,
        "SLURM_CPUS_ON_NODE": str(job.cpus),
        "SLURM_GTIDS": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_PROCID": "0",
        "SLURM_TOPOLOGY_ADDR": first,
        "SLURM_TOPOLOGY_ADDR_PATTERN": "node",
    }
    if gpus:
        own |= {"CUDA_VISIBLE_DEVICES": gpus, "SLURM_JOB_GPUS": gpus}
        own["SLURM_GPUS_ON_NODE"] = str(job.gpus)
    return exported(job, cluster.folder) | job_variables(cluster, job) | own


def step_variables(step: Step, numbers: list[int]) -> dict[str, str]:
    """Return what a step tells all its tasks."""
    return {
        "SLURM_STEPID": str(step.id),
        "SLURM_STEP_ID": str(step.id),
        "SLURM_STEP_NODELIST": hostlist.compress(step.nodes),
        "SLURM_STEP_NUM_NODES": str(len(step.nodes)),
        "SLURM_STEP_NUM_TASKS": str(step.tasks),
        "SLURM_STEP_TASKS_PER_NODE": counts(numbers),
        "SLURM_NTASKS": str(step.tasks),
        "SLURM_NPROCS": str(step.tasks),
        "SLURM_NNODES": str(len(step.nodes)),
        "SLURM_TASKS_PER_NODE": counts(numbers),
    }


def file_name(pattern: str, values: Mapping[str, str]) -> str:
    """Fill in a file name's pattern (sbatch(1), "FILENAME PATTERN").

    Args:
        pattern: With ``%j``, ``%x``, ``%A``, ``%a``, ``%N``, ``%n``, ``%t``, ``%s``, ``%J``,
            ``%u``, ``%b``, ``%%``; ``%4t`` is padded with zeros. A backslash anywhere keeps all.
        values: The letters' values.
    """
    if "\\" in pattern:
        return pattern.replace("\\", "")

    def fill(found: re.Match[str]) -> str:
        width, letter = found[1], found[2]
        if letter == "%":
            return "%"
        text = values.get(letter)
        if text is None:
            return found[0]
        return text.zfill(int(width)) if width and text.isdigit() else text

    return re.sub(r"%(\d*)([A-Za-z%])", fill, pattern)


def file_values(job: Job, node: str = "", step: str = "", task: str = "0") -> dict[str, str]:
    """Return the values of a job's file name patterns."""
    index = job.array_index
    return {
        "A": str(job.array_id or job.id),
        "a": str(index) if index is not None else "4294967294",
        "b": str(index % 10) if index is not None else "4",
        "j": str(job.id),
        "J": f"{job.id}.{step}" if step else str(job.id),
        "N": node,
        "n": str(job.node_names.index(node)) if node in job.node_names else "0",
        "s": step or "batch",
        "t": task,
        "u": job.user,
        "x": job.name,
    }


def output_of(job: Job, stream: str) -> str:
    """Return the file of a batch job's output or error, its pattern not yet filled in."""
    default = "slurm-%A_%a.out" if job.array_id else "slurm-%j.out"
    text = job.options.get("output", default)
    if stream == "error":
        text = job.options.get("error", text)
    return text if text.startswith("/") else f"{job.directory}/{text}"
