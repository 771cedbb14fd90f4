"""``nemo-run experiment list``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.choosing import answered, choosing_options, chosen, question
from nemo_run.cli.shared.settings import (
    common_options,
    json_option,
    mark_answered,
    note,
    print_json_rows,
    settings_of,
)
from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import clip
from nemo_run.console.times import ago, duration, tally

if TYPE_CHECKING:
    from nemo_run.management.index import Answer
    from nemo_run.management.index.facts import Fact
    from nemo_run.management.index.rows import Row

_LONGEST_TITLE = 120
_LONGEST_VALUE = 40
_MOST_VALUES = 3


@click.command("list")
@click.argument("title", required=False, shell_complete=hooks.titles)
@choosing_options
@click.option(
    "--sort", metavar="[-]KEY,…", shell_complete=hooks.facts,
    help="Sort by these, - for the greatest first: -accuracy,lr. Also created, duration, title.",
)  # fmt: skip
@click.option(
    "--columns", metavar="NAME,…", shell_complete=hooks.facts,
    help="Show these parameters and results.",
)  # fmt: skip
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the first N.")
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    title: str | None,
    sort: str | None,
    columns: str | None,
    limit: int | None,
    as_csv: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """List experiments, newest first: all of them, or those with a TITLE.

    A condition holds for an experiment if it holds for one of its jobs. It names parameters
    (model.lr), results (accuracy), the last values of metrics, and what every experiment has:
    state, title, tag, user, executor, job, created, age, duration.
    """
    named = options["titles"]
    if title is not None and named is not None and title != named:
        raise click.UsageError("Give TITLE once, as argument or as --title.", context)
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.", context)
    options["titles"] = named if title is None else title
    shown = _words(columns)
    answer = answered(question(options, sort=_words(sort), columns=shown, limit=limit))
    for warning in answer.warnings:
        note(f"warning: {warning}")
    from nemo_run.management.store.locations import closed

    unseen = closed()
    if unseen:
        note(f"{len(unseen)} of the users of this home let nobody read their experiments.")
    if as_json:
        print_json_rows(_documents(answer, shown))
    elif as_csv:
        _print_csv(answer, shown)
    elif answer.rows:
        _print_table(context, answer, shown)
    elif settings_of(context).look.terminal:
        note("None fits." if chosen(options) else "No experiments.")


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def _documents(answer: Answer, shown: list[str]) -> list[dict[str, Any]]:
    documents = [_document(row) for row in answer.rows]
    for document, values in zip(documents, answer.values, strict=False):
        document["values"] = {name: _of(values, name) for name in shown}
    return documents


def _of(values: dict[str, list[Fact]], name: str) -> Fact | list[Fact]:
    """Return the value of a name; a list where jobs have different ones."""
    found = values.get(name, [])
    return found if len(found) > 1 else next(iter(found), None)


def _print_table(context: click.Context, answer: Answer, shown: list[str]) -> None:
    now = time.time()
    tagged = any(row.tags for row in answer.rows)
    columns = [
        *_COLUMNS,
        *([Column("TAGS", least=8, drop=5)] if tagged else []),
        *(Column(name, least=8, right=True) for name in shown),
    ]
    lines = []
    for number, row in enumerate(answer.rows):
        cells = [*_cells(row, now), *([" ".join(row.tags)] if tagged else [])]
        values = answer.values[number] if shown else {}
        lines.append([*cells, *(_text(values.get(name, [])) for name in shown)])
    print("\n".join(table(columns, lines, settings_of(context).look)))


def _text(values: list[Fact]) -> str:
    texts = [clip(_one(value), _LONGEST_VALUE) for value in values[:_MOST_VALUES]]
    return ", ".join(texts) + (", …" if len(values) > _MOST_VALUES else "") if texts else "-"


def _one(value: Fact) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _print_csv(answer: Answer, shown: list[str]) -> None:
    import csv

    out = csv.writer(sys.stdout, lineterminator="\n")
    fixed = ["id", "title", "state", "jobs", "succeeded", "failed", "created", "started", "ended"]
    out.writerow([*fixed, "user", "tags", *shown])
    for number, row in enumerate(answer.rows):
        own = [row.id, row.title, str(row.state), row.jobs, row.succeeded, row.failed]
        times = [row.created, row.started, row.ended]
        values = answer.values[number] if shown else {}
        cells = ["; ".join(map(_exact, values.get(name, []))) for name in shown]
        out.writerow([*own, *times, row.user, " ".join(row.tags), *cells])
    mark_answered()


def _exact(value: Fact) -> str:
    return repr(value) if isinstance(value, float) else _one(value)


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
        "executors": list(row.executors),
        "tags": list(row.tags),
        "note": row.note,
        "rerun_of": row.rerun_of or None,
        "path": row.path,
        "error": row.error or None,
    }
