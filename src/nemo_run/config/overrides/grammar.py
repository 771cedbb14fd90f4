"""The grammar of an override: ``key OP value``.

A key is names with dots between them and items in brackets: ``model.layers[-1].width``,
``options[learning-rate]``, ``options['a.b']``. The operator is one of :data:`OPERATORS`. All that
follows it is the value, to the last byte; it may be empty.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Union

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.config.graph.history import Kind

MISSING: Any = dataclasses.MISSING

OPERATORS = ("=", "+=", "-=", "*=", "/=", "|=", "&=")

# A name may hold dashes (a key of a dict), but no operator: ``n-=1`` takes one from n.
_NAME = re.compile(r"[^\W\d]\w*(?:-\w+)*")
_DOTTED = re.compile(r"\.(\w+(?:-\w+)*)")
_BRACKET = re.compile(
    r"""\[(?: (?P<index>-?\d+) | '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)"
    | (?P<bare>[^\[\]'"]+) )\]""",
    re.VERBOSE | re.DOTALL,
)
_OPERATOR = re.compile(r"[-+*/|&]?=")


@dataclass(frozen=True)
class Item:
    """A step in brackets.

    Attributes:
        key: An index, or the key of a dict.
        quoted: Whether it was written in quotes, so that ``['1']`` is a text.
    """

    key: int | str
    quoted: bool = False

    def __str__(self) -> str:
        bare = isinstance(self.key, int) or not self.quoted
        return f"[{self.key}]" if bare else f"[{_quoted(str(self.key))}]"


Step = Union[str, Item]  # noqa: UP007 - read at run time by Python 3.10


@dataclass(frozen=True)
class Override:
    """One change.

    Attributes:
        key: The key as it was written; what errors call it.
        steps: The key taken apart; empty for the whole value.
        operator: One of :data:`OPERATORS`.
        text: The value as it was written, or None where ``data`` holds it.
        data: The value as plain data of a file.
        kind: What sets it.
        file: The file that it was read from.
        line: The line in that file.
        inside_call: Whether the text stands in a call's parentheses, where quotes are read.
        advice: What errors add.
        instead: What errors say, where the word was probably no value at all.
    """

    key: str
    steps: tuple[Step, ...]
    operator: str = "="
    text: str | None = None
    data: Any = field(default_factory=lambda: MISSING)
    kind: Kind = "command line"
    file: str | None = None
    line: int | None = None
    inside_call: bool = False
    advice: str = ""
    instead: str = ""

    @property
    def source(self) -> tuple[str, str | None]:
        """Who wrote it: what kind of setting, and in which file."""
        return self.kind, self.file

    @property
    def label(self) -> str:
        """The key, after the line of the file that it stands in."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return f"{place}: {self.key}" if place else self.key


def parse_override(text: str) -> Override:
    """Return the override that ``text`` is.

    Args:
        text: ``key OP value``.

    Raises:
        OverrideError: It is none. The message says what is missing.
    """
    found = _split(text)
    if found is None:
        raise OverrideError(_no_override(text))
    key, operator, value = found
    return Override(key, parse_key(key), operator, value)


def is_override(text: str) -> bool:
    """Whether ``text`` is ``key OP value``; what is not may be a positional value."""
    return _split(text) is not None


def parse_key(key: str) -> tuple[Step, ...]:
    """Return the steps of a key.

    Raises:
        OverrideError: It is malformed.
    """
    end = _end_of_key(key)
    if end != len(key) or not key:
        rest = f" {key[end:]!r} is neither .name nor [item]." if key else ""
        raise OverrideError(
            f"{key!r} is no key.{rest} Write names with dots between them and items in brackets: "
            "model.layers[0].width, options['k']."
        )
    return tuple(_steps(key))


def key_of(steps: tuple[Step, ...]) -> str:
    """Return the key that has these steps."""
    key = "".join(str(step) if isinstance(step, Item) else f".{step}" for step in steps)
    return key.removeprefix(".")


def _split(text: str) -> tuple[str, str, str] | None:
    end = _end_of_key(text)
    operator = _OPERATOR.match(text, end) if end else None
    if operator is None:
        return None
    return text[:end], operator[0], text[operator.end() :]


def _end_of_key(text: str) -> int:
    found = _NAME.match(text) or _BRACKET.match(text)
    end = 0
    while found is not None:
        end = found.end()
        found = _DOTTED.match(text, end) or _BRACKET.match(text, end)
    return end


def _steps(key: str) -> Iterator[Step]:
    position = 0
    while position < len(key):
        name = _NAME.match(key) if position == 0 else _DOTTED.match(key, position)
        if name is not None:
            yield name[name.lastindex or 0]
            position = name.end()
            continue
        bracket = _BRACKET.match(key, position)
        assert bracket is not None
        yield _item(bracket)
        position = bracket.end()


def _item(found: re.Match[str]) -> Item:
    if found["index"] is not None:
        return Item(int(found["index"]))
    for quotes in ("single", "double"):
        if found[quotes] is not None:
            return Item(re.sub(r"\\(.)", r"\1", found[quotes], flags=re.DOTALL), quoted=True)
    return Item(found["bare"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _no_override(text: str) -> str:
    shown = text if len(text) <= 80 else f"{text[:77]}..."
    key, equals, _ = text.partition("=")
    example = "Write key=value, such as model.width=3; the operators are " + " ".join(OPERATORS)
    if not equals:
        return f"{shown!r} sets nothing: it has no '='. {example}."
    if key != key.strip() and is_override(f"{key.strip()}=") and key.strip():
        return f"{shown!r} has a space around its key. Write {key.strip()}=… without spaces."
    return f"{shown!r} sets nothing: {key!r} is no key. {example}."
