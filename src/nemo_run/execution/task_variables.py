"""The variables of a task's processes, and which of them are secrets. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import environment as variables
from . import secret_plans
from .commands import launcher_variables, starts_ranks
from .scripts import is_script

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .launcher import Launcher
    from .planning import TaskRequest
    from .target import Target

_DEBUG = {
    "CUDA_LAUNCH_BLOCKING": "1",
    "NCCL_DESYNC_DEBUG": "1",
    "TORCH_DISTRIBUTED_DEBUG": "DETAIL",
    "TORCH_SHOW_CPP_STACKTRACES": "1",
}


def variables_of(
    task: TaskRequest, launcher: Launcher, target: Target
) -> tuple[dict[str, str], secret_plans.Sources]:
    """Return the plain variables of a task's processes, and those that are secrets.

    Args:
        task: The task.
        launcher: What starts its processes.
        target: Where they run.

    Raises:
        PlanError: A name or a value that no environment can hold.
    """
    # A log in a file is written in blocks, and a dying process loses its last one.
    found = {"PYTHONUNBUFFERED": "1", **launcher_variables(launcher)}
    if starts_ranks(launcher) and task.executor.packager.debug:
        found |= _DEBUG
    layers = [(found, {}), _layer(task.executor.env_vars, f"env_vars of {task.name!r}")]
    if is_script(task.task):
        layers.append(_layer(task.task.env, f"Script.env of {task.name!r}"))
    else:
        layers.append(({}, secret_plans.of_arguments(task.task)))
    plain, sources = secret_plans.joined(layers)
    return {name: target.localized(value) for name, value in plain.items()}, sources


def _layer(
    given: Mapping[str, Any] | None, where: str
) -> tuple[dict[str, str], secret_plans.Sources]:
    plain, sources = secret_plans.split(given, where)
    return variables.checked(plain, where), sources
