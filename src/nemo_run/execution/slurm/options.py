"""A SlurmExecutor's fields as plain data, which rendering and the client read. Pure."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING, Any

from nemo_run.execution.commands import starts_ranks
from nemo_run.execution.launcher import FaultTolerance, resolve_launcher

from .checks import check
from .details import named

if TYPE_CHECKING:
    from .executor import SlurmExecutor
    from .heterogeneous import ResourceRequest

# What a member of a group may have for itself.
OF_MEMBER = (
    "partition",
    "constraint",
    "exclude",
    "gres",
    "mem",
    "mem_per_cpu",
    "mem_per_gpu",
    "cpus_per_task",
    "cpus_per_gpu",
    "gpus_per_node",
    "gpus_per_task",
    "container_image",
    "container_mounts",
    "container_env",
    "srun_args",
)
_PLAIN = [
    *OF_MEMBER,
    *(
        "account",
        "job_name_prefix",
        "time",
        "nodes",
        "ntasks_per_node",
        "qos",
        "comment",
        "signal",
        "exclusive",
        "array",
        "open_mode",
        "additional_parameters",
        "heterogeneous",
        "memory_measure",
        "dependencies",
        "dependency_type",
        "wait_time_for_group_job",
        "monitor_group_job",
        "monitor_group_job_wait_time",
        "setup_lines",
        "segment",
        "network",
        "poll_estimated_start_time",
        "gpus_via",
        "stderr_to_stdout",
    ),
]
_OF_TUNNEL = ("job_dir", "host", "user", "port", "identity", "pre_command")


def options_of(executor: SlurmExecutor) -> dict[str, Any]:
    """Return the fields of an executor as JSON data; those that say nothing are left out.

    Args:
        executor: The executor; not changed.

    Raises:
        PlanError: A value that sbatch or srun would not understand.
    """
    check(executor)
    found = {name: _plain(getattr(executor, name)) for name in _PLAIN}
    found["container_image"] = _image(executor, executor.container_image)
    found |= _scaled(executor)
    found["job_details"] = named(executor.job_details)
    found["tunnel"] = _tunnel(executor.way)
    found["symlink_from_remote_dir"] = executor.packager.symlink_from_remote_dir
    found["resume"] = _plain(executor.resume)
    launcher = resolve_launcher(executor.launcher)
    if isinstance(launcher, FaultTolerance):
        found["fault_tolerance"] = {"job_results_file": launcher.job_results_file}
    if executor.resource_group:
        found["members"] = [_member(executor, request) for request in executor.resource_group]
    return {name: value for name, value in found.items() if value not in (None, [], {})}


def _image(executor: SlurmExecutor, image: str | None) -> str | None:
    """Return an image; of files on this machine the whole path, as jobs start elsewhere."""
    from nemo_run.remote import LocalTunnel

    if not image or not isinstance(executor.way, LocalTunnel) or "://" in image:
        return image
    is_file = image.endswith(".sqsh") or image.startswith(("./", "../"))
    return os.path.abspath(image) if is_file else image  # noqa: PTH100 - the text, no links


def _member(executor: SlurmExecutor, request: ResourceRequest) -> dict[str, Any]:
    found = {name: _plain(getattr(request, name)) for name in OF_MEMBER}
    return {
        **found,
        "container_image": _image(executor, request.container_image),
        **_scaled(request),
        "nodes": request.nodes,
        "ntasks_per_node": request.ntasks_per_node,
        "job_details": named(request.job_details),
        "het_group": request.het_group_index,
    }


def _scaled(request: SlurmExecutor | ResourceRequest) -> dict[str, Any]:
    """Return what each process asks for, where one starts the ranks of a whole node."""
    ranks = request.ntasks_per_node
    if not starts_ranks(resolve_launcher(request.launcher)) or request.torchrun_nproc_per_node:
        return {}
    names = ("cpus_per_task", "gpus_per_task")
    return {n: getattr(request, n) * ranks for n in names if getattr(request, n) is not None}


def _tunnel(tunnel: Any) -> dict[str, Any]:
    found = {name: _plain(getattr(tunnel, name, None)) for name in _OF_TUNNEL}
    from nemo_run.remote import LocalTunnel

    kind = "local" if isinstance(tunnel, LocalTunnel) else "ssh"
    return {"kind": kind, **{name: value for name, value in found.items() if value is not None}}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)
