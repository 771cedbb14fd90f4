"""Whether an object can be used where a class is expected.

Strict where a program would certainly fail, and otherwise as lenient as the programs that are
written: see :mod:`nemo_run.config.checks.annotations` for what is accepted.
"""

from __future__ import annotations

import enum
import numbers
import os
import typing
from collections import abc
from typing import Any

from .build_types import Built

# Built on isinstance, but what they accept depends on more than the class.
_OWN_RULES = ("jaxtyping", "beartype", "typeguard", "torchtyping")


def is_a(value: Any, kind: type) -> bool:
    """Whether ``value`` is, or what a node makes may be, an instance of ``kind``."""
    return value.may_be(kind) if isinstance(value, Built) else safely(isinstance, value, kind)


def safely(test: Any, value: Any, kind: type) -> bool:
    """Return what ``isinstance`` or ``issubclass`` says, and true where it fails."""
    try:
        return bool(test(value, kind))
    except Exception:  # noqa: BLE001 - a class may answer in any way; then nothing is known
        return True


def fits_class(value: Any, kind: type) -> bool:  # noqa: PLR0911 - one case a line
    """Whether ``value`` can be used where a ``kind`` is expected."""
    if getattr(kind, "_is_protocol", False):
        return _has_members(value, kind)
    if is_a(value, kind) or kind.__module__.partition(".")[0] in _OWN_RULES:
        return True
    if isinstance(value, Built) and (value.may_be_called_as(kind) or _decides_itself(kind)):
        return True
    rule = _ACCEPTED.get(kind)
    if rule is not None:
        return bool(rule(value))
    if issubclass(kind, os.PathLike):
        return is_a(value, str)
    if issubclass(kind, enum.Enum):
        return _is_enum_value(value, kind)
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return isinstance(value, (tuple, list)) and len(value) == len(kind._fields)
    return (kind.__module__, kind.__qualname__) in _BY_NAME and is_a(value, str)


def _decides_itself(kind: type) -> bool:
    """Whether the class has a rule of its own for what is an instance."""
    owner = next(base for base in type(kind).mro(type(kind)) if "__instancecheck__" in vars(base))
    return owner.__module__ not in {"builtins", "abc", "typing", "_py_abc"}


def _has_members(value: Any, protocol: type) -> bool:
    owner = value.kind if isinstance(value, Built) else value
    if isinstance(value, Built) and not value.shows_members:
        return True
    return all(hasattr(owner, name) for name in _members(protocol))


def _members(protocol: type) -> set[str]:
    """Return the methods of a protocol; other members may be set when an object is made."""
    names: set[str] = set()
    for base in protocol.__mro__[:-1]:
        if getattr(base, "_is_protocol", False) and base is not typing.Protocol:
            names |= {name for name, member in vars(base).items() if callable(member)}
    return {n for n in names if n not in _NO_MEMBERS and not n.startswith("_abc")}


_NO_MEMBERS = {
    "__init__",
    "__new__",
    "__init_subclass__",
    "__subclasshook__",
    "__class_getitem__",
} | {
    "__annotate__",
    "__annotate_func__",
    "__class__",
}


def _is_enum_value(value: Any, kind: type[enum.Enum]) -> bool:
    # Those that are also str or int are used as such everywhere.
    if not issubclass(kind, (str, int)):
        return False
    if isinstance(value, Built):
        return value.may_be(str if issubclass(kind, str) else int)
    return any(bool(member.value == value) for member in kind)


def _is_float(value: Any) -> bool:
    return is_a(value, numbers.Real) or _offers(value, "__float__", "__index__")


def _is_int(value: Any) -> bool:
    return is_a(value, numbers.Integral) or _offers(value, "__index__")


def _is_bool(value: Any) -> bool:
    zero_or_one = isinstance(value, int) and value in (0, 1)
    foreign = type(value).__module__.partition(".")[0] in {"numpy", "torch", "jax"}
    return zero_or_one or foreign or (isinstance(value, Built) and value.may_be(int))


def _is_complex(value: Any) -> bool:
    return _is_float(value) or is_a(value, numbers.Number) or _offers(value, "__complex__")


def _is_list(value: Any) -> bool:
    sequence = is_a(value, abc.Sequence) or _offers(value, "__getitem__", needs="__len__")
    return sequence and not _is_exactly(value, (str, bytes, bytearray, abc.Mapping))


def is_dict(value: Any) -> bool:
    """Whether ``value`` can be used as a dict."""
    return is_a(value, abc.Mapping) or _offers(value, "keys", needs="__getitem__")


def _is_set(value: Any) -> bool:
    return is_a(value, abc.Set)


def _is_str(value: Any) -> bool:
    return is_a(value, os.PathLike)


def _is_bytes(value: Any) -> bool:
    return any(is_a(value, kind) for kind in (bytes, bytearray, memoryview))


def _is_exactly(value: Any, kinds: tuple[type, ...]) -> bool:
    return issubclass(value.kind, kinds) if isinstance(value, Built) else isinstance(value, kinds)


def _offers(value: Any, *names: str, needs: str = "") -> bool:
    kind = value.kind if isinstance(value, Built) else type(value)
    return any(hasattr(kind, name) for name in names) and (not needs or hasattr(kind, needs))


_ACCEPTED: dict[type, Any] = {
    float: _is_float,
    int: _is_int,
    bool: _is_bool,
    complex: _is_complex,
    list: _is_list,
    tuple: _is_list,
    dict: is_dict,
    set: _is_set,
    frozenset: _is_set,
    str: _is_str,
    bytes: _is_bytes,
}
# Their libraries take the name wherever they take the object.
_BY_NAME = {("torch", "device")}
