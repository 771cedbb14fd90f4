"""What the rules for reading values share: words, and the way to read what is inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .syntax import Call, is_quoted, unquoted

Resolver = Callable[[Call, Any], Any]
"""Asked whether a name or a call is a registered factory for an annotation."""


class _NotFound:
    """No factory has that name."""

    def __repr__(self) -> str:
        return "NOT_FOUND"


NOT_FOUND: Any = _NotFound()

NONE_WORDS = frozenset({"None", "none", "null"})


@dataclass(frozen=True)
class Word:
    """A text that is to become a value.

    Attributes:
        text: Without the quotes and the spaces around it.
        written: As it was written.
        quoted: Whether it was in quotes, so that it is no number.
        is_whole: Whether it is all that was given, which as a text stays as it is.
        in_file: Whether a file holds it as a text, and not as a number or a list.
    """

    text: str
    written: str
    quoted: bool = False
    is_whole: bool = False
    in_file: bool = False

    @property
    def as_text(self) -> str:
        """What it is where a text is expected."""
        return self.written if self.is_whole else self.text

    @property
    def is_none(self) -> bool:
        """Whether it says that there is no value."""
        return not self.quoted and self.text in NONE_WORDS


def whole_word(text: str) -> Word:
    """Return the word for all that stands after the operator of an override."""
    return Word(*_read(text), is_whole=True)


def item_word(text: str) -> Word:
    """Return the word for a part of a value, whose quotes are read."""
    return Word(*_read(text))


def _read(text: str) -> tuple[str, str, bool]:
    bare = text.strip()
    quoted = bare[:1] in {"'", '"'} and is_quoted(bare)
    return (unquoted(bare) if quoted else bare), text, quoted


def word_of_file(text: str) -> Word:
    """Return the word for a text of a file, where no text is wanted."""
    return Word(*_read(text), is_whole=True, in_file=True)


def seen(source: Any) -> Any:
    """Return what messages show of a word or of plain data."""
    return source.written if isinstance(source, Word) else source


@dataclass(frozen=True)
class Reading:
    """How the parts of a value are read.

    Attributes:
        read: Reads a part, a word or plain data, by its annotation.
        resolve: Who knows the factories; None where there are none.
        beside_text: Whether the value may also be a plain text, so that a name is looked up
            only where that costs and starts nothing.
        asked: Whether ``resolve`` was asked already.
        one_item: Whether one item without brackets may be a list.
    """

    read: Callable[[Any, Any, Reading], Any]
    resolve: Resolver | None = None
    beside_text: bool = False
    asked: bool = False
    one_item: bool = True

    def part(self, source: Any, hint: Any, *, one_item: bool = True) -> Any:
        """Return the value of a part of what is being read."""
        return self.read(source, hint, Reading(self.read, self.resolve, one_item=one_item))
