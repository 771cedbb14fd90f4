"""The values that an annotation allows, as far as they can be listed."""

from __future__ import annotations

import enum
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import allows_none, alternatives

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Candidate:
    """What can stand where the cursor is.

    Attributes:
        text: The whole word.
        help: A line about it.
        complete: Whether the word is then at its end; after ``key=`` a value follows.
    """

    text: str
    help: str = ""
    complete: bool = True


def values_of(hint: Any, parent: Any = None, argument: str | None = None) -> Iterator[Candidate]:
    """Yield the values that can be typed for an annotation: factories, members, choices.

    Args:
        hint: The annotation.
        parent: The callable that takes the value.
        argument: Its parameter.
    """
    from nemo_run.config.factories import fitting

    for factory in fitting(hint, parent, argument):
        yield Candidate(factory.name, first_line(factory.doc))
    for one in alternatives(hint):
        yield from _of_one(one)
    if hint is not Any and hint is not object and allows_none(hint):
        yield Candidate("none")


def _of_one(hint: Any) -> Iterator[Candidate]:
    if hint is bool:
        yield Candidate("true")
        yield Candidate("false")
    elif typing.get_origin(hint) is typing.Literal:
        for choice in typing.get_args(hint):
            yield Candidate(choice.name if isinstance(choice, enum.Enum) else str(choice))
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        for member in hint:
            yield Candidate(member.name, repr(member.value))


def first_line(text: str | None) -> str:
    """Return the first line of a docstring, or nothing."""
    return text.strip().partition("\n")[0] if text else ""
