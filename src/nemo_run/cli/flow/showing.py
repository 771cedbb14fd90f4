"""Showing the configuration of a command instead of running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .execute import Ready


def show(ready: Ready) -> int:
    """Write and print what ``--export``, ``--cfg`` and ``--explain`` ask for.

    Raises:
        OverrideError: A key is not there, or a file cannot be of that form.
    """
    from nemo_run.config.files.written_forms import export, text_of

    for place, form in ready.asked.exports:
        export(ready.task, place, form or None)
    if ready.asked.cfg:
        print(text_of(ready.task, "json" if ready.run.json else "yaml"), end="")
    return 0
