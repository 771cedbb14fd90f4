"""What sbatch and srun would refuse hours later, or take for something else. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError, nearest, shown
from nemo_run.execution.environment import check_text
from nemo_run.execution.resume import Resume, limit_seconds, signal_option

if TYPE_CHECKING:
    from collections.abc import Collection

    from .executor import SlurmExecutor
    from .heterogeneous import ResourceRequest

# sbatch(1), --time: minutes, minutes:seconds, hours:minutes:seconds, and the same with days-.
_TIME = re.compile(r"\d+(?::\d{1,2}){0,2}|\d+-\d{1,2}(?::\d{1,2}){0,2}|UNLIMITED|INFINITE", re.I)
# sbatch(1), --mem: a number with an optional unit.
_MEMORY = re.compile(r"\d+(?:\.\d+)?[KMGT]?B?", re.I)
_DEPENDENCIES = ("afterok", "afterany", "afternotok", "after", "aftercorr", "singleton")
_VIA = (None, "gres", "gpus-per-node", "gpus-per-task", "none")

_COUNTS = ("nodes", "ntasks_per_node")
_COUNTS_OR_NONE = (
    "cpus_per_task",
    "cpus_per_gpu",
    "gpus_per_node",
    "gpus_per_task",
    "torchrun_nproc_per_node",
    "segment",
)
_TEXTS = (
    "account",
    "partition",
    "job_name_prefix",
    "qos",
    "comment",
    "constraint",
    "exclude",
    "gres",
    "signal",
    "array",
    "open_mode",
    "network",
    "container_image",
    "setup_lines",
    "python",
)


def check(executor: SlurmExecutor) -> None:
    """Refuse values that mean nothing to Slurm.

    Args:
        executor: The executor.

    Raises:
        PlanError: The sentence names the field, the value and what it may be.
    """
    _check_counts(executor)
    _check_texts(executor)
    _check_time(executor.time)
    for name in ("mem", "mem_per_gpu", "mem_per_cpu"):
        _check_memory(name, getattr(executor, name))
    _check_choice("dependency_type", executor.dependency_type, _DEPENDENCIES)
    _check_choice("gpus_via", executor.gpus_via, _VIA)
    _check_choice("open_mode", executor.open_mode, ("append", "truncate", None))
    _check_parameters(executor.additional_parameters)
    _check_waiting(executor)
    _check_resume(executor)
    _check_member(executor)
    for request in executor.resource_group:
        _check_member(request)


def _check_resume(executor: SlurmExecutor) -> None:
    policy: object = executor.resume
    if policy is None:
        return
    if not isinstance(policy, Resume):
        raise PlanError(
            f"resume of SlurmExecutor is {shown(policy)}; it must be a run.Resume, such as "
            f"run.Resume(max_attempts=5)."
        )
    policy.check()
    before, limit = signal_option(executor.signal, policy).before, limit_seconds(executor.time)
    if limit is not None and before >= limit:
        raise PlanError(
            f"The signal of resume comes {before} seconds before the time limit, which is "
            f"{executor.time}: there would be no time to work in. Give more time, or a smaller "
            f"Resume.signal_before."
        )


def _check_counts(executor: SlurmExecutor) -> None:
    for name in (*_COUNTS, *_COUNTS_OR_NONE):
        value = getattr(executor, name)
        if value is None and name in _COUNTS_OR_NONE:
            continue
        least = 0 if name in ("gpus_per_node", "gpus_per_task") else 1
        if type(value) is not int or value < least:
            raise PlanError(
                f"{name} of SlurmExecutor is {shown(value)}; it must be a whole number from "
                f"{least} up."
            )


def _check_texts(executor: SlurmExecutor) -> None:
    for name in _TEXTS:
        value = getattr(executor, name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise PlanError(
                f"{name} of SlurmExecutor is {shown(value)}, of type {type(value).__name__}; it "
                f"must be text."
            )
        _check_line(f"{name} of SlurmExecutor", value, lines=name == "setup_lines")
    if executor.exclusive is not None and not isinstance(executor.exclusive, (bool, str)):
        raise PlanError(
            f"exclusive of SlurmExecutor is {shown(executor.exclusive)}; it must be True, False "
            f"or a text such as 'user'."
        )


def _check_line(where: str, text: str, *, lines: bool = False) -> None:
    check_text(text, where)
    if not lines and any(sign in text for sign in "\n\r"):
        raise PlanError(f"{where} is {shown(text)}; an option of sbatch is one line.")


def _check_time(time: object) -> None:
    if time is None or (isinstance(time, str) and _TIME.fullmatch(time)):
        return
    hint = ""
    if isinstance(time, int) and not isinstance(time, bool):
        hint = f" Write {str(time)!r} for {time} minutes."
    elif isinstance(time, str) and re.fullmatch(r"\d+(:\d+){3,}", time):
        hint = f" Did you mean {time.replace(':', '-', 1)!r}?"
    raise PlanError(
        f"time of SlurmExecutor is {shown(time)}; Slurm reads minutes ('90'), "
        f"'hours:minutes:seconds' or 'days-hours:minutes:seconds'.{hint}"
    )


def _check_memory(name: str, memory: object) -> None:
    if memory is None or (isinstance(memory, str) and _MEMORY.fullmatch(memory)):
        return
    if type(memory) is int and memory >= 0:
        return
    raise PlanError(
        f"{name} of SlurmExecutor is {shown(memory)}; it must be a number with a unit, such as "
        f"'80G', or '0' for all of it."
    )


def _check_choice(name: str, value: object, choices: Collection[str | None]) -> None:
    if value in choices:
        return
    names = [choice for choice in choices if choice is not None]
    hint = nearest(value, names) if isinstance(value, str) else ""
    raise PlanError(
        f"{name} of SlurmExecutor is {shown(value)}; it must be one of "
        f"{', '.join(map(repr, names))}.{hint}"
    )


def _check_parameters(given: object) -> None:
    if given is None:
        return
    if not isinstance(given, dict):
        raise PlanError(
            f"additional_parameters of SlurmExecutor is {shown(given)}; it must be a dict of "
            f"options of sbatch, such as {{'reservation': 'mine'}}."
        )
    for name, value in given.items():
        where = f"additional_parameters[{name!r}] of SlurmExecutor"
        if not isinstance(name, str) or not re.fullmatch(
            r"[A-Za-z][A-Za-z0-9_-]*", name.lstrip("-")
        ):
            raise PlanError(f"{where} is no name of an option of sbatch.")
        if isinstance(value, (list, tuple, dict, set)):
            raise PlanError(
                f"{where} is {shown(value)}; it must be one text, as sbatch wants to read it."
            )
        _check_line(where, str(value))


def _check_waiting(executor: SlurmExecutor) -> None:
    for name in ("wait_time_for_group_job", "monitor_group_job_wait_time"):
        value = getattr(executor, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise PlanError(
                f"{name} of SlurmExecutor is {shown(value)}; it must be a whole number of seconds."
            )


def _check_member(request: SlurmExecutor | ResourceRequest) -> None:
    for name in ("srun_args", "container_env"):
        _check_list(name, getattr(request, name))
    _check_list("container_mounts", request.container_mounts)
    if not request.container_image and (request.container_mounts or request.container_env):
        name = "container_mounts" if request.container_mounts else "container_env"
        raise PlanError(
            f"{name} of SlurmExecutor is set, and container_image is not; without a container "
            f"there is nothing to mount into."
        )
    for mount in request.container_mounts or ():
        _check_mount(mount)


def _check_list(name: str, given: Any) -> None:
    if given is None:
        return
    if isinstance(given, str) or not isinstance(given, (list, tuple)):
        raise PlanError(f"{name} of SlurmExecutor is {shown(given)}; it must be a list of texts.")
    for index, word in enumerate(given):
        if not isinstance(word, str):
            raise PlanError(
                f"{name}[{index}] of SlurmExecutor is {shown(word)}; it must be a text."
            )
        check_text(word, f"{name}[{index}] of SlurmExecutor")


def _check_mount(mount: str) -> None:
    parts = mount.split(":")
    if "," in mount or "\n" in mount:
        raise PlanError(
            f"container_mounts of SlurmExecutor has {mount!r}; pyxis separates mounts by commas, "
            f"so no path may hold one. Give each mount as a text of its own."
        )
    absolute = len(parts) > 1 and parts[1].startswith("/")
    if len(parts) not in (1, 2, 3) or not parts[0] or (len(parts) > 1 and not absolute):
        raise PlanError(
            f"container_mounts of SlurmExecutor has {mount!r}; a mount is SOURCE:TARGET or "
            f"SOURCE:TARGET:OPTIONS, with an absolute TARGET, such as '/data:/data:ro'."
        )
