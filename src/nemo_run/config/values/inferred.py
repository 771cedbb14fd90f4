"""Values whose annotation says nothing: what the text looks like, else the text itself."""

from __future__ import annotations

import copy
import math
import re
from typing import Any

from .reading import Reading, Word, item_word
from .refusal import RefusedError
from .syntax import has_comma, has_pairs, inside, is_quoted, read_pairs, split_items, unquoted

_INT = re.compile(r"[+-]?(?:0|[1-9][0-9]*(?:_[0-9]+)*|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)")
_FLOAT = re.compile(
    r"[+-]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?"
    r"|[0-9][0-9_]*[eE][+-]?[0-9]+|inf|nan)"
)
_COMPLEX = re.compile(r"\(?[+-]?[0-9.eE+-]*(?:inf|nan)?[+-]?(?:[0-9.eE+-]+|inf|nan)[jJ]\)?")
_WORDS = {"true": True, "True": True, "false": False, "False": False}
_LONGEST_NUMBER = 4300


def infer(source: Any, _hint: Any, reading: Reading) -> Any:  # noqa: PLR0911 - a form a line
    """Return the value that ``source`` looks like."""
    if not isinstance(source, Word):
        return copy.deepcopy(source)
    if source.quoted:
        return source.text
    text = source.text
    if source.is_none:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _LONGEST_NUMBER:
        number = _number(text)
        if number is not None:
            return number
    if text[:1] in {"b", "B"} and is_quoted(text):
        return _bytes(text, source)
    if text[:1] in {"[", "(", "{"}:
        try:
            return _container(text, reading)
        except RefusedError:
            return source.as_text
    return source.as_text


def _number(text: str) -> Any:
    for pattern, kind in ((_INT, _int), (_FLOAT, _float), (_COMPLEX, complex)):
        if pattern.fullmatch(text):
            try:
                return kind(text)
            except ValueError:
                return None
    return None


def _int(text: str) -> int:
    return int(text, 0)


def _float(text: str) -> float:
    found = float(text)
    if math.isinf(found) and text[-1].isdigit():
        raise ValueError(text)  # its value would be lost, so that it is a text
    return found


def _bytes(text: str, source: Word) -> Any:
    try:
        return unquoted(text).encode("latin-1")
    except UnicodeEncodeError:
        return source.as_text


def _container(text: str, reading: Reading) -> Any:
    """Return a list, a tuple, a set or a dict.

    Raises:
        RefusedError: It only begins like one.
    """
    if inside(text) == text:
        raise RefusedError("It is a text.")
    if text[0] == "[":
        return [_part(part, reading) for part in split_items(text)]
    if text[0] == "(":
        if text[1:-1].strip() and not has_comma(text[1:-1]):
            raise RefusedError("It is a text in parentheses.")
        return tuple(_part(part, reading) for part in split_items(text))
    if not text[1:-1].strip() or has_pairs(text):
        return _dict(text, reading)
    return _set(text, reading)


def _part(text: str, reading: Reading) -> Any:
    return reading.part(item_word(text), Any)


def _dict(text: str, reading: Reading) -> dict[Any, Any]:
    pairs = [(_part(k, reading), _part(v, reading)) for k, v in read_pairs(text)]
    try:
        found = dict(pairs)
    except TypeError:
        raise RefusedError("A key can be changed.") from None
    if len(found) < len(pairs):
        raise RefusedError("A key is there twice.")
    return found


def _set(text: str, reading: Reading) -> set[Any]:
    words = [item_word(part) for part in split_items(text)]
    items = [reading.part(word, Any) for word in words]
    # A text in braces is more often a template than a set.
    if any(item == word.text and not word.quoted for item, word in zip(items, words, strict=True)):
        raise RefusedError("It is a text in braces.")
    try:
        return set(items)
    except TypeError:
        raise RefusedError("An item can be changed.") from None
