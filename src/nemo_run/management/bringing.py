"""Bringing what jobs leave on other machines into the record: results, errors, logs.

The record has the layout of the target, so that whoever reads it need not know where a job ran.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.backend import Wanted
from nemo_run.execution.folders import metrics_file
from nemo_run.execution.observation import Reason, State

from .plans import holds
from .store import layout
from .store.files import open_file, read_file
from .store.locks import locked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import JobSpec, Token

    from .store.record import Record
    from .store.status import JobStatus

    Logs = tuple[tuple[str, int], ...] | None

_LOCK = "bring.lock"
_WHOLE = "brought"
_PATIENCE = 60.0

TOGETHER = 100
"""How many jobs are brought in one call; each holds a lock, and so an open file, meanwhile."""


def bring(
    record: Record,
    backend: Backend,
    jobs: Iterable[tuple[JobSpec, Logs]],
) -> dict[Token, Exception]:
    """Copy what attempts have left on their targets into the record, one process at a time.

    Args:
        record: The experiment.
        backend: The engine that ran them.
        jobs: Each attempt, with member and rank of its logs; None for how it ended and its
            results.

    Returns:
        Why, for those of which something could not be brought.
    """
    wanted = [Wanted(spec, str(record.job_dir(spec.job)), logs) for spec, logs in jobs]
    # Always in one order, so that no two wait for each other.
    wanted.sort(key=lambda one: one.folder)
    failed: dict[Token, Exception] = {}
    for start in range(0, len(wanted), TOGETHER):
        failed.update(_bring(record, backend, wanted[start : start + TOGETHER]))
    return failed


def _bring(record: Record, backend: Backend, wanted: Sequence[Wanted]) -> dict[Token, Exception]:
    failed: dict[Token, Exception] = {}
    ready, ours = [], set()
    deadline = time.monotonic() + _PATIENCE
    with contextlib.ExitStack() as locks:
        for one in wanted:
            try:
                _check_inside(record, one)
                if one.folder not in ours:
                    locks.enter_context(_alone(Path(one.folder), deadline - time.monotonic()))
                    ours.add(one.folder)
            except (NemoRunError, OSError) as error:
                failed[one.spec.token] = error
            else:
                ready.append(one)
        try:
            failed.update(backend.bring(ready) if ready else {})
        except Exception as error:  # noqa: BLE001 - an engine's failure is one of all its jobs
            failed.update({one.spec.token: error for one in ready})
    return failed


def _check_inside(record: Record, one: Wanted) -> None:
    attempt, spec = one.spec.attempt, one.spec
    below = [f"attempts/{attempt}", f"logs/{attempt}"]
    below += [os.path.relpath(metrics_file(member), spec.directory) for member in spec.members]
    for name in below:
        if not holds(record, f"{one.folder}/{name}"):
            raise NemoRunError(
                f"{one.folder}/{name} leads out of {record.path}: nothing is copied."
            )


def bring_ends(
    record: Record, backend: Backend, jobs: Collection[tuple[JobSpec, JobStatus]]
) -> dict[str, Exception]:
    """Bring how the attempts of submissions ended, and the logs of what failed first.

    Args:
        record: The experiment.
        backend: The engine that ran the jobs.
        jobs: Each job, and how it is now known.

    Returns:
        Why, by job, for those of which something could not be brought.
    """
    ended = [one for spec, known in jobs for one in _attempts(record, spec, known)]
    failed = bring(record, backend, [(spec, None) for spec in ended])
    job_of = {spec.token: spec.job for spec in ended}
    why = {job_of[token]: error for token, error in failed.items()}
    logs = [
        _first_failure(record, spec, known)
        for spec, known in jobs
        if known.state in {State.FAILED, State.LOST} and known.id not in why
    ]
    job_of |= {spec.token: spec.job for spec, _ in logs}
    failed = bring(record, backend, logs)
    return why | {job_of[token]: error for token, error in failed.items()}


def _attempts(record: Record, spec: JobSpec, known: JobStatus) -> Iterator[JobSpec]:
    """Yield the attempts of a submission that are not here; the last one always."""
    first = known.submitted_attempt or known.attempt
    for attempt in range(first, known.attempt + 1):
        folder = layout.attempt_folder(record.path, known.id, attempt)
        # What is there came when it was followed by the next one.
        if attempt == known.attempt or not folder.exists():
            yield dataclasses.replace(spec, attempt=attempt)


def _first_failure(record: Record, spec: JobSpec, known: JobStatus) -> tuple[JobSpec, Logs]:
    from .watch.ranks import failed_ranks

    latest = dataclasses.replace(spec, attempt=known.attempt)
    failed = failed_ranks(record, known, known.attempt) or [(spec.members[0].name, 0)]
    return latest, tuple(failed[:1])


_EXIT = re.compile(r"exit (?P<code>\d+) by (?P<what>.*?)(?:, requeued)?\s*")
_CAUSES = {
    "time limit": Reason.TIME_LIMIT,
    "preemption": Reason.PREEMPTED,
    "node failure": Reason.NODE_FAILURE,
}


def why_ended(record: Record, job: str, attempt: int) -> tuple[Reason, int | None]:
    """Return why an attempt ended, and its exit code, as its exit record in the record says.

    No reason where it has none: its machine died, or nobody could copy it.
    """
    path = layout.attempt_folder(record.path, job, attempt) / "exit"
    try:
        lines = read_file(path).decode("utf-8", "replace").splitlines()
    except OSError:
        return Reason.NONE, None
    found = _EXIT.fullmatch(lines[-1]) if lines else None
    if found is None:
        return Reason.NONE, None
    code = int(found["code"]) % 256
    return _CAUSES.get(found["what"], Reason.EXIT_CODE), code


@contextlib.contextmanager
def _alone(folder: Path, patience: float) -> Iterator[None]:
    """Keep others out who bring the same files: each goes on where the copy ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = open_file(folder / _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        with locked(descriptor, timeout=max(patience, 0.0)):
            yield
    finally:
        os.close(descriptor)


def whole_logs(record: Record, job: str, attempt: int) -> frozenset[tuple[str, int]]:
    """Return member and rank of the logs of an ended attempt that are here to their last byte."""
    try:
        text = read_file(_list_of_whole(record, job, attempt)).decode("utf-8", "replace")
    except OSError:
        return frozenset()
    found = (line.rpartition(" ") for line in text.splitlines())
    return frozenset((name, int(rank)) for name, _, rank in found if rank.isdecimal())


def note_whole(record: Record, job: str, attempt: int, logs: Collection[tuple[str, int]]) -> None:
    """Remember that logs of an ended attempt are here to their last byte: nobody asks again."""
    path = _list_of_whole(record, job, attempt)
    text = "".join(f"{member} {rank}\n" for member, rank in sorted(logs))
    with contextlib.suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = open_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())


def _list_of_whole(record: Record, job: str, attempt: int) -> Path:
    return record.job_dir(job) / "logs" / str(attempt) / _WHOLE
