"""Plain tables: columns of text, the middle left out where there are very many rows. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

_GAP = "  "
_WIDEST = 48


def lines(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[int] = (),
    most: int | None = None,
) -> list[str]:
    """Return the lines of a table, the headings first.

    Args:
        head: The headings.
        rows: A text for each column.
        right: The columns whose text stands at the right.
        most: Where there are more rows, only the first and the last are shown, as many as this.
    """
    before, after = _ends(rows, most)
    shown = [[_cut(cell) for cell in row] for row in (head, *before, *after)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    text = [_line(row, widths, right) for row in shown]
    left_out = len(rows) - len(before) - len(after)
    if left_out:
        text.insert(1 + len(before), f"… {left_out} more …")
    return text


def _ends(
    rows: Sequence[Sequence[str]], most: int | None
) -> tuple[Sequence[Sequence[str]], Sequence[Sequence[str]]]:
    if most is None or len(rows) <= most:
        return rows, ()
    last = max(1, most // 4)
    return rows[: most - last], rows[-last:]


def _cut(cell: str) -> str:
    # What a job returned may hold anything, and a terminal obeys control characters.
    text = "".join(c if c.isprintable() else "�" for c in " ".join(cell.split()))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _line(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    cells = [
        cell.rjust(width) if at in right else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return _GAP.join(cells).rstrip()
