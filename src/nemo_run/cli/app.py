"""The command ``nemo-run``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from nemo_run import __version__

from .entrypoints.front import FrontGroup
from .shared.program import run_program
from .shared.settings import HELP_SETTINGS, common_options

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = {
    "run": (
        "nemo_run.cli.entrypoints.run_command:command",
        "Run a function of a file or a module with values of the command line.",
    ),
    "experiment": (
        "nemo_run.cli.experiment:group",
        "List, show, follow, cancel, repeat and delete experiments.",
    ),
    "top": (
        "nemo_run.cli.top:command",
        "Watch all that runs: jobs, metrics, last lines; cancel with a key.",
    ),
    "artifacts": (
        "nemo_run.cli.artifacts:group",
        "List and copy the files that jobs leave.",
    ),
    "remote": (
        "nemo_run.cli.remote:group",
        "Keep experiments in a second place, and share them.",
    ),
    "config": (
        "nemo_run.cli.config:group",
        "Convert, compare and describe files of configuration.",
    ),
    "profile": (
        "nemo_run.cli.profile:group",
        "List and show executor profiles.",
    ),
    "doctor": (
        "nemo_run.cli.doctor:command",
        "Say what works of the place where an executor runs jobs.",
    ),
    "completion": (
        "nemo_run.cli.completion.command:command",
        "Print what makes bash, zsh or fish complete commands, keys and values.",
    ),
}

_EPILOG = (
    "Exit codes: 0 done, 1 not found or a job failed, 2 wrong use, 130 interrupted. "
    "Files lie in $NEMORUN_HOME, by default ~/.nemo_run."
)


@click.group(
    cls=FrontGroup,
    commands_of=COMMANDS,
    epilog=_EPILOG,
    context_settings={**HELP_SETTINGS},
)
@click.version_option(__version__, prog_name="nemo-run")
@common_options
def app() -> None:
    """Configure, execute and manage machine-learning experiments."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: What follows the program's name; None for those of this process.

    Returns:
        0 when it did what it was told; 1 when something was not found or a job failed; 2 for
        wrong use; 130 when interrupted; 141 when the reader of its output went away.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    return run_program(app, words, "nemo-run")
