"""From a plan to an experiment that runs: who may start it, writing it down, waiting for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import AlreadyExistsError
from nemo_run.execution.observation import State

from . import store
from .capture import environment
from .describe.plan import spec_document

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .describe.plan import Plan
    from .describe.plugin import Plugin
    from .results import Results
    from .store.record import Record
    from .store.status import ExperimentStatus
    from .watch.manner import Manner

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


def run_record(
    record: Record,
    manner: Manner,
    *,
    detach: bool,
    tail: Sequence[str],
    plugins: Sequence[Plugin],
) -> Results:
    """Start the conductor of an experiment that was written down, and wait for the end.

    Args:
        record: The experiment.
        manner: How much is said.
        detach: Do not wait.
        tail: The jobs whose output is shown.
        plugins: Are told of every event.

    Raises:
        JobFailedError: Jobs did not succeed.
        KeyboardInterrupt: The person left.
        StoreError: The conductor could not be started, or was stopped.
    """
    from .conductor.launch import start, wait_until_in_charge
    from .results import Results, failure

    started = start(record)
    if detach:
        wait_until_in_charge(record, started)
        manner.goodbye_of(record, ended=False)
        return Results(record)
    status = _followed(record, manner, tail=tail, plugins=plugins, started=started)
    if any(job.state is not State.SUCCEEDED for job in status.jobs.values()):
        raise failure(record, status)
    manner.summary_of(status)
    manner.goodbye_of(record, ended=True)
    return Results(record, status)


def _followed(record: Record, manner: Manner, **what: Any) -> ExperimentStatus:
    from . import operations
    from .watch import interrupts
    from .watch.display import choose
    from .watch.follow import Following

    display = choose(record, quiet=manner.quiet)
    try:
        try:
            return Following(record, display, **what).until_end()
        finally:
            display.close()
    except KeyboardInterrupt:
        said = interrupts.leave(record, lambda: operations.cancel(record))
        # Not our decision to end the process, and not a result either.
        raise KeyboardInterrupt(said) from None


def _write_files(plan: Plan, draft: store.Draft) -> None:
    for job in plan.jobs:
        draft.write(f"{job.spec.directory}/spec.json", spec_document(job.spec))
        for member in job.spec.members:
            for name, text in member.files.items():
                draft.write(f"{member.directory}/{name}", text)
