"""Writing the output of jobs: raw bytes into files, text into terminals, JSON on request."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING, TextIO

from nemo_run.console.terminal import is_terminal
from nemo_run.management.watch.logs import label

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator

    from nemo_run.management.watch.logs import Piece


class LogWriter:
    """Writes pieces of logs to a stream.

    Attributes:
        empty: Whether no piece has come yet, also none that the pattern left out.

    Args:
        out: Where to. A terminal gets text, with a sign in place of what is none; anything
            else gets the bytes as they were written.
        prefixed: Whether each line begins with who wrote it.
        pattern: Leave out lines in which this is not found.
        as_json: One JSON document a line.
    """

    def __init__(
        self,
        out: TextIO,
        *,
        prefixed: bool = False,
        pattern: re.Pattern[bytes] | None = None,
        as_json: bool = False,
    ) -> None:
        self.empty = True
        self._out = out
        self._prefixed = prefixed
        self._pattern = pattern
        self._as_json = as_json
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._as_text = is_terminal(out) or not hasattr(out, "buffer")

    def write(self, piece: Piece) -> None:
        """Write a piece, and let it be seen at once."""
        self.empty = False
        if not (self._prefixed or self._pattern or self._as_json):
            self._bytes(piece.data)
        elif self._as_json:
            self._bytes(b"".join(_document(piece, line) for line in self._lines(piece)))
        else:
            mark = f"{label(piece)} ".encode() if self._prefixed else b""
            self._bytes(b"".join(mark + line + b"\n" for line in self._lines(piece)))

    def _lines(self, piece: Piece) -> Iterator[bytes]:
        """Give out the lines that were asked for, each as it looked in the end."""
        for line in piece.data.removesuffix(b"\n").split(b"\n"):
            shown = line.removesuffix(b"\r")
            shown = shown[shown.rfind(b"\r") + 1 :]
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
