"""Where everything of a picture goes: boxes, lines and texts on a grid of characters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .outline import Mark, Row

# One character's cell. Everything else is measured in these.
CELL_WIDTH = 6
CELL_HEIGHT = 11
_PADDING = 5
_COLUMN_GAP = 36
_ROW_GAP = 10
_MARGIN = 10
_LONGEST = 46
_TURN = 6
_LANES = 7
_LANE = 4


@dataclass(frozen=True)
class Box:
    """A filled rectangle with a border."""

    x: int
    y: int
    width: int
    height: int
    colour: str


@dataclass(frozen=True)
class Text:
    """A text on one line; ``x`` and ``y`` are its top left corner."""

    x: int
    y: int
    text: str
    colour: str = "text"


@dataclass(frozen=True)
class Line:
    """Straight lines from point to point; only across and down."""

    points: tuple[tuple[int, int], ...]
    colour: str = "line"


@dataclass
class Drawing:
    """What to draw, and how large the paper is."""

    width: int = 0
    height: int = 0
    boxes: list[Box] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)


@dataclass
class _Card:
    """One node: its title, and a line for each argument."""

    title: str
    mark: Mark
    lines: list[tuple[str, Row]] = field(default_factory=list)
    x: int = 0
    y: int = 0

    @property
    def width(self) -> int:
        longest = max([len(self.title), *(len(text) for text, _ in self.lines)])
        return longest * CELL_WIDTH + 2 * _PADDING

    @property
    def height(self) -> int:
        return (len(self.lines) + 1) * CELL_HEIGHT + _PADDING + (4 if self.lines else 1)


def draw(root: Row) -> Drawing:
    """Return the drawing of an outline: a card a node, one column a level."""
    return _Artist().draw(root)


class _Artist:
    def __init__(self) -> None:
        self.cards: dict[str, _Card] = {}
        self.columns: list[list[_Card]] = []
        self.edges: list[tuple[_Card, int, str]] = []

    def draw(self, root: Row) -> Drawing:
        self._card(root, 0)
        self._place()
        drawing = Drawing()
        # Edges to one column turn on lanes of their own.
        lanes: dict[int, int] = {}
        for source, line, path in self.edges:
            target = self.cards[path]
            lane = lanes[target.x] = lanes.get(target.x, -1) + 1
            drawing.lines.append(_edge(source, line, target, lane % _LANES))
        for card in self.cards.values():
            _draw_card(card, drawing)
        rights = [card.x + card.width for card in self.cards.values()]
        rights += [x for line in drawing.lines for x, _ in line.points]
        drawing.width = max(rights) + _MARGIN
        drawing.height = max(card.y + card.height for card in self.cards.values()) + _MARGIN
        return drawing

    def _card(self, row: Row, level: int) -> None:
        card = _Card(_cut(row.text or "value"), row.mark)
        self.cards[row.path] = card
        while len(self.columns) <= level:
            self.columns.append([])
        self.columns[level].append(card)
        self._lines(card, row, "", level)

    def _lines(self, card: _Card, row: Row, prefix: str, level: int) -> None:
        for inner in row.rows:
            joint = "." if prefix and not inner.name.startswith("[") else ""
            name = f"{prefix}{joint}{inner.name}"
            if inner.is_node:
                card.lines.append((_cut(name), inner))
                target = inner.path if inner.same_as is None else inner.same_as
                self.edges.append((card, len(card.lines), target))
                if inner.same_as is None:
                    self._card(inner, level + 1)
            elif inner.rows:
                self._lines(card, inner, name, level)
            else:
                card.lines.append((_cut(f"{name} = {inner.text}"), inner))

    def _place(self) -> None:
        x = _MARGIN
        for column in self.columns:
            y = _MARGIN
            for card in column:
                card.x, card.y = x, y
                y += card.height + _ROW_GAP
            x += max(card.width for card in column) + _COLUMN_GAP


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _line_y(card: _Card, line: int) -> int:
    return card.y + _PADDING + line * CELL_HEIGHT + (2 if line else 0)


def _edge(source: _Card, line: int, target: _Card, lane: int) -> Line:
    start = (source.x + source.width, _line_y(source, line) + CELL_HEIGHT // 2)
    if target.x > source.x:
        end = (target.x, _line_y(target, 0) + CELL_HEIGHT // 2)
        turn = end[0] - _TURN - lane * _LANE
    else:  # back to a card that is there already
        end = (target.x + target.width, _line_y(target, 0) + CELL_HEIGHT // 2)
        turn = max(start[0], end[0]) + _TURN + lane * _LANE
    return Line((start, (turn, start[1]), (turn, end[1]), end))


def _draw_card(card: _Card, drawing: Drawing) -> None:
    drawing.boxes.append(Box(card.x, card.y, card.width, card.height, "card"))
    head = CELL_HEIGHT + _PADDING + 1
    drawing.boxes.append(Box(card.x, card.y, card.width, head, f"title{card.mark}"))
    drawing.texts.append(Text(card.x + _PADDING, card.y + _PADDING - 1, card.title, "title text"))
    for number, (text, row) in enumerate(card.lines, start=1):
        y = _line_y(card, number)
        if row.mark:
            drawing.boxes.append(
                Box(card.x + 1, y - 1, card.width - 2, CELL_HEIGHT, f"line{row.mark}")
            )
        colour = "faint" if row.is_default else "text"
        drawing.texts.append(Text(card.x + _PADDING, y + 1, text, colour))
