"""The little language of values: quoted texts, lists, pairs and calls, to any depth.

::

    [1, 2]   (a, b)   1,2            items
    {lr: 0.1, "a b": 2}   {lr=0.1}   pairs
    adam(lr=0.1, schedule=cosine(steps=5))   a call

Nothing here knows of types. Parts are given as they were written, with their quotes, for
:func:`nemo_run.config.values.parse.parse_item` to read. A quote begins a quoted text only where
a value begins, so ``don't`` needs none. Every function reads its text once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .refusal import RefusedError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

# Deeper than anybody writes, and shallow enough for Python's own stack.
MAX_DEPTH = 32

_CLOSERS = {"[": "]", "(": ")", "{": "}"}
_QUOTED = re.compile(r"""[bB]?(?:'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*")""", re.DOTALL)
_FRESH = re.compile(r"\s*[bB]?")
_NEXT = re.compile(r"""['"\[\](){},:=]""")
_NUMBER = re.compile(r"[+-]?\d[\d_]*(\.[\d_]*)?([eE][+-]?\d+)?")
_SEGMENT = r"\w[\w-]*"
_NAME = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*")
_ARGUMENT = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*|\[[^\[\]]*\])*)\s*=(?!=)")
_LONGEST_NAME = 500


@dataclass(frozen=True)
class Call:
    """A name, perhaps with arguments: ``small``, ``pkg.adam(lr=0.1)``.

    Attributes:
        name: As written, with its dots.
        arguments: Of each argument its key, which may be dotted, or None; and its text as
            written, for ``parse_item``.
        bare: Whether there are no parentheses.
    """

    name: str
    arguments: tuple[tuple[str | None, str], ...] = ()
    bare: bool = False


def read_call(text: str) -> Call | None:
    """Return the name or call that ``text`` is; None when it is anything else.

    Raises:
        OverrideError: It is a call whose arguments cannot be told apart.
    """
    text = text.strip()
    found = _NAME.match(text, 0, _LONGEST_NAME)
    if found is None or _NUMBER.fullmatch(found[0]):
        return None
    rest = text[found.end() :]
    if not rest:
        return Call(found[0], bare=True)
    if not rest.startswith("(") or not is_enclosed(rest):
        return None
    return Call(found[0], tuple(_argument(part) for part in _parts(rest[1:-1], rest)))


def _argument(part: str) -> tuple[str | None, str]:
    found = _ARGUMENT.match(part)
    if found is None:
        return None, part
    return found[1], part[found.end() :].strip()


def split_items(text: str) -> list[str]:
    """Return the items of a list, with or without its brackets.

    Raises:
        OverrideError: Brackets or quotes are not closed, or an item is missing between commas.
    """
    return _parts(inside(text), text)


def read_pairs(text: str) -> list[tuple[str, str]]:
    """Return the keys and values, as written, of ``{k: v, k=v}`` with or without its braces.

    Raises:
        OverrideError: Something inside is no pair.
    """
    found = []
    for part in _parts(inside(text, "{"), text):
        at = next((place for place, mark in _marks(part, text) if mark in ":="), None)
        if at is None or not part[:at].strip():
            raise RefusedError(
                f"{shown(part)} in {shown(text)} is no pair of a key and a value. "
                "Write {key: value, other: value}."
            )
        found.append((part[:at].strip(), part[at + 1 :].strip()))
    return found


def has_pairs(text: str) -> bool:
    """Whether what stands in a text, or in its braces, begins with a key and a value."""
    for _, mark in _marks(inside(text, "{"), text):
        if mark in ":=,":
            return mark != ","
    return False


def has_comma(text: str) -> bool:
    """Whether there is a comma outside of quotes and brackets."""
    return any(mark == "," for _, mark in _marks(text, text))


def is_one_part(text: str) -> bool:
    """Whether a text, as it is written, can stand as an item, a key or a value inside others."""
    try:
        return text.strip() == text != "" and next(_marks(text, text), None) is None
    except RefusedError:
        return False


def inside(text: str, openers: str = "[({") -> str:
    """Return what stands between the brackets around a text; without any, the text."""
    text = text.strip()
    return text[1:-1] if text[:1] and text[:1] in openers and is_enclosed(text) else text


def is_enclosed(text: str) -> bool:
    """Whether the bracket that ``text`` begins with is closed by its last character."""
    if text[-1:] != _CLOSERS.get(text[:1], ""):
        return False
    ends = (place for place, mark in _marks(text, text, closers=True) if mark in "])}")
    return next(ends, -1) == len(text) - 1


def is_quoted(text: str) -> bool:
    """Whether a text is one quoted text, or one of bytes, from its first to its last character."""
    return _QUOTED.fullmatch(text) is not None


def _parts(text: str, whole: str) -> list[str]:
    """Return what stands between the commas; one after the last part is not needed."""
    found: list[str] = []
    start = 0
    for place, mark in _marks(text, whole):
        if mark == ",":
            found.append(_part(text[start:place], whole))
            start = place + 1
    last = text[start:].strip()
    return [*found, last] if last else found


def _part(text: str, whole: str) -> str:
    if not text.strip():
        raise RefusedError(
            f"{shown(whole)} has a comma with nothing before it. Write '' for an empty text."
        )
    return text.strip()


def _marks(text: str, whole: str, *, closers: bool = False) -> Iterator[tuple[int, str]]:  # noqa: C901 - one mark after the other
    """Yield the marks outside of quotes and brackets, and where they are.

    Args:
        text: What is read.
        whole: What messages show.
        closers: Yield the brackets that close one of the outermost pair, too.
    """
    open_brackets: list[str] = []
    place = 0
    fresh: int | None = 0  # where a value begins that no quote was seen in
    while found := _NEXT.search(text, place):
        place, mark = found.end(), found[0]
        if mark in "'\"":
            if fresh is not None and _FRESH.fullmatch(text, fresh, found.start()):
                place = _after_quoted(text, found.start(), whole)
            fresh = None
            continue
        if mark in _CLOSERS:
            open_brackets.append(_CLOSERS[mark])
            if len(open_brackets) > MAX_DEPTH:
                raise RefusedError(f"{shown(whole)} is nested deeper than {MAX_DEPTH} brackets.")
        elif mark in "])}":
            if not open_brackets or open_brackets.pop() != mark:
                raise RefusedError(f"{shown(whole)} has a {mark!r} that closes nothing.{_QUOTE_IT}")
            if closers and not open_brackets:
                yield found.start(), mark
        elif not open_brackets:
            yield found.start(), mark
        fresh = place
    if open_brackets:
        raise RefusedError(f"{shown(whole)} lacks a {open_brackets[-1]!r}.{_QUOTE_IT}")


_QUOTE_IT = " Put a text with brackets or commas of its own in quotes."


def _after_quoted(text: str, quote: int, whole: str) -> int:
    found = _QUOTED.match(text, quote)
    if found is None:
        raise RefusedError(f"{shown(whole)} has a quote {text[quote]} that is not closed.")
    return found.end()


_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\n|[\\'\"abfnrtv0])")
_ESCAPED = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "0": "\0",
    "\\": "\\", "'": "'", '"': '"', "\n": "",
}  # fmt: skip


def unquoted(text: str) -> str:
    """Return what a quoted text says; its escapes are Python's, unknown ones are kept."""
    return _ESCAPE.sub(_unescaped, text[1:-1] if text[0] in "'\"" else text[2:-1])


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code in _ESCAPED:
        return _ESCAPED[code]
    number = int(code[1:], 16)
    return chr(number) if number < 0x110000 else found[0]
