"""Values of arguments with telling names that lie in a record in plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nemo_run.management.store.files import read_file
from nemo_run.masking import MASK, is_secret_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.management.store.record import Record


def exposed(record: Record) -> dict[str, list[str]]:
    """Return the names of such arguments for each job that has any.

    A job needs them to be run again, so that they are stored as they are, for the owner alone.
    """
    found: dict[str, list[str]] = {}
    for job in record.jobs:
        names: list[str] = []
        for path in sorted(record.job_dir(str(job["id"])).glob("**/task.json")):
            try:
                names += _names(json.loads(read_file(path)))
            except (OSError, ValueError, RecursionError):
                continue  # whoever reads the record is told
        if names:
            found[str(job["id"])] = sorted(set(names))
    return found


def _names(said: Any) -> Iterator[str]:
    todo = [said]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            for name, value in one.items():
                if isinstance(value, str) and _tells(name, value):
                    yield name
            todo += one.values()
        elif isinstance(one, list):
            todo += one


def _tells(name: str, value: str) -> bool:
    return bool(value) and value != MASK and is_secret_argument(name)
