"""``nemo-run experiment rerun``."""

from __future__ import annotations

import click

from nemo_run.cli.select import record_of
from nemo_run.cli.settings import common_options, json_option, print_json


@click.command("rerun")
@click.argument("experiment", metavar="ID")
@json_option
@common_options
def command(experiment: str, as_json: bool) -> None:
    """Run the stored tasks once more, exactly as they were, as a new experiment.

    Prints the new id and returns; the jobs go on by themselves.
    """
    from nemo_run.management.operations import rerun

    record = record_of(experiment)
    new = rerun(record)
    if as_json:
        print_json({"id": new.id, "of": record.id})
    else:
        print(new.id)
