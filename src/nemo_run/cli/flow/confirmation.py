"""The one question before a run."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

from nemo_run.cli.shared.settings import note

if TYPE_CHECKING:
    from .execute import Ready

_SKIP = "NEMORUN_SKIP_CONFIRMATION"
_NO = {"", "0", "false", "no", "off"}


def confirm_run(ready: Ready) -> None:
    """Show what will run, and ask, unless somebody has answered already.

    Raises:
        Refused: There is nobody to ask.
        click.Abort: The answer is no.
    """
    if _answered(ready):
        return
    from nemo_run.cli.shared.confirm import can_ask, confirm

    if can_ask():
        note(_summary(ready))
    confirm(
        f"Run {_what(ready)}{_where(ready)}?",
        "There is no terminal to ask on whether to run it. Add --yes to run it, or --dryrun to "
        "see what it would do.",
        declined="Nothing was started.",
    )


def _answered(ready: Ready) -> bool:
    return (
        ready.run.skip_confirmation
        or ready.entry.skip_confirmation
        # Said in words: here, now, and nothing is left behind.
        or ready.run.direct
        or os.environ.get(_SKIP, "").lower() not in _NO
        or is_one_of_several()
    )


def is_one_of_several() -> bool:
    """Tell whether a launcher such as torchrun has started this process beside others."""
    size = os.environ.get("WORLD_SIZE", "")
    return size.isdecimal() and int(size) > 1


def _summary(ready: Ready) -> str:
    from nemo_run.management.direct import dryrun_text

    if ready.sweep is not None:
        from nemo_run.cli.flow.sweeping import summary_of

        return summary_of(ready.sweep, ready.run.executor)
    return dryrun_text(_without_context(ready), ready.run.executor)


def _without_context(ready: Ready) -> Any:
    """Return the task without what it is given by us, which nobody has set."""
    from .tasks import CONTEXT, takes_context

    if not takes_context(ready.entry):
        return ready.task
    task = copy.copy(ready.task)
    task.__arguments__.pop(CONTEXT, None)
    return task


def _what(ready: Ready) -> str:
    if ready.sweep is None:
        return ready.entry.name
    return f"{len(ready.sweep)} points of {ready.entry.name}"


def _where(ready: Ready) -> str:
    if ready.run.executor is not None:
        return f" on {type(ready.run.executor).__name__}"
    if ready.sweep is not None:
        return " on this machine"
    return "" if ready.entry.type == "experiment" else " in this process"
