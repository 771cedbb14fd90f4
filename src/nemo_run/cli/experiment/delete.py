"""``nemo-run experiment delete``."""

from __future__ import annotations

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.confirm import confirm
from nemo_run.cli.shared.settings import common_options, json_option, print_json


@click.command("delete")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also when jobs may be running; they are not stopped.")
@json_option
@common_options
def command(experiment: str, yes: bool, force: bool, as_json: bool) -> None:
    """Remove an experiment with all its files: configuration, logs, results.

    At a terminal you are asked; elsewhere --yes is needed. An experiment whose jobs may be
    running is refused.
    """
    from nemo_run.management.store import delete, refuse_running

    record = record_of(experiment)
    if not force:
        # Before the question, which would promise what is then refused.
        refuse_running(record)
    if not yes:
        confirm(f"Delete {record.id} with all its files ({record.path})?")
    delete(record, force=force)
    if as_json:
        print_json({"id": record.id, "deleted": str(record.path)})
    else:
        print(f"Deleted {record.id}.")
