"""What can be done with an experiment on disk, from any process. Runs none of its code."""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError, StoreError
from nemo_run.execution.jobspec import Handle, backend_of
from nemo_run.execution.observation import Observation, State
from nemo_run.execution.registry import get_backend
from nemo_run.invocation import experiment_command

from . import store
from .conductor.charge import is_stopped, taken
from .conductor.launch import start, wait_until_in_charge
from .direct_handles import DIRECT, process_gone
from .looking import looked_at
from .plans import strangers
from .store import events
from .store.ownership import refuse_anothers
from .watch.display import described
from .watch.logs import LogReader
from .watch.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nemo_run.execution.executor import Executor

    from .experiment import Experiment
    from .store.record import Record
    from .store.status import ExperimentStatus, JobStatus


_LEAVING = 5.0
"""Seconds that a process may take to end."""


def status(record: Record) -> ExperimentStatus:
    """Return how an experiment stands.

    While its conductor is there, the journal says it. Of one that its engines finish alone, they
    are asked, and what is new is written down; see :mod:`nemo_run.management.looking`. When the
    conductor was killed, the engines are asked about jobs that were running; nothing is written.

    Raises:
        StoreError: The journal cannot be read.
    """
    known = looked_at(record)
    if known.handed_over or known.copied:
        return known
    going = [job for job in known.jobs.values() if job.handle and not job.state.terminal]
    if not going or taken(record):
        return known
    seen = _looked_up(record, going)
    jobs = {job.id: _overlaid(job, seen.get(job.id)) for job in known.jobs.values()}
    return dataclasses.replace(known, jobs=MappingProxyType(jobs))


def _looked_up(record: Record, jobs: list[JobStatus]) -> dict[str, Observation]:
    found = {job.id: process_gone() for job in jobs if job.handle.startswith(DIRECT)}
    for name, theirs in _by_backend(jobs).items():
        try:
            backend = get_backend(name)
            foreign = strangers(backend, record, theirs)
            seen = backend.poll([Handle(job.handle) for job in theirs if job.id not in foreign])
        except (NemoRunError, OSError, ImportError) as error:
            found.update({job.id: _not_told(job, error) for job in theirs})
            continue
        found.update({j.id: seen[Handle(j.handle)] for j in theirs if Handle(j.handle) in seen})
        found.update(
            {job.id: _not_told(job, foreign[job.id]) for job in theirs if job.id in foreign}
        )
    return found


def _by_backend(jobs: Iterable[JobStatus]) -> dict[str, list[JobStatus]]:
    found: dict[str, list[JobStatus]] = {}
    for job in jobs:
        if job.handle and not job.handle.startswith(DIRECT):
            found.setdefault(backend_of(job.handle), []).append(job)
    return found


def _not_told(job: JobStatus, error: Exception) -> Observation:
    return Observation(State.UNKNOWN, message=f"last seen {job.state}; {error}")


def _overlaid(job: JobStatus, seen: Observation | None) -> JobStatus:
    if seen is None or seen.state in {State.CREATED, State.SUBMITTED}:
        return job
    return dataclasses.replace(
        job,
        state=seen.state,
        attempt=max(job.attempt, seen.attempt),
        reason=seen.reason,
        exit_code=seen.exit_code,
        message=seen.message,
        started=seen.started or job.started,
        ended=seen.ended,
        members=seen.members or job.members,
    )


def notice(record: Record, known: ExperimentStatus) -> str:
    """Return the sentence for an experiment that nobody drives to its end; else nothing.

    Where its engines finish it alone, it says what hinders us to see how it stands, if anything.
    """
    if known.doubt or known.handed_over:
        return known.doubt
    if known.ended is not None or known.started is None or taken(record):
        return ""
    return f"The conductor is gone; resume with: {experiment_command('resume', record.id)}"


def as_dicts(record: Record, known: ExperimentStatus) -> dict[str, dict[str, Any]]:
    """Return the state of each job under the keys that programs know."""
    return {
        document["id"]: {
            "name": document["id"],
            "status": known.jobs[document["id"]].state,
            "executor": document.get("executor", ""),
            "job_id": engine_id(known.jobs[document["id"]]),
            "handle": known.jobs[document["id"]].handle,
            "local_dir": str(record.job_dir(document["id"])),
        }
        for document in record.jobs
        if document["id"] in known.jobs
    }


