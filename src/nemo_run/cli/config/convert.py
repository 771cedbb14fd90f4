"""``nemo-run config convert``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.flow.errors import refusing
from nemo_run.cli.shared.settings import common_options, note

if TYPE_CHECKING:
    from nemo_run.config.files.source import Source


@click.command("convert")
@click.argument("source", metavar="FILE[:KEY]")
@click.argument("target", metavar="[FILE]", required=False)
@click.option(
    "--to",
    "form",
    type=click.Choice(["yaml", "toml", "json"]),
    help="The form; by default that of the second FILE's name.",
)
@common_options
@click.pass_context
def command(context: click.Context, source: str, target: str | None, form: str | None) -> None:
    """Write a file in another form, without loss, to a second FILE or to standard output.

    Nothing is imported. ${...} stays as it is written, but with :KEY it is resolved, as what it
    names may lie outside. Comments are left behind.
    """
    from nemo_run.config.files.load import form_of
    from nemo_run.config.files.written_forms import writer_of

    if target is None and form is None:
        raise click.UsageError("Say where to, or which form with --to.", context)
    with refusing():
        text = writer_of(form or form_of(str(target)))(_data(source))
    if target is None:
        sys.stdout.write(text)
        return
    from nemo_run.atomic import write_for_user

    note(f"Written: {write_for_user(target, text)}")


def _data(path: str) -> Any:
    from nemo_run.config.files.load import load, read, split_section
    from nemo_run.config.files.written_forms import with_escapes

    file, section = split_section(path)
    if section:
        return with_escapes(load(path).data)
    source: Source = read(file)
    return source.data
