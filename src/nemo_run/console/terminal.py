"""What a stream can show: whether it is a terminal, how wide, and with colour or not."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_CODES = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}

# Control sequences of ECMA-48, as programs use them for colours and to move the cursor.
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")

_STATE_COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "LOST": "red",
    "CANCELLED": "yellow",
    "SKIPPED": "yellow",
    "RUNNING": "cyan",
    "PENDING": "blue",
    "SUBMITTED": "blue",
    "UNKNOWN": "magenta",
}


_without_colours = False


def refuse_colours(*, refused: bool) -> None:
    """Take the colours out of all that this process prints, or let them be as they were.

    Programs that it starts are not concerned: they have the environment.
    """
    global _without_colours  # noqa: PLW0603 - a process has one command line
    _without_colours = refused


def colours_refused() -> bool:
    """Tell whether this process is to print without colours, whatever its terminal can do."""
    return _without_colours


@dataclass(frozen=True)
class Look:
    """How text may look where it goes.

    Attributes:
        terminal: Whether a person reads it in a terminal.
        colour: Whether colours may be used.
        width: Columns of the terminal; None where lines may be as long as they like.
    """

    terminal: bool = False
    colour: bool = False
    width: int | None = None

    def paint(self, text: str, style: str) -> str:
        """Return ``text`` in a colour or weight, or as it is where colours may not be used."""
        if not self.colour or not style or not text:
            return text
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m"

    def state(self, state: str, text: str | None = None) -> str:
        """Return the name of a state, or ``text`` about it, in the state's colour."""
        return self.paint(state if text is None else text, _STATE_COLOURS.get(state, ""))


def look_of(stream: TextIO) -> Look:
    """Return how text on ``stream`` may look.

    The environment decides as everywhere: ``NO_COLOR`` (https://no-color.org) and ``TERM=dumb``
    take colours away, ``FORCE_COLOR`` gives them, ``COLUMNS`` sets the width. Before all of it
    counts what :func:`refuse_colours` was told.

    Args:
        stream: Where the text goes.
    """
    terminal = is_terminal(stream)
    return Look(terminal, _has_colours(terminal=terminal), width_of(stream) if terminal else None)


def _has_colours(*, terminal: bool) -> bool:
    if _without_colours or os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def is_terminal(stream: TextIO) -> bool:
    """Tell whether ``stream`` is a terminal; a closed or strange one is not."""
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False


def same_terminal(one: TextIO, other: TextIO) -> bool:
    """Tell whether two streams write to one terminal."""
    try:
        ends = os.fstat(one.fileno()), os.fstat(other.fileno())
    except (AttributeError, ValueError, OSError):
        return False
    return is_terminal(one) and is_terminal(other) and os.path.samestat(*ends)


def width_of(stream: TextIO) -> int:
    """Return the columns of the terminal behind ``stream``; 80 where it does not say."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def visible(text: str) -> str:
    """Return ``text`` on one line with its control characters written out.

    Titles and messages come from files; an escape sequence among them must not reach the
    terminal.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(data: bytes) -> str:
    """Return output of a program as one line of text, without its colours."""
    text = data.decode("utf-8", "replace")
    if "\x1b" in text:
        text = _SEQUENCE.sub("", text)
    return visible(text.strip("\r").expandtabs())


def cells(text: str) -> int:
    """Return how many columns ``text`` takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_cells_of(char) for char in text)


def _cells_of(char: str) -> int:
    if unicodedata.combining(char) or unicodedata.category(char) in {"Cf", "Me", "Mn"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def clip(text: str, width: int) -> str:
    """Return ``text`` in at most ``width`` columns, with ``…`` where something was cut off."""
    if cells(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += _cells_of(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…" if width > 0 else ""
