"""Draw what a command prints at a terminal, as an SVG for the README.

    .venv/bin/python tools/terminal_picture.py docs/images/demo.svg 'make demo' 'make demo'

The arguments are the picture, the line that the reader sees, and the command that is run.
"""

from __future__ import annotations

import io
import os
import pty
import select
import sys
from pathlib import Path

WIDTH, HEIGHT = 92, 40


def main() -> int:
    """Run the command, draw its last screen and return its exit code."""
    picture, line, command = sys.argv[1:]
    output, code = run_at_a_terminal(["sh", "-c", command])
    Path(picture).write_text(draw(f"$ {line}\n{final_text(output)}"), encoding="utf-8")
    return code


def run_at_a_terminal(command: list[str]) -> tuple[str, int]:
    """Return what a command wrote to a terminal of its own, and its exit code."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS=str(WIDTH), LINES=str(HEIGHT), TERM="xterm-256color")
        os.execvp(command[0], command)
    chunks = []
    while True:
        select.select([terminal], [], [])
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    _, status = os.waitpid(child, 0)
    return b"".join(chunks).decode(errors="replace"), os.waitstatus_to_exitcode(status)


def final_text(output: str) -> str:
    """Return what is left on the screen: a small terminal that knows lines and erasing."""
    lines: list[str] = [""]
    row = position = 0
    while position < len(output):
        if output.startswith("\x1b[", position):
            end = position + 2
            while end < len(output) and not output[end].isalpha():
                end += 1
            argument, kind = output[position + 2 : end], output[end : end + 1]
            count = int(argument) if argument.isdigit() else 1
            if kind == "m":
                lines[row] += output[position : end + 1]
            elif kind == "A":
                row = max(0, row - count)
            elif kind == "B":
                row = min(len(lines) - 1, row + count)
            elif kind == "K":
                lines[row] = ""
            elif kind == "J":
                lines[row:] = [""]
            position = end + 1
            continue
        character = output[position]
        position += 1
        if character == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif character == "\r":
            if output[position : position + 1] != "\n":
                lines[row] = ""
        elif character >= " ":
            lines[row] += character
    return "\n".join(lines).rstrip()


def draw(text: str) -> str:
    """Return a picture of a terminal that shows ``text``."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text))
    return console.export_svg(title="NeMo Run")


if __name__ == "__main__":
    raise SystemExit(main())
