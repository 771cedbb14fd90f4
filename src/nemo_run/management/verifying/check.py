"""One thing that was looked at, and what was found."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Verdict = Literal["green", "amber", "red"]
"""``amber``: it may run, and may do something else than then, or nobody can tell. ``red``: it
cannot run."""

_ORDER: tuple[Verdict, ...] = ("green", "amber", "red")
_MOST_NAMED = 3


@dataclass(frozen=True)
class Check:
    """One line of ``nemo-run experiment verify``.

    Attributes:
        what: What was looked at, in a word or two.
        verdict: Whether it is well.
        says: What is so, in a sentence.
        do: What to do about it; empty where nothing is to be done.
    """

    what: str
    verdict: Verdict
    says: str
    do: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as data that JSON can hold."""
        return asdict(self)


def worst(checks: Iterable[Check]) -> Verdict:
    """Return the worst verdict."""
    return max((check.verdict for check in checks), key=_ORDER.index, default="green")


def is_there(path: str | os.PathLike[str], test: Callable[[str], bool] = os.path.exists) -> bool:
    """Whether there is such a path; one that no system could have, as a record may say, is not.

    Args:
        path: The path.
        test: What counts as such.
    """
    try:
        return test(os.fspath(path))
    except (OSError, ValueError):  # a NUL in it, or a name too long
        return False


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def count(number: int, noun: str) -> str:
    """Return ``1 job`` or ``3 jobs``."""
    return f"{number} {noun}{'s' * (number != 1)}"
