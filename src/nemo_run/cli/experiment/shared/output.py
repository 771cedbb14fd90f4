"""Writing the output of jobs: raw bytes into files, text into terminals, JSON on request."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, TextIO

from nemo_run.console.terminal import clip, is_terminal, plain, width_of
from nemo_run.management.watch.tail import last_states

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Mapping, Sequence

    from nemo_run.management.watch.labels import Labels
    from nemo_run.management.watch.logs import Piece


class LogWriter:
    """Writes pieces of logs to a stream.

    Attributes:
        empty: Whether no piece has come yet, also none that the pattern left out.

    Args:
        out: Where to. A terminal gets text, with a sign in place of what is none; anything
            else gets the bytes as they were written.
        labels: Names who wrote a line, at its beginning; None where there is one log only.
        attempts: The attempt of each job with which the output begins. Where another one
            begins, a line says so.
        pattern: Leave out lines in which this is not found.
        as_json: One JSON document a line.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        labels: Labels | None = None,
        attempts: Mapping[str, int] | None = None,
        pattern: re.Pattern[bytes] | None = None,
        as_json: bool = False,
    ) -> None:
        self.empty = True
        self._out = out
        self._labels = labels
        self._attempts = dict(attempts or {})
        self._pattern = pattern
        self._as_json = as_json
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._as_text = is_terminal(out) or not hasattr(out, "buffer")
        self._line_open = False
        self._shown = b""

    def write(self, piece: Piece) -> None:
        """Write a piece, and let it be seen at once."""
        self.empty = False
        self._erase_unfinished()
        if self._as_json:
            self._bytes(b"".join(_document(piece, line) for line in self._lines(piece)))
            return
        if not (self._labels or self._pattern):
            data = piece.data
        else:
            mark = self._mark(piece)
            data = b"".join(mark + line + b"\n" for line in self._lines(piece))
        if data:
            self._bytes(self._heading(piece) + data)
            self._line_open = not data.endswith(b"\n")

    def unfinished(self, pieces: Sequence[Piece]) -> None:
        """Show a person one line that has no end yet: the one that has changed."""
        if self._as_json or not is_terminal(self._out):
            return
        lines = [self._mark(piece) + line for piece in pieces for line in self._lines(piece)]
        fresh = [line for line in lines if line != self._shown]
        if not fresh or self._line_open:
            return
        self._erase_unfinished()
        self._shown = fresh[-1]
        self._out.write(clip(plain(self._shown), width_of(self._out) - 1))
        self._out.flush()

    def _erase_unfinished(self) -> None:
        if self._shown:
            self._out.write("\r\x1b[K")
            self._shown = b""

    def _heading(self, piece: Piece) -> bytes:
        """Return the line that separates an attempt from the one before."""
        if self._attempts.get(piece.job, piece.attempt) == piece.attempt:
            return b""
        self._attempts[piece.job] = piece.attempt
        newline = "\n" if self._line_open else ""
        return f"{newline}==> {piece.job}, attempt {piece.attempt} <==\n".encode()

    def _mark(self, piece: Piece) -> bytes:
        label = self._labels.of(piece) if self._labels else ""
        return f"{label} ".encode() if label else b""

    def _lines(self, piece: Piece) -> Iterator[bytes]:
        """Give out the lines that were asked for, each as it looked in the end."""
        for line in last_states(piece.data.removesuffix(b"\n")).split(b"\n"):
            shown = line.rstrip(b"\r")
            if self._pattern is None or self._pattern.search(shown):
                yield shown

    def _bytes(self, data: bytes) -> None:
        if self._as_text:
            self._out.write(self._decoder.decode(data))
        else:
            self._out.flush()
            self._out.buffer.write(data)
        self._out.flush()


def _document(piece: Piece, line: bytes) -> bytes:
    import json

    document = {
        "job": piece.job,
        "member": piece.member,
        "attempt": piece.attempt,
        "rank": piece.rank,
        "line": line.decode("utf-8", "replace"),
    }
    return json.dumps(document, ensure_ascii=False).encode() + b"\n"
