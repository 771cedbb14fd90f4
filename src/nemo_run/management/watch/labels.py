"""The name that stands before lines where the output of several processes is mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nemo_run.management.store import names

from .logs import log_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.management.store.record import Record

    from .logs import Piece


class Labels:
    """Names logs by as much as tells them apart: ``[train]``, ``[train:1]``, ``[train/server:0]``.

    Args:
        record: The experiment.
        jobs: The jobs whose output is shown.
    """

    def __init__(self, record: Record, jobs: Sequence[str]) -> None:
        self._record = record
        self._several = len(jobs) > 1
        self._parts: dict[tuple[str, int], tuple[bool, bool]] = {}

    def of(self, piece: Piece) -> str:
        """Return the name of who wrote ``piece``; empty where nobody else writes."""
        grouped, ranked = self._told_apart_by(piece.job, piece.attempt)
        if not (self._several or grouped or ranked):
            return ""
        member = f"/{piece.member}" if grouped else ""
        rank = f":{piece.rank}" if ranked else ""
        return f"[{piece.job}{member}{rank}]"

    def _told_apart_by(self, job: str, attempt: int) -> tuple[bool, bool]:
        """Return whether the logs of a job differ by member, and by rank."""
        if (job, attempt) not in self._parts:
            files = log_files(self._record, job, attempt)
            self._parts[(job, attempt)] = (
                any(file.member != names.folder(job) for file in files),
                any(file.rank > 0 for file in files),
            )
        return self._parts[(job, attempt)]
