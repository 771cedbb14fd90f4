"""Reading and changing single arguments of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config import fiddle
from nemo_run.exceptions import ArgumentAttributeError

from .defaults import ATOMS, MISSING, converted, default_of
from .reference import resolved
from .signature import display_name

if TYPE_CHECKING:
    from .node import Node


def read(node: Node[Any], name: str) -> Any:
    """Return the argument called ``name``, or its default."""
    info = node.__signature_info__
    key = info.keys.get(name, name)
    if key != name and not info.has_var_keyword and key in node.__arguments__:
        return stored(node, key)
    return default(node, key, name)


def stored(node: Node[Any], key: str | int) -> Any:
    """Return a set argument, with what was read from a file made into objects."""
    value = node.__arguments__[key]
    if node.__pending__:
        value = node.__arguments__[key] = resolved(value)
    return value


def default(node: Node[Any], key: str | int, name: str) -> Any:
    """Return the default of an argument that is not set.

    Raises:
        ArgumentAttributeError: There is no such parameter, or it has no default.
    """
    value, own = default_of(node, key)
    if value is MISSING:
        raise ArgumentAttributeError(_not_set(node, name))
    if own:
        node.__arguments__[key] = value
        node.__argument_history__.add(key, value, ("default", None, None), None)
    return value


def assign(node: Node[Any], key: str | int, value: Any) -> None:
    """Set an argument by the key under which it is stored."""
    store(node, key, value if type(value) in ATOMS else converted(value))


def store(node: Node[Any], key: str | int, value: Any) -> None:
    """Set an argument to a value that has been converted already, as a graph holds it."""
    if type(value) not in ATOMS and fiddle.take_tagged(node, key, value):
        return
    node.__arguments__[key] = value
    node.__argument_history__.add_new_value(key, value)


def remove(node: Node[Any], key: str | int) -> None:
    """Delete a set argument."""
    del node.__arguments__[key]
    node.__argument_history__.add_deleted_value(key)


def _short(node: Node[Any]) -> str:
    return f"{type(node).__name__}[{display_name(node.__target__)}]"


def _not_set(node: Node[Any], name: str) -> str:
    info = node.__signature_info__
    target = node.__fn_or_cls__
    parameter = info.parameters.get(name)
    known = parameter is not None and parameter.kind is not parameter.VAR_KEYWORD
    if known and name in info.keys:
        return f"No parameter {name!r} has been set on {_short(node)}, and it has no default."
    note = ""
    if hasattr(target, name):
        note = f" {display_name(target)} itself has a {name!r}: build the configuration first."
    if info.has_var_keyword and not known:
        return f"No parameter {name!r} has been set on {_short(node)}.{note}"
    return info.unknown(name, target) + note
