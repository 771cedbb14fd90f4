"""Patterns that say which files count: as a shell has them, and ``**`` for any folders. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from nemo_run.exceptions import PlanError, shown

_PIECES = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^\]/]*\]|.", re.DOTALL)


def checked(given: Any, what: str = "outputs") -> tuple[str, ...]:
    """Return the patterns that were given to a job.

    Args:
        given: A list of patterns; None for all files.
        what: What to call it in an error.

    Raises:
        TypeError: It is no list of texts.
        PlanError: A pattern is empty, absolute, or leads out of the folder.
    """
    if given is None:
        return ()
    if isinstance(given, str):
        raise TypeError(f"{what} is the text {given!r}; it must be a list: {what}=[{given!r}].")
    if not isinstance(given, Iterable):
        raise TypeError(f"{what} is {shown(given)}; it must be a list of patterns.")
    found = tuple(given)
    for one in found:
        if not isinstance(one, str):
            raise TypeError(f"{what} holds {shown(one)} ({type(one).__name__}), which is no text.")
        wrong = _wrong(one)
        if wrong:
            raise PlanError(
                f"{what} holds {one!r}, which {wrong}. A pattern is relative to "
                "$NEMORUN_OUTPUT_DIR: 'checkpoints/**' or '*.json'."
            )
    return found


def _wrong(pattern: str) -> str:
    if not pattern.strip():
        return "is empty"
    if pattern.startswith(("/", "~")):
        return "is absolute"
    if ".." in pattern.split("/"):
        return "leads out of the folder"
    return "" if pattern.isprintable() else "holds a control character"


def stored(document: Any) -> tuple[str, ...]:
    """Return the patterns that a record has for a task; what makes no sense there is left out."""
    listed = document if isinstance(document, list) else []
    return tuple(one for one in listed if isinstance(one, str) and not _wrong(one))


def expression(patterns: Sequence[str]) -> str:
    """Return a regular expression for the paths that match any of the patterns; empty for all.

    A pattern that matches a folder stands for everything in it.
    """
    return "|".join(f"(?:{_translated(one)})" for one in patterns)


def _translated(pattern: str) -> str:
    pattern = re.sub(r"/+", "/", pattern).removeprefix("./").rstrip("/")
    return "".join(_piece(one) for one in _PIECES.findall(pattern)) + r"(?:/.*)?\Z"


def _piece(piece: str) -> str:
    fixed = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    if piece in fixed:
        return fixed[piece]
    if len(piece) < 2:
        return re.escape(piece)
    inner = piece[1:-1].replace("\\", r"\\")
    negated = inner[:1] in {"!", "^"}
    # What re warns of or reads as its own: [[ -- && ~~ ||, and a caret that is none.
    inner = re.sub(r"([\[\]&~|^])", r"\\\1", inner[1:] if negated else inner)
    found = f"[{'^/' if negated else ''}{inner}]"
    try:
        re.compile(found)
    except re.error:
        return re.escape(piece)  # a range that runs backwards is no range to a shell
    return found
