"""What a job has left in the record beside its result: metrics and artifacts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.console.times import size
from nemo_run.exceptions import NemoRunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.management.metrics import Series
    from nemo_run.management.store.record import Record

_MOST_METRICS = 20
_MOST_FILES = 10


@dataclass(frozen=True)
class Left:
    """What is in the record of what a job has left; its target is not asked.

    Attributes:
        metrics: The series of each member, as far as rank 0 has logged any.
        artifacts: Path and size in bytes of each file.
        trouble: Why artifacts cannot be listed; empty where they can.
    """

    metrics: dict[str, dict[str, Series]]
    artifacts: tuple[tuple[str, int], ...] = ()
    trouble: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what ``show --json`` says of it."""
        return {
            "metrics": {
                member: {name: _document(one) for name, one in series.items()}
                for member, series in self.metrics.items()
            },
            "artifacts": [{"path": path, "bytes": count} for path, count in self.artifacts],
        }

    def metric_lines(self, member: str) -> list[str]:
        """Return the last value of each name, a line each, the first of many."""
        found = list(self.metrics.get(member, {}).values())
        width = max((len(series.name) for series in found[:_MOST_METRICS]), default=0)
        lines = [
            f"{series.name:<{width}} = {series.last:.6g}  (step {series.last_step:g})"
            for series in found[:_MOST_METRICS]
        ]
        return lines + _more(len(found), _MOST_METRICS)

    def artifact_lines(self) -> list[str]:
        """Return each file with its size, the first of many."""
        if self.trouble:
            return [f"(cannot be listed: {self.trouble})"]
        lines = [f"{path}  {size(count)}" for path, count in self.artifacts[:_MOST_FILES]]
        return lines + _more(len(self.artifacts), _MOST_FILES)


def left_by(record: Record, job: str, members: Sequence[str]) -> Left:
    """Return what a job has left in the record."""
    from nemo_run.management.artifacts import listed
    from nemo_run.management.metrics import read

    read_for = {name: read(record, job, name if len(members) > 1 else None) for name in members}
    metrics = {name: found.series for name, found in read_for.items() if found}
    try:
        files = tuple((one.name, one.size) for one in listed(record, job))
    except (NemoRunError, OSError) as error:
        return Left(metrics, trouble=str(error))
    return Left(metrics, files)


def _document(series: Series) -> dict[str, Any]:
    return {"last": _plain(series.last), "step": series.last_step}


def _plain(value: float) -> float | str:
    """Return a number as ``experiment metrics --json`` has it: JSON has no NaN."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


def _more(count: int, most: int) -> list[str]:
    return [f"and {count - most} more"] if count > most else []
