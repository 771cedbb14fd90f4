"""Configurations as text: one line for Python, a tree for people."""

from __future__ import annotations

from typing import Any

from .node import target_of
from .positions import ordered
from .signature import display_name


def short(node: Any) -> str:
    """Return ``<Config[Llama(layers=32)]>``: what is set, in the order of the signature."""
    parts = [f"{key}={value!r}" for key, value in ordered(node).items()]
    return f"<{type(node).__name__}[{display_name(target_of(node))}({', '.join(parts)})]>"


def tree(value: Any, history: bool = False, width: int | None = None) -> str:
    """Return a tree for a terminal."""
    return short(value)
