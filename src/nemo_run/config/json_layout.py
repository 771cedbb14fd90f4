"""JSON text that a person can read: what fits on a line stands on one line."""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 100
_INDENT = 2


def layout(document: Any) -> str:
    """Return JSON text, the same for the same document, that UTF-8 can hold."""
    text = _Layout(ascii_only=False).text(document)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        # Lone surrogates, as file names that are no UTF-8 have them.
        text = _Layout(ascii_only=True).text(document)
    return text + "\n"


class _Layout:
    def __init__(self, *, ascii_only: bool) -> None:
        self.scalar = json.JSONEncoder(ensure_ascii=ascii_only, allow_nan=False).encode

    def text(self, document: Any) -> str:
        return self._text(document, 0, 0)

    def _text(self, document: Any, depth: int, before: int) -> str:
        """Return the text of a part at a depth, after ``before`` characters on its line."""
        kind = type(document)
        if kind is dict:
            if not document:
                return "{}"
            keys = [self.scalar(key) + ": " for key in document]
            parts = [
                key + self._text(value, depth + 1, len(key))
                for key, value in zip(keys, document.values(), strict=True)
            ]
            return _joined("{", parts, "}", depth, before)
        if kind is list:
            parts = [self._text(value, depth + 1, 0) for value in document]
            return _joined("[", parts, "]", depth, before)
        return self.scalar(document)


def _joined(start: str, parts: list[str], end: str, depth: int, before: int) -> str:
    room = _WIDTH - depth * _INDENT - before
    if sum(map(len, parts)) + 2 * len(parts) <= room and not any("\n" in part for part in parts):
        return f"{start}{', '.join(parts)}{end}"
    inner = "\n" + " " * ((depth + 1) * _INDENT)
    return f"{start}{inner}{f',{inner}'.join(parts)}\n{' ' * (depth * _INDENT)}{end}"
