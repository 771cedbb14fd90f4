"""Bringing what jobs leave on other machines into the record: results, errors, logs.

The record has the layout of the target, so that whoever reads it need not know where a job ran.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import Reason, State

from .plans import holds
from .store import layout
from .store.files import open_file, read_file
from .store.locks import locked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import JobSpec

    from .store.record import Record
    from .store.status import JobStatus

_LOCK = "bring.lock"
_WHOLE = "brought"
_PATIENCE = 60.0


def bring(
    record: Record,
    backend: Backend,
    spec: JobSpec,
    logs: Collection[tuple[str, int]] | None = None,
) -> None:
    """Copy what an attempt has left on its target into the record, one process at a time.

    Args:
        record: The experiment.
        backend: The engine that ran it.
        spec: The job; ``spec.attempt`` is the attempt.
        logs: Member and rank of logs; None for how it ended and its results.

    Raises:
        NemoRunError: The target cannot be reached.
        OSError: The record cannot be written.
    """
    folder = record.job_dir(spec.job)
    for below in ("attempts", "logs"):
        if not holds(record, folder / below / str(spec.attempt)):
            raise NemoRunError(f"{folder / below} leads out of {record.path}: nothing is copied.")
    with _alone(folder):
        backend.bring(spec, str(folder), logs)


def bring_end(record: Record, backend: Backend, spec: JobSpec, known: JobStatus) -> None:
    """Bring how the attempts of a submission ended, and the log of what failed first.

    Args:
        record: The experiment.
        backend: The engine that ran it.
        spec: The job.
        known: The job as it is now known.

    Raises:
        NemoRunError: The target cannot be reached.
        OSError: The record cannot be written.
    """
    from .watch.ranks import failed_ranks

    first = known.submitted_attempt or known.attempt
    for attempt in range(first, known.attempt + 1):
        if (
            attempt < known.attempt
            and layout.attempt_folder(record.path, known.id, attempt).exists()
        ):
            # It came when it was followed by the next one.
            continue
        bring(record, backend, dataclasses.replace(spec, attempt=attempt))
    if known.state not in {State.FAILED, State.LOST}:
        return
    latest = dataclasses.replace(spec, attempt=known.attempt)
    failed = failed_ranks(record, known, known.attempt) or [(spec.members[0].name, 0)]
    bring(record, backend, latest, failed[:1])


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
def _alone(folder: Path) -> Iterator[None]:
    """Keep others out who bring the same files: each goes on where the copy ends."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = open_file(folder / _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        with locked(descriptor, timeout=_PATIENCE):
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
