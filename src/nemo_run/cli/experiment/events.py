"""``nemo-run experiment events``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, mark_answered, settings_of
from nemo_run.console.terminal import Look, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nemo_run.management.store.events import Event
    from nemo_run.management.store.record import Record

_PERIOD = 0.2
_TOLD = ("state", "reason", "exit_code", "message", "because", "handle", "why", "by")


@click.command("events")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the experiment ends.")
@click.option("--after", type=click.IntRange(0), default=0, metavar="N", help="Only those after N.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    experiment: str,
    job: str | None,
    follows: bool,
    after: int,
    as_json: bool,
) -> None:
    """Print what happened to an experiment, or to one JOB of it: its journal.

    With --json, each line is one JSON document, as it stands in the journal.
    """
    record = record_of(experiment)
    wanted = job_of(record, job) if job is not None else None
    look = settings_of(context).look

    def show(happened: Iterable[Event]) -> None:
        for event in happened:
            if (wanted is None or event.get("job") == wanted) and _number(event) > after:
                print(json.dumps(event) if as_json else _line(event, look), flush=True)

    if as_json:
        mark_answered()
    if follows:
        _follow(record, show)
        return
    from nemo_run.management.looking import looked_at

    looked_at(record)
    show(record.journal.read()[0])


def _number(event: Event) -> float:
    seq = event.get("seq")
    # A damaged line has no number, and is always shown.
    return seq if type(seq) is int else float("inf")


def _follow(record: Record, show: Callable[[Iterable[Event]], None]) -> None:
    from nemo_run.cli.experiment.shared.attending import Attending
    from nemo_run.management.conductor.charge import following

    attending, offset = Attending(record), 0
    with following(record):
        while True:
            status = attending()
            happened, offset = record.journal.read(offset)
            show(happened)
            # Nobody writes the journal of a copy.
            over = status.ended is not None or attending.is_left or record.copied
            if not happened and over:
                return
            if not happened:
                time.sleep(_PERIOD)


def _line(event: Event, look: Look) -> str:
    at = event.get("time")
    clock = _clock(at) if isinstance(at, (int, float)) else "-"
    state = event.get("state")
    told = [_shown(event[name]) for name in _TOLD if event.get(name) not in (None, "")]
    if state and told:
        told[0] = look.state(str(state))
    attempt = f"attempt {event['attempt']}" if event.get("attempt") else ""
    words = [visible(str(event.get("job") or "")), attempt, *told]
    seq = event.get("seq", "?")
    return f"{seq:>5}  {clock}  {visible(str(event.get('event'))):<22}  " + "  ".join(
        word for word in words if word
    )


def _clock(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "-"


def _shown(value: Any) -> str:
    return visible(value if isinstance(value, str) else json.dumps(value))
