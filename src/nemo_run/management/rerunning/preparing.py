"""A stored experiment as a new one, ready to run."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.management.looking import looked_at
from nemo_run.management.reset import doubts_of_code
from nemo_run.masking import mask_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.execution.executor import Executor
    from nemo_run.management.experiment import Experiment
    from nemo_run.management.store.record import Record

    from .jobs import Choose


@dataclass(frozen=True)
class Again:
    """A new experiment of stored jobs, not started yet.

    Attributes:
        experiment: It.
        applied: For each job the overrides that were applied to it, secrets covered.
    """

    experiment: Experiment
    applied: Mapping[str, Sequence[str]] = field(default_factory=dict)


def prepared(
    record: Record,
    *,
    overrides: Sequence[str] = (),
    executor: Executor | None = None,
    choose: Choose | None = None,
    called: str = "",
    failed: bool = False,
) -> Again:
    """Return a new experiment of the jobs of a stored one.

    Args:
        record: The experiment.
        overrides: ``key=value``, ``JOB:key=value``, ``run.executor…=…``.
        executor: What runs the jobs instead of their own executors.
        choose: Returns what overrides of the executor make of one.
        called: What the executor is called by whoever asked for it.
        failed: Only the jobs that did not succeed.

    Raises:
        ConfigError: Code cannot be imported here, or an override fits no job.
        PackagingError: The code is not kept any more.
        StoreError: The experiment cannot be read, or there is nothing to run again.
    """
    from nemo_run.management.compare.code import stores
    from nemo_run.management.experiment import Experiment
    from nemo_run.management.watch.manner import Manner

    from .jobs import amend
    from .stored_code import ensure_kept

    if failed:
        looked_at(record)
    experiment = Experiment.of_record(record)
    if not os.access(record.path.parent, os.W_OK):
        # Somebody else's: the new one lies in the home of whoever runs it.
        experiment._base_dir = None  # noqa: SLF001 - ours
    experiment.reset(failed=failed)
    jobs = experiment.jobs
    origins = [member.origin for job in jobs for member in job.members]
    trees = [origin.code.tree for origin in origins if origin and origin.code]
    ensure_kept(trees, stores([record]))
    doubt = doubts_of_code(record, jobs)
    if doubt:
        Manner().say(f"warning: {doubt}")
    applied = amend(jobs, overrides, executor=executor, choose=choose)
    for job in jobs:
        job.assign(experiment.id, experiment._exp_dir)  # noqa: SLF001 - ours
    facts = {
        "rerun_overrides": mask_arguments(list(overrides)),
        "rerun_executor": called or (executor.info() if executor is not None else ""),
    }
    experiment._parent.update({name: said for name, said in facts.items() if said})  # noqa: SLF001
    return Again(experiment, {job: mask_arguments(words) for job, words in applied.items()})
