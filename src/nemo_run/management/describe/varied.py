"""What an experiment remembers of a job that is a point of a sweep. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Varied:
    """What makes a job a point of a sweep.

    Attributes:
        sweep: The sweep's name, unique in the experiment.
        values: The value of each field that varies, as far as JSON has it; else as text.
        max_parallel: How many jobs of the sweep may run at once.
    """

    sweep: str
    values: Mapping[str, Any]
    max_parallel: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as data that JSON can hold; :meth:`from_json` reads it."""
        limit = {"max_parallel": self.max_parallel} if self.max_parallel else {}
        return {"name": self.sweep, "values": dict(self.values), **limit}

    @classmethod
    def from_json(cls, data: object) -> Varied | None:
        """Return what a job's document says of its sweep; None where it says nothing that fits."""
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return None
        values, limit = data.get("values"), data.get("max_parallel")
        return cls(
            data["name"],
            values if isinstance(values, dict) else {},
            limit if type(limit) is int and limit > 0 else None,
        )
