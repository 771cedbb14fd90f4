"""Why a job failed: which process was the first, what kind of end that is, and what to do.

Of a job of many processes one fails, and the others report that they lost it. What each left is
collected (:mod:`.evidence`), compared with known ends (:mod:`.signatures`, which are data), and
the first one that is no echo of another is told of.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.execution.observation import Reason, State

from .evidence import Evidence, collect
from .signatures import known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import JobStatus

    from .signatures import Signature

# What the engine itself knows better than any log.
_CERTAIN = frozenset(
    {Reason.TIME_LIMIT, Reason.OUT_OF_MEMORY, Reason.NODE_FAILURE, Reason.PREEMPTED}
    | {Reason.IMAGE, Reason.QUOTA}
)


@dataclass(frozen=True)
class Finding:
    """What is known of how a job failed.

    Attributes:
        name: The kind of end (``GPU out of memory``); empty if it is none of the known ones.
        says: What happened: the rest of a sentence that begins with who.
        do: What a person may do about it, the most likely first.
        member: The member whose process failed first; empty if nobody knows.
        rank: Which of its processes that was, from 0; None if nobody knows.
        traceback: Of that process; empty if there is none.
        others: How many other processes failed, too.
        warnings: Sentences about files of signatures that could not be used.
    """

    name: str
    says: str
    do: tuple[str, ...] = ()
    member: str = ""
    rank: int | None = None
    traceback: str = ""
    others: int = 0
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as data that JSON can hold."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return what a person reads before any traceback."""
        told = [f"{self.name}: {self.says}"] if self.name else []
        told += [f"  - {text}" for text in self.do]
        if self.others and self.rank is not None:
            several = "1 other rank" if self.others == 1 else f"{self.others} other ranks"
            told.append(f"rank {self.rank} failed first; {several} followed")
        return [*told, *(f"warning: {text}" for text in self.warnings)]


def of(record: Record, job: JobStatus) -> Finding | None:
    """Return what is known of how a job failed; None if it did not, or nothing is known.

    Args:
        record: The experiment.
        job: Where the job stands.
    """
    if job.state not in {State.FAILED, State.LOST} or not job.attempt:
        return None
    signatures, warnings = known()
    seen = collect(record, job)
    first, kind = _first(seen, signatures)
    whole = Evidence(text=job.message, exit_code=job.exit_code, reason=str(job.reason))
    if kind is None or job.reason in _CERTAIN:
        kind = _kind(whole, signatures) or kind
    if kind is None and (first is None or len(seen) < 2) and not warnings:
        return None
    return Finding(
        name=kind.name if kind else "",
        says=kind.says if kind else "",
        do=kind.do if kind else (),
        member=first.member if first else "",
        rank=first.rank if first else None,
        traceback=first.traceback if first else "",
        others=max(len({(one.member, one.rank) for one in seen}) - 1, 0),
        warnings=warnings,
    )


def first_of(record: Record, job: JobStatus) -> Evidence | None:
    """Return what the process left that failed first, and not because another one had."""
    return _first(collect(record, job), known()[0])[0]


def _first(
    seen: Sequence[Evidence], signatures: Sequence[Signature]
) -> tuple[Evidence | None, Signature | None]:
    kinds = [_kind(one, signatures) for one in seen]
    # The list is in the order of time, and sorting keeps it.
    order = sorted(range(len(seen)), key=lambda at: _is_echo(seen[at], kinds[at]))
    return (seen[order[0]], kinds[order[0]]) if order else (None, None)


def _kind(seen: Evidence, signatures: Sequence[Signature]) -> Signature | None:
    return next((one for one in signatures if one.fits(seen)), None)


def _is_echo(seen: Evidence, kind: Signature | None) -> bool:
    if kind is not None:
        return kind.echo
    # A process that left no word may have been ended by its launcher.
    return not seen.exception
