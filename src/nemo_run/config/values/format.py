"""Values to the text that gives them back.

A text is a candidate until the parser has read it: what is returned reads as the value, by
construction, and a value that has no text is refused.
"""

from __future__ import annotations

import datetime as dt
import enum
import os
import pathlib
import typing
from collections import abc, deque
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from nemo_run.config.checks.annotations import display, mismatches, simplified
from nemo_run.config.checks.hints import hints_of, hints_of_class
from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.reference import Reference
from nemo_run.config.graph.signature import signature_info
from nemo_run.exceptions import OverrideError

from .parse import parse, parse_item
from .refusal import RefusedError, shown
from .scalars import scalar_of
from .syntax import is_one_part
from .unions import union_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def format_value(value: Any, hint: Any = Any) -> str:
    """Return a text such that ``parse(format_value(value, hint), hint) == value``.

    Args:
        value: A value of a configuration.
        hint: The annotation by which the text will be read.

    Raises:
        OverrideError: No text gives this value.
    """
    return _first_that_reads(_whole(value, hint), value, hint, parse)


def _first_that_reads(
    candidates: Iterator[str], value: Any, hint: Any, read: Callable[[str, Any], Any]
) -> str:
    equal = None
    for text in candidates:
        try:
            found = read(text, hint)
        except OverrideError:
            continue
        if is_same(found, value):
            return text
        if equal is None and found == value:
            equal = text
    if equal is None:
        raise RefusedError(f"{shown(value)} has no text that reads as a {display(hint)}.")
    return equal


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same kinds throughout; nan is nan."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple, deque)):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[k], other[k]) for k in one)
    if isinstance(one, (float, complex, Decimal)) and one != one:  # noqa: PLR0124 - nan
        return repr(one) == repr(other)
    return bool(one == other)


def _whole(value: Any, hint: Any) -> Iterator[str]:
    if type(value) is str:
        yield value
        yield from (f"{quote}{value}{quote}" for quote in "'\"")
    if isinstance(value, pathlib.PurePath):
        yield from _spellings(value)
    yield from _parts(value, hint)


def _inside(value: Any, hint: Any) -> str:
    parts = (text for text in _parts(value, hint) if is_one_part(text))
    return _first_that_reads(parts, value, hint, parse_item)


def _parts(value: Any, hint: Any) -> Iterator[str]:
    """Yield texts that may read as ``value`` where quotes are read."""
    for option in union_parts(hint):
        if option is Any or not mismatches(value, option):
            yield from _by_option(value, option)


def _by_option(value: Any, hint: Any) -> Iterator[str]:
    if is_node(value):
        yield from _of_node(value, hint)
        return
    for kind, write in _WRITTEN:
        if isinstance(value, kind):
            yield from write(value)
            return
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        yield _enclosed("()", value, _hints_of_fields(type(value), value._fields))
    elif isinstance(value, (list, tuple, set, frozenset, deque)):
        yield from _of_items(value, hint)
    elif isinstance(value, abc.Mapping):
        yield _of_pairs(value, hint)
    elif scalar_of(type(value)) is not None:
        yield from _plainly(value)
    elif isinstance(value, type) or callable(value):
        yield from _of_name(value)


def _hints_of_fields(kind: Any, names: typing.Iterable[str]) -> list[Any]:
    hints = hints_of_class(kind)
    return [hints.get(name, Any) for name in names]


def _of_items(value: Any, hint: Any) -> Iterator[str]:
    args = typing.get_args(hint)
    if isinstance(value, tuple) and args and args[-1] is not ... and len(args) == len(value):
        hints = list(args)
    else:
        hints = [args[0] if args and args[0] != () else Any] * len(value)
    if isinstance(value, (set, frozenset)):
        # In the order of their texts, so that one value has one text.
        parts = sorted(
            _inside(item, item_hint) for item, item_hint in zip(value, hints, strict=True)
        )
        yield f"{{{', '.join(parts)}}}"
        yield f"[{', '.join(parts)}]"
    else:
        yield _enclosed("()" if isinstance(value, tuple) else "[]", value, hints)


def _enclosed(brackets: str, items: Any, hints: list[Any]) -> str:
    parts = [_inside(item, hint) for item, hint in zip(items, hints, strict=True)]
    comma = "," if len(parts) == 1 and brackets == "()" else ""
    return f"{brackets[0]}{', '.join(parts)}{comma}{brackets[1]}"


