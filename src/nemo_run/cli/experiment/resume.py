"""``nemo-run experiment resume``."""

from __future__ import annotations

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, print_json
from nemo_run.invocation import experiment_command


@click.command("resume")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@json_option
@common_options
def command(experiment: str, as_json: bool) -> None:
    """Go on with an experiment whose conductor is gone, or try again what did not succeed.

    Jobs that succeeded are not run again; jobs that run are not disturbed.
    """
    from nemo_run.management.operations import resume, status

    record = record_of(experiment)
    resume(record)
    if as_json:
        print_json({"id": record.id, "state": str(status(record).state)})
    else:
        print(f"Resumed {record.id}. Follow it: {experiment_command('logs', '-f', record.id)}")
