"""What the commands about remote homes have in common."""

from __future__ import annotations

from typing import Any

import click


def remote_option(command: Any) -> Any:
    """Give a command ``--remote``."""
    return click.option(
        "--remote",
        metavar="URL",
        help="The remote home; else $NEMORUN_REMOTE.",
    )(command)
