"""``nemo-run experiment rerun``."""

from __future__ import annotations

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, print_json


@click.command("rerun")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.option("--failed", is_flag=True, help="Only the jobs that did not succeed.")
@json_option
@common_options
def command(experiment: str, failed: bool, as_json: bool) -> None:
    """Run the stored tasks once more, exactly as they were, as a new experiment.

    Prints the new id and returns; the jobs go on by themselves. With --failed, what succeeded is
    not run again; its results stay with the experiment that is named.
    """
    from nemo_run.management.operations import rerun

    record = record_of(experiment)
    new = rerun(record, failed=failed)
    if as_json:
        print_json({"id": new.id, "of": record.id, "jobs": [job.id for job in new.jobs]})
    else:
        print(new.id)
