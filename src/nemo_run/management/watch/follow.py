"""Waiting for an experiment: its journal and its logs, until it ends or the person leaves."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

from nemo_run.management.conductor.charge import following, taken
from nemo_run.management.conductor.launch import Started, not_started, start
from nemo_run.management.store.reading import read_on
from nemo_run.management.store.status import ExperimentStatus, replay

from .labels import Labels
from .logs import LogReader
from .ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.management.describe.plugin import Plugin
    from nemo_run.management.store.events import Event
    from nemo_run.management.store.record import Record

    from .display import Display

_SHORTEST, _LONGEST = 0.01, 0.2
_LIVENESS = 2.0
_REPLACEMENTS = 3
_DRAINING = 60.0


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
        # One plugin may be part of several jobs; it hears of each event once.
        self._plugins = list({id(plugin): plugin for plugin in plugins}.values())
        self._started = started
        self._offset = 0
        self._reader = LogReader(record, tail, Ranks("all")) if tail else None
        self._labels = Labels(record, tail)
        self._pause = _SHORTEST
        self._replaced = 0
        self._looked = self._waiting_since = time.monotonic()
        self._trouble = ""

    def until_end(self, jobs: Sequence[str] = ()) -> ExperimentStatus:
        """Return when the experiment, or each of ``jobs``, has ended.

        Raises:
            StoreError: The conductor is gone before that.
            KeyboardInterrupt: The person pressed Ctrl-C.
        """
        with following(self._record):
            return self._until_end(jobs)

    def _until_end(self, jobs: Sequence[str]) -> ExperimentStatus:
        while True:
            moved = self.step()
            if self._record.copied:
                self.status = self._record.status()
            if self.status.ended is not None or self._over(jobs):
                self._drain()
                return self.status
            self._check_conductor()
            self._pause = _SHORTEST if moved else min(self._pause * 1.3, _LONGEST)
            time.sleep(self._pause)

    def _drain(self) -> None:
        """Show the rest of what was written, also where it has to be fetched first."""
        self._logs(self.status)
        deadline = time.monotonic() + _DRAINING
        while self._reader is not None and self._reader.behind and time.monotonic() < deadline:
            time.sleep(_LONGEST)
            self._logs(self.status)

    def step(self) -> bool:
        """Show what is new; return whether anything was."""
        fresh, self._offset = read_on(self._journal, self._offset)
        latest = replay(fresh, self.status) if fresh else self.status
        for event in fresh:
            self.status = replay([event], self.status)
            if self._ends_a_job(event):
                # What it wrote comes before the line that says how it ended.
                self._logs(latest)
            self._display.event(event, self.status)
            self._tell_plugins(event)
        moved = self._logs(self.status) or bool(fresh)
        self._display.tick(self.status)
        return moved

    def _ends_a_job(self, event: Event) -> bool:
        job = self.status.jobs.get(str(event.get("job")))
        return job is not None and job.state.terminal

    def _over(self, jobs: Sequence[str]) -> bool:
        known = self.status.jobs
        return bool(jobs) and all(job in known and known[job].state.terminal for job in jobs)

    def _logs(self, status: ExperimentStatus) -> bool:
        if self._reader is None or self._reader.ended:
            return False
        moved = False
        for piece in self._reader.read(status):
            self._display.log(piece, self._labels.of(piece))
            moved = True
        rest = self._reader.unfinished()
        self._display.unfinished([(self._labels.of(piece), piece.data) for piece in rest])
        return moved

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
        alone = self.status.handed_over and self._started is None
        if not gone and not alone and now - self._looked < _LIVENESS:
            return
        self._looked = now
        self._tell_trouble(now)
        if (self._started is not None and not gone) or taken(self._record):
            return
        # What it did last may have been to end the experiment.
        self.step()
        if self.status.ended is None:
            self._replace_conductor()

    def _tell_trouble(self, now: float) -> None:
        """Say why an engine has not taken jobs that it was to be given a while ago."""
        from nemo_run.management import handing

        if not any(job.unconfirmed for job in self.status.jobs.values()):
            self._waiting_since = now
        elif now - self._waiting_since > handing.SILENT:
            trouble = handing.last_trouble(self._record)
            if trouble != self._trouble:
                self._display.message(handing.not_yet(trouble))
                self._trouble = trouble

    def _replace_conductor(self) -> None:
        conductor = self.status.conductor
        killed = self._started is not None and conductor is not None and conductor.ended is None
        # What the engines finish alone is driven by somebody again while it is waited for.
        wanted = killed or self.status.handed_over
        if not wanted or self._replaced >= _REPLACEMENTS:
            raise not_started(self._record)
        self._replaced += 1
        self._started = start(self._record)
