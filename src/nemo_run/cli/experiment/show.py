"""``nemo-run experiment show``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared import page
from nemo_run.cli.experiment.shared.documents import status_document
from nemo_run.cli.experiment.shared.job_view import JobView, view
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import (
    common_options,
    json_option,
    note,
    print_json,
    settings_of,
)
from nemo_run.console.terminal import Look, visible
from nemo_run.console.times import duration
from nemo_run.management.capture import provenance
from nemo_run.management.looking import looked_at
from nemo_run.management.sweep_table import DURATION, JOB, STATE, points, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.cli.experiment.shared.left import Left
    from nemo_run.management.capture.provenance import Provenance
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus
    from nemo_run.management.sweep_table import Table

_NARROW = 6
# What is told of every job, by the job's id.
_OF_JOBS = ("executors", "code", "asked", "images")


@click.command("show")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("--history", is_flag=True, help="Say where each value was set.")
@click.option("--files", is_flag=True, help="List the files of each job.")
@click.option("--csv", "as_csv", is_flag=True, help="Print only the table of results, as CSV.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    experiment: str,
    job: str | None,
    history: bool,
    files: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show all that is known of an experiment, or of one JOB of it.

    What failed, if anything did; who started it, how and with what; and for each job its code,
    configuration, environment and results; --files lists the files of each. The points of a
    sweep are shown as a table of what was varied and returned. None of the experiment's own
    code is imported.
    """
    record = record_of(experiment)
    status = looked_at(record)
    jobs = [job_of(record, job)] if job is not None else [str(j["id"]) for j in record.jobs]
    if as_csv:
        if as_json:
            raise click.UsageError("Give --csv or --json, not both.", context)
        sys.stdout.write(table_of(record, status, job and jobs).csv())
        return
    swept = points(record) if job is None else {}
    if swept and not (as_json or files or history):
        jobs = [one for one in jobs if one not in swept]
    _fetch_metrics(record, status, jobs)
    look = settings_of(context).look
    views = [view(record, status, one, history=history, width=look.width) for one in jobs]
    source = provenance.of(record)
    if as_json:
        print_json(_document(record, status, source, views))
        return
    lines = [look.paint(visible(record.id), "bold")]
    lines += _failures(record, status, look, job and jobs)
    lines += page.head(record, status, source, look, time.time())
    if swept:
        lines += ["", *_sweep(table_of(record, status), look)]
    for one in views:
        left = _left(record, one)
        lines += ["", *page.job_lines(record, status, one, source, left, look)]
        if files:
            lines += page.files(record, one)
    print("\n".join(lines))


def _failures(
    record: Record, status: ExperimentStatus, look: Look, jobs: Sequence[str] | None
) -> list[str]:
    """Return why jobs failed, with an empty line after it; nothing where none did."""
    lines = page.failures(record, status, look, status.jobs if jobs is None else jobs)
    return ["", *lines, ""] if lines else []


def _sweep(swept: Table, look: Look) -> list[str]:
    """Return the table of the points: where not all columns fit, first those to the right go."""
    from nemo_run.console.tables import Column, table

    head, rows, right = swept.shown()
    columns = [
        Column(
            name.upper() if name in (JOB, STATE, DURATION) else visible(name),
            least=_NARROW,
            right=at in right,
            drop=len(head) - at if name in swept.results else None,
            style=_state if name == STATE else None,
        )
        for at, name in enumerate(head)
    ]
    for row, values in zip(rows, swept.rows, strict=True):
        took = values[DURATION]
        row[head.index(DURATION)] = "" if took is None else duration(took)
    return table(columns, rows, look)


def _state(look: Look, text: str) -> str:
    return look.state(text.strip())


def _fetch_metrics(record: Record, status: ExperimentStatus, jobs: Sequence[str]) -> None:
    """Have what running jobs elsewhere have logged by now; where nobody answers, what is here."""
    if status.doubt or all(job.state.terminal for job in status.jobs.values()):
        return
    from nemo_run.management.metrics import fetch

    for job, error in fetch(record, jobs, status).items():
        note(f"warning: the metrics of {job} may be old: {error}")


def _document(
    record: Record, status: ExperimentStatus, source: Provenance, views: list[JobView]
) -> dict[str, Any]:
    from nemo_run.management import marks

    states = {job["id"]: job for job in status_document(record, status)["jobs"]}
    meta = {key: value for key, value in record.meta.items() if key != "jobs"}
    known = source.to_json()
    return {
        # What is secret in the record by the name of a variable or an option is covered there.
        **meta,
        **{name: known[name] for name in ("argv", "environment", "packages", "packages_digest")},
        **marks.read(record)._asdict(),
        "provenance": {name: known[name] for name in _OF_JOBS},
        "id": record.id,
        "path": str(record.path),
        "state": str(status.state),
        "started": status.started,
        "ended": status.ended,
        "jobs": [
            {
                **one.document,
                **states.get(one.id, {}),
                **one.to_json(),
                **_left(record, one).to_json(),
            }
            for one in views
        ],
        "table": table_of(record, status, [one.id for one in views]).documents(),
    }


def _left(record: Record, one: JobView) -> Left:
    from nemo_run.cli.experiment.shared.left import left_by

    return left_by(record, one.id, [member.name for member in one.members])
