"""What an annotation allows: the classes and containers behind aliases, unions and qualifiers."""

from __future__ import annotations

import inspect
import typing
from collections import abc
from typing import Any

from .checks.annotations import UNIONS, simplified
from .graph.node import is_node, target_of
from .types_helpers import get_type_namespace

_NONE = (None, type(None))


def alternatives(hint: Any) -> list[Any]:
    """Return what a value may be, without None: the parts of unions, in their order.

    ``Any`` and ``object`` say nothing, so they are left out.
    """
    hint = simplified(hint)
    if typing.get_origin(hint) in UNIONS:
        return [found for part in typing.get_args(hint) for found in alternatives(part)]
    return [] if hint in (*_NONE, Any, object) else [hint]


def allows_none(hint: Any) -> bool:
    """Whether None is among what a value may be."""
    hint = simplified(hint)
    if typing.get_origin(hint) in UNIONS:
        return any(allows_none(part) for part in typing.get_args(hint))
    return hint in (*_NONE, Any, object)


def is_partial(hint: Any) -> bool:
    """Whether an annotation is ``Partial[…]``, which asks for a task that is called later."""
    return "Partial" in getattr(typing.get_origin(hint), "__name__", "")


def is_text(hint: Any) -> bool:
    """Whether a value can only be a str, so that its text is taken as it is."""
    return alternatives(hint) == [str]


def kind_of(hint: Any) -> Any:
    """Return the class behind one alternative: ``list`` of ``list[int]``."""
    return typing.get_origin(hint) or hint


def is_kind(hint: Any, *kinds: Any) -> bool:
    """Whether one alternative is one of these classes, or below one."""
    found = kind_of(hint)
    return isinstance(found, type) and issubclass(found, kinds)


def items_of(hint: Any) -> list[Any]:
    """Return the annotations of the items of a list or tuple, or of the values of a dict."""
    args = typing.get_args(hint)
    if is_kind(hint, abc.Mapping):
        return list(args[1:])
    if is_kind(hint, abc.Iterable) and not is_kind(hint, str, bytes):
        return [arg for arg in args if arg is not ...]
    return []


def makes(target: Any) -> Any:
    """Return what a target stands for: that of a configuration, ``Model`` of ``Config[Model]``.

    None where that cannot be told.
    """
    if is_node(target):
        return target_of(target)
    if isinstance(target, str) or kind_of(target) is abc.Callable:
        return target
    found = [one for one in alternatives(target) if kind_of(one) is not abc.Callable]
    if not found:
        return None
    inside = [makes(item) for item in items_of(found[0])]
    one = _with_items(found[0], inside) if inside and all(inside) else found[0]
    parts = (one, *map(makes, found[1:]))
    return typing.Union[parts] if len(parts) > 1 else one  # noqa: UP007 - of objects


def _with_items(hint: Any, items: list[Any]) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if issubclass(origin, abc.Mapping):
        return origin[args[0], items[0]]
    rest = iter(items)
    return origin[tuple(arg if arg is ... else next(rest) for arg in args)]


def namespace_of(target: Any) -> str:
    """Return what factories of a target are registered under: ``module.qualname`` mostly."""
    if isinstance(target, str):
        return target
    if typing.get_args(target):
        inside = ", ".join("..." if arg is ... else namespace_of(arg) for arg in _args(target))
        return f"{namespace_of(kind_of(target))}[{inside}]"
    try:
        return get_type_namespace(target)
    except AttributeError:
        return f"{type(target).__module__}.{type(target).__qualname__}"


def _args(target: Any) -> tuple[Any, ...]:
    return tuple(arg for arg in typing.get_args(target) if not isinstance(arg, list))


def is_abstract(kind: Any) -> bool:
    """Whether a class has no objects of its own: it is abstract, or a protocol."""
    is_protocol = isinstance(kind, type) and getattr(kind, "_is_protocol", False)
    return inspect.isabstract(kind) or is_protocol


def is_class(hint: Any) -> bool:
    """Whether an annotation is a class itself."""
    # To Python 3.10, list[int] is a type as well.
    return isinstance(hint, type) and typing.get_origin(hint) is None


def is_below(kind: Any, base: type) -> bool:
    """Whether objects of one class can stand for those of another, as far as both classes tell.

    A protocol is fitted by every class that has what it asks for.
    """
    if not is_class(kind):
        return False
    if getattr(base, "_is_protocol", False):
        return base in kind.__mro__ or _has_members_of(kind, base)
    try:
        return issubclass(kind, base)
    except TypeError:  # some classes cannot be asked, such as a TypedDict
        return base in kind.__mro__


def _has_members_of(kind: type, protocol: type) -> bool:
    """Whether a class has what a protocol asks for, as far as the class itself tells."""
    members = {
        name
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False)
        for name in (*vars(base), *vars(base).get("__annotations__", {}))
        if not name.startswith("_") or name == "__call__"
    }
    known = {name for base in kind.__mro__ for name in vars(base).get("__annotations__", {})}
    return bool(members) and all(hasattr(kind, name) or name in known for name in members)
