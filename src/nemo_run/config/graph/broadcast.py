"""Setting one argument on every node of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import shown

from . import traverse
from .defaults import MISSING, default_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def broadcast(root: Any, values: Mapping[str, Any]) -> None:
    """Set each of ``values`` on every node of the graph that takes it, in place.

    Warns of names that no node takes.
    """
    unused = set(values)
    known: set[Any] = set()
    for _, node in _fixed(root):
        names = node.__signature_info__.valid_param_names
        known.update(node.__arguments__, names)
        for name, value in values.items():
            if name in node.__arguments__ or name in names:
                setattr(node, name, value)
                unused.discard(name)
    for name in values:
        if name in unused:
            _warn(name, known)


def _warn(name: str, known: set[Any]) -> None:
    import warnings

    from nemo_run.exceptions import nearest

    names = sorted(key for key in known if isinstance(key, str))
    # Out of this function, broadcast, and the method of the node.
    warnings.warn(f"broadcast: no node takes {name!r}.{nearest(name, names)}", stacklevel=4)


def walk(root: Any, functions: Mapping[str, Callable[[Any], Any]]) -> None:
    """Set arguments to what each function says of their node, where they have a value.

    Raises:
        TypeError: A function is none.
    """
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(
                f"walk: {name}={shown(function)} is not a function. walk calls one with each node, "
                f"as in walk({name}=lambda node: ...); to set a value write broadcast({name}=...)."
            )
    for _, node in _fixed(root):
        for name, function in functions.items():
            if _has_value(node, name):
                setattr(node, name, function(node))


def _fixed(root: Any) -> list[tuple[str, Any]]:
    # The nodes there are now: a value set on the way may bring others.
    return list(traverse.nodes(root))


def _has_value(node: Any, name: str) -> bool:
    if name in node.__arguments__:
        return True
    if name not in node.__signature_info__.valid_param_names:
        return False
    if hasattr(node, "__target__"):
        return default_of(node, name)[0] is not MISSING
    return hasattr(node, name)
