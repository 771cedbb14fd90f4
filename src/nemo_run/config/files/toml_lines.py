"""On which line each key of a TOML file stands; its parser does not say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXTS = r'"""(?:[^\\]|\\.)*?"""+|\'\'\'.*?\'\'\'+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\''
_PIECE = re.compile(rf"{_TEXTS}|#[^\n]*|[\[\]{{}}]|\n|[^\s\[\]{{}}\"'#]+|[^\S\n]+", re.DOTALL)
_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*(\.?)""")


def lines_of(text: str) -> dict[tuple[Any, ...], int]:
    """Return the line of each key by its path; what is inside of a value has none.

    Args:
        text: A valid TOML text.
    """
    lines: dict[tuple[Any, ...], int] = {}
    counts: dict[tuple[Any, ...], int] = {}
    table: tuple[Any, ...] = ()
    for line, statement in _statements(text):
        header = re.match(r"\[\[?", statement)
        if header is None:
            lines.setdefault((*table, *_path(statement)), line)
            continue
        table = ()
        path = _path(statement[header.end() :])
        for index, part in enumerate(path):
            table = (*table, part)
            is_last = index == len(path) - 1
            if is_last and header[0] == "[[":
                counts[table] = counts.get(table, -1) + 1
            if is_last:
                lines.setdefault(table, line)
            if table in counts:
                table = (*table, counts[table])
        lines.setdefault(table, line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement, of however many lines, with the line of its beginning."""
    line, start, depth = 1, 1, 0
    pieces: list[str] = []
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece == "\n" and depth == 0:
            if pieces:
                yield start, "".join(pieces)
            pieces = []
        elif piece.strip() and not piece.startswith("#"):
            start = start if pieces else line
            pieces.append(piece)
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(piece, 0)
        line += piece.count("\n")
    if pieces:
        yield start, "".join(pieces)


def _path(text: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, from the beginning of a text."""
    parts: list[str] = []
    position = 0
    while True:
        found = _PART.match(text, position)
        if found is None:
            return tuple(parts)
        quoted, literal, bare, dot = found.groups()
        parts.append(_unescaped(quoted) if quoted is not None else literal or bare or "")
        position = found.end()
        if not dot:
            return tuple(parts)


def _unescaped(text: str) -> str:
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:  # \\U0001F600 is TOML's alone; the key has no line then
        return text
