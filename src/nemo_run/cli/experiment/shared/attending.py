"""Waiting for an experiment: how it stands, and a word where nobody drives it to its end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from nemo_run.cli.shared.settings import note
from nemo_run.management.looking import attend
from nemo_run.management.store.status import ExperimentStatus
from nemo_run.management.watch.logs import watch

from .advice import abandoned, is_abandoned

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record

_PERIOD = 1.0
"""How often to look whether somebody drives the experiment, in seconds."""


class Attending:
    """Tells how an experiment stands each time it is called, also when nobody writes its journal.

    Args:
        record: The experiment.

    Attributes:
        last: What it told last.
    """

    def __init__(self, record: Record) -> None:
        self.last = ExperimentStatus()
        self._record = record
        self._journal = watch(record)
        self._looked = time.monotonic()
        self._looks_abandoned = 0

    def __call__(self) -> ExperimentStatus:
        """Return how it stands now."""
        self.last = self._journal()
        if time.monotonic() - self._looked > _PERIOD:
            self._looked = time.monotonic()
            self._look_for_conductor()
        if self.is_left:
            from nemo_run.management.operations import status

            self.last = status(self._record)
        return self.last

    @property
    def is_left(self) -> bool:
        """Whether nobody drives it any more, as was told."""
        return self._looks_abandoned > 1

    def _look_for_conductor(self) -> None:
        attend(self._record, self.last)
        # Only the second look counts: it may be about to start, or have ended its work just now.
        abandoned_now = is_abandoned(self._record, self.last)
        self._looks_abandoned = self._looks_abandoned + 1 if abandoned_now else 0
        if self._looks_abandoned == 2:
            note(abandoned(self._record, self.last))
