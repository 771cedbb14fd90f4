"""``nemo-run experiment import``."""

from __future__ import annotations

import sys

import click

from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.progress import Progress
from nemo_run.console.times import size


@click.command("import")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--as", "own_id", metavar="ID", default="", help="The id that it shall get here.")
@click.option("--any-size", is_flag=True, help="Do not refuse what unpacks to far more.")
@json_option
@common_options
def command(file: str, own_id: str, any_size: bool, as_json: bool) -> None:
    """Open experiments here that were exported on another machine; - reads the input.

    Nothing of them is run. They are copies: list, show, logs, diff and rerun work, and the jobs of
    the originals are not reached. One that is here already is left as it is.
    """
    from nemo_run.management.sharing.importing import import_from

    stream = sys.stdin.buffer if file == "-" else None
    with Progress() as progress:
        done = import_from(
            file if file != "-" else "the input",
            own_id=own_id,
            any_size=any_size,
            stream=stream,
            progress=lambda so_far, of: progress.show(
                f"importing: {size(so_far)}{f' of {size(of)}' if of >= so_far else ''}"
            ),
        )
    for one in done.going:
        note(f"{one} was not over when it was exported: what ran then is UNKNOWN here.")
    if as_json:
        print_json({"imported": [{"id": r.id, "path": str(r.path)} for r in done.records],
                    "same": list(done.same), "going": list(done.going)})  # fmt: skip
        return
    for record in done.records:
        print(f"Imported {record.id}.")
    for one in done.same:
        print(f"{one} is here already, and is the same.")
