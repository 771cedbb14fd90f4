"""Tables: rows become lines of text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .terminal import Look, cells, clip, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_GAP = "  "
_LAST_WIDTH = 4


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: Its heading.
        least: The narrowest it may become while there are columns that can be left out; below
            that it gets only where it would be folded. None for never cut.
        right: Whether its text stands at the right.
        drop: Columns with a number are left out, the lowest first, where not all fit.
        style: Gives the colour of a cell from its text; see :class:`~.terminal.Look`.
    """

    title: str
    least: int | None = None
    right: bool = False
    drop: int | None = None
    style: Callable[[Look, str], str] | None = None


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], look: Look | None = None
) -> list[str]:
    """Return the lines of a table, the headings first.

    Args:
        columns: What to show, left to right.
        rows: A text for each column.
        look: How wide it may be, and with colours or not. Without a width nothing is cut.

    Returns:
        Lines without an end of line; none is wider than ``look.width`` as far as the columns
        that may be cut allow.
    """
    look = look or Look()
    head = [column.title for column in columns]
    shown = [head, *([visible(cell) for cell in row] for row in rows)]
    sizes = [[cells(cell) for cell in row] for row in shown]
    natural = [max(column) for column in zip(*sizes, strict=True)]
    kept = _kept(columns, natural, look.width)
    widths = _widths(columns, natural, kept, look.width)
    # Without a look for the headings: a state's colour is not for the word STATE.
    looks = [Look()] + [look] * len(rows)
    lines = [
        _line([(columns[at], row[at], size[at], widths[at]) for at in kept], one)
        for row, size, one in zip(shown, sizes, looks, strict=True)
    ]
    return [look.paint(lines[0], "bold"), *lines[1:]]


def _kept(columns: Sequence[Column], natural: Sequence[int], width: int | None) -> list[int]:
    """Return which columns are shown."""
    kept = list(range(len(columns)))
    if width is None:
        return kept
    narrow = [_narrowest(c, w) for c, w in zip(columns, natural, strict=True)]
    for at in sorted(kept, key=lambda at: columns[at].drop or 0):
        if sum(narrow[k] for k in kept) + len(_GAP) * (len(kept) - 1) <= width:
            break
        if columns[at].drop is not None:
            kept.remove(at)
    return kept


def _narrowest(column: Column, natural: int) -> int:
    return natural if column.least is None else min(natural, max(column.least, cells(column.title)))


def _widths(
    columns: Sequence[Column], natural: Sequence[int], kept: Sequence[int], width: int | None
) -> list[int]:
    widths = list(natural)
    if width is None:
        return widths
    excess = sum(widths[at] for at in kept) + len(_GAP) * (len(kept) - 1) - width
    floors = [_narrowest(c, w) for c, w in zip(columns, natural, strict=True)]
    last = [
        floor if column.least is None else min(floor, _LAST_WIDTH)
        for column, floor in zip(columns, floors, strict=True)
    ]
    for floor in (floors, last):
        while excess > 0:
            # The widest gives first, so that short columns stay readable.
            room = [(widths[at], at) for at in kept if widths[at] > floor[at]]
            if not room:
                break
            _, at = max(room)
            widths[at] -= 1
            excess -= 1
    return widths


def _line(cells_of_row: Sequence[tuple[Column, str, int, int]], look: Look) -> str:
    parts = []
    for column, text, size, width in cells_of_row:
        if size > width:
            text = clip(text, width)  # noqa: PLW2901 - the same cell, as far as it fits
            size = cells(text)  # noqa: PLW2901
        space = " " * (width - size)
        painted = column.style(look, text) if column.style else text
        parts.append(space + painted if column.right else painted + space)
    return _GAP.join(parts).rstrip()
