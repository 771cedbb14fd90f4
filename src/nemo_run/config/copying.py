"""Deep copies of a graph: what is shared stays shared."""

from __future__ import annotations

import copy
import types
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from .defaults import ATOMS

if TYPE_CHECKING:
    from .node import Node

_SHARED = ATOMS | {types.FunctionType, types.BuiltinFunctionType, types.ModuleType}


def deep_copy_node(node: Node[Any], memo: dict[int, Any]) -> Any:
    """Return a deep copy of ``node`` for :func:`copy.deepcopy`."""
    from .node import _copy

    arguments: dict[str | int, Any] = {}
    copied = memo[id(node)] = _copy(node, arguments)
    for key, value in node.__arguments__.items():
        if type(value) in _SHARED:
            arguments[key] = value
        else:
            arguments[key] = _deep_copy(value, memo)
    return copied


def _deep_copy(value: Any, memo: dict[int, Any]) -> Any:
    # The common kinds without the detour over copy.deepcopy; it does the others.
    kind = type(value)
    if kind in _SHARED:
        return value
    known = memo.get(id(value), memo)
    if known is not memo:
        return known
    if kind is list:
        result: Any = []
        memo[id(value)] = result
        result.extend([_deep_copy(item, memo) for item in value])
        return result
    if kind is dict:
        result = {}
        memo[id(value)] = result
        for key, item in value.items():
            result[_deep_copy(key, memo)] = _deep_copy(item, memo)
        return result
    if isinstance(value, (type, Enum, PurePath)):
        return value
    return copy.deepcopy(value, memo)
