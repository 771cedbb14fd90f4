"""``nemo-run experiment cancel``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from nemo_run.cli.confirm import can_ask, confirm
from nemo_run.cli.select import job_of, record_of
from nemo_run.cli.settings import common_options, json_option, print_json

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

_WHO = "nemo-run experiment cancel"

# Processes get time to end by themselves before they are killed; whoever drives the experiment
# sees to that, and longer than this nobody needs to wait here.
_PATIENCE = 15.0


@click.command("cancel")
@click.argument("experiment", metavar="ID")
@click.argument("job", metavar="[JOB]", required=False)
@click.option("--all", "everything", is_flag=True, help="All jobs, without asking.")
@click.option("-d", "--dependencies", is_flag=True, help="Also the jobs that JOB waits for.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@common_options
def command(
    experiment: str,
    job: str | None,
    everything: bool,
    dependencies: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """End JOB, or every job of the experiment, with all their processes.

    JOB is an id, or a number from 0. A job that has ended is left as it is, so that cancelling
    twice does no harm.
    """
    if job is not None and everything:
        raise click.UsageError("Give JOB or --all, not both.", click.get_current_context())
    if dependencies and job is None:
        message = "--dependencies needs JOB: without one, every job is cancelled."
        raise click.UsageError(message, click.get_current_context())
    from nemo_run.management.operations import cancel, status

    record = record_of(experiment)
    before = status(record)
    chosen = _chosen(record, job, dependencies=dependencies)
    going = [one for one in chosen if not before.jobs[one].state.terminal]
    if job is None and len(going) > 1 and not (yes or everything) and can_ask():
        confirm(f"Cancel {len(going)} jobs of {record.id}?")
    if job is None:
        cancel(record, None, by=_WHO)
    else:
        for one in going:
            cancel(record, one, by=_WHO)
    _report(record, chosen, before, _settled(record, going), as_json=as_json)


def _settled(record: Record, jobs: list[str]) -> ExperimentStatus:
    """Return the status once the jobs have ended, or after a while as it is then."""
    from nemo_run.management.operations import status

    deadline = time.monotonic() + _PATIENCE
    while True:
        now = status(record)
        if all(now.jobs[job].state.terminal for job in jobs) or time.monotonic() > deadline:
            return now
        time.sleep(0.1)


def _chosen(record: Record, job: str | None, *, dependencies: bool) -> list[str]:
    if job is None:
        return [str(document["id"]) for document in record.jobs]
    chosen = job_of(record, job)
    if not dependencies:
        return [chosen]
    return [*_before(record, chosen), chosen]


def _before(record: Record, job: str) -> list[str]:
    """Return the jobs that ``job`` waits for, directly or through others."""
    waits_for = {
        str(document["id"]): [edge["job"] for edge in document.get("dependencies", ())]
        for document in record.jobs
    }
    found: dict[str, None] = {}
    todo = list(waits_for.get(job, ()))
    while todo:
        one = todo.pop()
        if one not in found:
            found[one] = None
            todo.extend(waits_for.get(one, ()))
    return [one for one in waits_for if one in found]


def _report(
    record: Record,
    chosen: list[str],
    before: ExperimentStatus,
    after: ExperimentStatus,
    *,
    as_json: bool,
) -> None:
    if as_json:
        jobs = [
            {
                "id": one,
                "state": str(after.jobs[one].state),
                "was": str(before.jobs[one].state),
                "cancel_requested": after.jobs[one].cancel_requested,
            }
            for one in chosen
        ]
        print_json({"id": record.id, "jobs": jobs})
        return
    for one in chosen:
        was, now = before.jobs[one], after.jobs[one]
        if was.state.terminal:
            print(f"{one}: had ended already, {was.describe()}")
        elif now.state.terminal:
            print(f"{one}: {now.describe()}")
        else:
            print(f"{one}: cancelling ({now.describe()})")
