"""A drawing as PNG, with the standard library alone.

The format: https://www.w3.org/TR/png-3/. Letters are 5 by 7 dots, as on the displays of
instruments; characters outside ASCII are shown as a frame.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from .layout import CELL_WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .layout import Box, Drawing, Line, Text

_SCALE = 2
_COLUMNS = 5
# Five columns a letter, two hexadecimal digits a column, the lowest bit at the top; from space on.
_DOTS = bytes.fromhex(
    "0000000000"
    "00005f0000"
    "0007000700"
    "147f147f14"
    "242a7f2a12"
    "2313086462"
    "3649562050"
    "0008070300"
    "001c224100"
    "0041221c00"
    "2a1c7f1c2a"
    "08083e0808"
    "0080703000"
    "0808080808"
    "0000606000"
    "2010080402"
    "3e5149453e"
    "00427f4000"
    "7249494946"
    "2141494d33"
    "1814127f10"
    "2745454539"
    "3c4a494931"
    "4121110907"
    "3649494936"
    "464949291e"
    "0000140000"
    "0040340000"
    "0008142241"
    "1414141414"
    "0041221408"
    "0201590906"
    "3e415d594e"
    "7c1211127c"
    "7f49494936"
    "3e41414122"
    "7f4141413e"
    "7f49494941"
    "7f09090901"
    "3e41415173"
    "7f0808087f"
    "00417f4100"
    "2040413f01"
    "7f08142241"
    "7f40404040"
    "7f021c027f"
    "7f0408107f"
    "3e4141413e"
    "7f09090906"
    "3e4151215e"
    "7f09192946"
    "2649494932"
    "03017f0103"
    "3f4040403f"
    "1f2040201f"
    "3f4038403f"
    "6314081463"
    "0304780403"
    "6159494d43"
    "007f414100"
    "0204081020"
    "004141417f"
    "0402010204"
    "4040404040"
    "0003070800"
    "2054547840"
    "7f28444438"
    "3844444428"
    "384444287f"
    "3854545418"
    "00087e0902"
    "18a4a49c78"
    "7f08040478"
    "00447d4000"
    "2040403d00"
    "7f10284400"
    "00417f4000"
    "7c04780478"
    "7c08040478"
    "3844444438"
    "fc18242418"
    "18242418fc"
    "7c08040408"
    "4854545424"
    "04043f4424"
    "3c4040207c"
    "1c2040201c"
    "3c4030403c"
    "4428102844"
    "4c9090907c"
    "4464544c44"
    "0008364100"
    "0000770000"
    "0041360800"
    "0201020402"
)
_FRAME = bytes.fromhex("7f4141417f")
_OTHERS = {"→": bytes.fromhex("08082a1c08"), "…": bytes.fromhex("4000400040")}


def png(drawing: Drawing, colours: Mapping[str, str]) -> bytes:
    """Return a drawing as the bytes of a PNG file.

    Args:
        drawing: What to draw.
        colours: ``#rrggbb`` by name.
    """
    canvas = _Canvas(drawing.width * _SCALE, drawing.height * _SCALE, list(colours))
    for line in drawing.lines:
        canvas.line(line)
    for box in drawing.boxes:
        canvas.box(box)
    for text in drawing.texts:
        canvas.text(text)
    palette = b"".join(bytes.fromhex(colour[1:]) for colour in colours.values())
    return _file(canvas, b"\xff\xff\xff" + palette)


class _Canvas:
    """One byte a pixel: the number of its colour; 0 is the white paper."""

    def __init__(self, width: int, height: int, names: list[str]) -> None:
        self.width = width
        self.height = height
        self.number = {name: index for index, name in enumerate(names, start=1)}
        self.pixels = bytearray(width * height)

    def fill(self, x: int, y: int, width: int, height: int, colour: str) -> None:
        run = bytes([self.number[colour]]) * width
        for row in range(y, y + height):
            start = row * self.width + x
            self.pixels[start : start + width] = run

    def line(self, line: Line) -> None:
        for (x0, y0), (x1, y1) in zip(line.points, line.points[1:], strict=False):
            x, y = min(x0, x1) * _SCALE, min(y0, y1) * _SCALE
            wide, high = abs(x1 - x0) * _SCALE + _SCALE, abs(y1 - y0) * _SCALE + _SCALE
            self.fill(x, y, min(wide, self.width - x), high, line.colour)

    def box(self, box: Box) -> None:
        x, y, width, height = (v * _SCALE for v in (box.x, box.y, box.width, box.height))
        if box.colour.startswith("line"):
            self.fill(x, y, width, height, box.colour)
            return
        self.fill(x, y, width + 1, height + 1, "border")
        self.fill(x + 1, y + 1, width - 1, height - 1, box.colour)

    def text(self, text: Text) -> None:
        for index, letter in enumerate(text.text):
            self._letter(text.x + index * CELL_WIDTH, text.y, letter, text.colour)

    def _letter(self, x: int, y: int, letter: str, colour: str) -> None:
        place = (ord(letter) - ord(" ")) * _COLUMNS
        known = 0 <= place < len(_DOTS)
        dots = _DOTS[place : place + _COLUMNS] if known else _OTHERS.get(letter, _FRAME)
        for column, bits in enumerate(dots):
            for row in range(8):
                if bits >> row & 1:
                    self.fill((x + column) * _SCALE, (y + row) * _SCALE, _SCALE, _SCALE, colour)


def _file(canvas: _Canvas, palette: bytes) -> bytes:
    width, height = canvas.width, canvas.height
    # Each line of pixels begins with the number of its filter: 0, none.
    lines = b"".join(
        b"\0" + canvas.pixels[start : start + width] for start in range(0, width * height, width)
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0))
        + _chunk(b"PLTE", palette)
        + _chunk(b"IDAT", zlib.compress(lines, 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
