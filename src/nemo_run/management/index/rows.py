"""One line of the list of experiments: what it says, and how it is read from the folder."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command
from nemo_run.management import marks
from nemo_run.management.store import ids, layout
from nemo_run.management.store.record import Record

from . import facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nemo_run.management.store.status import ExperimentStatus


class Row(NamedTuple):
    """What the list says of one experiment.

    Attributes:
        id: Its id.
        title: Its title; of a damaged one, the name of the title's folder.
        path: Its folder.
        created: When it was made, in seconds since the epoch.
        state: Where it stands; UNKNOWN if it is damaged.
        jobs: How many jobs it has.
        succeeded: How many of them succeeded.
        failed: How many of them failed or were lost.
        started: When it was started.
        ended: When it ended.
        user: Who made it.
        error: What is wrong with its files; else empty.
        tags: What it is tagged with.
        note: What somebody noted about it.
        executors: The kinds of executors of its jobs.
        rerun_of: The id of the experiment that it repeats, if it does.
    """

    id: str
    title: str
    path: str
    created: float
    state: State
    jobs: int = 0
    succeeded: int = 0
    failed: int = 0
    started: float | None = None
    ended: float | None = None
    user: str = ""
    error: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    executors: tuple[str, ...] = ()
    rerun_of: str = ""


class JobEntry(NamedTuple):
    """What the index keeps of one job.

    Attributes:
        name: Its id.
        state: Where it stands.
        executor: The kind of its executor.
        facts: Its parameters and results.
    """

    name: str
    state: State
    executor: str
    facts: Mapping[str, facts.Fact]


class Entry(NamedTuple):
    """What the index keeps of one experiment.

    Attributes:
        folder: That of its title.
        stamp: Of when it was read.
        row: Its line.
        jobs: Its jobs.
    """

    folder: str
    stamp: Stamp
    row: Row
    jobs: tuple[JobEntry, ...]


Stamp = tuple[int, int, int, int]
"""What tells whether anything happened since: the size and the time of an experiment's journal,
what tells its marks from others, and what tells results that come without a word in the journal
(``SETTLED`` where none can)."""

SETTLED = -1
NEVER: Stamp = (-2, -2, -2, -2)
"""The stamp of nothing that is there."""

_NO_JOURNAL = (-1, -1)
_NO_MARKS = -1
# So long after its end, nothing comes any more without a line in the journal: seconds.
_SETTLING = 3600.0
# A job that succeeded and has a task that returns something may be sent its result by hand.
_WAITING = 7 * 86400.0
_MOST_LOOKED_AT = 200
_OF_RUNS = frozenset({"attempts", "logs", "configs", "scripts", "outputs", "secrets"})


def experiments_in(folder: str) -> set[str]:
    """Return the paths of the experiments in a title's folder.

    A folder that holds neither of an experiment's two files is none: somebody else put it there,
    or an older program that uses the same home.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            paths = [e.path for e in entries if not e.name.startswith(".") and e.is_dir()]
    except FileNotFoundError:
        return set()
    return {path for path in paths if _is_experiment(path)}


def _is_experiment(path: str) -> bool:
    return any(os.path.lexists(f"{path}/{name}") for name in (layout.JOURNAL, layout.META))


def stamp(path: str, before: Stamp | None = None) -> Stamp | None:
    """Return what tells the present state of an experiment; None if its files are gone.

    Args:
        path: Its folder.
        before: What it was when it was read; of one that was settled, results are not looked for.
    """
    # The plain functions of os, for this runs 10,000 times a list.
    try:
        found = os.stat(f"{path}/{layout.JOURNAL}")  # noqa: PTH116
        journal = found.st_size, found.st_mtime_ns
    except OSError:
        if not os.path.lexists(f"{path}/{layout.META}"):
            return None
        journal = _NO_JOURNAL
    try:
        marked = os.stat(f"{path}/{marks.FILE}")  # noqa: PTH116
        # Each change makes a new file.
        written = (marked.st_mtime_ns ^ marked.st_ino) & 0x7FFFFFFFFFFFFFFF
    except OSError:
        written = _NO_MARKS
    late = SETTLED if before is not None and before[3] == SETTLED else _late(path)
    return (*journal, written, late)


