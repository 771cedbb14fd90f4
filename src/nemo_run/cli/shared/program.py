"""A command, or a group of commands, as the program that this process is."""

from __future__ import annotations

import os
import sys
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.console.terminal import refuse_colours

from .ending import answer
from .settings import COMPLETE, NO_COLOUR, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import click


def run_program(command: click.Command, words: Sequence[str], name: str) -> int:
    """Run a command with the words of a command line, or answer a shell that completes them.

    Args:
        command: The command, or a group of them.
        words: What follows the program's name.
        name: What the program is called.

    Returns:
        The exit code of the process; see :func:`nemo_run.cli.shared.ending.answer`.
    """
    if COMPLETE in os.environ:
        from nemo_run.cli.completion.shells import answer as answer_shell

        return answer_shell(command, name)
    # Before click reads it, as help and errors are printed while it reads.
    options = set(takewhile("--".__ne__, words))
    refuse_colours(refused=NO_COLOUR in options)
    settings = Settings(as_json="--json" in options)

    def invoke() -> int:
        # Not click's own `main`: it answers a broken pipe itself, with the code of a failure.
        with command.make_context(name, list(words), obj=settings) as context:
            code = command.invoke(context)
        return code if isinstance(code, int) else 0

    return answer(invoke, settings)


def program_name() -> str:
    """Return what this program is called, as it was typed but for its folder."""
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else ""
    return name if name not in {"", "-c", "-m"} else "python"
