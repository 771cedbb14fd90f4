"""What a program is given that asks an experiment for its files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from . import listing, pulling

if TYPE_CHECKING:
    from pathlib import Path

    from nemo_run.management.store.record import Record

    from .listing import Artifact
    from .pulling import Pulled


class Artifacts(Sequence["listing.Artifact"]):
    """The files that jobs have left, looked up once, where they ran.

    Args:
        record: The experiment.
        job: One job's id; None for all.
        pattern: Only files whose path matches.
    """

    def __init__(self, record: Record, job: str | None = None, pattern: str = "") -> None:
        self._asked = record, job, pattern
        self._found = listing.listed(record, job, pattern, remote=True)

    @overload
    def __getitem__(self, index: int) -> Artifact: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Artifact]: ...
    def __getitem__(self, index: int | slice) -> Artifact | Sequence[Artifact]:
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        return (
            f"<{len(self)} files of {self._asked[0].id}: {[one.name for one in self._found[:5]]}>"
        )

    def pull(self, to: str | Path | None = None, *, checksum: bool = False) -> Pulled:
        """Copy the files to here, those that have changed.

        Args:
            to: A folder; by default the record.
            checksum: Compare the content of files that look the same by size and time.

        Raises:
            NemoRunError: A target cannot be reached, or the folder cannot be written.
        """
        record, job, pattern = self._asked
        return pulling.pull(record, job, pattern, to, checksum=checksum)
