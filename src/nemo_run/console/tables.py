"""Tables: rows become lines of text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .terminal import Look, cells, clip, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_GAP = "  "


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        title: Its heading.
        least: The narrowest it may become where the terminal is small; None for never cut.
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
    shown = [[visible(cell) for cell in row] for row in rows]
    kept = _kept(columns, shown, look.width)
    columns = [columns[at] for at in kept]
    shown = [[row[at] for at in kept] for row in shown]
    widths = _widths(columns, shown, look.width)
    head = [column.title for column in columns]
    lines = [look.paint(_line(columns, head, widths, Look()), "bold")]
    lines.extend(_line(columns, row, widths, look) for row in shown)
    return lines


def _kept(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Return which columns are shown."""
    natural = _natural(columns, rows)
    narrow = [
        w if c.least is None else min(w, max(c.least, cells(c.title)))
        for c, w in zip(columns, natural, strict=True)
    ]
    kept = list(range(len(columns)))
    for at in sorted(kept, key=lambda at: columns[at].drop or 0):
        needed = sum(narrow[k] for k in kept) + len(_GAP) * (len(kept) - 1)
        if width is None or needed <= width:
            break
        if columns[at].drop is not None:
            kept.remove(at)
    return kept


def _natural(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([cells(column.title), *(cells(row[at]) for row in rows)])
        for at, column in enumerate(columns)
    ]


def _widths(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None
) -> list[int]:
    widths = _natural(columns, rows)
    if width is None:
        return widths
    excess = sum(widths) + len(_GAP) * (len(columns) - 1) - width
    while excess > 0:
        # The widest gives first, so that short columns stay readable.
        room = [
            (widths[at] - column.least, at)
            for at, column in enumerate(columns)
            if column.least is not None and widths[at] > max(column.least, cells(column.title))
        ]
        if not room:
            break
        _, at = max(room)
        widths[at] -= 1
        excess -= 1
    return widths


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int], look: Look) -> str:
    parts = []
    for column, text, width in zip(columns, row, widths, strict=True):
        cut = clip(text, width)
        space = " " * (width - cells(cut))
        painted = column.style(look, cut) if column.style else cut
        parts.append(space + painted if column.right else painted + space)
    return _GAP.join(parts).rstrip()
