"""How many jobs of each sweep may run at once."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from nemo_run.management.describe.varied import Varied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Limits:
    """Counts the jobs that were submitted and have not ended, by sweep.

    Args:
        jobs: The documents of an experiment's jobs.
    """

    def __init__(self, jobs: Iterable[Mapping[str, Any]]) -> None:
        self._sweep: dict[str, str] = {}
        self._limit: dict[str, int] = {}
        self._going: set[str] = set()
        self._count: Counter[str] = Counter()
        for document in jobs:
            varied = Varied.from_json(document.get("sweep"))
            if varied is not None and varied.max_parallel:
                self._sweep[str(document["id"])] = varied.sweep
                self._limit[varied.sweep] = varied.max_parallel

    def note(self, job: str, *, going: bool) -> None:
        """Take note of whether an engine has the job, or is about to get it."""
        sweep = self._sweep.get(job)
        if sweep is None or going is (job in self._going):
            return
        if going:
            self._going.add(job)
        else:
            self._going.discard(job)
        self._count[sweep] += 1 if going else -1

    def admitted(
        self, jobs: Iterable[str], free: Callable[[str], bool] = lambda _: False
    ) -> list[str]:
        """Return those of the jobs that may start now, in their order.

        Args:
            jobs: The jobs whose turn it is.
            free: Whether the engine of a job keeps the limit itself.
        """
        if not self._sweep:
            return list(jobs)
        room = {sweep: limit - self._count[sweep] for sweep, limit in self._limit.items()}
        found = []
        for job in jobs:
            sweep = self._sweep.get(job)
            if sweep is not None and not free(job):
                if room[sweep] <= 0:
                    continue
                room[sweep] -= 1
            found.append(job)
        return found
