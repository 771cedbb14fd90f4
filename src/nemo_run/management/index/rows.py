"""One line of the list of experiments: what it says, and how it is read from the folder."""

from __future__ import annotations

import os
from typing import NamedTuple

from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command
from nemo_run.management.store import ids, layout
from nemo_run.management.store.record import Record


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


Stamp = tuple[int, int]
"""Size and time of an experiment's journal, which tell whether anything happened since."""

_NO_JOURNAL: Stamp = (-1, -1)


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
    return {path for path in paths if stamp(path) is not None}


def stamp(path: str) -> Stamp | None:
    """Return what tells the present state of an experiment; None if its files are gone."""
    # The plain functions of os, for this runs 10,000 times a list.
    try:
        journal = os.stat(f"{path}/{layout.JOURNAL}")  # noqa: PTH116
    except OSError:
        there = os.path.lexists(f"{path}/{layout.META}")
        return _NO_JOURNAL if there else None
    return journal.st_size, journal.st_mtime_ns


def read(path: str) -> Row:
    """Return the row of an experiment, damaged or not."""
    record = Record(path)
    try:
        return _row(record)
    except StoreError as error:
        return _damaged(record, str(error))
    except Exception as error:  # noqa: BLE001 - the damage of one must not hide all the others
        why = f"The experiment {record.path} cannot be read ({type(error).__name__}: {error})."
        return _damaged(record, why)


def _row(record: Record) -> Row:
    meta = record.meta
    if not record.journal.path.exists():
        raise CorruptRecordError(
            f"The experiment {record.path} has no journal ({layout.JOURNAL}), so nobody can tell "
            "what became of it. Restore the file from a backup, or remove the experiment with "
            f"`{experiment_command('delete', record.id)}`."
        )
    status = record.status()
    states = list(status.states.values())
    return Row(
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
    )


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
