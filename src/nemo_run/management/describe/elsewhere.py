"""Dependencies on jobs that are not of this experiment: of another one, or known to the engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NotFoundError, PlanError

from . import dag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nemo_run.execution.executor import Executor

_ENGINES_OWN = re.compile(r"[a-z_]+://\S+|\d+([_+]\d+)?")


def is_elsewhere(name: str) -> bool:
    """Whether a dependency names a job outside: ``slurm://…``, ``4242`` or ``<id>/<job>``."""
    return bool(_ENGINES_OWN.fullmatch(name)) or "/" in name.strip("/")


def add_to(executor: Executor, edges: Iterable[dag.Edge]) -> None:
    """Let the engine wait for jobs outside of the experiment.

    Args:
        executor: The job's own copy.
        edges: What it waits for.

    Raises:
        PlanError: The executor's engine cannot wait, or the job that is waited for ended so that
            this one can never start.
        NotFoundError: There is no such job.
    """
    for edge in edges:
        handle = _handle(edge)
        if handle is None:
            continue
        waits: Any = getattr(executor, "dependencies", None)
        if not isinstance(waits, list):
            raise PlanError(
                f"A job waits for {edge.job!r}, which is not of its experiment, and the engine of "
                f"{type(executor).__name__} cannot wait for such jobs. Slurm can."
            )
        waits.append(f"{edge.kind}:{handle}")


def _handle(edge: dag.Edge) -> str | None:
    """Return what the engine calls the job; None where it has ended and need not be waited for."""
    if _ENGINES_OWN.fullmatch(edge.job):
        return edge.job
    from nemo_run.management.operations import status
    from nemo_run.management.store.finding import find

    experiment, _, name = edge.job.rpartition("/")
    record = find(experiment)
    job = str(record.job(name)["id"])
    known = status(record).jobs[job]
    if known.state.terminal:
        if dag.allows(edge, known.state):
            return None
        raise PlanError(
            f"A job waits for {edge.job!r} ({edge.kind}), which ended as {known.describe()}, so "
            "this one could never start."
        )
    if not known.handle:
        raise NotFoundError(
            f"A job waits for {edge.job!r}, which its engine does not know yet: it is "
            f"{known.describe()}. Add this one when that one was submitted."
        )
    return known.handle
