"""Draw what a command leaves on a terminal, as an SVG for the README.

    pip install pyte
    .venv/bin/python tools/terminal_picture.py docs/images/demo.svg 'make demo' 'make demo'

The arguments are the picture, the line that the reader sees, and the command that is run.
"""

from __future__ import annotations

import io
import os
import pty
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyte.screens import Char
    from rich.text import Text

WIDTH, HEIGHT = 92, 48


def main() -> int:
    """Run the command, draw its last screen and return its exit code."""
    picture, line, command = sys.argv[1:]
    output, code = run_at_a_terminal(["sh", "-c", command])
    Path(picture).write_text(draw(screen_text(f"$ {line}\r\n".encode() + output)), encoding="utf-8")
    return code


def run_at_a_terminal(command: list[str]) -> tuple[bytes, int]:
    """Return what a command wrote to a terminal of its own, and its exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS=str(WIDTH), LINES=str(HEIGHT), TERM="xterm-256color")
        os.execvp(command[0], command)
    chunks: list[bytes] = []
    while chunk := read(terminal):
        chunks.append(chunk)
    _, status = os.waitpid(child, 0)
    return b"".join(chunks), os.waitstatus_to_exitcode(status)


def read(terminal: int) -> bytes:
    """Return what comes next; nothing when the other end is closed (EIO on Linux)."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def screen_text(output: bytes) -> Text:
    """Return what stands on the screen after ``output``, with its colours."""
    import pyte
    from rich.text import Text

    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.ByteStream(screen).feed(output)
    text = Text()
    for row in range(HEIGHT):
        for column in range(WIDTH):
            cell = screen.buffer[row][column]
            text.append(cell.data, style(cell))
        text.append("\n")
    text.rstrip()
    return text


def style(cell: Char) -> str:
    """Return rich's words for how a cell looks."""
    colours = {"default": "", "brown": "yellow"}
    colour = colours.get(cell.fg, cell.fg if cell.fg.isalpha() else f"#{cell.fg}")
    return " ".join(filter(None, ["bold" if cell.bold else "", colour]))


def draw(text: Text) -> str:
    """Return a picture of a terminal that shows ``text``."""
    from rich.console import Console

    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(text)
    return console.export_svg(title="NeMo Run")


if __name__ == "__main__":
    raise SystemExit(main())
