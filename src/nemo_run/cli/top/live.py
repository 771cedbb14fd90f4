"""The loop of ``top``: what is known comes from one thread, keys from the terminal."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.management import operations, store

from .frame import READING, frame
from .reading import Log, Reading, last_lines, log_of
from .screen import EndedError, Screen
from .view import View, pressed, with_experiments

if TYPE_CHECKING:
    from .view import Experiment, Place

_PERIOD = 1.0
_SHARE = 10
"""Reading may take a tenth of the time."""


class Reader(threading.Thread):
    """Reads what runs, so that a slow engine never keeps a key waiting.

    Args:
        screen: Is woken when there is something new.

    Attributes:
        found: What runs; None before it was read.
        failed: What could not be read.
        shown: The job whose log is on the screen, if one is.
    """

    def __init__(self, screen: Screen) -> None:
        super().__init__(daemon=True)
        self._screen = screen
        self._ended = threading.Event()
        self.found: tuple[Experiment, ...] | None = None
        self.failed = ""
        self.shown: Place | None = None
        self._log: Log | None = None

    def run(self) -> None:
        """Read until :meth:`stop`."""
        reading = Reading()
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                self._read_log()
                self.found, self.failed = reading.now(), "; ".join(reading.warnings)
            except (NemoRunError, OSError) as error:
                self.failed = str(error)
            self._screen.wake()
            self._ended.wait(max(_PERIOD, _SHARE * (time.monotonic() - began)))

    def _read_log(self) -> None:
        if self.shown is None or not self.shown[1]:
            self._log = None
            return
        if self._log is None or self._log.place != self.shown:
            self._log = Log(store.find(self.shown[0]), self.shown[1])
        self._log.update()

    def stop(self) -> None:
        """End after this round."""
        self._ended.set()


class Cancelling(threading.Thread):
    """Cancels a job, or a whole experiment.

    Args:
        experiment: The experiment's id.
        job: The job's id; empty for all.
        screen: Is woken when that is done.
    """

    def __init__(self, experiment: str, job: str, screen: Screen) -> None:
        super().__init__(daemon=True)
        self._place = (experiment, job)
        self._screen = screen
        self.said = ""

    def run(self) -> None:
        """Ask for the end, and say how that went."""
        experiment, job = self._place
        try:
            operations.cancel(store.find(experiment), job or None, by="nemo-run top")
            self.said = f"Asked for the end of {job or 'all jobs'} of {experiment}."
        except (NemoRunError, OSError) as error:
            self.said = str(error)
        self._screen.wake()


def run(text: str) -> int:
    """Show all that runs until the person leaves.

    Args:
        text: The filter to begin with.

    Returns:
        The exit code.
    """
    try:
        with Screen() as screen:
            reader = Reader(screen)
            reader.start()
            try:
                _loop(View(filter=text, message=READING), screen, reader)
            finally:
                reader.stop()
    except KeyboardInterrupt:
        # How most people leave such a view.
        return 0
    except EndedError as error:
        return error.code
    return 0


def _loop(view: View, screen: Screen, reader: Reader) -> None:
    seen: tuple[Experiment, ...] | None = None
    cancelling: Cancelling | None = None
    while True:
        if reader.found is not None and reader.found is not seen:
            first, seen = seen is None, reader.found
            view = with_experiments(view, seen)
            view = replace(view, message=reader.failed or ("" if first else view.message))
        if cancelling is not None and cancelling.said:
            view, cancelling = replace(view, message=cancelling.said), None
        reader.shown = view.selected if view.mode == "log" else None
        if view.mode == "log":
            view = replace(view, log=_log(view, screen.height))
        screen.draw(frame(view, screen.look, screen.height, time.time()))
        for key in screen.keys(_PERIOD):
            view, action = pressed(view, key)
            if action == "quit":
                return
            if action == "cancel" and view.selected:
                cancelling = Cancelling(*view.selected, screen)
                cancelling.start()


def _log(view: View, height: int) -> tuple[str, ...]:
    experiment, job = view.selected or ("", "")
    try:
        record = store.find(experiment)
        status = record.status()
        known = status.jobs.get(job) if job else None
        if known is None:
            return tuple(operations.status_text(record, status).splitlines())
        return tuple(last_lines(log_of(record, known), height))
    except (NemoRunError, OSError) as error:
        return (str(error),)
