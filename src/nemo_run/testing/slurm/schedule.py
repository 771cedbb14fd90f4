"""Which of the waiting jobs may start, and where. Nothing here starts one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import hostlist
from .dependencies import MET, NEVER, standing
from .model import PENDING, RUNNING, Job, Node

if TYPE_CHECKING:
    from .state import Cluster


def hindrance(cluster: Cluster, job: Job, now: float) -> str:
    """Return why a job may not start wherever there is room; empty when it may.

    The words are those of squeue(1), "JOB REASON CODES".
    """
    if job.held:
        return job.held
    answer = standing(cluster, job)
    if answer != MET:
        return "DependencyNeverSatisfied" if answer == NEVER else "Dependency"
    return "BeginTime" if job.begin > now else beyond(cluster, job)


def beyond(cluster: Cluster, job: Job) -> str:
    """Return why a job may never start in its partition; empty when it may."""
    partition = cluster.partitions[job.partition]
    if job.nodes > len(partition.nodes):
        return "PartitionNodeLimit"
    if partition.max_time is not None and (
        job.time_limit is None or job.time_limit > partition.max_time
    ):
        return "PartitionTimeLimit"
    nodes = [cluster.nodes[name] for name in partition.nodes]
    if job.cpus > max(node.cpus for node in nodes):
        return "PartitionConfig"
    return ""


def throttled(cluster: Cluster, job: Job) -> bool:
    """Return whether the array's ``%`` limit holds a job back."""
    if not job.array_limit:
        return False
    elements = cluster.find(str(job.array_id))
    return sum(other.state == RUNNING or other.pid > 0 for other in elements) >= job.array_limit


def room(cluster: Cluster, job: Job, taken: frozenset[str] = frozenset()) -> list[Node] | None:
    """Return nodes with room for a job, or None."""
    asked = hostlist.expand(job.options.get("nodelist", ""))
    banned = {*hostlist.expand(job.options.get("exclude", "")), *taken}
    names = [name for name in cluster.partitions[job.partition].nodes if name not in banned]
    free = [cluster.nodes[name] for name in names if _fits(cluster.nodes[name], job)]
    chosen = [node for node in free if node.name in asked]
    if len(chosen) < len(asked):
        return None
    chosen += [node for node in free if node.name not in asked]
    if len(chosen) < job.nodes:
        return None
    picked = {node.name for node in chosen[: max(job.nodes, len(asked))]}
    return [cluster.nodes[name] for name in names if name in picked]


def _fits(node: Node, job: Job) -> bool:
    if node.down or node.drained:
        return False
    return node.cpus - node.used_cpus >= job.cpus and len(node.free_gpus) >= job.gpus


def take(job: Job, nodes: list[Node]) -> None:
    """Give nodes to a job."""
    job.node_names = [node.name for node in nodes]
    job.node_gpus = {}
    for node in nodes:
        node.used_cpus += job.cpus
        job.node_gpus[node.name] = [node.free_gpus.pop(0) for _ in range(job.gpus)]


def give_back(cluster: Cluster, job: Job) -> None:
    """Take the nodes of a job back; its names of them stay for the record."""
    for name, gpus in job.node_gpus.items():
        node = cluster.nodes[name]
        node.used_cpus -= job.cpus
        node.free_gpus = sorted([*node.free_gpus, *gpus])
    job.node_gpus = {}


def unavailable(cluster: Cluster, job: Job) -> str:
    """Return the reason of a job that finds no room."""
    partition = cluster.partitions[job.partition]
    off = [name for name in partition.nodes if _off(cluster.nodes[name])]
    if len(partition.nodes) - len(off) < job.nodes:
        return f"ReqNodeNotAvail, UnavailableNodes:{hostlist.compress(off)}"
    return "Resources"


def _off(node: Node) -> bool:
    return node.down or node.drained


def may_start(
    cluster: Cluster, job: Job, now: float, taken: frozenset[str] = frozenset()
) -> list[Node] | None:
    """Return the nodes that a waiting job starts on, or None with its reason set.

    Args:
        cluster: Whose.
        job: Which.
        now: The time.
        taken: Nodes it may not have: components of a heterogeneous job share none.
    """
    if job.state != PENDING or job.pid:
        return None
    job.reason = hindrance(cluster, job, now)
    if job.reason:
        return None
    if job.eligible is None:
        job.eligible = now
    if throttled(cluster, job):
        job.reason = "JobArrayTaskLimit"
        return None
    nodes = room(cluster, job, taken)
    job.reason = "None" if nodes else unavailable(cluster, job)
    return nodes
