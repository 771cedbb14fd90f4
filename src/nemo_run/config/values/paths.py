"""Paths of files and folders."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from .reading import Reading, Word, seen
from .refusal import RefusedError, shown


def read_path(source: Any, kind: Any, _reading: Reading) -> Any:
    """Return a path, with the folder of the user for a ``~``.

    A class of paths that is not Python's own gets a ``pathlib.Path``.
    """
    if not isinstance(source, Word):
        raise RefusedError(f"{shown(seen(source))} is no {kind.__qualname__}. Write it in quotes.")
    text = source.as_text
    if not text:
        raise RefusedError(
            f"An empty text is no {kind.__qualname__}. Write . for the current folder."
        )
    if "\0" in text:
        raise RefusedError(f"{shown(text)} is no {kind.__qualname__}: it has a NUL.")
    if not kind.__module__.startswith("pathlib"):
        kind = pathlib.Path
    if issubclass(kind, pathlib.Path) or kind is pathlib.PurePath:
        text = os.path.expanduser(text)  # noqa: PTH111 - leaves the ~ of a user who is not there
    return kind(text)
