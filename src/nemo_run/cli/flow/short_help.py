"""One line about a command, for lists of commands."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nemo_run.cli.entrypoints.entrypoint import Entrypoint


def first_line(entry: Entrypoint, limit: int) -> str:
    """Return the first line of an entrypoint's help, cut where it is longer than ``limit``."""
    lines = (entry.help_str or inspect.getdoc(entry.fn) or "").strip().splitlines()
    line = lines[0].strip() if lines else ""
    return line if len(line) <= limit else f"{line[: limit - 3].rstrip()}..."
