"""What differs between two experiments: configuration, code, packages, environment, results.

Two records are read into plain documents (:mod:`.documents`), and what differs between those is
found by functions that touch nothing. None of the experiments' own code is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .comparison import Change, CodeChange, Comparison, FileChange, Section, Side

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record

__all__ = ["Change", "CodeChange", "Comparison", "FileChange", "Section", "Side", "compare"]


def compare(
    a: Record, b: Record, *, jobs: tuple[str, str] | None = None, full: bool = False
) -> Comparison:
    """Return what differs between two experiments; see :func:`.comparing.compare`."""
    from .comparing import compare as compared

    return compared(a, b, jobs=jobs, full=full)
