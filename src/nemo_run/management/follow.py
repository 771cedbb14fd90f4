"""Waiting for an experiment: its journal and its logs, until it ends or the person leaves."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

from .charge import taken
from .launch import Started, not_started, start
from .logs import LogReader, Ranks
from .reading import read_on
from .status import ExperimentStatus, replay

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .display import Display
    from .logs import Piece
    from .plugin import Plugin
    from .record import Record

_SHORTEST, _LONGEST = 0.01, 0.2
_LIVENESS = 2.0
_REPLACEMENTS = 3


class Following:
    """One look after another at an experiment.

    Args:
        record: The experiment.
        display: Shows what happens.
        tail: The jobs whose output is shown.
        plugins: Are told of every event.
        started: The conductor, where this process started it; one that is killed is then
            replaced.
    """

    def __init__(
        self,
        record: Record,
        display: Display,
        *,
        tail: Sequence[str] = (),
        plugins: Sequence[Plugin] = (),
        started: Started | None = None,
    ) -> None:
        self.status = ExperimentStatus()
        self._record = record
        self._journal = record.journal
        self._display = display
        self._plugins = list(plugins)
        self._started = started
        self._offset = 0
        self._reader = LogReader(record, tail, Ranks("all")) if tail else None
        self._several = self._is_several(tail)
        self._groups = {job["id"] for job in record.jobs if job.get("group")}
        self._pause = _SHORTEST
        self._replaced = 0
        self._looked = time.monotonic()

    def until_end(self, jobs: Sequence[str] = ()) -> ExperimentStatus:
        """Return when the experiment, or each of ``jobs``, has ended.

        Raises:
            StoreError: The conductor is gone before that.
            KeyboardInterrupt: The person pressed Ctrl-C.
        """
        while True:
            moved = self.step()
            if self.status.ended is not None or self._over(jobs):
                self._logs(self.status)
                return self.status
            self._check_conductor()
            self._pause = _SHORTEST if moved else min(self._pause * 1.3, _LONGEST)
            time.sleep(self._pause)

    def step(self) -> bool:
        """Show what is new; return whether anything was."""
        fresh, self._offset = read_on(self._journal, self._offset)
        for event in fresh:
            self.status = replay([event], self.status)
            self._display.event(event, self.status)
            self._tell_plugins(event)
        moved = self._logs(self.status) or bool(fresh)
        self._display.tick(self.status)
        return moved

    def _over(self, jobs: Sequence[str]) -> bool:
        known = self.status.jobs
        return bool(jobs) and all(job in known and known[job].state.terminal for job in jobs)

    def _logs(self, status: ExperimentStatus) -> bool:
        if self._reader is None or self._reader.ended:
            return False
        moved = False
        for piece in self._reader.read(status):
            self._display.log(piece, self._prefix(piece))
            moved = True
        return moved

    def _prefix(self, piece: Piece) -> str:
        if not self._several:
            return ""
        member = f"/{piece.member}" if piece.job in self._groups else ""
        return f"[{piece.job}{member} {piece.rank}]"

    def _is_several(self, tail: Sequence[str]) -> bool:
        """Whether lines need the name of who wrote them."""
        if len(tail) != 1:
            return True
        from .logs import spec_of

        spec = spec_of(self._record, tail[0])
        return spec is None or len(spec.members) > 1 or _processes(spec.members[0]) > 1

    def _tell_plugins(self, event: dict[str, object]) -> None:
        for plugin in self._plugins:
            try:
                plugin.on_event(event)
            except Exception as error:  # noqa: BLE001 - the experiment goes on without its listener
                warnings.warn(
                    f"The plugin {type(plugin).__qualname__} raised {type(error).__name__} at "
                    f"{event['event']}: {error}",
                    stacklevel=2,
                )

    def _check_conductor(self) -> None:
        """Notice that nobody drives the experiment any more."""
        now = time.monotonic()
        gone = self._started is not None and self._started.gone
        if not gone and now - self._looked < _LIVENESS:
            return
        self._looked = now
        if (self._started is not None and not gone) or taken(self._record):
            return
        # What it did last may have been to end the experiment.
        self.step()
        if self.status.ended is None:
            self._replace_conductor()

    def _replace_conductor(self) -> None:
        conductor = self.status.conductor
        killed = conductor is not None and conductor.ended is None
        if self._started is None or not killed or self._replaced >= _REPLACEMENTS:
            raise not_started(self._record)
        self._replaced += 1
        self._started = start(self._record)


def _processes(member: object) -> int:
    nodes = getattr(member, "nodes", 1)
    return int(
        nodes * getattr(member, "processes_per_node", 1) * getattr(member, "ranks_per_process", 1)
    )