def _late(path: str) -> int:
    """Return what changes when a job's result or metrics do."""
    total = 0
    for number, folder in enumerate(_job_folders(f"{path}/{layout.JOBS}")):
        if number >= _MOST_LOOKED_AT:
            break
        for file in ("", "/metrics.jsonl"):
            try:
                found = os.stat(folder + file)  # noqa: PTH116
            except OSError:
                continue
            total += found.st_mtime_ns + found.st_size * bool(file)
    return total & 0x3FFFFFFFFFFFFFFF


def _job_folders(jobs: str) -> Iterator[str]:
    for job in _folders(jobs):
        yield job.path
        yield from (m.path for m in _folders(job.path) if m.name not in _OF_RUNS)


def _folders(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []


def read(folder: str, path: str, found: Stamp) -> Entry:
    """Return what the index keeps of an experiment, damaged or not.

    Args:
        folder: That of its title.
        path: Its own.
        found: Its stamp, from before it is read.
    """
    record = Record(path)
    try:
        return _entry(folder, record, found)
    except StoreError as error:
        row = _damaged(record, str(error))
    except Exception as error:  # noqa: BLE001 - the damage of one must not hide all the others
        why = f"The experiment {record.path} cannot be read ({type(error).__name__}: {error})."
        row = _damaged(record, why)
    return Entry(folder, found, row, ())


def _entry(folder: str, record: Record, found: Stamp) -> Entry:
    meta = record.meta
    if not record.journal.path.exists():
        raise CorruptRecordError(
            f"The experiment {record.path} has no journal ({layout.JOURNAL}), so nobody can tell "
            "what became of it. Restore the file from a backup, or remove the experiment with "
            f"`{experiment_command('delete', record.id)}`."
        )
    status = record.status()
    jobs = tuple(_jobs(record, status))
    states = list(status.states.values())
    marked = marks.read(record)
    row = Row(
        id=record.id,
        title=record.title,
        path=str(record.path),
        created=record.created,
        state=status.state,
        jobs=len(states),
        succeeded=states.count(State.SUCCEEDED),
        failed=states.count(State.FAILED) + states.count(State.LOST),
        started=status.started,
        ended=status.ended,
        user=str(meta.get("user") or ""),
        tags=marked.tags,
        note=marked.note,
        executors=tuple(sorted({job.executor for job in jobs if job.executor})),
        rerun_of=str(meta.get("rerun_of") or ""),
    )
    if _is_settled(record, status):
        found = (*found[:3], SETTLED)
    return Entry(folder, found, row, jobs)


def _jobs(record: Record, status: ExperimentStatus) -> Iterator[JobEntry]:
    known = facts.by_job(record)
    for job in record.jobs:
        name = str(job["id"])
        one = status.jobs.get(name)
        state = one.state if one else State.UNKNOWN
        yield JobEntry(name, state, str(job.get("executor") or ""), known.get(name, {}))


def _is_settled(record: Record, status: ExperimentStatus) -> bool:
    """Whether everything that can come will be told by the journal."""
    now = time.time()
    if status.started is None:
        return now - record.created > _SETTLING
    if not all(state.terminal for state in status.states.values()):
        return False
    spent = now - (status.ended or status.started)
    return spent > _WAITING or (spent > _SETTLING and not _lacks_results(record, status))


def _lacks_results(record: Record, status: ExperimentStatus) -> bool:
    done = (job for job, state in status.states.items() if state is State.SUCCEEDED)
    return any(not (record.job_dir(job) / "result.json").exists() for job in done)


def _damaged(record: Record, error: str) -> Row:
    made = ids.time_of(record.id) or 0
    return Row(
        id=record.id,
        title=record.path.parent.name,
        path=str(record.path),
        created=made / 1e9,
        state=State.UNKNOWN,
        error=error,
    )
