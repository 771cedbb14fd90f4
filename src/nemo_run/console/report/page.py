"""The page itself: what is read of an experiment, in the order in which people ask for it."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

from nemo_run.console import html
from nemo_run.console.html import Html, element, join
from nemo_run.console.times import duration, moment
from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import State
from nemo_run.management.describe import dag
from nemo_run.masking import mask_arguments, mask_text

from . import axes, graph, times
from .ends import last_lines
from .style import STYLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus
    from nemo_run.management.sweep_table import Table

    Configuration = Callable[[Record, ExperimentStatus, str], str]

_MOST_ROWS = 200
_MOST_READ = 2000
_MOST_TIMES = 60
_MOST_FAILURES = 20
_MOST_LOGS = 8
_MOST_CONFIGURATIONS = 20
_MOST_PLOTS = 24
_MOST_CURVES = 6
_LONGEST = 20_000
_BAD = {State.FAILED, State.LOST}


def report(looked: Sequence[tuple[Record, ExperimentStatus]], configuration: Configuration) -> str:
    """Return the page.

    Args:
        looked: The experiments, each with how it stands.
        configuration: Returns the configuration of a job as text without secrets.
    """
    now = time.time()
    title = looked[0][0].id if len(looked) == 1 else f"{len(looked)} experiments"
    parts = []
    for record, status in looked:
        inside = join(_parts(record, status, configuration, now))
        heading = element("h1", record.id) if len(looked) > 1 else Html("")
        parts.append(element("article", heading + inside))
    foot = f"Written by nemo-run on {moment(now)}. The record is the folder; this is a picture."
    return html.page(title, join(parts), style=STYLE, foot=foot)


def _parts(
    record: Record, status: ExperimentStatus, configuration: Configuration, now: float
) -> list[Html]:
    from nemo_run.management.sweep_table import table_of

    jobs = list(status.jobs.values())
    read = [job.id for job in jobs[:_MOST_READ]]
    table = table_of(record, status, read)
    bad = [job for job in jobs if job.state in _BAD]
    return [
        _head(record, status, now),
        _section("What failed", _failures(record, bad)),
        _section("Jobs", _graph(record, status)),
        _section("Time", _times(record, jobs, now)),
        _section("Results", _results(table, len(jobs))),
        _section("Results over what was varied", _plots(table)),
        _section("Metrics", _metrics(record, read)),
        _section("Ends of logs", _logs(record, bad, jobs)),
        _section("Configuration", _configurations(record, status, configuration, jobs)),
        _section("Changes since the run it repeats", _changes(record)),
    ]


def _section(title: str, body: Html) -> Html:
    return html.section(title, body) if body else body


def _head(record: Record, status: ExperimentStatus, now: float) -> Html:
    meta = record.meta
    words = meta.get("argv")
    spent = None
    if status.started is not None:
        spent = (now if status.ended is None else status.ended) - status.started
    command = shlex.join(mask_arguments(list(map(str, words)))) if isinstance(words, list) else ""
    facts = html.facts(
        {
            "State": html.state(str(status.state)),
            "Title": record.title,
            "Created": moment(record.created),
            "Ran": duration(spent) if spent is not None else "",
            "By": "@".join(str(meta[key]) for key in ("user", "host") if meta.get(key)),
            "Command": element("code", command) if command else "",
            "In": element("code", str(meta["cwd"])) if meta.get("cwd") else "",
            "Code": _code(meta.get("git")),
            "Rerun of": str(meta.get("rerun_of") or ""),
        }
    )
    doubt = html.note(status.doubt) if status.doubt else Html("")
    return facts + doubt


def _code(git: Any) -> str:
    if not isinstance(git, dict):
        return ""
    commit = str(git.get("commit") or "")[:12]
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return f"{commit}{branch}{', with changes' if git.get('dirty') else ''}"


def _failures(record: Record, bad: Sequence[JobStatus]) -> Html:
    from nemo_run.management.results import described_end

    parts = []
    for job in sorted(bad, key=lambda job: job.ended or 0)[:_MOST_FAILURES]:
        text = _told(lambda job=job: described_end(record, job))  # type: ignore[misc]
        parts.append(element("div", html.pre(text, label=f"Why {job.id} failed"), class_="failure"))
    return join(parts) + _left_out(len(bad), _MOST_FAILURES, "failed jobs")


def _told(tell: Callable[[], str]) -> str:
    """Return what is told, as far as it is shown; what cannot be read says so itself."""
    try:
        text = mask_text(tell())
    except (NemoRunError, OSError) as error:
        text = str(error)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n… {len(text):,} characters"


def _left_out(whole: int, shown: int, what: str) -> Html:
    if whole <= shown:
        return Html("")
    return html.note(f"{whole - shown:,} more {what} are left out.")


def _graph(record: Record, status: ExperimentStatus) -> Html:
    nodes = [dag.node(str(job["id"]), job.get("dependencies", ())) for job in record.jobs]
    if not nodes:
        return Html("")
    picture = element("div", graph.picture(nodes, status.states), class_="wide", tabindex=0)
    kinds = {edge.kind for node in nodes for edge in node.edges} - {"afterok"}
    key = "Dashed: after it ended in any way. Red dots: after it did not succeed."
    boxes = len(graph.boxes_of(nodes))
    return picture + (html.note(key) if kinds else "") + _left_out(boxes, graph.MOST_BOXES, "boxes")


def _times(record: Record, jobs: Sequence[JobStatus], now: float) -> Html:
    events, _ = record.journal.read()
    spans = times.spans_of(events, now)
    ran = [job.id for job in jobs if job.id in spans]
    # What failed is what a reader of many jobs looks for.
    bad = {job.id for job in jobs if job.state in _BAD}
    chosen = set(sorted(ran, key=lambda job: job not in bad)[:_MOST_TIMES])
    picture = times.picture([job for job in ran if job in chosen], spans)
    if not picture:
        return Html("")
    key = html.note("Grey: waiting. Then the colour of how the attempt ended, or runs.")
    whole = element("div", picture, class_="wide", tabindex=0)
    return whole + key + _left_out(len(ran), _MOST_TIMES, "jobs")


def _results(table: Table, jobs: int) -> Html:
    head, rows, right = table.shown()
    at = head.index("state")
    cells = [
        [html.state(cell) if n == at else cell[:200] for n, cell in enumerate(row)]
        for row in rows[:_MOST_ROWS]
    ]
    shown = html.table(head, cells, right=right) if cells else Html("")
    return shown + _left_out(max(jobs, len(rows)), _MOST_ROWS, "jobs")


def _plots(table: Table) -> Html:
    found = []
    for result in table.results:
        for varied in table.varied:
            points = [
                (row["job"], row[varied], row[result])
                for row in table.rows
                if row[varied] is not None and axes.is_number(row[result])
            ]
            if len({str(x) for _, x, _ in points}) > 1:
                series = {job: [(x, y)] for job, x, y in points}
                found.append(_one_colour(result, varied, series))
    return _grid(found)


def _one_colour(result: str, varied: str, series: dict[str, list[tuple[Any, float]]]) -> Html:
    points = [point for row in series.values() for point in row]
    return axes.plot(result, varied, {result: points}, lines=False)


def _metrics(record: Record, jobs: Sequence[str]) -> Html:
    from nemo_run.management import metrics

    series: dict[str, dict[str, list[tuple[object, float]]]] = {}
    hidden = 0
    for job in jobs:
        for name, logged in metrics.read(record, job).series.items():
            rows = series.setdefault(name, {})
            if len(rows) >= _MOST_CURVES:
                hidden += 1
                continue
            rows[job] = list(zip(logged.steps, logged.values, strict=True))
    plots = [axes.plot(name, "step", rows, lines=True) for name, rows in series.items()]
    return _grid(plots) + _left_out(hidden, 0, "curves")


def _grid(plots: Sequence[Html]) -> Html:
    drawn = [plot for plot in plots if plot]
    if not drawn:
        return Html("")
    shown = element("div", join(drawn[:_MOST_PLOTS]), class_="plots")
    return shown + _left_out(len(drawn), _MOST_PLOTS, "plots")


def _logs(record: Record, bad: Sequence[JobStatus], jobs: Sequence[JobStatus]) -> Html:
    others = [job for job in jobs if job.state not in _BAD and job.attempt]
    chosen = [*bad[:_MOST_FAILURES], *others[:_MOST_LOGS]]
    parts = []
    for job in chosen:
        text = _told(lambda job=job: last_lines(record, job))  # type: ignore[misc]
        if text:
            name = Html("") + job.id + " " + html.state(str(job.state))
            inside = html.pre(text, label=f"Log of {job.id}")
            parts.append(html.details(name, inside, opened=job in bad[:1]))
    return join(parts) + _left_out(len(bad) + len(others), len(chosen), "logs")


def _configurations(
    record: Record,
    status: ExperimentStatus,
    configuration: Configuration,
    jobs: Sequence[JobStatus],
) -> Html:
    parts = []
    for job in jobs[:_MOST_CONFIGURATIONS]:
        text = _told(lambda job=job: configuration(record, status, job.id))  # type: ignore[misc]
        if text:
            parts.append(html.details(job.id, html.pre(text, label=f"Configuration of {job.id}")))
    return join(parts) + _left_out(len(jobs), _MOST_CONFIGURATIONS, "configurations")


def _changes(record: Record) -> Html:
    parent = record.meta.get("rerun_of")
    if not isinstance(parent, str) or not parent:
        return Html("")
    from nemo_run.management.compare import compare
    from nemo_run.management.store import find_id

    try:
        comparison = compare(find_id(parent), record)
    except NemoRunError as error:
        return html.note(str(error))
    return html.pre(_told(comparison.text), label=f"What changed since {parent}")
