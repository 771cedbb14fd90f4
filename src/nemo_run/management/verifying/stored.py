"""Whether the record itself, its tasks and its copy of the launching script can be read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.reference import Reference
from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.management.capture.stored import task_of
from nemo_run.management.plans import holds, spec_of
from nemo_run.management.store.files import read_file

from .check import Check, count, is_there, some

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nemo_run.management.store.record import Record

_RESTORE = "Restore the file from a backup, or from an export or a remote home that has it."


def record(record: Record) -> Check:
    """Say whether the description, the journal and the plan of each job can be read."""
    try:
        jobs = [str(job["id"]) for job in record.jobs]
        status = record.status()
        for job in jobs:
            if spec_of(record, job) is None:
                return Check("record", "red", f"The plan of job {job!r} is missing.", _RESTORE)
    except StoreError as error:
        return Check("record", "red", str(error), _RESTORE)
    if not jobs:
        return Check("record", "red", "It has no jobs.", "There is nothing to run again.")
    if status.corrupt_lines:
        lines = count(len(status.corrupt_lines), "line")
        says = f"{lines} of the journal cannot be read; the rest can."
        return Check("record", "amber", says, f"Look at {record.journal.path}.")
    says = f"Description, journal and {count(len(jobs), 'plan')} can be read."
    return Check("record", "green", says)


def members(record: Record) -> Iterator[tuple[str, Path]]:
    """Yield the job of each task, and the folder of its files."""
    for job in record.jobs:
        folder, name = record.job_dir(str(job["id"])), str(job["id"])
        if not job.get("group"):
            yield name, folder
            continue
        listed = job.get("members")
        for member in listed if isinstance(listed, list) else []:
            inner = str(member.get("name")) if isinstance(member, dict) else ""
            if holds(record, folder / inner):
                yield name, folder / inner


def configuration(record: Record) -> Check:
    """Say whether tasks and executors can be read, without importing what they name."""
    found = list(members(record))
    wrong = [says for _, folder in found for says in _unreadable(record, folder)]
    if wrong:
        return Check("configuration", "red", " ".join(wrong[:2]), _RESTORE)
    executors = "its executor" if len(found) == 1 else "their executors"
    says = f"{count(len(found), 'task')} and {executors} can be read."
    return Check("configuration", "green", says)


def _unreadable(record: Record, folder: Path) -> Iterator[str]:
    for name in ("task.json", "executor.json"):
        if not holds(record, folder / name):
            yield f"{folder / name} leads out of the record."
            continue
        try:
            task_of(folder / name)
        except CorruptRecordError as error:
            yield str(error)


def launching_script(record: Record) -> Iterator[Check]:
    """Say whether functions of the launching script have the copy that they are read from."""
    wanted = [copy for _, folder in members(record) if (copy := _copy(record, folder))]
    missing = [str(copy) for copy in wanted if not is_there(copy, os.path.isfile)]
    if missing:
        says = f"The copy of the launching script is missing: {some(missing)}."
        yield Check("launching script", "red", says, _RESTORE)
    elif wanted:
        yield Check(
            "launching script", "green", f"Its copy is there for {count(len(wanted), 'task')}."
        )


def _copy(record: Record, folder: Path) -> Path | None:
    """Return where the copy of the launching script lies that a task needs; None if it does not."""
    try:
        settings = json.loads(read_file(folder / "worker.json"))
    except (OSError, ValueError, RecursionError):
        return None  # a script has none
    main = settings.get("main") if isinstance(settings, dict) else None
    path = folder / main if isinstance(main, str) and main else None
    return path if path is not None and holds(record, path) else None


def imported(task: Any) -> set[str]:
    """Return the modules that a stored task names; ``__main__`` is the launching script."""
    from nemo_run.config.graph.node import is_node

    found: set[str] = set()
    rest = [task]
    while rest:
        value = rest.pop()
        if is_node(value):
            target = value.__target__  # __fn_or_cls__ would import it
            if isinstance(target, Reference):
                found.add(target.module)
            rest += value.__arguments__.values()
        elif isinstance(value, dict):
            rest += value.values()
        elif isinstance(value, (list, tuple)):
            rest += value
    return found - {"builtins"}
