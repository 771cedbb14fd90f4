"""``nemo-run config schema``."""

from __future__ import annotations

import sys

import click

from nemo_run.cli.flow.errors import refusing, showing_user_errors
from nemo_run.cli.shared.settings import common_options, note, settings_of


@click.command("schema")
@click.argument("target", metavar="FILE.py[:FUNCTION]|MODULE:FUNCTION")
@click.option("-o", "--output", metavar="FILE", help="Write it there.")
@common_options
@click.pass_context
def command(context: click.Context, target: str, output: str | None) -> None:
    """Print the JSON Schema of the files that a function takes.

    Editors complete and check by it: begin a YAML file with the line
    "# yaml-language-server: $schema=train.schema.json", or a JSON file with that key.
    """
    import json

    from nemo_run.cli.entrypoints.run_command import entrypoint_at

    from .json_schema import schema_of

    with showing_user_errors(vars(settings_of(context))), refusing():
        schema = schema_of(entrypoint_at(target).fn)
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    if output is None:
        sys.stdout.write(text)
        return
    from nemo_run.atomic import write_for_user

    note(f"Written: {write_for_user(output, text)}")
