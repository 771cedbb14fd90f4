"""What a node makes, as far as that can be known without making it."""

from __future__ import annotations

import functools
import sys
import types
import typing
from dataclasses import dataclass
from typing import Any

from nemo_run.config.graph.node import Node, Partial, target_of
from nemo_run.config.graph.reference import Reference

_UNIONS = (typing.Union, types.UnionType)


@dataclass(frozen=True)
class Built:
    """An object that will be made.

    Attributes:
        kind: Its class.
        exact: Whether it is of that very class, and not of one derived from it.
        shows_members: Whether the class tells which attributes the object has.
    """

    kind: type
    exact: bool
    shows_members: bool = True

    def may_be(self, kind: type) -> bool:
        """Whether the object can be an instance of ``kind``."""
        try:
            below = issubclass(self.kind, kind)
            return below or (not self.exact and issubclass(kind, self.kind))
        except Exception:  # noqa: BLE001 - a class may answer in any way; then nothing is known
            return True

    @property
    def is_callable(self) -> bool:
        """Whether the object can be called, or might be."""
        return not self.exact or defines_call(self.kind)

    def may_be_called_as(self, kind: type) -> bool:
        """Whether a ``functools.partial`` can stand where a callable ``kind`` is expected."""
        return self.kind is functools.partial and defines_call(kind)

    def __repr__(self) -> str:
        return f"<{self.kind.__qualname__} to be made>"


def defines_call(kind: type) -> bool:
    """Whether objects of a class can be called."""
    return any("__call__" in vars(base) for base in kind.__mro__)


def built_alternatives(node: Any) -> list[Built]:
    """Return what the node may make; an empty list when nothing is known."""
    target = target_of(node)
    if isinstance(target, Reference):
        target = target.resolve()
    if _is_partial(node):
        return [Built(functools.partial, exact=True)]
    if type(node).__name__ not in {"Config", "OptionalDefaultConfig"}:
        return []  # fiddle's other nodes make what only fiddle knows
    target = typing.get_origin(target) or target
    if isinstance(target, type):
        return [Built(target, exact=True)] if makes_itself(target) else []
    from .hints import hints_of

    return _of_hint(hints_of(target).get("return", Any))


def _is_partial(node: Any) -> bool:
    return isinstance(node, Partial) or (
        not isinstance(node, Node) and type(node).__name__ == "Partial"
    )


def makes_itself(kind: type) -> bool:
    """Whether calling a class makes an instance of it."""
    if type(kind).__call__ is not type.__call__ and type(kind).__name__ not in _USUAL_METACLASSES:
        return False
    if hasattr(kind, "_fields"):
        return True
    # A __new__ of the user's may return anything.
    owner = next((base for base in kind.__mro__ if "__new__" in vars(base)), object)
    return owner.__module__.partition(".")[0] in sys.stdlib_module_names


_USUAL_METACLASSES = {"EnumMeta", "EnumType"}


def _of_hint(hint: Any) -> list[Built]:
    if typing.get_origin(hint) in _UNIONS:
        options = [_of_hint(option) for option in typing.get_args(hint)]
        return [built for option in options for built in option] if all(options) else []
    if hint is None:
        hint = type(None)
    kind = typing.get_origin(hint) or hint
    unknown = (
        kind in (Any, object) or not isinstance(kind, type) or getattr(kind, "_is_protocol", False)
    )
    if unknown or issubclass(kind, Node) or hasattr(kind, "__build__"):
        return []
    if hasattr(kind, "__required_keys__"):  # a TypedDict
        kind = dict
    final = kind in {int, str, float, bool, bytes, list, dict, tuple, set, type(None)}
    return [Built(kind, exact=final, shows_members=False)]
