"""A program in a terminal, as a person uses it."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess


class Terminal:
    """A program in a terminal, and what it shows."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._main, side = pty.openpty()
        names = {"TERM": "xterm", "COLUMNS": "60", **environment}
        kept = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR"}}
        self.process = subprocess.Popen(
            command, stdin=side, stdout=side, stderr=side, close_fds=True, env={**kept, **names},
            start_new_session=True,
        )  # fmt: skip
        os.close(side)
        self.seen = ""

    def until(self, text: str) -> None:
        """Read until ``text`` was shown."""
        while text not in self.seen:
            assert self._read(), f"{text!r} never came: {self.seen!r}"

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._main, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C, once."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Read to the end and return the exit code."""
        while self._read():
            pass
        return self.process.wait(30)

    def close(self) -> None:
        """Close the window."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        os.close(self._main)

    def _read(self) -> bool:
        assert select.select([self._main], [], [], 30)[0], f"silence after {self.seen!r}"
        try:
            data = os.read(self._main, 65_536)
        except OSError:
            # Linux says so when the last program of the terminal has ended.
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)

    @property
    def lines(self) -> list[str]:
        """What was shown, without its colours."""
        return re.sub(r"\x1b\[[0-9;]*m", "", self.seen).replace("\r\n", "\n").splitlines()
