"""Walking through a graph: nodes, lists, tuples and dicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .defaults import ATOMS, DICTS, is_record
from .node import is_node
from .positions import ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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


def map_graph(function: Callable[[str, Any], Any], value: Any) -> Any:
    """Return a copy of a graph with each leaf replaced.

    Args:
        function: Gets the path and the value of each leaf (what is no node, list, tuple or
            dict) and returns the new value.
        value: The root. It is not changed; what is shared in it is shared in the copy.
    """
    memo: dict[int, tuple[Any, Any]] = {}

    def mapped(path: str, item: Any) -> Any:
        if id(item) in memo:
            return memo[id(item)][1]
        result: Any
        if is_node(item):
            result = item.__copy__()
            memo[id(item)] = (item, result)
            for key, child in ordered(item).items():
                result.__arguments__[key] = mapped(join(path, step(key)), child)
            return result
        kind = type(item)
        if kind in DICTS:
            result = item.copy()
            for key, child in item.items():
                result[key] = mapped(join(path, f"[{key!r}]"), child)
        elif kind in (list, tuple) or is_record(item):
            parts = [mapped(join(path, part), child) for part, child in children(item)]
            result = kind._make(parts) if is_record(item) else kind(parts)
        else:
            return function(path, item)
        memo[id(item)] = (item, result)
        return result

    return mapped("", value)