def _of_pairs(value: Any, hint: Any) -> str:
    kind = typing.get_origin(hint) or hint
    if hasattr(kind, "__required_keys__"):
        hints = hints_of_class(kind)
        pairs = [f"{key}: {_inside(item, hints.get(key, Any))}" for key, item in value.items()]
    else:
        args = typing.get_args(hint)
        key_hint, item_hint = args if len(args) == 2 else (Any, Any)
        pairs = [
            f"{_inside(key, key_hint)}: {_inside(item, item_hint)}" for key, item in value.items()
        ]
    return f"{{{', '.join(pairs)}}}"


def _of_node(node: Any, hint: Any) -> Iterator[str]:
    target = node.__fn_or_cls__
    kind = typing.get_origin(simplified(hint)) or simplified(hint)
    arguments = node.__arguments__
    hints = hints_of(target)
    names = {key: name for name, key in signature_info(target).keys.items()}
    pairs = []
    for key, item in arguments.items():
        text = _inside(item, hints.get(names.get(key, str(key)), Any))
        pairs.append(text if isinstance(key, int) else f"{key}={text}")
    inside = ", ".join(pairs)
    if target is kind and all(isinstance(key, str) for key in arguments):
        yield f"{{{inside}}}"
    for name in _of_name(target):
        yield f"{name}({inside})"


def _of_name(value: Any) -> Iterator[str]:
    try:
        reference = Reference.of(value)
    except ValueError:
        return
    if reference.module in {"builtins", "__main__"}:
        yield reference.qualname
    yield str(reference)
    yield f"{reference.module}:{reference.qualname}"


def _of_str(text: str) -> Iterator[str]:
    yield repr(text)


def _of_enum(member: enum.Enum) -> Iterator[str]:
    if member.name is not None:
        yield str(member.name)
        yield repr(str(member.name))
    if isinstance(member, enum.Flag):
        flags = [flag for flag in type(member) if flag.value and flag.value & member.value]
        yield "|".join(str(flag.name) for flag in flags)


def _of_float(value: float) -> Iterator[str]:
    text = repr(value)
    # With a dot it is no whole number, also where one would be taken first.
    yield text.replace("e", ".0e") if "e" in text and "." not in text else text


def _of_complex(value: complex) -> Iterator[str]:
    yield repr(value).strip("()")
    yield repr(value)


def _spellings(path: Any) -> Iterator[str]:
    for text in (str(path), f".{os.sep}{path}"):
        yield text
        yield from (f"{quote}{text}{quote}" for quote in "'\"")


def _of_path(path: pathlib.PurePath) -> Iterator[str]:
    for text in (str(path), f".{os.sep}{path}"):
        yield repr(text)
        yield f"{type(path).__name__}({text!r})"


def _of_timedelta(value: dt.timedelta) -> Iterator[str]:
    total = value // dt.timedelta(microseconds=1)
    parts, left = [], abs(total)
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    yield ("-" if total < 0 else "") + ("".join(parts) or "0s")


_UNITS = (
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
    ("ms", 1000),
    ("us", 1),
)


def _of_bool(value: bool) -> Iterator[str]:
    yield str(value).lower()


def _plainly(value: Any) -> Iterator[str]:
    try:
        yield str(value)
    except ValueError:  # more digits than Python writes
        return


def _of_bytes(value: bytes | bytearray) -> Iterator[str]:
    yield repr(bytes(value))


def _iso(value: dt.date | dt.time) -> Iterator[str]:
    yield value.isoformat()
    yield repr(value.isoformat())


# The first that the value is an instance of: an enum before the str it may be, bool before int.
_WRITTEN: tuple[tuple[Any, Callable[[Any], Iterator[str]]], ...] = (
    (enum.Enum, _of_enum),
    (bool, _of_bool),
    (str, _of_str),
    (float, _of_float),
    (complex, _of_complex),
    ((int, Decimal, Fraction, type(None)), _plainly),
    ((bytes, bytearray), _of_bytes),
    ((dt.date, dt.time), _iso),
    (dt.timedelta, _of_timedelta),
    (pathlib.PurePath, _of_path),
)
