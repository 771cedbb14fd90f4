"""JSON text that a person can read: what fits on a line stands on one line."""

from __future__ import annotations

from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDTH = 100
_INDENT = 2
_WORDS = {None: "null", True: "true", False: "false"}


def layout(document: Any) -> str:
    """Return JSON text, the same for the same document, that UTF-8 can hold.

    Args:
        document: Dicts, lists, text, finite numbers, booleans and None.
    """
    text = _text(document, 0, 0, encode_basestring)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Lone surrogates, as file names that are no UTF-8 have them.
        text = _text(document, 0, 0, encode_basestring_ascii)
    return text + "\n"


def _text(document: Any, depth: int, before: int, quoted: Callable[[str], str]) -> str:
    """Return the text of a part at a depth, after ``before`` characters on its line."""
    kind = type(document)
    if kind is str:
        return quoted(document)
    if kind is dict:
        keys = [quoted(key) + ": " for key in document]
        parts = [
            key + _text(value, depth + 1, len(key), quoted)
            for key, value in zip(keys, document.values(), strict=True)
        ]
        return _joined("{", parts, "}", depth, before)
    if kind is list:
        parts = [_text(value, depth + 1, 0, quoted) for value in document]
        return _joined("[", parts, "]", depth, before)
    return repr(document) if kind in (int, float) else _WORDS[document]


def _joined(start: str, parts: list[str], end: str, depth: int, before: int) -> str:
    text = f"{start}{', '.join(parts)}{end}"
    if len(text) <= _WIDTH - depth * _INDENT - before and "\n" not in text:
        return text
    inner = "\n" + " " * ((depth + 1) * _INDENT)
    return f"{start}{inner}{f',{inner}'.join(parts)}\n{' ' * (depth * _INDENT)}{end}"
