"""The moment between a plan and an experiment: who may start it, and writing it down whole."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nemo_run.exceptions import AlreadyExistsError

from . import environment, store
from .plan import spec_document

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .plan import Plan
    from .record import Record

_RANKS = ("SLURM_PROCID", "RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK")


def rank_of_launcher() -> int:
    """Return which of several equal processes this is, under srun, torchrun or mpirun; else 0."""
    for name in _RANKS:
        text = os.environ.get(name, "")
        if text.isdecimal():
            return int(text)
    return 0


def write_down(
    plan: Plan,
    *,
    own_id: bool,
    base_dir: str | Path | None,
    again: Callable[[str], Plan],
) -> Record:
    """Make the experiment of a plan on disk: all of it, or nothing.

    Args:
        plan: The plan.
        own_id: Whether the user chose the id, so that no other will do.
        base_dir: Where ``experiments/`` lies.
        again: Plans once more under another id, where somebody else had the same idea.

    Raises:
        AlreadyExistsError: There is an experiment with this id.
        StoreError: It could not be written; nothing is left.
    """
    with store.draft(plan.title, plan.experiment, base_dir) as draft:
        if draft.id != plan.experiment:
            if own_id:
                raise AlreadyExistsError(f"There is an experiment {plan.experiment!r} already.")
            plan = again(draft.id)
        _write_files(plan, draft)
        meta = {**environment.describe(), "plan": plan.hash}
        return draft.publish({**meta, "jobs": [job.document for job in plan.jobs]})


def _write_files(plan: Plan, draft: store.Draft) -> None:
    for job in plan.jobs:
        draft.write(f"{job.spec.directory}/spec.json", spec_document(job.spec))
        for member in job.spec.members:
            for name, text in member.files.items():
                draft.write(f"{member.directory}/{name}", text)
