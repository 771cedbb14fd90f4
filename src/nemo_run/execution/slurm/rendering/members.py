"""The members of a job: what each asks for, and which share machines. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec


def options_of(spec: JobSpec, index: int) -> dict[str, Any]:
    """Return the options of one member: those of the job, where it has none of its own.

    Args:
        spec: The job.
        index: The number of the member.
    """
    whole = dict(spec.options)
    own = whole.pop("members", None)
    return {**whole, **own[index]} if own else whole


def is_heterogeneous(spec: JobSpec) -> bool:
    """Return whether the job has several components (sbatch(1), "hetjob")."""
    return bool(spec.options.get("heterogeneous")) and "members" in spec.options


def component(spec: JobSpec, index: int) -> int:
    """Return the component that a member runs on; 0 where there is only one."""
    return int(options_of(spec, index)["het_group"]) if is_heterogeneous(spec) else 0


def components(spec: JobSpec) -> list[tuple[int, ...]]:
    """Return the numbers of the members that share machines, component by component."""
    found: dict[int, list[int]] = {}
    for index in range(len(spec.members)):
        found.setdefault(component(spec, index), []).append(index)
    return [tuple(found[key]) for key in sorted(found)]


def total_nodes(spec: JobSpec, index: int) -> int:
    """Return how many nodes the component of a member has."""
    together = components(spec)[component(spec, index)]
    return max(spec.members[other].nodes for other in together)


def variable(name: str) -> str:
    """Return a member's name as part of a variable's: ``data-server`` → ``DATA_SERVER``."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper(), flags=re.ASCII)