def engine_id(job: JobStatus) -> str:
    """Return the part of a handle that the engine itself uses.

    That is ``4242`` of ``slurm://host/4242;cluster#/folder``, and where it is a path, the path from
    its root.
    """
    from urllib.parse import unquote

    named = job.handle.partition("://")[2].partition("/")[2]
    own = unquote(named.partition("#")[0].partition(";")[0])
    return f"/{own}" if "/" in own else own


def status_text(record: Record, known: ExperimentStatus) -> str:
    """Return how an experiment stands, to be read."""
    lines = [f"Experiment {record.id}: {known.state}"]
    documents: Mapping[str, Any] = {document["id"]: document for document in record.jobs}
    for job in known.jobs.values():
        lines += [
            f"- {job.id}",
            f"  status:    {described(job)}",
            f"  executor:  {documents.get(job.id, {}).get('executor', '')}",
            f"  job id:    {engine_id(job) or '-'}",
            f"  directory: {record.job_dir(job.id)}",
        ]
    told = notice(record, known)
    return "\n".join([*lines, *([told] if told else [])])


def print_logs(record: Record, job: str, regex: str | None = None) -> None:
    """Write the output of a job so far to standard output.

    Args:
        record: The experiment.
        job: The job's id.
        regex: Only the lines in which this is found.

    Raises:
        NotFoundError: There is no such job.
    """
    import re
    from itertools import chain

    from .watch.display import write_log

    record.job(job)
    wanted = re.compile(regex.encode()) if regex else None
    reader = LogReader(record, [job], Ranks("all"))
    # With the last line, whether it has an end or not: nobody reads on here.
    for piece in chain(reader.read(looked_at(record)), reader.flush()):
        lines = piece.data.splitlines(keepends=True)
        kept = [line for line in lines if wanted is None or wanted.search(line)]
        if kept:
            write_log(sys.stdout, b"".join(kept), "")


def cancel(record: Record, job: str | None = None, *, by: str = "") -> None:
    """Ask for the end of a job, or of all jobs; carried out here if nobody else does.

    Harmless for jobs that have ended, and when done twice.

    Args:
        record: The experiment.
        job: The job's id; None for all.
        by: Who asks.

    Raises:
        NotFoundError: There is no such job.
        StoreError: The request could not be written.
    """
    if job is not None:
        record.job(job)
    refuse_copy(record)
    refuse_anothers(record, "cancel")
    known = record.status()
    concerned = known.jobs.values() if job is None else [known.jobs[job]]
    if all(one.state.terminal for one in concerned):
        _end_leftovers(record, concerned)
        return
    if not all(one.cancel_requested or one.state.terminal for one in concerned):
        record.journal.append([events.job_cancel_requested(job, by or _whoami())])
    _let_leave_if_leaving(record)
    if not taken(record):
        # Somebody has to carry it out; what was not started stays so.
        wait_until_in_charge(record, start(record, only_cancels=True))
    elif is_stopped(known.conductor):
        raise StoreError(_held_up(record, known))


def refuse_copy(record: Record) -> None:
    """Refuse to act on the jobs of a copy: they are those of the original.

    Raises:
        StoreError: It is a copy.
    """
    if record.copied:
        raise StoreError(
            f"{record.copied.sentence} Cancel or resume it there. To run its tasks here, as a new "
            f"experiment: {experiment_command('rerun', record.id)}"
        )


def _held_up(record: Record, known: ExperimentStatus) -> str:
    pid = known.conductor.pid if known.conductor else 0
    return (
        f"The conductor of {record.id}, process {pid}, is there but stopped, so it does not hear "
        f"the request, which is written down. Let it go on with `kill -CONT {pid}`, or end it with "
        f"`kill -9 {pid}` and go on with `{experiment_command('resume', record.id)}`."
    )


