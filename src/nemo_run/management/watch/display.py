"""What the person who waits for an experiment gets to see."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from nemo_run.execution.observation import State
from nemo_run.saying import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.management.store import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus

    from .logs import Piece

# A terminal gets the display of the console room, which this room must not import: the name is
# resolved when there is a terminal.
_RICH = "nemo_run.console.live", "make_display"


class Display(Protocol):
    """Shows an experiment while it is followed. Every method returns at once."""

    def event(self, event: Mapping[str, Any], status: ExperimentStatus) -> None:
        """Show that something happened; ``status`` is the state after it."""
        ...

    def tick(self, status: ExperimentStatus) -> None:
        """Called several times a second, for what moves by itself: clocks, spinners."""
        ...

    def log(self, piece: Piece, prefix: str) -> None:
        """Show output of a job; ``prefix`` names it, and is empty where there is only one."""
        ...

    def unfinished(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """Show the lines that have no end yet, each with its prefix, as they look now."""
        ...

    def message(self, text: str) -> None:
        """Show a sentence for the person."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; called once, at the end."""
        ...


class SilentDisplay:
    """Shows the output of jobs and nothing of ours."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out
        self._err = err

    def event(self, event: Mapping[str, Any], status: ExperimentStatus) -> None:
        """Say nothing."""

    def tick(self, status: ExperimentStatus) -> None:
        """Say nothing."""

    def log(self, piece: Piece, prefix: str) -> None:
        """Pass the output of a job on."""
        write_log(self._out or sys.stdout, piece.data, prefix)

    def unfinished(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """Wait for their end."""

    def message(self, text: str) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing was changed."""


class PlainDisplay(SilentDisplay):
    """One line on standard error for each change of a job's state: for files and pipes."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        super().__init__(out, err)
        self._shown: dict[str, tuple[State, int, str]] = {}

    def event(self, event: Mapping[str, Any], status: ExperimentStatus) -> None:
        """Write a line where the state of a job became another."""
        job = event.get("job")
        known = status.jobs.get(job) if isinstance(job, str) else None
        if known is None or known.state in {State.CREATED, State.SUBMITTED}:
            return
        # That a job waits is worth a line where the engine says why.
        why = known.message if known.state is State.PENDING else ""
        if known.state is State.PENDING and not why:
            return
        if self._shown.get(str(job)) == (known.state, known.attempt, why):
            return
        self._shown[str(job)] = known.state, known.attempt, why
        self.message(f"{job}: {described(known)}")

    def message(self, text: str) -> None:
        """Write the sentence."""
        say(text, self._err)


def described(job: JobStatus) -> str:
    """Return the state of a job in words, with its attempt and what the engine said."""
    words = job.describe()
    if job.attempt > 1:
        words += f", attempt {job.attempt}"
    if job.state in {State.SUCCEEDED, State.RUNNING} or not job.message or job.message in words:
        return words
    return f"{words}: {job.message}"


def write_log(out: TextIO, data: bytes, prefix: str) -> None:
    """Write output of a job to ``out``, with ``prefix`` before each line."""
    if prefix:
        mark = f"{prefix} ".encode()
        data = b"".join(mark + line + b"\n" for line in data.removesuffix(b"\n").split(b"\n"))
    buffer = getattr(out, "buffer", None)
    if buffer is None:
        # A notebook's stream takes text only.
        out.write(data.decode("utf-8", "replace"))
    else:
        out.flush()
        buffer.write(data)
    out.flush()


def choose(record: Record, *, quiet: bool) -> Display:
    """Return the display that fits where the output goes.

    Args:
        record: The experiment.
        quiet: Say nothing; the output of jobs is shown all the same.
    """
    if quiet:
        return SilentDisplay()
    if not _is_terminal(sys.stderr):
        return PlainDisplay()
    from importlib import import_module

    module, name = _RICH
    made: Display = getattr(import_module(module), name)(record)
    return made


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()
