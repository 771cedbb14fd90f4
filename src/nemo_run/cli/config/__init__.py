"""``nemo-run config``: files of configuration, looked at without running anything."""

from __future__ import annotations

from typing import Any

import click

from nemo_run import compat
from nemo_run.cli.shared.groups import LazyGroup, modules_of
from nemo_run.cli.shared.settings import common_options

_COMMANDS = {
    "convert": "Write a file as YAML, TOML or JSON.",
    "diff": "Show what differs between two files.",
    "schema": "Print the JSON Schema of a function's files, for editors.",
}


@click.group(
    cls=LazyGroup,
    commands_of=modules_of(__name__, _COMMANDS),
    epilog="FILE ends in .yaml, .yml, .toml or .json; FILE:KEY is the part under that key.",
)
@common_options
def group() -> None:
    """Convert, compare and describe files of configuration."""


def __getattr__(name: str) -> Any:
    raise compat.missing(__name__, name)
