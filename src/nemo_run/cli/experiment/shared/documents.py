"""The shapes of ``--json``: stable, described in ``docs/experiment.md``. Fields may be added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import CorruptRecordError
from nemo_run.management.watch.logs import log_files

if TYPE_CHECKING:
    from nemo_run.execution.observation import Observation
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus


def status_document(record: Record, status: ExperimentStatus) -> dict[str, Any]:
    """Return an experiment's state and that of its jobs."""
    from nemo_run.management.conductor.charge import taken

    conductor = status.conductor
    return {
        "id": record.id,
        "title": _title(record),
        "state": str(status.state),
        "path": str(record.path),
        "created": status.created,
        "started": status.started,
        "ended": status.ended,
        "cancel_requested": status.cancel_requested,
        "doubt": status.doubt,
        "conductor": conductor
        and {
            "alive": conductor.ended is None and taken(record),
            "pid": conductor.pid,
            "host": conductor.host,
            "started": conductor.started,
            "ended": conductor.ended,
        },
        "jobs": [job_document(record, job) for job in status.jobs.values()],
    }


def _title(record: Record) -> str:
    try:
        return record.title
    except CorruptRecordError:
        # The journal tells the rest, and the folder is named after the title.
        return record.path.parent.name


def job_document(record: Record, job: JobStatus) -> dict[str, Any]:
    """Return one job's state, why it failed if it did, and where its logs lie."""
    from nemo_run.management import failures

    found = failures.of(record, job)
    return {
        "id": job.id,
        **_observation(job.observation),
        "handle": job.handle,
        "submitted": job.submitted,
        "cancel_requested": job.cancel_requested,
        "unbrought": job.unbrought,
        "failure": found.to_json() if found else None,
        "previous": [_observation(seen) for seen in job.previous],
        "members": [{"name": name, **_observation(seen)} for name, seen in job.members],
        "logs": [
            {"member": f.member, "attempt": f.attempt, "rank": f.rank, "path": f.path}
            for f in log_files(record, job.id, max(job.attempt, 1))
        ],
    }


def _observation(seen: Observation) -> dict[str, Any]:
    return {
        "state": str(seen.state),
        "reason": str(seen.reason),
        "exit_code": seen.exit_code,
        "attempt": seen.attempt,
        "message": seen.message,
        "started": seen.started,
        "ended": seen.ended,
    }
