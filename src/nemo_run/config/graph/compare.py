"""Equality of configurations: by structure, never by accident, never an exception."""

from __future__ import annotations

from collections import deque
from typing import Any

from .defaults import ATOMS, DICTS, MISSING, default_of, is_record
from .node import is_node, target_of
from .reference import Deferred, Reference


def same(left: Any, right: Any) -> bool:
    """Whether two values would build the same.

    A default that was set equals one that was not. Nodes shared on one side must be shared on
    the other. nan equals nan. What cannot be compared is different.
    """
    return _Comparison(left, right).run()


class _Comparison:
    """One walk through two graphs, side by side."""

    def __init__(self, left: Any, right: Any) -> None:
        # Pairs to compare yet; a list, not recursion, so that no depth is too much.
        self.waiting = [(left, right)]
        self.right_of: dict[int, int] = {}
        self.left_of: dict[int, int] = {}

    def run(self) -> bool:
        while self.waiting:
            if not self._same(*self.waiting.pop()):
                return False
        return True

    def _same(self, left: Any, right: Any) -> bool:
        kind = type(left)
        if left is right and kind in ATOMS:
            return True
        if is_node(left) or is_node(right):
            return self._same_nodes(left, right)
        if kind is type(right):
            if kind in (list, tuple, deque) or is_record(left):
                self.waiting.extend(zip(left, right, strict=False))
                limits = getattr(left, "maxlen", None) == getattr(right, "maxlen", None)
                return limits and len(left) == len(right)
            if kind in DICTS:
                if left.keys() != right.keys():
                    return False
                self.waiting.extend((value, right[key]) for key, value in left.items())
                return True
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
        for key in a if a.keys() == b.keys() else {**a, **b}:
            pair = value_or_default(left, key), value_or_default(right, key)
            if pair[0] is MISSING or pair[1] is MISSING:
                return False
            self.waiting.append(pair)
        return True


def value_or_default(node: Any, key: str | int) -> Any:
    """Return an argument or its default; MISSING where it has none or that cannot be told."""
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
        if hasattr(answer, "all"):  # arrays and tensors answer for each element
            if getattr(left, "shape", None) != getattr(right, "shape", None):
                return False
            return bool(answer.all()) or bool((answer | _both_nan(left, right)).all())
        return bool(answer or _both_nan(left, right)) or (
            type(left) is type(right) and _by_identity(left) and _written_same(left, right)
        )
    except Exception:  # noqa: BLE001  (whatever a value's own == raises)
        return False


def _both_nan(left: Any, right: Any) -> Any:
    # nan is the one value that differs from itself.
    return (left != left) & (right != right)  # noqa: PLR0124


def _by_identity(value: Any) -> bool:
    """Whether ``==`` of a value from the standard library compares identity alone."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return kind.__name__ in ("method", "builtin_function_or_method")
    return kind.__module__ in ("functools", "operator") and "__eq__" not in vars(kind)


def _written_same(left: Any, right: Any) -> bool:
    from nemo_run.config.files.codec import encode
    from nemo_run.exceptions import SerializationError

    try:
        return bool(encode(left) == encode(right))
    except SerializationError:
        return False
