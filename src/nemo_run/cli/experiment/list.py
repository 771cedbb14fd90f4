"""``nemo-run experiment list``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.shared.settings import (
    common_options,
    json_option,
    note,
    print_json_rows,
    settings_of,
)
from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import clip
from nemo_run.console.times import ago, duration, tally
from nemo_run.exceptions import nearest
from nemo_run.execution.observation import State

if TYPE_CHECKING:
    from nemo_run.management.index.rows import Row

_LONGEST_TITLE = 120
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def _states(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> list[State]:
    names = [name.strip().upper() for text in texts for name in text.split(",")]
    for name in names:
        if name not in State.__members__:
            known = ", ".join(State.__members__)
            raise click.BadParameter(
                f"{name!r} is no state.{nearest(name, State.__members__)} States: {known}."
            )
    return [State(name) for name in names]


def _since(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    if text[:-1].isdecimal() and text[-1] in _UNITS:
        return time.time() - int(text[:-1]) * _UNITS[text[-1]]
    from datetime import datetime

    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither a span (90s, 30m, 12h, 3d, 2w) nor a date (2026-03-01 or "
            "2026-03-01T14:05)."
        ) from None


@click.command("list")
@click.argument("title", required=False)
@click.option("--title", "named", metavar="TITLE", help="The same as TITLE.")
@click.option(
    "--state", "states", multiple=True, callback=_states, metavar="STATE",
    help="Only these: RUNNING, or FAILED,LOST.",
)  # fmt: skip
@click.option("--since", callback=_since, help="Only those made since: 12h, 3d or 2026-03-01.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the newest N.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    title: str | None,
    named: str | None,
    states: list[State],
    since: float | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List experiments, newest first: all of them, or those with a TITLE."""
    if title is not None and named is not None and title != named:
        raise click.UsageError("Give TITLE once, as argument or as --title.", context)
    from nemo_run.management.index import rows

    # The rows are sorted by age, so the newest N of all are the newest N that are new enough.
    listing = rows(state=states or None, title=title if title is not None else named, limit=limit)
    shown = [row for row in listing.rows if since is None or row.created >= since]
    for warning in listing.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json_rows(map(_document, shown))
        return
    look = settings_of(context).look
    if shown:
        now = time.time()
        print("\n".join(table(_COLUMNS, [_cells(row, now) for row in shown], look)))
    elif look.terminal:
        note("No experiments." if not (title or named or states or since) else "None fits.")


# The id is what people copy, so it is cut last; it begins with the title.
_COLUMNS = (
    Column("ID", least=27),
    Column("TITLE", least=8, drop=1),
    Column("STATE", style=lambda look, text: look.state(text)),
    Column("JOBS", right=True, drop=3),
    Column("AGE", right=True, drop=4),
    Column("DURATION", right=True, drop=2),
)


def _cells(row: Row, now: float) -> list[str]:
    spent = None
    if row.started is not None:
        spent = (now if row.ended is None else row.ended) - row.started
    state = "DAMAGED" if row.error else str(row.state)
    jobs = tally(row.jobs, row.succeeded, failed=row.failed)
    # Where nothing limits the width, one long title would widen every line.
    title = clip(row.title, _LONGEST_TITLE)
    return [row.id, title, state, jobs, ago(row.created, now), duration(spent)]


def _document(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "state": str(row.state),
        "jobs": {"total": row.jobs, "succeeded": row.succeeded, "failed": row.failed},
        "created": row.created,
        "started": row.started,
        "ended": row.ended,
        "user": row.user,
        "path": row.path,
        "error": row.error or None,
    }
