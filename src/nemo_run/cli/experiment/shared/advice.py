"""What to type next."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command
from nemo_run.management.results import rank_option

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

_START = 30.0
"""How long an experiment may take from its folder to its conductor, in seconds."""


def is_abandoned(record: Record, status: ExperimentStatus) -> bool:
    """Tell whether the experiment has not ended and no process has charge of it."""
    from nemo_run.management.conductor.charge import taken

    if record.copied or status.ended is not None or status.handed_over or taken(record):
        return False
    if status.started is not None:
        return True
    # Between its folder and its conductor lies a moment that is no reason to speak.
    return status.created is not None and time.time() - status.created > _START


def abandoned(record: Record, status: ExperimentStatus) -> str:
    """Return the sentence for an experiment that nobody drives."""
    conductor = status.conductor
    if conductor is None:
        what = "Its conductor never started"
    elif conductor.ended is not None:
        what = f"Its conductor has left ({conductor.why or 'no reason given'})"
    else:
        what = f"Its conductor (process {conductor.pid} on {conductor.host}) is gone"
    return (
        f"{what}. Jobs that run go on, and nothing new is started until you type: "
        f"{experiment_command('resume', record.id)}"
    )


def next_steps(record: Record, status: ExperimentStatus) -> list[str]:
    """Return command lines that make sense now, each with what it does."""
    jobs = list(status.jobs.values())
    failed = next((j for j in jobs if j.state in {State.FAILED, State.LOST}), None)
    steps = []
    if failed is not None:
        rank = rank_option(record, failed)
        steps.append((["logs", record.id, failed.id, *rank], "what the failed job wrote"))
    if status.ended is None:
        if is_abandoned(record, status):
            steps.append((["resume", record.id], "go on"))
        else:
            steps.append((["logs", "-f", record.id], "follow the output"))
        steps.append((["cancel", record.id], "end all jobs"))
    elif failed is None:
        steps.append((["logs", record.id], "what the jobs wrote"))
    if status.ended is not None:
        if not record.copied and any(job.state is not State.SUCCEEDED for job in jobs):
            steps.append((["resume", record.id], "try again what did not succeed"))
            if len(jobs) > 1:
                again = ["rerun", record.id, "--failed"]
                steps.append((again, "only that, as a new experiment"))
        steps.append((["rerun", record.id], "run all of it once more"))
    lines = [(experiment_command(*words), what) for words, what in steps]
    width = max((len(line) for line, _ in lines), default=0)
    return [f"{line:{width}}  # {what}" for line, what in lines]
