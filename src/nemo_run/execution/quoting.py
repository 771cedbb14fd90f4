"""User text in a shell script: quoted here and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def quote(text: str) -> str:
    """Return ``text`` as one word of a POSIX shell, whatever it holds but NUL."""
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def words(texts: Iterable[str]) -> str:
    """Return texts as words of one command line."""
    return " ".join(map(quote, texts))
