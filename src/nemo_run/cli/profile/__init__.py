"""``nemo-run profile``: one command a module, imported when it is called."""

from __future__ import annotations

import click

from nemo_run.cli.shared.groups import LazyGroup, modules_of
from nemo_run.cli.shared.settings import common_options

_COMMANDS = {
    "list": "List the executor profiles that can be used from here.",
    "show": "Show the values of a profile, and which file each comes from.",
}

_EPILOG = (
    "A profile is a named executor of a TOML file, for run.executor=NAME. The files: the site's, "
    "yours, and the project's nemo-run.toml or pyproject.toml; what comes later wins."
)


@click.group(
    cls=LazyGroup,
    commands_of=modules_of(__name__, _COMMANDS),
    epilog=_EPILOG,
)
@common_options
def group() -> None:
    """List and show executor profiles."""
