"""Paths of files and folders."""

from __future__ import annotations

import os
import pathlib
from typing import Any

from .reading import Reading, Word, item_word, seen
from .refusal import RefusedError, shown
from .syntax import read_call


def read_path(source: Any, kind: Any, _reading: Reading) -> Any:
    """Return a path, with the folder of the user for a ``~``.

    A class of paths that is not Python's own gets a ``pathlib.Path``. Inside of others a path may
    be written as Python shows it, ``Path('a b')``: beside a text it is then no text.
    """
    if not isinstance(source, Word):
        raise RefusedError(f"{shown(seen(source))} is no {kind.__qualname__}. Write it in quotes.")
    text = _in_call(source) or source.as_text
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


def _in_call(word: Word) -> str:
    """Return the text of ``Path('...')``."""
    if word.is_whole or word.quoted or "Path(" not in word.text[:20]:
        return ""
    call = read_call(word.text)
    if call is None or call.name not in _NAMES or len(call.arguments) != 1:
        return ""
    key, text = call.arguments[0]
    return item_word(text).text if key is None else ""


_NAMES = {"Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"}
