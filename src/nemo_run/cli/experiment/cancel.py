"""``nemo-run experiment cancel``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.confirm import can_ask, confirm
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.progress import Progress
from nemo_run.console.times import duration

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

_WHO = "nemo-run experiment cancel"

# Processes get time to end by themselves before they are killed; whoever drives the experiment
# sees to that, and longer than this nobody needs to wait here.
_PATIENCE = 15.0
_MOST_NAMED = 5


@click.command("cancel")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
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
    from nemo_run.management.operations import cancel, refuse_copy, status
    from nemo_run.management.store.ownership import refuse_anothers

    record = record_of(experiment)
    # Before anything is said to have been asked.
    refuse_copy(record)
    refuse_anothers(record, "cancel")
    before = status(record)
    chosen = _chosen(record, job, dependencies=dependencies)
    going = [one for one in chosen if not before.jobs[one].state.terminal]
    if job is None and len(going) > 1 and not (yes or everything) and can_ask():
        confirm(f"Cancel {len(going)} jobs of {record.id}?")
    if going:
        note(
            f"Asked to end: {_named(going)}. What goes on after its time of grace "
            "(10 s, if nothing else was set) is ended by force."
        )
    if job is None:
        cancel(record, None, by=_WHO)
    else:
        for one in going:
            cancel(record, one, by=_WHO)
    told = set(going) if as_json else _tell_ended(chosen, before)
    after = _settled(record, going, told)
    if as_json:
        print_json(_document(record, chosen, before, after))
        return
    for one in going:
        if one not in told:
            print(f"{one}: cancelling ({after.jobs[one].describe()})")


def _tell_ended(chosen: list[str], before: ExperimentStatus) -> set[str]:
    """Say which jobs had ended already, and return them."""
    ended = [one for one in chosen if before.jobs[one].state.terminal]
    for one in ended:
        print(f"{one}: had ended already, {before.jobs[one].describe()}")
    return set(ended)


def _settled(record: Record, jobs: list[str], told: set[str]) -> ExperimentStatus:
    """Return the status once the jobs have ended, or after a while as it is then.

    Each is told of when it has ended, and added to ``told``.
    """
    from nemo_run.management.operations import status

    begun = time.monotonic()
    with Progress() as progress:
        while True:
            now = status(record)
            left = [job for job in jobs if not now.jobs[job].state.terminal]
            for job in jobs:
                if job not in told and job not in left:
                    progress.clear()
                    print(f"{job}: {now.jobs[job].describe()}", flush=True)
                    told.add(job)
            if not left or time.monotonic() - begun > _PATIENCE:
                return now
            spent = duration(int(time.monotonic() - begun))
            progress.show(f"waiting for {_named(left)} to end … {spent}")
            time.sleep(0.1)


def _named(jobs: list[str]) -> str:
    more = f" and {len(jobs) - _MOST_NAMED} more" if len(jobs) > _MOST_NAMED else ""
    return ", ".join(jobs[:_MOST_NAMED]) + more


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


def _document(
    record: Record, chosen: list[str], before: ExperimentStatus, after: ExperimentStatus
) -> dict[str, Any]:
    jobs = [
        {
            "id": one,
            "state": str(after.jobs[one].state),
            "was": str(before.jobs[one].state),
            "cancel_requested": after.jobs[one].cancel_requested,
        }
        for one in chosen
    ]
    return {"id": record.id, "jobs": jobs}
