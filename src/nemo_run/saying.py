"""Sentences for the person, on standard error."""

from __future__ import annotations

import sys
from typing import TextIO


def say(text: str, stream: TextIO | None = None) -> None:
    """Write a sentence and the end of its line in one piece.

    ``print`` writes them one after the other where Python does not buffer
    (``PYTHONUNBUFFERED``), and what another program writes to the same terminal comes between.

    Args:
        text: The sentence.
        stream: By default standard error, as it is now.
    """
    stream = stream or sys.stderr
    if stream is not None:  # as in programs without a console
        stream.write(f"{text}\n")
        stream.flush()
