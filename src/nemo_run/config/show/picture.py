"""Pictures of configurations, drawn without any other program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.defaults import converted
from nemo_run.exceptions import ConfigError

from .layout import CELL_HEIGHT, CELL_WIDTH, Box, Drawing, Line, Text, draw
from .outline import outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .outline import Row

_SCALE = 1.4
_COLOURS = {
    "card": "#ffffff",
    "border": "#8a94a6",
    "title": "#e4e9f2",
    "title+": "#c8ecd0",
    "title-": "#f8d0d0",
    "title~": "#fbe7b2",
    "line+": "#c8ecd0",
    "line-": "#f8d0d0",
    "line~": "#fbe7b2",
    "line": "#5b6b85",
    "text": "#1d2430",
    "title text": "#1d2430",
    "faint": "#8a94a6",
}


class Picture:
    """A configuration as a picture: a card for each node, lines to the nodes it holds.

    Notebooks show it; :meth:`save` writes it; ``str()`` is the configuration as a tree.
    """

    def __init__(self, root: Row, text: str) -> None:
        self.root = root
        self.text = text

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        return "\n".join(_svg(draw(self.root))) + "\n"

    @property
    def png(self) -> bytes:
        """The picture as PNG."""
        from .png import png

        return png(draw(self.root), _COLOURS)

    def save(self, path: str) -> str:
        """Write the picture.

        Args:
            path: A ``.svg`` or ``.png`` file, or a folder for ``config.png``.

        Returns:
            The file that was written.

        Raises:
            ConfigError: The file's kind is another one.
            OSError: It could not be written.
        """
        from nemo_run.atomic import write_for_user

        file = Path(path)
        if file.is_dir() or not file.suffix:
            file.mkdir(parents=True, exist_ok=True)
            file /= "config.png"
        kind = file.suffix.lower()
        if kind not in (".svg", ".png"):
            raise ConfigError(
                f"A picture can be saved as .svg or .png, and {str(file)!r} ends in {kind!r}."
            )
        write_for_user(file, self.svg.encode() if kind == ".svg" else self.png)
        return str(file)

    def _repr_svg_(self) -> str:
        return self.svg

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def picture_of(value: Any) -> Picture:
    """Return the picture of a configuration, or of an object that can be one."""
    from .printing import lines_of

    root = outline(converted(value))
    return Picture(root, lines_of(root))


def _svg(drawing: Drawing) -> Iterator[str]:
    width, height = round(drawing.width * _SCALE), round(drawing.height * _SCALE)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {drawing.width} {drawing.height}" '
        'font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" '
        f'font-size="{CELL_HEIGHT - 1}">'
    )
    yield f'<rect width="{drawing.width}" height="{drawing.height}" fill="#ffffff"/>'
    for line in drawing.lines:
        yield _svg_line(line)
    for box in drawing.boxes:
        yield _svg_box(box)
    for text in drawing.texts:
        yield _svg_text(text)
    yield "</svg>"


def _svg_line(line: Line) -> str:
    points = " ".join(f"{x},{y}" for x, y in line.points)
    return f'<polyline points="{points}" fill="none" stroke="{_COLOURS[line.colour]}"/>'


def _svg_box(box: Box) -> str:
    border = "" if box.colour.startswith("line") else f' stroke="{_COLOURS["border"]}"'
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" '
        f'fill="{_COLOURS[box.colour]}"{border}/>'
    )


def _svg_text(text: Text) -> str:
    # The width is stated, so that every font fits its box.
    return (
        f'<text x="{text.x}" y="{text.y + CELL_HEIGHT - 3}" xml:space="preserve" '
        f'textLength="{len(text.text) * CELL_WIDTH}" lengthAdjust="spacingAndGlyphs" '
        f'fill="{_COLOURS[text.colour]}">{_escaped(text.text)}</text>'
    )


def _escaped(text: str) -> str:
    from html import escape

    # XML has no place for most control characters, nor for halves of surrogate pairs.
    legal = "".join(c if c.isprintable() else "\ufffd" for c in text)
    return escape(legal)
