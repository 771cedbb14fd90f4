"""Walking through a graph: nodes, lists, tuples and dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .defaults import ATOMS, DICTS, is_record
from .node import is_node

if TYPE_CHECKING:
    from collections.abc import Iterator


def children(value: Any) -> list[tuple[str, Any]]:
    """Return what ``value`` holds, each with its step of a path: ``.name``, ``[0]``, ``['k']``.

    Nodes give their set arguments; everything but nodes, lists, tuples and dicts holds nothing.
    Nothing is imported.
    """
    kind = type(value)
    if kind in ATOMS:
        return []
    if kind in DICTS:
        return [(f"[{key!r}]", item) for key, item in value.items()]
    if is_record(value):
        return [(f".{name}", getattr(value, name)) for name in kind._fields]
    if kind is list or kind is tuple:
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    if is_node(value):
        return [(step(key), item) for key, item in value.__arguments__.items()]
    return []


def step(key: str | int) -> str:
    """Return an argument's step of a path."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isidentifier() else f"[{key!r}]"


def join(path: str, part: str) -> str:
    """Return the path of a child."""
    return path + part if path else part.removeprefix(".")


def walk_values(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of a graph with its path, the root first.

    A node, list, tuple or dict that is reached twice is yielded where it is met first.

    Args:
        value: The root.
        path: The path of the root.
    """
    seen: dict[int, Any] = {}
    waiting = [(path, value)]
    while waiting:
        here, item = waiting.pop()
        inside = children(item)
        if inside:
            if id(item) in seen:
                continue
            seen[id(item)] = item
        yield here, item
        waiting.extend((join(here, part), child) for part, child in reversed(inside))


def nodes(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield every node of a graph once, with its path, parents first."""
    seen: set[int] = set()
    for path, item in walk_values(value):
        if is_node(item) and id(item) not in seen:
            seen.add(id(item))
            yield path, item
