"""The tasks of an experiment on disk, read without importing what they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import CorruptRecordError, NemoRunError
from nemo_run.management.store.files import read_file

if TYPE_CHECKING:
    from pathlib import Path

# What a file that is damaged, or of a later version, makes its reader raise.
_DAMAGE = (NemoRunError, ValueError, LookupError, TypeError, AttributeError, RecursionError)


def task_of(path: Path) -> Any:
    """Return the task in a ``task.json``: what needs the user's code stays a name.

    Raises:
        CorruptRecordError: The file is missing or cannot be understood.
    """
    from nemo_run.config.files import codec

    try:
        return codec.loads(read_file(path).decode("utf-8"))
    except OSError as error:
        raise CorruptRecordError(f"{path} cannot be read: {error.strerror or error}.") from error
    except _DAMAGE as error:
        raise CorruptRecordError(f"{path} cannot be understood: {error}") from error
