"""``nemo-run artifacts``: one command a module, imported when it is called."""

from __future__ import annotations

import click

from nemo_run.cli.shared.groups import LazyGroup, modules_of
from nemo_run.cli.shared.settings import common_options

_COMMANDS = {
    "list": "List the files that jobs have left, and which of them are here.",
    "pull": "Copy the files that jobs have left to here, those that changed.",
}

_EPILOG = (
    "Files are those of the folder $NEMORUN_OUTPUT_DIR of each job, or what outputs=[…] names of "
    "them. The word behind ID is a job if there is one of that name, else a pattern: "
    "'checkpoints/**' or '**/*.json'."
)


@click.group(
    cls=LazyGroup,
    commands_of=modules_of(__name__, _COMMANDS),
    epilog=_EPILOG,
)
@common_options
def group() -> None:
    """List and copy the files that jobs leave."""
