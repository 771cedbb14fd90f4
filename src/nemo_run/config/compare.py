"""Equality of configurations: by structure, never by accident, never an exception."""

from __future__ import annotations

from typing import Any

from .defaults import ATOMS, MISSING, default_of
from .node import is_node, target_of
from .reference import Deferred, Reference


def same(left: Any, right: Any) -> bool:
    """Whether two values would build the same.

    A default that was set equals one that was not. Nodes shared on one side must be shared on
    the other. nan equals nan. What cannot be compared is different.
    """
    return _Comparison().same(left, right)


class _Comparison:
    """One walk through two graphs, side by side."""

    def __init__(self) -> None:
        self.right_of: dict[int, int] = {}
        self.left_of: dict[int, int] = {}

    def same(self, left: Any, right: Any) -> bool:
        if is_node(left) or is_node(right):
            return self._same_nodes(left, right)
        if left is right and type(left) in ATOMS:
            return True
        kind = type(left)
        if kind is type(right):
            if kind in (list, tuple) or (isinstance(left, tuple) and hasattr(kind, "_fields")):
                return len(left) == len(right) and all(map(self.same, left, right))
            if kind is dict:
                return left.keys() == right.keys() and all(
                    self.same(value, right[key]) for key, value in left.items()
                )
        return _equal(left, right)

    def _same_nodes(self, left: Any, right: Any) -> bool:
        if type(left) is not type(right):
            return False
        seen = self.right_of.get(id(left))
        if seen is not None or id(right) in self.left_of:
            return seen == id(right)
        self.right_of[id(left)] = id(right)
        self.left_of[id(right)] = id(left)
        if not same_target(target_of(left), target_of(right)):
            return False
        a, b = left.__arguments__, right.__arguments__
        return all(
            self._same_argument(left, right, key)
            for key in (a if a.keys() == b.keys() else {**a, **b})
        )

    def _same_argument(self, left: Any, right: Any, key: str | int) -> bool:
        first, second = _value(left, key), _value(right, key)
        if first is MISSING or second is MISSING:
            return False
        return self.same(first, second)


def _value(node: Any, key: str | int) -> Any:
    value = node.__arguments__.get(key, MISSING)
    if value is not MISSING:
        return value
    try:
        return default_of(node, key)[0]
    except Exception:  # noqa: BLE001  (a target that cannot be imported, a factory that fails)
        return MISSING


def same_target(left: Any, right: Any) -> bool:
    """Whether two targets are one, each a callable or a Reference; imports nothing."""
    if isinstance(left, Reference) is not isinstance(right, Reference):
        try:
            left, right = (
                value if isinstance(value, Reference) else Reference.of(value)
                for value in (left, right)
            )
        except ValueError:
            return False
    return left is right or _equal(left, right)


def _equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if isinstance(right, Deferred):
        left, right = right, left
    try:
        answer = left == right
        if isinstance(answer, bool):
            # nan is the one value that differs from itself.
            return answer or bool(left != left and right != right)  # noqa: PLR0124
        if hasattr(answer, "all"):  # arrays and tensors answer for each element
            return getattr(left, "shape", None) == getattr(right, "shape", None) and bool(
                answer.all()
            )
        return bool(answer)
    except Exception:  # noqa: BLE001  (whatever a value's own == raises)
        return False
