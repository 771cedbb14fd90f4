"""What to type next."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING

from nemo_run.execution.observation import State

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

_COMMAND = "nemo-run experiment"
_START = 30.0
"""How long an experiment may take from its folder to its conductor, in seconds."""


def is_abandoned(record: Record, status: ExperimentStatus) -> bool:
    """Tell whether the experiment has not ended and no process has charge of it."""
    from nemo_run.management.conductor.charge import taken

    if status.ended is not None or taken(record):
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
        f"{_COMMAND} resume {shlex.quote(record.id)}"
    )


def next_steps(record: Record, status: ExperimentStatus) -> list[str]:
    """Return command lines that make sense now, each with what it does."""
    name = shlex.quote(record.id)
    jobs = list(status.jobs.values())
    failed = next((j for j in jobs if j.state in {State.FAILED, State.LOST}), None)
    steps = []
    if failed is not None:
        steps.append((f"logs {name} {shlex.quote(failed.id)}", "what the failed job wrote"))
    if status.ended is None:
        if is_abandoned(record, status):
            steps.append((f"resume {name}", "go on"))
        else:
            steps.append((f"logs -f {name}", "follow the output"))
        steps.append((f"cancel {name}", "end all jobs"))
    elif failed is None:
        steps.append((f"logs {name}", "what the jobs wrote"))
    if status.ended is not None:
        if any(job.state is not State.SUCCEEDED for job in jobs):
            steps.append((f"resume {name}", "try again what did not succeed"))
        steps.append((f"rerun {name}", "run all of it once more"))
    width = max((len(command) for command, _ in steps), default=0)
    return [f"{_COMMAND} {command:{width}}  # {what}" for command, what in steps]
