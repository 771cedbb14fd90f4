"""The terminal as ``top`` uses it: a page of its own, keys as they are pressed, all put back."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import TYPE_CHECKING, TextIO

from nemo_run.console.terminal import Look, look_of

from .keys import keys_of

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any

    from typing_extensions import Self

# xterm, "The Alternate Screen Buffer" (ctlseqs), and ECMA-48.
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J"
_LEAVE = "\x1b[?25h\x1b[?1049l"
_READ = 4096


class EndedError(Exception):
    """A signal asked this process to end.

    Attributes:
        code: The exit code for it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


class Screen:
    """A page of the terminal, as long as the context lasts; afterwards all is as it was.

    Args:
        stream: The terminal to draw on.
        keyboard: The terminal to read from.
    """

    def __init__(self, stream: TextIO | None = None, keyboard: TextIO | None = None) -> None:
        self._out = stream or sys.stdout
        self._in = (keyboard or sys.stdin).fileno()
        self._drawn: list[str] = []
        self._before: dict[int, Any] = {}
        self._modes: list[Any] = []
        # Signals and other threads wake the wait for a key.
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)

    def __enter__(self) -> Self:
        import termios

        self._modes = termios.tcgetattr(self._in)
        for number, handler in (
            (signal.SIGTERM, self._end),
            (signal.SIGHUP, self._end),
            (signal.SIGTSTP, self._pause),
            (signal.SIGWINCH, self._resized),
        ):
            self._before[number] = signal.signal(number, handler)
        self._before_wakeup = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._enter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        frames: TracebackType | None,
    ) -> None:
        self._leave()
        signal.set_wakeup_fd(self._before_wakeup)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self._woken)
        os.close(self._wake)

    @property
    def look(self) -> Look:
        """How wide it is, and whether it has colours."""
        return Look(terminal=True, colour=look_of(self._out).colour, width=self._size().columns)

    @property
    def height(self) -> int:
        """How many lines it has."""
        return self._size().lines

    def draw(self, lines: list[str]) -> None:
        """Show these lines; nothing is written where they are there already."""
        if lines == self._drawn:
            return
        self._drawn = lines
        # Written over, not cleared first: nothing flickers.
        self._write("\x1b[H" + "\r\n".join(f"{line}\x1b[K" for line in lines) + "\x1b[J")

    def keys(self, seconds: float) -> list[str]:
        """Return the keys that were pressed; none after ``seconds``, or when woken."""
        ready, _, _ = select.select([self._in, self._woken], [], [], seconds)
        if self._woken in ready:
            self._drain()
        if self._in not in ready:
            return []
        data = os.read(self._in, _READ)
        if not data:
            # The terminal is gone.
            raise EndedError(signal.SIGHUP)
        return keys_of(data)

    def wake(self) -> None:
        """Let :meth:`keys` return; for other threads."""
        try:
            os.write(self._wake, b"\0")
        except BlockingIOError:
            # It is full, so it wakes anyway.
            return

    def _drain(self) -> None:
        try:
            os.read(self._woken, _READ)
        except BlockingIOError:
            return

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._out.fileno())
        except OSError:
            return os.terminal_size((80, 24))
        return size if size.columns and size.lines else os.terminal_size((80, 24))

    def _enter(self) -> None:
        import tty

        # Keys come one by one; Ctrl-C and Ctrl-Z stay signals.
        tty.setcbreak(self._in)
        self._drawn = []
        self._write(_ENTER)

    def _leave(self) -> None:
        import termios

        try:
            self._write(_LEAVE)
            termios.tcsetattr(self._in, termios.TCSADRAIN, self._modes)
        except (OSError, termios.error):
            # The terminal is gone; there is nothing to put back.
            return

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    def _end(self, number: int, _frame: FrameType | None) -> None:
        raise EndedError(number)

    def _resized(self, _number: int, _frame: FrameType | None) -> None:
        self._drawn = []

    def _pause(self, number: int, _frame: FrameType | None) -> None:
        self._leave()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        # Here it goes on.
        signal.signal(number, self._pause)
        self._enter()
