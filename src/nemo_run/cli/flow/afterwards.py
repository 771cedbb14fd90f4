"""What is said once a run of the command line has ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from nemo_run.cli.shared.settings import note

if TYPE_CHECKING:
    from .execute import Ready

_LONGEST = 200
_NO_RECORD = (
    "It ran in this process, and nothing of it was recorded. For a record add: run.executor=local"
)


def tell_end(ready: Ready, value: Any) -> None:
    """Say what a person would ask next: what came back, or why there is no record.

    Args:
        ready: The command.
        value: What the task returned.
    """
    run = ready.run
    if run.quiet:
        if run.detach:
            _print_ids(ready)
        return
    if ready.entry.type == "experiment" or ready.sweep is not None or run.dryrun:
        return
    if ready.shows_value and value is not None:
        note(f"Returned: {_on_one_line(value)}")
    if run.executor is None and not run.direct:
        _tell_no_record()


def _print_ids(ready: Ready) -> None:
    # All that there is to say, and scripts go on with it.
    for experiment in ready.run.launched:
        if experiment.started:
            print(experiment.id)


def _on_one_line(value: Any) -> str:
    from nemo_run.console.terminal import visible
    from nemo_run.exceptions import shown

    return visible(shown(value, _LONGEST))


def _tell_no_record() -> None:
    from nemo_run.console.terminal import look_of

    from .confirmation import is_one_of_several

    look = look_of(sys.stderr)
    if look.terminal and not is_one_of_several():
        note(look.paint(_NO_RECORD, "dim"))
