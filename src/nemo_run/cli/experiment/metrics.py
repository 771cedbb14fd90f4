"""``nemo-run experiment metrics``."""

from __future__ import annotations

import itertools
import math
import sys
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import (
    common_options,
    json_option,
    note,
    print_json_rows,
    settings_of,
)
from nemo_run.console.tables import Column, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.management.metrics import Series
    from nemo_run.management.store.record import Record

_CURVE = 24
_BARS = "▁▂▃▄▅▆▇█"

# Job, member and rank of who logged a series.
_Source = tuple[str, str, int]


@click.command("metrics")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("--csv", "as_csv", is_flag=True, help="Print every point as a line of CSV.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context, experiment: str, job: str | None, as_csv: bool, as_json: bool
) -> None:
    """Show what JOB, or each job, has logged with log_metrics; JOB is an id, or a number from 0.

    Of a running job it is what there is now. Of more than 4000 points of one name some are left
    out, never the last.
    """
    if as_csv and as_json:
        raise click.UsageError("Give --csv or --json, not both.", context)
    from nemo_run.management.metrics import fetch

    record = record_of(experiment)
    jobs = [job_of(record, job)] if job is not None else [str(one["id"]) for one in record.jobs]
    for name, error in fetch(record, jobs).items():
        note(f"warning: the metrics of {name} may be old: {error}")
    found = list(_all(record, jobs))
    if as_json:
        print_json_rows([_document(*one) for one in found])
    elif as_csv:
        _print_csv(found)
    elif found:
        rows = [_cells(source, series) for source, series in found]
        print("\n".join(table(_COLUMNS, rows, settings_of(context).look)))
    else:
        note("Nothing was logged. A job does that with run.log_metrics(step=1, loss=0.5).")


def _all(record: Record, jobs: list[str]) -> Iterator[tuple[_Source, Series]]:
    from nemo_run.management.metrics import metrics_files, read

    for job in jobs:
        for member, rank in metrics_files(record, job):
            for series in read(record, job, member, rank).series.values():
                yield (job, member, rank), series


_COLUMNS = (
    Column("JOB", least=8),
    Column("NAME", least=8),
    Column("LAST", right=True),
    Column("STEP", right=True),
    Column("LEAST", right=True, drop=3),
    Column("MOST", right=True, drop=3),
    Column("VALUES", right=True, drop=2),
    Column("", drop=1),
)


def _cells(source: _Source, series: Series) -> list[str]:
    job, member, rank = source
    who = job if member == job else f"{job}/{member}"
    return [
        f"{who} rank {rank}" if rank else who,
        series.name,
        _short(series.last),
        f"{series.last_step:g}" if abs(series.last_step) < 1e6 else f"{series.last_step:.0f}",
        _short(series.least),
        _short(series.most),
        str(series.count),
        curve(series.values),
    ]


def _short(value: float) -> str:
    return f"{value:.5g}"


def curve(values: list[float], width: int = _CURVE) -> str:
    """Return a line of bars, as high as the values are."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    count = min(width, len(finite))
    ends = [len(finite) * part // count for part in range(count + 1)]
    means = [sum(finite[a:b]) / (b - a) for a, b in itertools.pairwise(ends)]
    low, high = min(means), max(means)
    if not math.isfinite(high - low) or high == low:
        return _BARS[3] * count
    return "".join(_BARS[round((mean - low) / (high - low) * (len(_BARS) - 1))] for mean in means)


def _document(source: _Source, series: Series) -> dict[str, Any]:
    job, member, rank = source
    points = [[_plain(step), _plain(value), _plain(at)] for step, value, at in series.points()]
    return {
        "job": job,
        "member": member,
        "rank": rank,
        "name": series.name,
        "last": _plain(series.last),
        "step": series.last_step,
        "least": _plain(series.least),
        "most": _plain(series.most),
        "count": series.count,
        "points": points,
    }


def _plain(value: float) -> float | str | None:
    """Return a number as JSON has it."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


def _print_csv(found: list[tuple[_Source, Series]]) -> None:
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["job", "member", "rank", "name", "step", "value", "time"])
    for (job, member, rank), series in found:
        for step, value, when in series.points():
            writer.writerow([job, member, rank, series.name, step, value, f"{when:.3f}"])
