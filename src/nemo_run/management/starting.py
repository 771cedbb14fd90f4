"""From a plan to an experiment that runs: who may start it, writing it down, waiting for it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import AlreadyExistsError
from nemo_run.execution.observation import Reason, State

from . import operations, store
from .capture import environment
from .capture.images import images
from .describe.plan import spec_document
from .store.housekeeping import making

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from nemo_run.exceptions import JobFailedError

    from .describe.plan import Plan
    from .describe.plugin import Plugin
    from .hooks import Hook
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
    parent: Mapping[str, Any] | None = None,
    hooks: Sequence[Hook] = (),
) -> Record:
    """Make the experiment of a plan on disk: all of it, or nothing.

    Args:
        plan: The plan.
        own_id: Whether the user chose the id, so that no other will do.
        base_dir: Where ``experiments/`` lies.
        again: Plans once more under another id, where somebody else had the same idea.
        parent: Of jobs that are run again: ``rerun_of``, the id of the experiment whose jobs these
            are, and what was made different.
        hooks: Who is told what happens.

    Raises:
        AlreadyExistsError: There is an experiment with this id.
        StoreError: It could not be written; nothing is left.
    """
    # Until a record names them, nothing but this keeps the code and the packages from gc.
    with making():
        return _written(plan, own_id, base_dir, again, parent, hooks)


def _written(
    plan: Plan,
    own_id: bool,
    base_dir: str | Path | None,
    again: Callable[[str], Plan],
    parent: Mapping[str, Any] | None,
    hooks: Sequence[Hook],
) -> Record:
    if plan.code is not None:
        plan.code.keep()
    with store.draft(plan.title, plan.experiment, base_dir) as draft:
        if draft.id != plan.experiment:
            if own_id:
                raise AlreadyExistsError(f"There is an experiment {plan.experiment!r} already.")
            plan = again(draft.id)
        _write_files(plan, draft)
        if hooks:
            _write_hooks(hooks, draft)
        # A copy of the record is told from it by where it lies: both name the same jobs.
        meta = {**environment.describe(), "plan": plan.hash, "folder": str(draft.path)}
        named = images(job.spec for job in plan.jobs)
        if named:
            meta["images"] = named
        return draft.publish(
            {**meta, **(parent or {}), "jobs": [job.document for job in plan.jobs]}
        )


def begin_and_follow(
    write: Callable[[], Record],
    manner: Manner,
    *,
    detach: bool,
    tail: Sequence[str],
    plugins: Sequence[Plugin],
) -> Results | JobFailedError:
    """Write an experiment down, start its conductor, and wait for the end.

    Args:
        write: Writes it down.
        manner: How much is said.
        detach: Do not wait.
        tail: The jobs whose output is shown.
        plugins: Are told of every event.

    Returns:
        The results, or the error to raise when jobs did not succeed.

    Raises:
        KeyboardInterrupt: The person left.
        StoreError: The conductor could not be started, or was stopped.
    """
    from .conductor.launch import start, wait_until_in_charge
    from .handing import submitted_as, wait_until_submitted
    from .results import Results, failure
    from .sweep_table import has_sweep
    from .watch import interrupts

    # What is written down is also started: a Ctrl-C in between would leave it to nobody.
    with interrupts.HeldBack() as held:
        record = write()
        started = start(record, hand_over=detach)
        try:
            held.release()
            if detach:
                wait_until_in_charge(record, started)
                status = wait_until_submitted(record, started, manner.warn)
                named = submitted_as(status.jobs.values())
                if named:
                    manner.say(f"submitted: {named}")
                refused = [job for job in status.jobs.values() if job.reason is Reason.START]
                if refused:
                    return failure(record, status, refused)
                manner.goodbye_of(record, ended=False)
                return Results(record)
            status = _followed(record, manner, tail=tail, plugins=plugins, started=started)
        except KeyboardInterrupt:
            # Not our decision to end the process, and not a result either.
            raise interrupts.leave(
                record, lambda: operations.cancel(record), lambda: _followed(record, manner)
            ) from None
    if any(job.state is not State.SUCCEEDED for job in status.jobs.values()):
        return failure(record, status, shown=tail)
    manner.summary_of(status)
    results = Results(record, status)
    if has_sweep(record):
        manner.say(str(results))
    manner.goodbye_of(record, ended=True)
    return results


def _followed(record: Record, manner: Manner, **what: Any) -> ExperimentStatus:
    from .watch.display import choose
    from .watch.follow import Following

    display = choose(record, quiet=manner.quiet)
    try:
        return Following(record, display, **what).until_end()
    finally:
        display.close()


def _write_hooks(hooks: Sequence[Hook], draft: store.Draft) -> None:
    from nemo_run.execution.planning import current_folder

    from .hooks import stored

    cwd = current_folder()
    draft.write(stored.FILE, stored.text(hooks, cwd, [entry or cwd for entry in sys.path]))


def _write_files(plan: Plan, draft: store.Draft) -> None:
    for job in plan.jobs:
        # The record has the layout of the target, wherever that is.
        folder = draft.job_dir(job.spec.job)
        draft.write(folder / "spec.json", spec_document(job.spec))
        for member in job.spec.members:
            below = folder / member.directory[len(job.spec.directory) :].lstrip("/")
            for name, text in member.files.items():
                draft.write(below / name, text)
