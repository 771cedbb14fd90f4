"""What the program itself prints while a block of lines stands at the foot of its terminal."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    class _Above(Protocol):
        def __call__(self, write: Callable[[], object], *, whole: bool = True) -> None: ...


class Aside:
    """Stands in for a standard stream; whole lines go to the real one, above the block.

    A line without an end is kept until it has one, or until the block is gone. Everything else
    that a stream can do is done by the real one.

    Args:
        name: ``stdout`` or ``stderr``.
        above: Calls a function at the place above the block.
    """

    def __init__(self, name: str, above: _Above) -> None:
        self.rest = ""
        self._name = name
        self._above = above
        self._stream = getattr(sys, name)
        self._lock = threading.RLock()

    def put(self) -> None:
        """Take the stream's place."""
        setattr(sys, self._name, self)

    def remove(self) -> None:
        """Give the place back, and write the line that has no end."""
        # Somebody else may have put a stream there since.
        if getattr(sys, self._name) is self:
            setattr(sys, self._name, self._stream)
        with self._lock:
            rest, self.rest = self.rest, ""
        self._stream.write(rest)
        self._stream.flush()

    def write(self, text: str) -> int:
        """Write the whole lines, and keep the rest."""
        if getattr(sys, self._name) is not self:
            # Who kept this object longer than the block stood writes as ever.
            return int(self._stream.write(text))
        with self._lock:
            lines, newline, rest = (self.rest + text).rpartition("\n")
            self.rest = _last_state(rest)
        if newline:
            shown = "".join(f"{_last_state(line)}\n" for line in lines.split("\n"))
            self._above(lambda: self._put_out(shown))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: whole lines are out, and others wait for their end."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _put_out(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _last_state(line: str) -> str:
    """Return what a line looks like that was written over with carriage returns."""
    return line[line.rstrip("\r").rfind("\r") + 1 :]
