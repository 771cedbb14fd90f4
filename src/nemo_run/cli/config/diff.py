"""``nemo-run config diff``."""

from __future__ import annotations

import click

from nemo_run.cli.flow.errors import refusing
from nemo_run.cli.shared.settings import common_options, json_option, print_json, settings_of
from nemo_run.console.terminal import visible

_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}


@click.command("diff")
@click.argument("old", metavar="OLD[:KEY]")
@click.argument("new", metavar="NEW[:KEY]")
@json_option
@common_options
@click.pass_context
def command(context: click.Context, old: str, new: str, as_json: bool) -> int:
    """Show what differs between two files, value by value, whatever their forms.

    The order of keys is no difference, and neither is the spelling; ${...} is resolved. Nothing
    is imported. As with diff(1), the exit code is 0 where nothing differs, 1 where something
    does, and 2 where a file cannot be read.
    """
    from nemo_run.config.files.comparing import differences
    from nemo_run.config.files.load import load

    with refusing():
        found = differences(load(old), load(new))
    if as_json:
        print_json([vars(change) for change in found])
    else:
        look = settings_of(context).look
        for change in found:
            print(look.paint(visible(str(change)), _COLOURS[change.kind]))
    return 1 if found else 0
