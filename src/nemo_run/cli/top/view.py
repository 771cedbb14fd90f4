"""What ``top`` shows, as data, and what a key does to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True)
class Job:
    """One job, as it is shown.

    Attributes:
        experiment: Its experiment's id.
        id: Its own; empty for the line of the experiment itself.
        state: Where it stands.
        told: The state in words, with the reason.
        attempt: Which try; 0 before the first.
        started: When its processes started, in seconds since the epoch.
        ended: When they ended.
        metrics: The last values that it logged.
        line: The last line of its output, without colours.
    """

    experiment: str
    id: str
    state: str
    told: str
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    metrics: dict[str, float] = field(default_factory=dict, hash=False)
    line: str = ""


@dataclass(frozen=True)
class Experiment:
    """One experiment, as it is shown.

    Attributes:
        id: Its id.
        title: Its title.
        state: Where it stands.
        jobs: Those of its jobs that are shown: what goes on or failed comes first.
        count: How many jobs it has.
        succeeded: How many of them succeeded.
        failed: How many failed or were lost.
        started: When it was started.
        ended: When it ended.
        doubt: Why this is only what was last known; else empty.
    """

    id: str
    title: str
    state: str
    jobs: tuple[Job, ...] = ()
    count: int = 0
    succeeded: int = 0
    failed: int = 0
    started: float | None = None
    ended: float | None = None
    doubt: str = ""


Mode = Literal["list", "filter", "confirm", "log"]
Place = tuple[str, str]
"""An experiment's id, and that of a job; the latter is empty for the experiment itself."""


@dataclass(frozen=True)
class View:
    """Everything that is on the screen.

    Attributes:
        experiments: What there is to show, the newest first.
        selected: The line that is marked.
        mode: What the keys do.
        filter: Only experiments and jobs with this text.
        log: The last lines of the selected job, in the mode ``log``.
        message: A sentence for the last line.
    """

    experiments: tuple[Experiment, ...] = ()
    selected: Place | None = None
    mode: Mode = "list"
    filter: str = ""
    log: tuple[str, ...] = ()
    message: str = ""


Action = Literal["", "quit", "cancel", "redraw"]

_UP, _DOWN = ("up", "k"), ("down", "j")
_PAGE = 10


def rows(view: View) -> list[tuple[Place, Experiment, Job | None]]:
    """Return the lines of the list that the filter lets through: experiments and their jobs."""
    found: list[tuple[Place, Experiment, Job | None]] = []
    wanted = view.filter.casefold()
    for one in view.experiments:
        own = wanted in f"{one.id} {one.title} {one.state}".casefold()
        jobs = [job for job in one.jobs if own or wanted in f"{job.id} {job.told}".casefold()]
        if own or jobs:
            found.append(((one.id, ""), one, None))
            found += [((one.id, job.id), one, job) for job in jobs]
    return found


def with_experiments(view: View, experiments: tuple[Experiment, ...]) -> View:
    """Return the view of what is known now; the mark stays where it was, or near."""
    before = [place for place, _, _ in rows(view)]
    now = replace(view, experiments=experiments)
    places = [place for place, _, _ in rows(now)]
    if not places:
        return replace(now, selected=None)
    if view.selected in places:
        return now
    at = before.index(view.selected) if view.selected in before else 0
    return replace(now, selected=places[min(at, len(places) - 1)])


def pressed(view: View, key: str) -> tuple[View, Action]:
    """Return what a key makes of a view, and what else it asks for.

    Args:
        view: What is on the screen.
        key: A character, or ``up``, ``down``, ``pageup``, ``pagedown``, ``home``, ``end``,
            ``enter``, ``escape``, ``backspace``, ``left``, ``right``.
    """
    return _KEYS[view.mode](replace(view, message=""), key)


def _in_list(view: View, key: str) -> tuple[View, Action]:
    if key == "q":
        return view, "quit"
    if key == "/":
        return replace(view, mode="filter"), ""
    if key == "escape":
        return with_experiments(replace(view, filter=""), view.experiments), ""
    if key in ("enter", "l", "right") and view.selected:
        return replace(view, mode="log", log=()), "redraw"
    if key == "c" and view.selected:
        return _asking(view), ""
    return _moved(view, key), ""


def _asking(view: View) -> View:
    experiment, job = view.selected or ("", "")
    known = next((one for one in view.experiments if one.id == experiment), None)
    if known is None or known.ended is not None:
        return replace(view, message=f"{experiment} has ended; there is nothing to cancel.")
    return replace(view, mode="confirm", message=f"Cancel {job or 'all jobs'} of {experiment}?")


def _moved(view: View, key: str) -> View:
    places = [place for place, _, _ in rows(view)]
    if not places:
        return view
    at = places.index(view.selected) if view.selected in places else 0
    steps = {**dict.fromkeys(_UP, -1), **dict.fromkeys(_DOWN, 1)}
    steps |= {"pageup": -_PAGE, "pagedown": _PAGE, "home": -len(places), "g": -len(places)}
    steps |= {"end": len(places), "G": len(places)}
    return replace(view, selected=places[min(max(at + steps.get(key, 0), 0), len(places) - 1)])


def _in_filter(view: View, key: str) -> tuple[View, Action]:
    if key == "enter":
        return replace(view, mode="list"), ""
    text = view.filter
    if key == "escape":
        text = ""
    elif key == "backspace":
        text = text[:-1]
    elif len(key) == 1 and key.isprintable():
        text += key
    mode: Mode = "list" if key == "escape" else "filter"
    return with_experiments(replace(view, filter=text, mode=mode), view.experiments), ""


def _in_confirm(view: View, key: str) -> tuple[View, Action]:
    if key in ("y", "Y"):
        return replace(view, mode="list", message="Cancelling …"), "cancel"
    return replace(view, mode="list", message="Nothing was cancelled."), ""


def _in_log(view: View, key: str) -> tuple[View, Action]:
    if key in ("q", "escape", "left", "l", "backspace"):
        return replace(view, mode="list", log=()), ""
    if key == "c":
        return _asking(view), ""
    if key in (*_UP, *_DOWN):
        return replace(_moved(view, key), log=()), "redraw"
    return view, ""


_KEYS = {"list": _in_list, "filter": _in_filter, "confirm": _in_confirm, "log": _in_log}
