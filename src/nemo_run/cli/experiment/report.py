"""``nemo-run experiment report``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, note

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus


@click.command("report")
@click.argument(
    "experiments", metavar="ID…", nargs=-1, required=True, shell_complete=hooks.experiments
)
@click.option(
    "-o", "--output", metavar="FILE", help="Where to write it, - for standard output. [ID.html]"
)
@common_options
def command(experiments: tuple[str, ...], output: str | None) -> None:
    """Write what is known of experiments as one web page, to be read or sent to others.

    What failed and why, the graph of the jobs, when they ran, results, plots of results and
    metrics, ends of logs, and configuration. The page needs no network and runs no script.
    """
    from nemo_run import atomic
    from nemo_run.console.progress import Progress
    from nemo_run.console.report import report
    from nemo_run.management.looking import looked_at

    records = list({record.path: record for record in map(record_of, experiments)}.values())
    with Progress() as progress:
        progress.show("reading …")
        page = report([(record, looked_at(record)) for record in records], _configuration)
    if output == "-":
        sys.stdout.write(page)
        return
    named = records[0].id if len(records) == 1 else "report"
    path = Path(output) if output else Path(f"{named}.html")
    atomic.write_for_user(path, page)
    note(f"wrote {path}")


def _configuration(record: Record, status: ExperimentStatus, job: str) -> str:
    from nemo_run.cli.experiment.shared.job_view import view

    members = view(record, status, job).members
    if len(members) == 1:
        return members[0].configuration
    return "\n\n".join(f"{member.name}\n{member.configuration}" for member in members)
