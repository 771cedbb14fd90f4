"""Configurations as text: one line for Python, a tree for people."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import target_of
from nemo_run.config.graph.positions import ordered
from nemo_run.config.graph.signature import display_name
from nemo_run.masking import mask_shown

from .outline import Row, outline, safe_repr

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 100
_LEAST = 40


@reprlib.recursive_repr("<...>")
def short(node: Any) -> str:
    """Return ``<Config[Llama(layers=32)]>``: what is set, in the order of the signature."""
    parts = [
        f"{key}={safe_repr(value)}" if isinstance(key, str) else safe_repr(value)
        for key, value in ordered(node).items()
    ]
    return f"<{type(node).__name__}[{display_name(target_of(node))}({', '.join(parts)})]>"


def tree(
    value: Any, history: bool = False, width: int | None = None, *, defaults: bool = False
) -> str:
    """Return a configuration as a tree for a terminal.

    Args:
        value: A node, or anything that holds some.
        history: Show where each argument was set.
        width: Where lines are cut; 100 columns when not given.
        defaults: Show arguments that are not set, too.
    """
    return lines_of(outline(value, history=history, defaults=defaults), width)


def lines_of(root: Row, width: int | None = None) -> str:
    """Return rows as the text of a tree."""
    limit = max(width or _WIDTH, _LEAST)
    marked = any(row.mark for row in _every(root))
    lines = [_line(root, "", marked, limit)]
    lines += _below(root, "", marked, limit)
    return "\n".join(lines)


def _every(row: Row) -> Iterator[Row]:
    yield row
    for inner in row.rows:
        yield from _every(inner)


def _below(row: Row, indent: str, marked: bool, limit: int) -> list[str]:
    lines = []
    for inner in row.rows:
        last = inner is row.rows[-1]
        lines.append(_line(inner, indent + ("└─ " if last else "├─ "), marked, limit))
        lines += _below(inner, indent + ("   " if last else "│  "), marked, limit)
    return lines


def _line(row: Row, indent: str, marked: bool, limit: int) -> str:
    margin = f"{row.mark or ' '} " if marked else ""
    shown = row.text if row.is_node else mask_shown(row.path, row.text)
    text = f"{row.name} = {shown}" if row.name else shown
    note = f"  ({row.note})" if row.note else ""
    room = max(limit - len(margin) - len(indent) - len(note), _LEAST // 2)
    if len(text) > room:
        text = text[: room - 1] + "…"
    return f"{margin}{indent}{text}{note}".rstrip()