def _end_leftovers(record: Record, jobs: Iterable[JobStatus]) -> None:
    """End what jobs have left behind whose leading process was lost.

    Raises:
        CorruptRecordError: A handle is none of this experiment; the others were ended.
    """
    lost = [job for job in jobs if job.state is State.LOST]
    for name, theirs in _by_backend(lost).items():
        backend = get_backend(name)
        foreign = strangers(backend, record, theirs)
        backend.cancel([Handle(job.handle) for job in theirs if job.id not in foreign])
        for error in foreign.values():
            raise error


def resume(record: Record, *, by: str = "") -> None:
    """Go on with an experiment: start its conductor again, or try again what did not succeed.

    Jobs that run are not disturbed, and those that succeeded are not run again.

    Args:
        record: The experiment.
        by: Who asks.

    Raises:
        StoreError: It goes on already, or every job has succeeded, or nothing can be written.
        CorruptRecordError: What says which jobs there are cannot be read; nothing was written.
    """
    _ = record.jobs
    refuse_copy(record)
    refuse_anothers(record, "resume")
    known = looked_at(record)
    if known.ended is not None or known.handed_over:
        _let_leave(record)
        known = record.status()
    conductor = known.conductor
    # One that only carries out a cancel goes on with the rest when it reads that it shall.
    if taken(record) and not (conductor and conductor.only_cancels and conductor.ended is None):
        if is_stopped(conductor):
            raise StoreError(_held_up(record, known))
        raise StoreError(f"Experiment {record.id} goes on already; there is nothing to resume.")
    wanted = again(known, by=by or _whoami())
    if known.ended is not None and len(wanted) == 1:
        raise StoreError(
            f"Every job of {record.id} has succeeded; there is nothing to resume. To run all "
            f"of it once more: {experiment_command('rerun', record.id)}"
        )
    record.journal.append(wanted)
    wait_until_in_charge(record, start(record, hand_over=True))


def again(known: ExperimentStatus, *, by: str) -> list[events.Event]:
    """Return the events by which an experiment goes on, or is tried again where it has ended."""
    retried = [
        events.job_retried(job.id, job.attempt and job.attempt + 1, because="resumed")
        for job in known.jobs.values()
        if known.ended is not None and job.state is not State.SUCCEEDED
    ]
    return [events.experiment_resumed(by), *retried]


def _let_leave_if_leaving(record: Record) -> None:
    """Wait for a conductor that heard of nothing that was written after its last word."""
    conductor = record.status().conductor
    if conductor is not None and conductor.ended is not None:
        _let_leave(record)


def _let_leave(record: Record) -> None:
    """Wait for a conductor that has written its last event, and is about to end."""
    deadline = time.monotonic() + _LEAVING
    while taken(record) and time.monotonic() < deadline:
        time.sleep(0.01)


def rerun(
    record: Record,
    *,
    overrides: Sequence[str] = (),
    executor: Executor | None = None,
    failed: bool = False,
) -> Experiment:
    """Run the stored tasks once more as a new experiment, and return that at once.

    The code that traveled with them is used again, byte for byte. Of tasks that no code traveled
    with, what they import is taken as it is now; a warning says where that may have changed.

    Args:
        record: The experiment.
        overrides: What is different: ``model.lr=1e-3`` in all jobs that have such a key,
            ``JOB:model.lr=1e-3`` in one. Which keys there are, and what a value may be, the code
            of then says.
        executor: What runs all jobs, instead of what ran them then.
        failed: Only the jobs that did not succeed. The others' results stay where they are.

    Raises:
        ConfigError: The code of a task or an executor cannot be imported here, or an override
            fits no job.
        PackagingError: The code is not kept any more.
        StoreError: Something could not be read or written; with ``failed``, there is nothing to
            run again, or the experiment is not over.
    """
    from .rerunning.preparing import prepared

    again = prepared(record, overrides=overrides, executor=executor, failed=failed)
    again.experiment.run(detach=True)
    return again.experiment


def delete(record: Record, *, force: bool = False) -> None:
    """Remove an experiment with all its files.

    Raises:
        StoreError: It is not over; with ``force`` it is removed all the same.
    """
    if not force:
        # It may be over by now, and nobody has looked.
        looked_at(record)
    store.delete(record, force=force)


def _whoami() -> str:
    return f"process {os.getpid()} on {platform.node()}"
