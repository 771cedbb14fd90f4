"""What was planned for each job, and which of it belongs to the record that says so.

The files of an experiment may have been written, changed, copied or moved by somebody else. Who
looks at it, cancels it or resumes it must not reach the jobs of other experiments by that: an
engine is given no plan and no handle that names another place than the record's own.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import TYPE_CHECKING

from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.execution.folders import METRICS, OUTPUTS
from nemo_run.execution.jobspec import Handle, JobSpec
from nemo_run.invocation import experiment_command

from .store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from nemo_run.execution.backend import Backend

    from .store.record import Record
    from .store.status import JobStatus


def spec_of(record: Record, job: str) -> JobSpec | None:
    """Return what was planned for ``job``, as the file says; None where nothing was written.

    Raises:
        StoreError: The file is there and cannot be understood.
    """
    path = _path(record, job)
    try:
        return JobSpec.from_json(json.loads(read_file(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise StoreError(f"{path} cannot be understood: {error}.") from error


def own_spec(record: Record, job: str, attempt: int) -> JobSpec:
    """Return what is to be started for one attempt of ``job``.

    Raises:
        StoreError: The plan is missing or cannot be understood.
        CorruptRecordError: It is the plan of another job, or leads out of the record.
    """
    spec = spec_of(record, job)
    if spec is None:
        raise StoreError(f"The plan of job {job!r} is missing: {_path(record, job)}.")
    wrong = _not_own(record, job, spec)
    if wrong:
        raise _foreign_plan(record, job, wrong)
    folder = str(record.job_dir(job))
    for member in spec.members:
        own = {spec.directory, f"{spec.directory}/{member.name}"}
        if member.name in {"", ".", ".."} or "/" in member.name or member.directory not in own:
            raise _foreign_plan(record, job, f"has a member in {member.directory}")
    for path in (f"{folder}/logs/{attempt}", f"{folder}/attempts/{attempt}"):
        if not holds(record, path):
            raise _foreign_plan(record, job, f"leads through a link: {os.path.realpath(path)}")
    return _identified(record, spec)


def _identified(record: Record, spec: JobSpec) -> JobSpec:
    """Return a plan with the identity of its record, where another may use the same folder."""
    if not is_elsewhere(record, spec):
        return spec
    # A record of an earlier version has none.
    return dataclasses.replace(spec, identity=str(record.meta.get("identity") or ""))


# What jobs leave in their folder, and what only we read there.
_NOT_SENT = frozenset(
    {"spec.json", "executor.json", "attempts", "logs", "code", "result.json", "bring.lock"}
    | {"secrets"}
    | {OUTPUTS, METRICS}
)
_RANKS = METRICS.replace(".jsonl", ".rank-")


def with_files(record: Record, spec: JobSpec) -> JobSpec:
    """Return a plan with the files of its members, which lie beside it in the record.

    Raises:
        OSError: One cannot be read.
    """
    members = []
    for member in spec.members:
        below = member.directory[len(spec.directory) :].lstrip("/")
        folder = record.job_dir(spec.job) / below
        others = {"" if m is member else m.name for m in spec.members} if not below else set()
        files = {
            str(path.relative_to(folder)): read_file(path).decode("utf-8", "surrogateescape")
            for top in sorted(folder.iterdir())
            if top.name not in _NOT_SENT | others and not top.name.startswith(_RANKS)
            for path in sorted([top, *top.rglob("*")])
            if path.is_file() and holds(record, path)
        }
        members.append(dataclasses.replace(member, files=files))
    return dataclasses.replace(spec, members=tuple(members))


def is_elsewhere(record: Record, spec: JobSpec) -> bool:
    """Whether a job has its folder on a target of its own, and not in the record."""
    tunnel = spec.options.get("tunnel")
    if not isinstance(tunnel, dict) or not tunnel.get("job_dir"):
        return False
    return not _same(spec.directory, str(record.job_dir(spec.job)))


def _not_own(record: Record, job: str, spec: JobSpec) -> str:
    """Return what is wrong with a plan that is none for this job of this record; else nothing."""
    if (spec.experiment, spec.job) != (record.id, job):
        return f"is the plan of {spec.experiment}/{spec.job}"
    folder = record.job_dir(job)
    if not is_elsewhere(record, spec):
        own = _same(spec.directory, str(folder))
        return "" if own else f"is for a job in {spec.directory}, which lies elsewhere"
    if record.copied:
        return f"is that of the original. {record.copied.sentence.rstrip('.')}"
    # What the record itself is called on the target, wherever the root of that is.
    below = "/".join(folder.parts[-4:])
    if not spec.directory.endswith(f"/{below}") or ".." in spec.directory.split("/"):
        return f"is for a job in {spec.directory}, which is no folder of {below}"
    written_for = record.meta.get("folder")
    if isinstance(written_for, str) and not _same(written_for, str(record.path)):
        return f"was written for {written_for}, and now lies in {record.path}"
    return ""


def strangers(
    backend: Backend, record: Record, jobs: Iterable[JobStatus]
) -> dict[str, CorruptRecordError]:
    """Return the jobs whose handle is none of theirs, and the sentence that says so.

    Args:
        backend: The engine that the handles name.
        record: The experiment.
        jobs: Jobs with a handle of that engine.

    Raises:
        Exception: The engine could not be asked.
    """
    asked = {job.id: _named_by(record, job, backend.name) for job in jobs}
    named = [(spec, Handle(job.handle)) for job in jobs if (spec := asked[job.id]) is not None]
    own = backend.own(named)
    return {
        job.id: _foreign_handle(record, job)
        for job in jobs
        if (spec := asked[job.id]) is None
        or spec.token not in own
        or not holds(record, record.job_dir(job.id) / "attempts" / str(job.attempt))
    }


def _named_by(record: Record, job: JobStatus, backend: str) -> JobSpec | None:
    """Return who a job is: by its place in the record, and on another target by its plan.

    None where that plan is none of this record.
    """
    attempt = job.submitted_attempt or job.attempt
    folder = str(record.job_dir(job.id))
    bare = JobSpec(record.id, job.id, backend, folder, members=(), attempt=attempt)
    try:
        spec = spec_of(record, job.id)
        if spec is None or spec.backend != backend or not is_elsewhere(record, spec):
            return bare
        wrong = _not_own(record, job.id, spec)
    except StoreError:
        return bare
    return None if wrong else _identified(record, dataclasses.replace(spec, attempt=attempt))


def holds(record: Record, path: str | Path) -> bool:
    """Whether a path, which begins with that of the record, leads to a place in it by no link."""
    root, there = str(record.path), os.path.normpath(path)
    if not there.startswith(f"{root}/"):
        return False
    steps = there[len(root) + 1 :].split("/")
    return not any(os.path.islink("/".join([root, *steps[:n]])) for n in range(1, len(steps) + 1))  # noqa: PTH114


def _same(path: str, other: str) -> bool:
    # A home that is a link is written in two ways.
    return path == other or os.path.realpath(path) == os.path.realpath(other)


def _path(record: Record, job: str) -> Path:
    return record.job_dir(job) / "spec.json"


def _foreign_plan(record: Record, job: str, what: str) -> CorruptRecordError:
    return CorruptRecordError(
        f"{_path(record, job)} {what}, so nothing is started. If the experiment was moved or "
        f"copied, run its tasks once more: {experiment_command('rerun', record.id)}"
    )


def _foreign_handle(record: Record, job: JobStatus) -> CorruptRecordError:
    return CorruptRecordError(
        f"{record.journal.path} calls attempt {job.attempt} of {job.id} {job.handle!r}, which is "
        "none of this experiment, so it is left alone. Was it moved, copied or changed?"
    )
