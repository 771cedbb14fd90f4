"""Starting the process that tells hooks. Whatever goes wrong with it is no matter of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.management import detached

from . import stored

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record


def start(record: Record) -> str:
    """Let hooks be told of what the journal says, now and as long as somebody writes it.

    Nothing is started for an experiment without hooks, and none for one that somebody else made
    or that is a copy.

    Args:
        record: The experiment.

    Returns:
        Why nobody is told, should it have failed; else nothing.
    """
    if not (record.path / stored.FILE).exists() or not stored.are_ours(record):
        return ""
    module = "nemo_run.management.hooks.process"
    try:
        detached.start(module, [str(record.path)], record.path / stored.LOG)
    except OSError as error:
        return f"the hooks cannot be told: {error.strerror or error}"
    return ""
