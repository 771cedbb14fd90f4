"""One line at a terminal that says what is being waited for, and is gone afterwards."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .terminal import clip, is_terminal, visible, width_of

if TYPE_CHECKING:
    from typing_extensions import Self


class Progress:
    """A line that is written over in place on standard error; nothing where that is no terminal.

    As a context manager, it clears the line at the end.
    """

    def __init__(self) -> None:
        self._shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.clear()

    def show(self, text: str) -> None:
        """Write ``text`` in place of what was there."""
        if text == self._shown or not is_terminal(sys.stderr):
            return
        self.clear()
        self._shown = text
        sys.stderr.write(clip(visible(text), width_of(sys.stderr) - 1))
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away, before something else is written."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = ""
