"""Plain data as JSON."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .plain import lowered, raised
from .source import Source, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|\n|[^\s{}\[\]:,"]+', re.DOTALL)


def write(data: Any) -> str:
    """Return the JSON of plain data; what fits on a line stands on one."""
    from .json_layout import layout

    return layout(lowered(data, "json"))


def read(text: str, file: str | None = None) -> Source:
    """Return the plain data of a JSON text, and the line of each part.

    Args:
        text: The JSON.
        file: What the errors call it.

    Raises:
        OverrideError: It is no JSON, or has a key twice.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise fault(f"It is no JSON: {error.msg}.", file, error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise fault(f"It is no JSON: {error}.", file) from error
    lines: dict[tuple[Any, ...], int] = {}
    for path, line in _places(text):
        if path in lines:
            message = f"The key {path[-1]!r} stands here and on line {lines[path]}."
            raise fault(message, file, line)
        lines[path] = line
    source = Source(data, file, lines)
    return Source(raised(source), file, lines)


def _places(text: str) -> Iterator[tuple[tuple[Any, ...], int]]:
    """Yield the path and the line of each part of a text that is valid JSON."""
    path: list[Any] = []
    line = 1
    key_next = False
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece == "\n":
            line += 1
            continue
        if key_next and piece != "}":
            path[-1] = json.loads(piece)
            key_next = False
            yield tuple(path), line
        elif piece in "{[":
            if piece == "[":
                path.append(0)
                yield tuple(path), line
            else:
                path.append(None)
                key_next = True
        elif piece in "}]":
            path.pop()
            key_next = False
        elif piece == ",":
            if type(path[-1]) is int:
                path[-1] += 1
                yield tuple(path), line
            else:
                key_next = True
