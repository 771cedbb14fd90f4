"""Whose experiment it is: others may look at it, if they are let, and change nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from .record import Record


def is_anothers(path: str | Path) -> bool:
    """Whether a folder belongs to another user."""
    try:
        return os.lstat(path).st_uid != os.geteuid()
    except OSError:
        return False


def refuse_anothers(record: Record, doing: str) -> None:
    """Refuse to change an experiment of another user.

    Args:
        record: The experiment.
        doing: The act, as ``cancel``.

    Raises:
        StoreError: It belongs to somebody else, and this user may not write it.
    """
    if os.geteuid() == 0 or not is_anothers(record.path) or os.access(record.path, os.W_OK):
        return
    raise StoreError(
        f"Experiment {record.id} belongs to {owner(record.path)}, and only its owner can {doing} "
        f"it. It lies in {record.path}."
    )


def owner(path: str | Path) -> str:
    """Return the name of the user whom a folder belongs to."""
    import pwd

    try:
        number = os.lstat(path).st_uid
        return pwd.getpwuid(number).pw_name
    except (OSError, KeyError):
        return "another user"
