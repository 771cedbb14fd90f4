"""The lines of the screen for what there is to show. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.console.tables import Column, table
from nemo_run.console.terminal import Look, clip, visible
from nemo_run.console.times import duration, tally

from .view import rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .view import Experiment, Job, View

READING = "Reading …"
_HELP = {
    "list": "↑↓ move  enter log  c cancel  / filter  q quit",
    "log": "↑↓ other job  c cancel  q back",
    "filter": "enter keep  esc clear",
    "confirm": "y yes  any other key no",
}
_COLUMNS = (
    Column("NAME", least=12),
    Column("STATE", style=lambda look, text: look.state(text.split(" ")[0], text)),
    Column("TIME", right=True, drop=3),
    Column("TRY", right=True, drop=1),
    Column("METRICS", least=8, drop=2),
    Column("LAST LINE", least=8, drop=4),
)


def frame(view: View, look: Look, height: int, now: float) -> list[str]:
    """Return the lines of the screen, at most ``height``.

    Args:
        view: What is to be shown.
        look: The width of the screen, and whether there are colours.
        height: Its lines.
        now: Seconds since the epoch.
    """
    width = look.width or 80
    foot = _foot(view, look, width)
    room = max(height - 2 - len(foot), 1)
    body = _log(view, width, room) if view.mode == "log" else _list(view, look, room, now)
    head = look.paint(clip(_head(view), width), "bold")
    lines = [head, "", *body[:room]]
    blank = [""] * max(height - len(lines) - len(foot), 0)
    return [*lines, *blank, *foot][:height]


def plain(view: View, look: Look, now: float) -> list[str]:
    """Return one picture without an end of the page, for what is no terminal."""
    listed = rows(view)
    return [_head(view), "", *_table(view, look, listed, now, marked=False)]


def _head(view: View) -> str:
    going = [one for one in view.experiments if one.ended is None]
    jobs = sum(job.state == "RUNNING" for one in going for job in one.jobs)
    count = "1 experiment" if len(going) == 1 else f"{len(going)} experiments"
    running = "1 job" if jobs == 1 else f"{jobs} jobs"
    wanted = f", filter {visible(view.filter)}" if view.filter else ""
    return f"nemo-run top  {count}, {running} running{wanted}"


def _foot(view: View, look: Look, width: int) -> list[str]:
    said = f"/{view.filter}" if view.mode == "filter" else view.message
    said = said or next((one.doubt for one in view.experiments if _is_selected(view, one)), "")
    return [clip(visible(said), width), look.paint(clip(_HELP[view.mode], width), "dim")]


def _is_selected(view: View, one: Experiment) -> bool:
    return view.selected is not None and view.selected[0] == one.id


def _list(view: View, look: Look, room: int, now: float) -> list[str]:
    listed = rows(view)
    if view.message == READING:
        return []
    if not listed:
        return ["Nothing is running." if not view.filter else "Nothing fits the filter."]
    places = [place for place, _, _ in listed]
    at = places.index(view.selected) if view.selected in places else 0
    # The mark stays in sight, with the heading of the table above.
    first = max(0, min(at - (room - 1) // 2, len(listed) - (room - 1)))
    return _table(view, look, listed[first : first + room - 1], now, marked=True)


def _table(
    view: View,
    look: Look,
    listed: list[tuple[tuple[str, str], Experiment, Job | None]],
    now: float,
    *,
    marked: bool,
) -> list[str]:
    cells = [_job(job, now) if job is not None else _experiment(one, now) for _, one, job in listed]
    if marked:
        marks = ["> " if place == view.selected else "  " for place, _, _ in listed]
        cells = [[mark + row[0], *row[1:]] for mark, row in zip(marks, cells, strict=True)]
    return table(_COLUMNS, cells, look)


def _experiment(one: Experiment, now: float) -> list[str]:
    done = tally(one.count, one.succeeded, failed=one.failed)
    spent = _spent(one.started, one.ended, now)
    return [one.id, one.state, spent, "", done, ""]


def _job(job: Job, now: float) -> list[str]:
    spent = _spent(job.started, job.ended, now)
    attempt = str(job.attempt) if job.attempt > 1 else ""
    return [f"  {job.id}", job.told, spent, attempt, metrics_text(job.metrics), job.line]


def metrics_text(metrics: Mapping[str, float], most: int = 3) -> str:
    """Return the last values of metrics in a few words: ``loss 0.123  lr 1e-05``."""
    shown = list(metrics.items())[:most]
    return "  ".join(f"{name} {value:.4g}" for name, value in shown)


def _spent(started: float | None, ended: float | None, now: float) -> str:
    return "" if started is None else duration((now if ended is None else ended) - started)


def _log(view: View, width: int, room: int) -> list[str]:
    experiment, job = view.selected or ("", "")
    title = clip(f"{visible(experiment)} {visible(job)}".rstrip(), width)
    lines = [clip(line, width) for line in view.log[-(room - 1) :]] if room > 1 else []
    return [title, *(lines or ["(nothing was written yet)"])]
