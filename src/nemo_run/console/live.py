"""Jobs in place while a person waits at a terminal, with the jobs' output running above them.

The block of job lines is erased and drawn again with two control sequences only: cursor up, and
clear to the end of the screen. No mode of the terminal is changed, nothing is hidden and no
other screen is used, so that even a killed process leaves a terminal that works.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, TextIO

from nemo_run.execution.observation import State
from nemo_run.management.watch.display import PlainDisplay, described, write_log

from .aside import Aside
from .terminal import Look, cells, clip, look_of, plain, same_terminal, visible
from .times import duration, tally

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus
    from nemo_run.management.watch.display import Display
    from nemo_run.management.watch.logs import Piece

_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_MARKS = {
    State.SUCCEEDED: "✓",
    State.FAILED: "✗",
    State.LOST: "✗",
    State.CANCELLED: "■",
    State.SKIPPED: "-",
    State.UNKNOWN: "?",
}
_ASCII = str.maketrans({"✓": "+", "✗": "x", "■": "#", "·": ".", "…": "~"})
_PERIOD = 0.1
_MOST_LINES = 12
_MOST_UNFINISHED = 3
_ORDER = (State.RUNNING, State.FAILED, State.LOST, State.UNKNOWN, State.CANCELLED)


def make_display(record: Record) -> Display:
    """Return the display for a person at a terminal; a plain one where that terminal can little.

    The block moves the cursor, so it needs the terminal for itself: where standard output goes
    elsewhere, somebody may write it to the same screen (``| tee log``).

    Args:
        record: The experiment that is followed.
    """
    windows_console = os.name == "nt" and "WT_SESSION" not in os.environ
    shared = same_terminal(sys.stdout, sys.stderr)
    if not shared or os.environ.get("TERM") == "dumb" or windows_console:
        return PlainDisplay()
    display = LiveDisplay(record.id)
    display.take_streams()
    return display


class LiveDisplay:
    """A block of job lines at the foot of the terminal.

    Args:
        title: What the last line calls the experiment.
        out: Where the output of jobs goes: the same terminal.
        err: The terminal that shows the block.
        clock: Tells the time, in seconds since the epoch.
    """

    def __init__(
        self,
        title: str,
        out: TextIO | None = None,
        err: TextIO | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._title = title
        self._out = out or sys.stdout
        self._err = err or sys.stderr
        self._clock = clock
        self._status: ExperimentStatus | None = None
        self._drawn: list[str] = []
        self._drawn_at = 0.0
        self._begun = clock()
        self._frame = 0
        self._open_line = False
        self._unfinished: list[str] = []
        self._asides: list[Aside] = []
        # Threads of the program may print while this one draws.
        self._lock = threading.RLock()

    def take_streams(self) -> None:
        """Let what the program prints, in any thread, appear above the block, until the end."""
        self._asides = [Aside("stdout", self._above), Aside("stderr", self._above)]
        for aside in self._asides:
            aside.put()

    def event(self, event: Mapping[str, Any], status: ExperimentStatus) -> None:  # noqa: ARG002
        """Show the new state."""
        self.tick(status)

    def tick(self, status: ExperimentStatus) -> None:
        """Draw the block again, not more often than ten times a second."""
        with self._lock:
            self._status = status
            if self._clock() - self._drawn_at >= _PERIOD:
                self._draw()

    def log(self, piece: Piece, prefix: str) -> None:
        """Write the output of a job above the block."""
        self._above(
            lambda: write_log(self._out, piece.data, prefix),
            whole=bool(prefix) or piece.data.endswith(b"\n"),
        )

    def unfinished(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """Show the last of the lines that have no end yet, in the block."""
        texts = [f"{prefix} {plain(data)}" if prefix else plain(data) for prefix, data in lines]
        with self._lock:
            self._unfinished = texts

    def message(self, text: str) -> None:
        """Write a sentence above the block."""
        self._above(lambda: self._err.write(text + "\n"))
        with self._lock:
            self._draw()

    def close(self) -> None:
        """Draw the jobs as they are now, and leave them there; a second time does nothing."""
        with self._lock:
            asides, self._asides = self._asides, []
            self._unfinished = []
            try:
                self._draw()
            finally:
                self._status = None
                self._drawn = []
                for aside in asides:
                    aside.remove()

    def _above(self, write: Callable[[], object], *, whole: bool = True) -> None:
        """Write where the block stands; it is drawn again below with the next tick.

        Not at once, as a flood of output must not draw a block a line.
        """
        with self._lock:
            self._erase()
            if self._open_line:
                self._err.write("\n")
                self._err.flush()
            write()
            self._open_line = not whole

    def _draw(self) -> None:
        if self._status is None:
            return
        look = look_of(self._err)
        now = self._clock()
        self._frame += 1
        head = "\n" if self._open_line else ""
        self._open_line = False
        lines = self._lines_unfinished(look) + block(
            self._status,
            look,
            title=self._title,
            now=now,
            elapsed=now - self._begun,
            frame=self._frame,
            most=min(_MOST_LINES, max(3, _height(self._err) // 2)),
        )
        text = self._erasing(look) + head + "".join(f"{line}\n" for line in lines)
        self._err.write(_encodable(text, self._err))
        self._err.flush()
        self._drawn, self._drawn_at = lines, now

    def _lines_unfinished(self, look: Look) -> list[str]:
        texts = [*self._unfinished, *(plain(aside.rest.encode()) for aside in self._asides)]
        width = (look.width or 80) - 1
        return [clip(text, width) for text in texts if text][:_MOST_UNFINISHED]

    def _erase(self) -> None:
        if self._drawn:
            self._err.write(self._erasing(look_of(self._err)))
            self._err.flush()
            self._drawn = []
            self._drawn_at = 0.0

    def _erasing(self, look: Look) -> str:
        # A terminal that was made narrower has folded the lines that are there.
        width = look.width or 80
        rows = sum(max(1, -(-_cells_shown(line) // width)) for line in self._drawn)
        return f"\r\x1b[{rows}A\x1b[J" if rows else ""


def block(
    status: ExperimentStatus,
    look: Look,
    *,
    title: str,
    now: float,
    elapsed: float,
    frame: int = 0,
    most: int = _MOST_LINES,
) -> list[str]:
    """Return the lines that show ``status``; pure.

    Where there are more jobs than lines, those that run and those that went wrong come first.

    Args:
        status: The experiment.
        look: Width and colours.
        title: What to call the experiment.
        now: The time, for how long jobs have been running.
        elapsed: How long the person has been waiting.
        frame: Which picture of the spinner.
        most: The most jobs to show.
    """
    width = (look.width or 80) - 1
    jobs = list(status.jobs.items())
    shown = jobs if len(jobs) <= most else _most_telling(jobs, most)
    names = min(max((cells(name) for name, _ in shown), default=0), width // 2)
    lines = [_job_line(name, job, look, names, width, now, frame) for name, job in shown]
    lines.append(_last_line(jobs, len(jobs) - len(shown), title, elapsed, look, width))
    return lines


def _most_telling(jobs: Sequence[tuple[str, JobStatus]], most: int) -> list[tuple[str, JobStatus]]:
    rank = {state: at for at, state in enumerate(_ORDER)}
    chosen = sorted(range(len(jobs)), key=lambda at: rank.get(jobs[at][1].state, len(_ORDER)))
    return [jobs[at] for at in sorted(chosen[:most])]


def _job_line(
    name: str, job: JobStatus, look: Look, names: int, width: int, now: float, frame: int
) -> str:
    mark = _MARKS.get(job.state, "·")
    if job.state is State.RUNNING:
        mark = _SPINNER[frame % len(_SPINNER)]
    name = clip(visible(name), names)
    spent = ""
    if job.started is not None:
        spent = duration((job.ended if job.ended is not None else now) - job.started)
    left = f"{mark} {name}{' ' * (names - cells(name))}  "
    text = clip(f"{visible(described(job))}  {spent}".rstrip(), max(0, width - cells(left)))
    state, rest = text[: len(job.state)], text[len(job.state) :]
    return left + look.state(str(job.state), state) + rest


def _last_line(
    jobs: Sequence[tuple[str, JobStatus]],
    hidden: int,
    title: str,
    elapsed: float,
    look: Look,
    width: int,
) -> str:
    states = [job.state for _, job in jobs]
    parts = [
        tally(
            len(jobs),
            states.count(State.SUCCEEDED),
            failed=states.count(State.FAILED) + states.count(State.LOST),
            cancelled=states.count(State.CANCELLED),
            skipped=states.count(State.SKIPPED),
        )
    ]
    if hidden:
        parts.append(f"{hidden} not shown")
    parts.append(duration(round(elapsed)))
    return look.paint(clip(f"{visible(title)}: {', '.join(parts)}", width), "dim")


def _cells_shown(line: str) -> int:
    from re import sub

    return cells(sub(r"\x1b\[[0-9;]*m", "", line))


def _height(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).lines
    except (OSError, ValueError, AttributeError):
        return 24


def _encodable(text: str, stream: TextIO) -> str:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for at, picture in enumerate(_SPINNER):
            text = text.replace(picture, "|/-\\"[at % 4])
        return text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
    return text
