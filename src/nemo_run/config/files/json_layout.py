"""JSON text that a person can read: what fits on a line stands on one line."""

from __future__ import annotations

from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    # How each type without parts is written.
    _Leaves: TypeAlias = dict[type, Callable[[Any], str]]

_WIDTH = 100
_INDENT = 2
_WORDS = {None: "null", True: "true", False: "false"}
_LEAVES: _Leaves = {
    int: repr,
    float: repr,
    bool: _WORDS.__getitem__,
    type(None): _WORDS.__getitem__,
}


def layout(document: Any) -> str:
    """Return JSON text, the same for the same document, that UTF-8 can hold.

    Args:
        document: Dicts, lists, text, finite numbers, booleans and None.
    """
    text = _text(document, 0, 0, {**_LEAVES, str: encode_basestring})
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Lone surrogates, as file names that are no UTF-8 have them.
        text = _text(document, 0, 0, {**_LEAVES, str: encode_basestring_ascii})
    return text + "\n"


def _text(document: Any, depth: int, before: int, leaves: _Leaves) -> str:
    """Return the text of a part at a depth, after ``before`` characters on its line."""
    kind = type(document)
    parts = []
    if kind is dict:
        quoted = leaves[str]
        for key, value in document.items():
            start = quoted(key) + ": "
            # Most parts are text and numbers, which need no call of this function.
            leaf = leaves.get(type(value))
            parts.append(
                start + (leaf(value) if leaf else _text(value, depth + 1, len(start), leaves))
            )
        return _joined("{", parts, "}", depth, before)
    if kind is list:
        for value in document:
            leaf = leaves.get(type(value))
            parts.append(leaf(value) if leaf else _text(value, depth + 1, 0, leaves))
        return _joined("[", parts, "]", depth, before)
    return leaves[kind](document)


def _joined(start: str, parts: list[str], end: str, depth: int, before: int) -> str:
    text = f"{start}{', '.join(parts)}{end}"
    if len(text) <= _WIDTH - depth * _INDENT - before and "\n" not in text:
        return text
    inner = "\n" + " " * ((depth + 1) * _INDENT)
    return f"{start}{inner}{f',{inner}'.join(parts)}\n{' ' * (depth * _INDENT)}{end}"
