"""The process that tells the hooks of one experiment what its journal says.

It begins with the conductor, or with a look that found something new, and ends when everything is
told and nobody writes the journal any more. Killed, it is missed until the next of these begins:
each hook then goes on after the last event that it is known to have been told of.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.management.conductor.charge import taken
from nemo_run.management.store.files import open_file
from nemo_run.management.store.locks import locked
from nemo_run.management.store.record import Record

from . import stored
from .delivering import NotDeliveredError, deliver
from .hook import wants
from .notice import Noticing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .notice import Notice

_PERIOD = 0.2
_LONGEST_PERIOD = 2.0
_PATIENCE = 10.0
"""Seconds to wait for another one that may be about to end."""


class Telling:
    """Tells all hooks of one experiment, each in a thread of its own.

    Args:
        record: The experiment.
    """

    def __init__(self, record: Record) -> None:
        self._record = record
        self._stored = stored.read(record)
        self._told = stored.told(record, len(self._stored.hooks))
        self._lock = threading.Lock()
        self._notices: list[Notice] = []
        self._more = threading.Condition()
        self._over = False

    def run(self) -> None:
        """Tell until everything is told, and nobody is left who may write more."""
        threads = [
            threading.Thread(target=self._tell, args=(number,), daemon=True)
            for number in range(len(self._stored.hooks))
        ]
        for thread in threads:
            thread.start()
        try:
            for notice in self._read():
                with self._more:
                    self._notices.append(notice)
                    self._more.notify_all()
        finally:
            with self._more:
                self._over = True
                self._more.notify_all()
            for thread in threads:
                thread.join()

    def _read(self) -> Iterator[Notice]:
        """Yield what happens, from the first event on, until nobody writes any more."""
        noticing = Noticing(self._experiment())
        offset, period = 0, _PERIOD
        while True:
            # Asked before reading: what is written in between is read in the next round.
            last = not taken(self._record)
            happened, offset = self._record.journal.read(offset)
            yield from noticing.of(happened)
            if happened:
                period = _PERIOD
            elif last:
                return
            else:
                time.sleep(period)
                period = min(period * 1.5, _LONGEST_PERIOD)

    def _experiment(self) -> dict[str, str]:
        meta = self._record.meta
        shown = ("id", "title", "user", "host")
        return {
            **{name: str(meta.get(name) or "") for name in shown},
            "path": str(self._record.path),
        }

    def _tell(self, number: int) -> None:
        hook, at = self._stored.hooks[number], 0
        while True:
            with self._more:
                while at == len(self._notices) and not self._over:
                    self._more.wait()
                if at == len(self._notices):
                    return
                notice = self._notices[at]
            at += 1
            if notice.seq <= self._told[number]:
                continue
            if wants(hook.on, notice.kind, notice.state):
                self._tell_of(number, notice)

    def _tell_of(self, number: int, notice: Notice) -> None:
        hook = self._stored.hooks[number]
        try:
            said = deliver(hook, notice, self._stored.surroundings)
            if said.strip():
                _log(f"{notice.seq} {hook.label}: {said.strip()}")
        except NotDeliveredError as error:
            _log(f"{notice.seq} {hook.label}{stored.NOT_TOLD}{error}")
        with self._lock:
            self._told[number] = notice.seq
            # On a full disk it is told once more, some day; the journal is what matters.
            with contextlib.suppress(OSError):
                stored.note_told(self._record, self._told)


def _log(line: str) -> None:
    print(time.strftime("%Y-%m-%d %H:%M:%S"), line, flush=True)  # noqa: T201 - this is hooks.log


def main(arguments: list[str]) -> int:
    """Tell the hooks of the experiment in the folder that is the first argument."""
    record = Record(arguments[0])
    try:
        descriptor = open_file(record.path / stored.LOCK, os.O_RDWR | os.O_CREAT)
        with os.fdopen(descriptor), locked(descriptor, timeout=_PATIENCE):
            Telling(record).run()
    except TimeoutError:
        # Another one goes on telling.
        return 0
    except (NemoRunError, OSError) as error:
        _log(f"{stored.NOBODY.strip()} {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
