"""Groups whose members ask for different things, in one allocation or in several (hetjobs)."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.config.mixin import ConfigurableMixin
from nemo_run.exceptions import PlanError, shown

from .details import SlurmJobDetails

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.packaging import Packager

    from .executor import SlurmExecutor


@dataclass(kw_only=True)
class ResourceRequest(ConfigurableMixin):
    """What one member of a group asks for; see the fields of ``SlurmExecutor``.

    Attributes:
        het_group_index: Which component of a hetjob it runs on; None for one of its own.
    """

    packager: Packager
    nodes: int
    ntasks_per_node: int
    container_image: str | None = None
    gpus_per_node: int | None = None
    gpus_per_task: int | None = None
    container_mounts: list[str] = field(default_factory=list)
    container_env: list[str] | None = None
    env_vars: dict[str, str] = field(default_factory=dict)
    srun_args: list[str] | None = None
    job_details: SlurmJobDetails = field(default_factory=SlurmJobDetails)
    het_group_index: int | None = None
    # What the reference has not, and a member may ask for as well.
    cpus_per_task: int | None = None
    cpus_per_gpu: int | None = None
    mem: str | None = None
    mem_per_cpu: str | None = None
    mem_per_gpu: str | None = None
    gres: str | None = None
    constraint: str | None = None
    exclude: str | None = None
    partition: str | None = None
    launcher: Any = None
    torchrun_nproc_per_node: int | None = None


_SHARED_BY_COPY = (
    "packager",
    "nodes",
    "ntasks_per_node",
    "container_image",
    "gpus_per_node",
    "gpus_per_task",
    "container_mounts",
    "container_env",
    "env_vars",
    "srun_args",
    "job_details",
    "cpus_per_task",
    "cpus_per_gpu",
    "mem",
    "mem_per_cpu",
    "mem_per_gpu",
    "gres",
    "constraint",
    "exclude",
    "partition",
    "launcher",
    "torchrun_nproc_per_node",
)


def merged(executors: Sequence[SlurmExecutor], tasks: int) -> SlurmExecutor:
    """Return the first executor with a resource request for each task.

    Args:
        executors: One, or as many as there are tasks.
        tasks: How many tasks.

    Raises:
        PlanError: The numbers differ, or the executors cannot make one job.
    """
    if len(executors) not in (1, tasks):
        raise PlanError(
            f"A group of {tasks} tasks has {len(executors)} executors; give one for all, or one "
            f"for each."
        )
    members = list(executors) if len(executors) == tasks else list(executors) * tasks
    whole = copy.deepcopy(members[0])
    indices = group_indices(whole.het_group_indices, tasks) if whole.heterogeneous else None
    whole.resource_group = [
        _request(one, indices[i] if indices else None) for i, one in enumerate(members)
    ]
    whole.run_as_group = True
    _check_containers(members)
    return whole


def _request(executor: SlurmExecutor, index: int | None) -> ResourceRequest:
    given = {name: copy.deepcopy(getattr(executor, name)) for name in _SHARED_BY_COPY}
    return ResourceRequest(**given, het_group_index=index)


def _check_containers(members: Sequence[SlurmExecutor]) -> None:
    images = {bool(one.container_image) for one in members}
    if len(images) > 1:
        raise PlanError(
            "Some members of the group have a container_image and some have none; the job's folder "
            "is /nemo_run in a container only. Give every member an image, or none."
        )


def group_indices(indices: Sequence[int] | None, tasks: int) -> list[int]:
    """Return the component of the hetjob that each task runs on.

    Args:
        indices: As the executor has them; None for a component each.
        tasks: How many tasks.

    Raises:
        PlanError: They do not count up from 0, one for each task.
    """
    if indices is None:
        return list(range(tasks))
    if len(indices) != tasks:
        raise PlanError(
            f"het_group_indices has {len(indices)} numbers, and the group {tasks} tasks; it needs "
            f"one for each."
        )
    for before, index in zip([0, *indices], indices, strict=False):
        if type(index) is not int or index not in (before, before + 1):
            raise PlanError(
                f"het_group_indices is {shown(list(indices))}; it must begin with 0 and go up by "
                f"at most one from task to task, such as [0, 0, 1]."
            )
    if indices[0] != 0:
        raise PlanError(f"het_group_indices is {shown(list(indices))}; it must begin with 0.")
    return list(indices)
