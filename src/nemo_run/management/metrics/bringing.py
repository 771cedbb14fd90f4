"""Having the metrics of jobs that run elsewhere in the record before they are read there."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import State
from nemo_run.management.bringing import bring
from nemo_run.management.plans import is_elsewhere, own_spec, spec_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

_NOTHING_YET = frozenset({State.CREATED, State.SUBMITTED, State.PENDING, State.SKIPPED})


def fetch(
    record: Record,
    jobs: Collection[str] | None = None,
    status: ExperimentStatus | None = None,
) -> dict[str, Exception]:
    """Copy what running jobs have logged so far into the record; one round trip to each engine.

    Nothing is asked of jobs on this machine, nor of those whose end was brought: they are here.

    Args:
        record: The experiment.
        jobs: Their ids; by default all.
        status: How it stands, where that is known.

    Returns:
        Why, by job, for those that could not be copied.
    """
    if record.copied:
        return {}  # it does not reach where its jobs ran
    known = (status or record.status()).jobs
    due: dict[str, list[JobSpec]] = {}
    failed: dict[str, Exception] = {}
    for job in jobs if jobs is not None else [str(one["id"]) for one in record.jobs]:
        one = known.get(job)
        if one is None or one.state in _NOTHING_YET or (one.state.terminal and not one.unbrought):
            continue
        try:
            planned = spec_of(record, job)
            if planned is None or not is_elsewhere(record, planned):
                continue
            spec = dataclasses.replace(own_spec(record, job, one.attempt), attempt=one.attempt)
        except (NemoRunError, OSError) as error:
            failed[job] = error
        else:
            due.setdefault(spec.backend, []).append(spec)
    for name, specs in due.items():
        failed |= _fetched(record, name, specs)
    return failed


def _fetched(record: Record, name: str, specs: Collection[JobSpec]) -> dict[str, Exception]:
    from nemo_run.execution.registry import get_backend

    try:
        backend = get_backend(name)
    except (NemoRunError, ImportError) as error:
        return {spec.job: error for spec in specs}
    found = bring(record, backend, [(spec, ()) for spec in specs])
    job_of = {spec.token: spec.job for spec in specs}
    return {job_of[token]: error for token, error in found.items()}
