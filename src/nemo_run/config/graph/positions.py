"""Arguments by position: ``cfg[0]``, ``cfg[1:]``, and the order of a signature."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from nemo_run.exceptions import ArgumentError, shown

from .arguments import assign, default, remove
from .arguments import stored as stored_value
from .reference import Reference
from .signature import display_name, no_value

if TYPE_CHECKING:
    from .node import Node

_VAR = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def ordered(node: Any) -> dict[str | int, Any]:
    """Return the set arguments of a node in the order of its signature."""
    stored = node.__arguments__
    from .node import target_of

    # A node that was read from a file keeps the order it was written in: asking its target for
    # the signature would import the program that it came from, only to print it.
    if len(stored) < 2 or isinstance(target_of(node), Reference):
        return dict(stored)
    info = node.__signature_info__
    result: dict[str | int, Any] = {}
    for index, (name, parameter) in enumerate(info.parameters.items()):
        if parameter.kind is _VAR[0]:
            position = index
            while position in stored:
                result[position] = stored[position]
                position += 1
        elif parameter.kind is not _VAR[1]:
            key = index if parameter.kind is parameter.POSITIONAL_ONLY else name
            if key in stored:
                result[key] = stored[key]
    result.update((key, value) for key, value in stored.items() if key not in result)
    return result


def get(node: Node[Any], key: Any) -> Any:
    """Return the positional argument at an index, or a list of them for a slice."""
    info = node.__signature_info__
    key = info.replace_varargs_handle(key)
    if isinstance(key, slice):
        return _all(node)[key]
    stored = _key(node, key)
    if isinstance(stored, str):
        return getattr(node, stored)
    if stored in node.__arguments__:
        return stored_value(node, stored)
    if stored < 0 or stored >= info.positional_count():
        raise IndexError(_out_of_range(node, key))
    return default(node, stored, f"[{stored}]")


def set_(node: Node[Any], key: Any, value: Any) -> None:
    """Set the positional argument at an index, or several for a slice."""
    key = node.__signature_info__.replace_varargs_handle(key)
    if isinstance(key, slice):
        _set_slice(node, key, list(value))
        return
    stored = _key(node, key)
    unknown = isinstance(stored, int) and stored not in node.__arguments__
    if unknown and not 0 <= int(stored) < node.__signature_info__.positional_count():
        raise IndexError(_out_of_range(node, key))
    assign(node, stored, value)


def delete(node: Node[Any], key: Any) -> None:
    """Delete the positional argument at an index, or several for a slice."""
    info = node.__signature_info__
    key = info.replace_varargs_handle(key)
    if isinstance(key, slice):
        for index in sorted(range(*key.indices(len(_all(node)))), reverse=True):
            if _key(node, index) in node.__arguments__:
                delete(node, index)
        return
    stored = _key(node, key)
    if stored not in node.__arguments__:
        raise IndexError(_out_of_range(node, key))
    start = info.var_positional_start
    if isinstance(stored, int) and start is not None and stored >= start:
        _set_slice(node, slice(stored, stored + 1), [])
    else:
        remove(node, stored)


def path_elements(node: Node[Any]) -> tuple[Any, ...]:
    """Return fiddle's path element of each set argument, in order."""
    daglish = sys.modules.get("fiddle._src.daglish")
    attribute, index = (daglish.Attr, daglish.Index) if daglish else (Attr, Index)
    return tuple(attribute(key) if isinstance(key, str) else index(key) for key in ordered(node))


class Attr(NamedTuple):
    """A step of a path: an argument by name."""

    name: str


class Index(NamedTuple):
    """A step of a path: an argument by position."""

    index: int  # type: ignore[assignment]  # fiddle's name


def _all(node: Node[Any]) -> list[Any]:
    return node.__signature_info__.all_positional(node.__arguments__)


def _key(node: Node[Any], index: Any) -> str | int:
    if not isinstance(index, int) or isinstance(index, bool):
        raise TypeError(
            f"{shown(index)} is no position in {shown(node)}; use an integer, a slice or a name."
        )
    return node.__signature_info__.index_to_key(index, node.__arguments__)


def _set_slice(node: Node[Any], key: slice, values: list[Any]) -> None:
    info = node.__signature_info__
    old = _all(node)
    new = list(old)
    new[key] = values
    start = info.var_positional_start
    touched = range(*key.indices(len(old)))
    first = min(touched.start, len(old)) if key.step in (None, 1) else min(touched, default=0)
    if len(new) != len(old) and (start is None or first < start):
        raise ArgumentError(
            f"{display_name(node.__fn_or_cls__)} takes named parameters at these positions, so "
            f"{len(touched)} values were expected and {len(values)} given. Only *args can grow "
            "or shrink."
        )
    missing = no_value()
    for index, value in enumerate(new):
        if (index >= len(old) or value is not old[index]) and value is not missing:
            assign(node, _key(node, index), value)
    for index in range(len(new), len(old)):
        remove(node, index)


def _out_of_range(node: Node[Any], index: int) -> str:
    given = len(_all(node))
    hint = ""
    start = node.__signature_info__.var_positional_start
    if start is not None:
        hint = f" To add to *args, set cfg[{given}:] = [value]."
    return (
        f"{display_name(node.__fn_or_cls__)} has no positional argument {index}; "
        f"it was given {given}.{hint}"
    )
