"""Runs a command line of the user's on a tunnel's machine."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING

from .counting import count
from .streams import Exchange
from .tunnel import RunResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from .tunnel import Tunnel


def run(
    tunnel: Tunnel,
    command: str,
    *,
    hide: bool | str | None,
    timeout: float | None,
    again: bool,
) -> RunResult:
    """Run ``command``; see :meth:`Tunnel.run`."""
    shown_out, shown_err = _shown(hide)
    line, marker = tunnel._command_line(command)  # noqa: SLF001 - the tunnel's other half
    output = _Output(marker, sys.stdout if shown_out else None)
    exchange = Exchange(
        command=line,
        take=output.take,
        begin=output.begin,
        error=_shower(sys.stderr) if shown_err else None,
        timeout=timeout,
        again=again,
    )
    count(tunnel.key)
    finished = tunnel._exchange(exchange)  # noqa: SLF001
    return RunResult(
        stdout=_text(output.command_part()),
        stderr=_text(finished.stderr),
        return_code=finished.return_code,
        command=command,
    )


def _shown(hide: bool | str | None) -> tuple[bool, bool]:
    if hide not in (True, False, None, "both", "out", "stdout", "err", "stderr"):
        raise ValueError(
            f"hide is {hide!r}; it takes True, False, 'stdout' or 'stderr': what is not shown."
        )
    return hide in (False, None, "err", "stderr"), hide in (False, None, "out", "stdout")


class _Output:
    """Standard output: what files of the login shell print before the marker is not the command's.

    Where the marker never comes (an account that runs one fixed program) all of it counts.
    """

    def __init__(self, marker: bytes, screen: TextIO | None) -> None:
        self._marker = marker
        self._show = _shower(screen) if screen else None
        self.begin()

    def begin(self) -> None:
        self._all = bytearray()
        self._start = -1 if self._marker else 0

    def take(self, pipe: IO[bytes]) -> None:
        while piece := pipe.read1(1 << 16):  # type: ignore[attr-defined]
            self._all += piece
            if self._start >= 0:
                self._screen(piece)
                continue
            found = self._all.find(self._marker)
            if found >= 0:
                self._start = found + len(self._marker)
                self._screen(bytes(self._all[self._start :]))

    def _screen(self, piece: bytes) -> None:
        if self._show and piece:
            self._show(piece)

    def command_part(self) -> bytes:
        return bytes(self._all[max(0, self._start) :])


def _shower(screen: TextIO) -> Callable[[bytes], None]:
    import codecs

    decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def show(piece: bytes) -> None:
        screen.write(decode(piece))
        screen.flush()

    return show


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
