"""How many GPUs, in the words that a cluster wants to hear. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def gpu_options(options: Mapping[str, Any], tasks: int) -> dict[str, Any]:
    """Return the options of sbatch or srun that ask for GPUs.

    Args:
        options: Those of the job or of a member.
        tasks: Processes on each node.
    """
    given = {name: options.get(name) for name in ("gres", "gpus_per_node", "gpus_per_task")}
    via = options.get("gpus_via")
    if via is None:
        return given
    count = given["gpus_per_node"]
    if count is None and given["gpus_per_task"] is not None:
        count = given["gpus_per_task"] * tasks
    if via == "none" or count is None:
        return {"gres": given["gres"]}
    if via == "gres":
        return {"gres": _added(given["gres"], f"gpu:{count}")}
    if via == "gpus-per-task":
        return {"gres": given["gres"], "gpus_per_task": -(-count // tasks)}
    return {"gres": given["gres"], "gpus_per_node": count}


def _added(gres: str | None, gpus: str) -> str:
    if not gres:
        return gpus
    return gres if "gpu" in gres else f"{gres},{gpus}"
