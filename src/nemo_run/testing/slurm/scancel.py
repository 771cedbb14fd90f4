"""scancel(1): end jobs, or signal them."""

from __future__ import annotations

import re
import signal

from . import processes
from .engine import Engine, signal_number
from .model import CANCELLED, PENDING, Job, Step
from .squeue import states_of
from .submission import Caller, Refused

_FILTERS = ("user", "name", "partition", "account", "qos", "state", "nodelist", "me")


def scancel(engine: Engine, caller: Caller, words: list[str], options: dict[str, str]) -> str:
    """Carry out a cancel and return what is said on stderr.

    Raises:
        Refused: Nothing was named, or not as a job is.
    """
    if not words and not any(name in options for name in _FILTERS):
        raise Refused("scancel: error: No job identification provided")
    number = 0
    if "signal" in options:
        number = signal_number(options["signal"])
        if not number:
            raise Refused(f"Unknown job signal: {options['signal']}")
    said = []
    for text in words:
        if not re.fullmatch(r"\d+([_+]\[?[\d,-]*\]?)?(\.\w+)?", text):
            raise Refused(f"scancel: error: Invalid job id {text}")
        said += _one(engine, caller, text, options, number)
    if not words:
        for job in engine.cluster.unfinished():
            if _matches(job, caller, options):
                _act(engine, caller, job, options, number)
    return "".join(f"{line}\n" for line in said)


def _one(
    engine: Engine, caller: Caller, text: str, options: dict[str, str], number: int
) -> list[str]:
    name, _, part = text.partition(".")
    loud = "verbose" in options
    said = [f"scancel: Terminating job {text}"] if loud else []
    jobs = engine.cluster.find(name)
    if not jobs and loud:
        fault = "Invalid job id specified"
        return [*said, f"scancel: error: Kill job error on job id {text}: {fault}"]
    for job in jobs:
        if not _matches(job, caller, options):
            continue
        if part and part != "batch":
            _signal_step(job, part, number or signal.SIGTERM)
        else:
            _act(engine, caller, job, options, number)
    return said


def _matches(job: Job, caller: Caller, options: dict[str, str]) -> bool:
    users = caller.user if "me" in options else options.get("user")
    if users is not None and not {job.user, str(job.uid)} & set(users.split(",")):
        return False
    states = states_of(options.get("state", ""), "scancel")
    if states and job.state not in states:
        return False
    for option, value in (
        ("name", job.name),
        ("partition", job.partition),
        ("account", job.options.get("account", job.user)),
        ("qos", job.options.get("qos", "normal")),
    ):
        if option in options and value not in options[option].split(","):
            return False
    return True


def _act(engine: Engine, caller: Caller, job: Job, options: dict[str, str], number: int) -> None:
    if caller.uid not in (0, job.uid):
        raise Refused(
            f"scancel: error: Kill job error on job id {job.text_id}: Access/permission denied"
        )
    plain = number in (0, signal.SIGKILL) and not {"batch", "full"} & options.keys()
    if plain or job.state == PENDING:
        engine.end(job, CANCELLED, by=caller.uid)
    elif "batch" in options:
        processes.signal_batch(job, number or signal.SIGTERM)
    elif "full" in options:
        processes.signal_all(job, number or signal.SIGTERM)
    else:
        processes.signal_steps(job, number)


def _signal_step(job: Job, part: str, number: int) -> None:
    for step in job.steps:
        if str(step.id) == part and step.end is None:
            _to_tasks(step, number)


def _to_tasks(step: Step, number: int) -> None:
    for pid in step.pids:
        processes.signal_group(pid, number)
