"""``nemo-run experiment note``."""

from __future__ import annotations

import sys

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, print_json
from nemo_run.console.terminal import is_terminal


@click.command("note")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("text", required=False)
@click.option("-e", "--edit", is_flag=True, help="Write it in your editor ($VISUAL or $EDITOR).")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context, /, experiment: str, text: str | None, edit: bool, as_json: bool
) -> None:
    """Note something about an experiment; an empty TEXT removes the note.

    Without a text, the note is printed.
    """
    from nemo_run.management import marks

    if edit and text is not None:
        raise click.UsageError("Give TEXT or --edit, not both.", context)
    if edit and not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise click.UsageError("--edit needs a terminal; give the text instead.", context)
    record = record_of(experiment)
    found = marks.read(record)
    if edit:
        # None: the editor was left without writing.
        text = click.edit(found.note, extension=".md")
    if text is not None:
        found = marks.change(record, note=text)
    if as_json:
        print_json({"id": record.id, "note": found.note})
    elif found.note:
        from nemo_run.console.terminal import visible

        print("\n".join(map(visible, found.note.splitlines())))
