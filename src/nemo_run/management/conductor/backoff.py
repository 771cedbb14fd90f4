"""Leaving alone what fails, each time for longer."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SHORTEST, _LONGEST = 0.05, 30.0


class BackOff:
    """What failed lately, by name.

    Args:
        log: Takes a line when something fails for the first time, and when it works again.
        clock: Tells the time, in seconds.
    """

    def __init__(
        self, log: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._log = log
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def __bool__(self) -> bool:
        """Whether anything is failing."""
        return bool(self._failures)

    def count(self, what: str) -> int:
        """Return how often it failed in a row."""
        return self._failures.get(what, 0)

    def failed(self, what: str, error: Exception) -> None:
        """Take note of a failure."""
        count = self.count(what) + 1
        self._failures[what] = count
        pause = min(_SHORTEST * 2 ** min(count, 16), _LONGEST)
        # Not all at the same moment: what failed for us failed for others too.
        self._not_before[what] = self._clock() + pause * random.uniform(0.75, 1.0)  # noqa: S311
        if count == 1:
            self._log(f"{what}: {type(error).__name__}: {error}")

    def worked(self, what: str) -> None:
        """Take note that it does not fail."""
        if self._failures.pop(what, 0):
            self._log(f"{what}: works again")

    def waiting(self, what: str) -> bool:
        """Whether it is not to be tried yet."""
        return what in self._failures and self._clock() < self._not_before[what]
