"""Which processes of a job somebody wants to hear from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import PlanError
from nemo_run.management.store import layout, names

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from nemo_run.execution.backend import LogFile
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import JobStatus

DEFAULT_RANKS = "0,last,failed"

# How a backend's message begins where one process of several decided: "rank 1 of train: …".
_DECIDED = re.compile(r"(?:\S+ )?rank (\d+)(?: of (.+?))?: ")


@dataclass(frozen=True)
class Ranks:
    """Which processes of each member: ``0``, ``last``, ``0,failed``, ``2-5`` or ``all``."""

    text: str = DEFAULT_RANKS

    def __post_init__(self) -> None:
        for part in self._parts():
            _rank_range(part, 1, (), self.text)

    @property
    def failed(self) -> bool:
        """Whether processes are chosen because they failed."""
        return "failed" in self._parts()

    def of(self, world_size: int, failed: Collection[int] = ()) -> frozenset[int]:
        """Return the chosen ranks of a member of ``world_size`` processes.

        Args:
            world_size: How many processes the member has.
            failed: Those of its processes that failed.
        """
        chosen: set[int] = set()
        for part in self._parts():
            chosen.update(_rank_range(part, world_size, failed, self.text))
        return frozenset(chosen)

    def missing(self, world_size: int) -> list[str]:
        """Return the parts that choose none of ``world_size`` processes, as ``9`` of 4 does."""
        return [
            part
            for part in self._parts()
            if part != "failed" and not _rank_range(part, world_size, (), self.text)
        ]

    def _parts(self) -> list[str]:
        return [part.strip() for part in self.text.split(",")]


def _rank_range(part: str, world_size: int, failed: Collection[int], whole: str) -> Collection[int]:
    if part == "all":
        return range(world_size)
    if part == "failed":
        return failed
    if part == "last":
        return (world_size - 1,)
    first, dash, last = part.partition("-")
    if first.isdecimal() and (last.isdecimal() if dash else True):
        return range(int(first), min(int(last or first), world_size - 1) + 1)
    raise PlanError(
        f"The ranks {whole!r} are not understood at {part!r}. Give numbers, ranges, 'last', "
        "'failed' or 'all', with commas: 0,last or 0-3 or all."
    )


def chosen_files(
    files: Sequence[LogFile], ranks: Ranks, failed: Collection[tuple[str, int]] = ()
) -> list[LogFile]:
    """Return those of one attempt's ``files`` whose rank is asked for, member by member.

    Args:
        files: The logs.
        ranks: Which are asked for.
        failed: Member and rank of the processes that failed.
    """
    sizes: dict[str, int] = {}
    for file in files:
        sizes[file.member] = max(sizes.get(file.member, 0), file.rank + 1)
    chosen = {
        member: ranks.of(size, [rank for name, rank in failed if name == member])
        for member, size in sizes.items()
    }
    return [file for file in files if file.rank in chosen[file.member]]


def failed_ranks(record: Record, known: JobStatus, attempt: int) -> list[tuple[str, int]]:
    """Return member and rank of the processes of an attempt that are known to have failed."""
    root = layout.attempt_folder(record.path, known.id, attempt)
    # The member of a job that is no group is called like the job's folder.
    own = names.folder(known.id)
    found = set()
    for path in [*root.glob("error.*.json"), *root.glob("*/error.*.json")]:
        rank = path.name.split(".")[1]
        if rank.isdecimal():
            found.add((own if path.parent == root else path.parent.name, int(rank)))
    for seen in (known.observation, *known.previous):
        named = _DECIDED.match(seen.message) if seen.attempt == attempt else None
        if named:
            found.add((named[2] or own, int(named[1])))
    return sorted(found)
