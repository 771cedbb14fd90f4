"""Rows of texts that wrap inside their columns; for help."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from nemo_run.console.terminal import cells, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.console.terminal import Look

_GAP = 2
_INDENT = 2
_BELOW = 4
# A last column narrower than this goes below the others.
_LEAST = 24


@dataclass(frozen=True)
class Row:
    """The texts of one row; the first is indented by ``depth``."""

    texts: Sequence[str]
    depth: int = 0


def columns(
    rows: Sequence[Row], width: int, look: Look, styles: Sequence[str], most: Sequence[int]
) -> list[str]:
    """Return rows as lines, each column as wide as it needs.

    Args:
        rows: What to show; all of one length. The last text of each is prose.
        width: The columns of the terminal.
        look: Whether it may have colours.
        styles: The colour of each column.
        most: How wide each column but the last may be.
    """
    shown = [_prepared(row) for row in rows]
    widths = [
        min(max((cells(row[index]) for row in shown), default=0), limit)
        for index, limit in enumerate(most)
    ]
    room = width - _INDENT - sum(size + _GAP for size in widths if size)
    if room < _LEAST:
        room, widths = 0, [min(size, max(width // 3, 12)) for size in widths]
    return [line for row in shown for line in _lines(row, widths, room, width, look, styles)]


def _lines(
    row: Sequence[str],
    widths: Sequence[int],
    room: int,
    width: int,
    look: Look,
    styles: Sequence[str],
) -> Iterator[str]:
    """Yield the lines of a row; its prose stands below the others where it has no room beside."""
    parts = [
        (wrap(text, size), size, style)
        for text, size, style in zip(row, widths, styles, strict=False)
        if size  # no row has anything in that column
    ]
    prose = wrap(row[-1], room or width - _INDENT - _BELOW)
    if room:
        parts.append((prose, 0, styles[-1]))
    sizes, looks = [part[1] for part in parts], [part[2] for part in parts]
    for texts in zip_longest(*(part[0] for part in parts), fillvalue=""):
        yield _joined(texts, sizes, looks, look)
    if not room:
        for line in prose:
            yield " " * (_INDENT + _BELOW) + look.paint(line, styles[-1])


def _prepared(row: Row) -> list[str]:
    first, *rest = (visible(text) for text in row.texts)
    return ["  " * row.depth + first, *rest]


def _joined(texts: Sequence[str], sizes: Sequence[int], styles: Sequence[str], look: Look) -> str:
    parts = []
    for text, size, style in zip(texts, sizes, styles, strict=True):
        bare = text.lstrip()
        lead = text[: len(text) - len(bare)]
        parts.append(lead + look.paint(bare, style) + " " * max(0, size - cells(text)))
    return (" " * _INDENT + (" " * _GAP).join(parts)).rstrip()


def wrap(text: str, width: int) -> list[str]:
    """Return ``text`` in lines of at most ``width`` columns; words that are longer are cut."""
    lead = len(text) - len(text.lstrip())
    width = max(width, lead + 4)
    lines: list[str] = []
    line = " " * lead
    for piece in re.findall(r"\s+|[^\s|,.\[(=]+[|,.\[(=]*|[|,.\[(=]+", text.strip()):
        rest = piece
        if cells(line) + cells(rest) > width and line.strip():
            lines.append(line.rstrip())
            line, rest = " " * lead, rest.lstrip()
        while cells(line) + cells(rest) > width:
            room = width - cells(line)
            head = _head(rest, room)
            lines.append(line + head)
            line, rest = " " * lead, rest[len(head) :]
        line += rest
    if line.strip():
        lines.append(line.rstrip())
    return lines


def _head(text: str, width: int) -> str:
    used = ""
    for char in text:
        if cells(used + char) > width:
            break
        used += char
    return used or text[:1]
