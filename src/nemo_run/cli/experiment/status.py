"""``nemo-run experiment status``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.advice import abandoned, is_abandoned, next_steps
from nemo_run.cli.experiment.shared.documents import status_document
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, print_json, settings_of
from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import Look, visible
from nemo_run.console.times import duration, moment
from nemo_run.execution.observation import State
from nemo_run.management.sharing.at_end import unpushed
from nemo_run.management.store.status import describe
from nemo_run.management.sweep_table import causes, points
from nemo_run.management.watch.logs import log_files

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus


@click.command("status")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("--exit-code", is_flag=True, help="End with code 1 unless every job succeeded.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context, experiment: str, job: str | None, exit_code: bool, as_json: bool
) -> int:
    """Show where each job of the experiment stands, or one JOB; and what to type next."""
    from nemo_run.management.operations import status as status_of

    record = record_of(experiment)
    status = status_of(record)
    chosen = [job_of(record, job)] if job is not None else list(status.jobs)
    if as_json:
        document = status_document(record, status)
        document["jobs"] = [one for one in document["jobs"] if one["id"] in chosen]
        print_json(document)
    else:
        look = settings_of(context).look
        print("\n".join(_text(record, status, chosen, look, time.time())))
    good = all(status.jobs[one].state is State.SUCCEEDED for one in chosen)
    return int(exit_code and not good)


def _text(
    record: Record, status: ExperimentStatus, chosen: list[str], look: Look, now: float
) -> list[str]:
    jobs = [status.jobs[job] for job in chosen]
    state = str(status.state)
    lines = [f"{look.paint(visible(record.id), 'bold')}  {look.state(state)}", ""]
    lines += _table(jobs, look, now)
    # Points of a sweep are many, and each is told of when it is asked for.
    swept = points(record) if len(jobs) > 1 else {}
    lines += _details(record, [job for job in jobs if job.id not in swept])
    lines += _of_points(record, [job for job in jobs if job.id in swept])
    if status.doubt:
        lines += ["", look.paint(visible(status.doubt), "yellow")]
    for told in filter(None, (status.copied, unpushed(record), _untold(record))):
        lines += ["", look.paint(visible(told), "yellow")]
    if is_abandoned(record, status):
        lines += ["", look.paint(abandoned(record, status), "yellow")]
    return [*lines, "", *next_steps(record, status)]


def _untold(record: Record) -> str:
    from nemo_run.management.hooks.stored import untold

    return untold(record)


_MOST_CAUSES = 5
# Jobs of this machine go by their folders.
_OURS = ("local:", "direct:")

_COLUMNS = (
    Column("JOB", least=12),
    Column("STATE", least=20, style=lambda look, text: look.state(text.split(" ")[0], text)),
    Column("ATTEMPT", right=True, drop=2),
    Column("STARTED", drop=1),
    Column("DURATION", right=True, drop=3),
)


def _table(jobs: list[JobStatus], look: Look, now: float) -> list[str]:
    """Return a row for each job; with what the engine calls it, where people type that."""
    from nemo_run.management.operations import engine_id

    rows = [_row(job, now) for job in jobs]
    ids = [
        engine_id(job) if job.handle and not job.handle.startswith(_OURS) else "" for job in jobs
    ]
    if not any(ids):
        return table(_COLUMNS, rows, look)
    column = Column("ENGINE'S ID", drop=4)
    rows = [[*row, name or "-"] for row, name in zip(rows, ids, strict=True)]
    return table([*_COLUMNS, column], rows, look)


def _of_points(record: Record, jobs: list[JobStatus]) -> list[str]:
    """Return a line for each different error of the points of sweeps."""
    from nemo_run.management.results import in_a_line

    bad = [job for job in jobs if job.state in {State.FAILED, State.LOST}]
    told = causes({job.id: in_a_line(record, job) for job in bad}, most=_MOST_CAUSES, named=3)
    return ["", *map(visible, told)] if told else []


def _row(job: JobStatus, now: float) -> list[str]:
    spent = None
    if job.started is not None:
        spent = (now if job.ended is None else job.ended) - job.started
    return [job.id, job.describe(), str(job.attempt or "-"), moment(job.started), duration(spent)]


def _details(record: Record, jobs: list[JobStatus]) -> list[str]:
    """Return what the engine said of each job, how its members are, and where its log lies."""
    lines = []
    for job in jobs:
        told = [job.message] if job.message else []
        told += [f"its results are not here yet: {job.unbrought}"] if job.unbrought else []
        told += [
            f"attempt {seen.attempt}: {describe(seen.state, seen.reason, seen.exit_code)}"
            for seen in job.previous
        ]
        told += [
            f"{name}: {describe(seen.state, seen.reason, seen.exit_code)}"
            for name, seen in job.members
            if len(job.members) > 1
        ]
        told += _end(record, job)
        if told:
            lines += ["", visible(job.id), *(f"  {visible(line)}" for line in told)]
    return lines


def _end(record: Record, job: JobStatus) -> list[str]:
    """Return where the log lies, and of a failed job what it said last."""
    if job.state in {State.CREATED, State.SKIPPED}:
        return []
    if job.state in {State.FAILED, State.LOST}:
        from nemo_run.management.results import described_end

        return [line.removeprefix("  ") for line in described_end(record, job).splitlines()[1:]]
    files = log_files(record, job.id, max(job.attempt, 1))
    more = f" and {len(files) - 1} more" if len(files) > 1 else ""
    return [f"log: {file.path}{more}" for file in files[:1]]
