"""When the jobs of an experiment waited, ran and ended, as a picture with a line a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nemo_run.console.html import Html, element, join
from nemo_run.console.terminal import clip
from nemo_run.console.times import duration
from nemo_run.management.store import events as names

from .axes import ticks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nemo_run.execution.observation import Observation
    from nemo_run.management.store.events import Event

_LEFT, _WIDTH, _ROW = 190, 900, 26


class Span(NamedTuple):
    """A stretch of one state of one attempt; ``end`` in its last one is how the attempt ended."""

    attempt: int
    state: str
    start: float
    end: float


def spans_of(events: Iterable[Event], now: float) -> dict[str, list[Span]]:
    """Return for each job what it did when; what has not ended goes on until ``now``."""
    spans = _Spans()
    for event in events:
        job, when = event.get("job"), event.get("time")
        if isinstance(job, str) and isinstance(when, int | float):
            spans.add(job, float(when), event)
    for job in list(spans.going):
        spans.close(job, now)
    return spans.found


class _Spans:
    """What each job did so far, and what it is doing: attempt, state, since when."""

    def __init__(self) -> None:
        self.found: dict[str, list[Span]] = {}
        self.going: dict[str, tuple[int, str, float]] = {}

    def add(self, job: str, when: float, event: Event) -> None:
        if event["event"] in {names.JOB_INTENT, names.JOB_RETRIED, names.JOB_RESTARTED}:
            self.close(job, when)
            self.going[job] = (names.attempt(event), "PENDING", when)
        elif event["event"] == names.JOB_OBSERVED:
            self._observed(job, when, names.observation(event))

    def _observed(self, job: str, when: float, seen: Observation) -> None:
        state = str(seen.state)
        if seen.state.terminal:
            if seen.started is not None and self._state(job) == "PENDING":
                self._go_on(job, seen.attempt, "RUNNING", seen.started)
            self.close(job, when if seen.ended is None else seen.ended, state)
            return
        began = seen.started if state == "RUNNING" else None
        shown = "PENDING" if state == "SUBMITTED" else state
        if self._state(job) != shown:
            self._go_on(job, seen.attempt, shown, when if began is None else began)

    def _state(self, job: str) -> str:
        return self.going[job][1] if job in self.going else ""

    def _go_on(self, job: str, attempt: int, state: str, when: float) -> None:
        self.close(job, when)
        self.going[job] = (attempt, state, when)

    def close(self, job: str, when: float, state: str = "") -> None:
        """End what a job is doing; where that ran, it has the colour of how it ended."""
        if job not in self.going:
            return
        attempt, known, start = self.going.pop(job)
        shown = state if state and known in {"RUNNING", "UNKNOWN"} else known
        self.found.setdefault(job, []).append(Span(attempt, shown, start, max(start, when)))


def picture(jobs: Sequence[str], spans: Mapping[str, Sequence[Span]]) -> Html:
    """Return the time line of some jobs as SVG."""
    shown = [span for job in jobs for span in spans.get(job, ())]
    if not shown:
        return Html("")
    start = min(span.start for span in shown)
    whole = max(max(span.end for span in shown) - start, 0.001)
    scale = (_WIDTH - _LEFT - 30) / whole
    height = len(jobs) * _ROW + 34
    parts = []
    for tick in ticks(0, whole, 6):
        x = round(_LEFT + tick * scale, 1)
        parts.append(element("line", x1=x, x2=x, y1=4, y2=height - 26, class_="grid"))
        # The ticks of a short run would all be told as the same tenth of a second.
        text = (f"{tick:g}s" if whole < 1 else duration(tick)) if tick else "0"
        parts.append(element("text", text, x=x, y=height - 8, class_="axis mid"))
    for row, job in enumerate(jobs):
        y = row * _ROW + 6
        name = element("title", job) + escape_name(job)
        parts.append(element("text", name, x=0, y=y + 14, class_="name"))
        for span in spans.get(job, ()):
            told = f"{job}, attempt {span.attempt}: {span.state}, {duration(span.end - span.start)}"
            x = round(_LEFT + (span.start - start) * scale, 1)
            width = round(max(2.0, (span.end - span.start) * scale), 1)
            parts.append(
                element(
                    "rect", element("title", told), x=x, y=y + 2, width=width, height=14,
                    rx=2, class_=f"fill span {span.state.lower()}",
                )
            )  # fmt: skip
    return element(
        "svg", join(parts), width=_WIDTH, height=height, viewBox=f"0 0 {_WIDTH} {height}",
        role="img", aria_label=f"Time line of {len(jobs)} jobs over {duration(whole)}",
    )  # fmt: skip


def escape_name(job: str) -> Html:
    """Return the name of a job as far as there is room for it."""
    return Html("") + clip(job, 24)
