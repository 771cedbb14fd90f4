"""Deep copies of a graph: what is shared stays shared.

A value that cannot be copied, such as an open file, is in both: whether it may stand in a graph is
asked when the graph is to be written, where the answer names its path and the way out.
"""

from __future__ import annotations

import copy
import types
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from .defaults import ATOMS
from .node import Node, copy_node, target_of

if TYPE_CHECKING:
    from collections.abc import Callable

_SHARED = ATOMS | {types.FunctionType, types.BuiltinFunctionType, types.ModuleType}


def deep_copy_node(node: Node[Any], memo: dict[int, Any]) -> Any:
    """Return a deep copy of ``node`` for :func:`copy.deepcopy`."""
    arguments: dict[str | int, Any] = {}
    copied = memo[id(node)] = copy_node(node, arguments)
    for key, value in node.__arguments__.items():
        arguments[key] = value if type(value) in _SHARED else deep_copy(value, memo)
    return copied


def recast(node: Any, kind: type[Any], target: Any = None) -> Any:
    """Return a node of another kind with the arguments and the history of ``node``.

    Args:
        node: A node. It is not changed; what it holds is in both.
        kind: ``Config``, ``Partial`` or a class derived from one.
        target: What the new node calls; by default what ``node`` does.
    """
    return kind._restore(  # noqa: SLF001 - a node's own way to be made of parts
        target_of(node) if target is None else target,
        dict(node.__arguments__),
        node.__argument_history__.copy(),
    )


def deep_copy(value: Any, memo: dict[int, Any]) -> Any:
    """Return a deep copy of a value of a graph.

    Args:
        value: A node, or anything that nodes hold.
        memo: What was copied so far, as :func:`copy.deepcopy` has it.
    """
    kind = type(value)
    if kind in _SHARED:
        return value
    known = memo.get(id(value), memo)
    if known is not memo:
        return known
    if isinstance(value, Node):
        return deep_copy_node(value, memo)
    # The common kinds without the detour over copy.deepcopy; it does the others.
    copier = _COPIERS.get(kind, _copy_other)
    return copier(value, memo)


def _copy_other(value: Any, memo: dict[int, Any]) -> Any:
    if isinstance(value, (type, Enum, PurePath)):
        return value
    try:
        return copy.deepcopy(value, memo)
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001 - a value's own code may refuse in any way
        return value


def _copy_container(value: Any, memo: dict[int, Any]) -> Any:
    # Known before it is filled, for it may hold itself.
    result = memo[id(value)] = type(value)()
    if isinstance(value, dict):
        for key, item in value.items():
            result[deep_copy(key, memo)] = deep_copy(item, memo)
    else:
        for item in value:
            result.append(deep_copy(item, memo))
    return result


def _copy_tuple(value: tuple[Any, ...], memo: dict[int, Any]) -> Any:
    items = tuple([deep_copy(item, memo) for item in value])
    # Copied meanwhile, where a list inside holds it.
    return memo.setdefault(id(value), items)


_COPIERS: dict[type, Callable[[Any, dict[int, Any]], Any]] = {
    list: _copy_container,
    dict: _copy_container,
    tuple: _copy_tuple,
}
