"""Looking once, without charge: what is new is written only if nobody else wrote meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import State

from .watching import Watching

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.observation import Observation
    from nemo_run.management.store import Record
    from nemo_run.management.store.events import Event


_LONG = 20.0
"""Seconds after which somebody who asks how it stands is answered; what is left comes later."""


class OneLook(Watching):
    """One look at an experiment that was handed over.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
    """

    # Whoever asks how it stands waits for the answer: what cannot be brought is brought later.
    bring_patience = 0.0

    def __init__(self, record: Record, backend_named: Callable[[str], Backend]) -> None:
        self._whys: list[str] = []
        self.bring_until = time.monotonic() + _LONG
        super().__init__(record, backend_named, log=self._whys.append)
        self._hear()

    def interval(self) -> float:
        """Return how many seconds the engines want between two looks."""
        going = [*self._running, *(j.id for j in self.status.jobs.values() if j.unbrought)]
        wanted = (self._backend_named(n).capabilities.interval for n in self._by_backend(going))
        return max(wanted, default=0.0)

    def look(self) -> str:
        """Look, write down what is new, and return why something could not be seen."""
        self._disown([job for job in self._running if not self._is_own(job)])
        self._look()
        self._skip()
        self._bring_rest()
        if not self._open and not self.stopping:
            self._end()
        return "; ".join(dict.fromkeys(self._whys))

    @property
    def needs_conductor(self) -> bool:
        """Whether something is left to do that is more than looking."""
        return bool(self._waiting or self._unconfirmed)

    def _note(self, seen: dict[str, Observation]) -> None:
        untold = {job: one for job, one in seen.items() if one.state is State.UNKNOWN}
        self._whys += [one.message for one in untold.values() if one.message]
        super()._note({job: one for job, one in seen.items() if job not in untold})

    def _looked_at(self, seen: dict[str, Observation]) -> None:
        self._note(seen)

    def _write(self, happened: Sequence[Event]) -> bool:
        if not happened or self.stopping:
            return not happened
        try:
            if self._journal.append_if(happened, self._offset) is None:
                # Somebody else has charge by now, or has asked for something.
                self.stopping = True
                return False
        except NemoRunError as error:
            self._whys.append(str(error))
            self.stopping = True
            return False
        self._hear()
        self._forget_ended(happened)
        return True
