"""The experiments on disk: make one, find one, list them, delete one.

Every experiment is a folder ``<base>/experiments/<title>/<id>``, with ``$NEMORUN_HOME`` as base
unless the user chose another.
"""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError
from nemo_run.invocation import experiment_command

from . import layout, ownership
from .advice import explained
from .drafting import Draft, create, draft
from .finding import catalog, find, find_id, find_title, records
from .ids import new_id
from .layout import FORMAT
from .record import Record

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "FORMAT",
    "Draft",
    "Record",
    "catalog",
    "create",
    "delete",
    "draft",
    "find",
    "find_id",
    "find_title",
    "new_id",
    "records",
    "refuse_running",
    "sweep",
]


def delete(record: Record, *, force: bool = False) -> None:
    """Remove an experiment with all its files. One that is gone already is no error.

    Args:
        record: The experiment.
        force: Also when its jobs may be running; they are not stopped.

    Raises:
        StoreError: Its jobs may be running, or the system refuses.
    """
    ownership.refuse_anothers(record, "delete")
    if not force:
        refuse_running(record)
    # Out of sight first, in one step: nobody sees a part of it, and of two who delete only one
    # gets to the files.
    away = record.path.parent / f"{layout.DELETED}-{os.urandom(8).hex()}"
    try:
        record.path.rename(away)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explained("delete the experiment", record.path, error) from error
    try:
        shutil.rmtree(away)
    except OSError as error:
        after = f"The experiment {record.id} is deleted; remove what is left with `rm -r {away}`."
        raise explained("remove the file", error.filename or away, error, after) from error
    _remove_if_empty(record.path.parent)


def sweep(older_than: float = 24 * 3600.0, now: float | None = None) -> int:
    """Remove what processes that were killed left behind, and return how many things.

    Args:
        older_than: Leave alone what is younger, in seconds.
        now: The time, in seconds since the epoch.
    """
    from . import leftovers

    return leftovers.sweep((time.time() if now is None else now) - older_than)


def refuse_running(record: Record) -> None:
    """Refuse to delete an experiment that is not over.

    Raises:
        StoreError: Its jobs may be running.
    """
    status = record.status()
    if status.copied:
        return
    going = [job.id for job in status.jobs.values() if not job.state.terminal]
    if status.started is not None and going:
        raise StoreError(
            f"Experiment {record.id} is not over: {', '.join(going[:5])}"
            f"{' and others' if len(going) > 5 else ''}. Cancel it first with "
            f"`{experiment_command('cancel', record.id)}`, or delete it with --force; what runs is "
            "then not stopped."
        )


def _remove_if_empty(folder: Path) -> None:
    if folder.parent.name != layout.EXPERIMENTS:
        return
    try:
        folder.rmdir()
    except OSError:
        # Other experiments have this title.
        return
