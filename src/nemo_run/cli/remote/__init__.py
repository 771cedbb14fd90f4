"""``nemo-run remote``: one command a module, imported when it is called."""

from __future__ import annotations

import click

from nemo_run.cli.shared.groups import LazyGroup, modules_of
from nemo_run.cli.shared.settings import common_options

_COMMANDS = {
    "push": "Copy experiments to a remote home: only what is new.",
    "pull": "Copy experiments from a remote home.",
    "list": "List the experiments of a remote home.",
}

_EPILOG = (
    "A remote home is a folder, sftp://host/folder or s3://bucket/prefix: --remote, or "
    "$NEMORUN_REMOTE, to which experiments are pushed by themselves when they end."
)


@click.group(
    cls=LazyGroup,
    commands_of=modules_of(__name__, _COMMANDS),
    epilog=_EPILOG,
)
@common_options
def group() -> None:
    """Keep experiments in a second place, and share them."""
