"""How much an experiment says of itself while somebody waits for it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.saying import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

# What this session was warned of.
_warned: set[str] = set()

_hushed: ContextVar[bool] = ContextVar("nemo_run_hushed", default=False)


@contextmanager
def hushed() -> Iterator[None]:
    """Make every experiment quiet that is described meanwhile."""
    token = _hushed.set(True)
    try:
        yield
    finally:
        _hushed.reset(token)


def is_hushed() -> bool:
    """Tell whether experiments are to be quiet."""
    return _hushed.get()


@dataclass(frozen=True)
class Manner:
    """What is said on standard error.

    Attributes:
        quiet: Nothing at all.
        goodbye: At the end, what to type next.
        summary: At the end, how many jobs succeeded.
    """

    quiet: bool = False
    goodbye: bool = True
    summary: bool = True

    def say(self, text: str) -> None:
        """Say a sentence."""
        if not self.quiet:
            say(text)

    def warn(self, text: str) -> None:
        """Say a warning, once: in a notebook the same jobs run again and again."""
        if not self.quiet and text not in _warned:
            _warned.add(text)
            self.say(f"warning: {text}")

    def summary_of(self, status: ExperimentStatus) -> None:
        """Say how an experiment ended whose jobs all succeeded."""
        if self.summary:
            count = len(status.jobs)
            self.say(f"All {count} jobs succeeded." if count > 1 else "The job succeeded.")

    def goodbye_of(self, record: Record, *, ended: bool) -> None:
        """Say what to type to look at an experiment later."""
        from .interrupts import how_to_come_back, how_to_look_back

        if not self.goodbye:
            return
        if ended:
            self.say(f"Experiment {record.id}\n{how_to_look_back(record)}")
        else:
            self.say(f"Experiment {record.id} goes on.\n{how_to_come_back(record)}")
