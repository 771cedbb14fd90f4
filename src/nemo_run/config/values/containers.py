"""Lists, tuples, sets and dicts, item by item."""

from __future__ import annotations

import datetime as dt
import typing
from collections import OrderedDict, abc, defaultdict, deque
from typing import TYPE_CHECKING, Any

from nemo_run.config.checks.annotations import display

from .reading import Reading, Word, item_word, seen
from .refusal import RefusedError, shown
from .syntax import has_comma, has_pairs, inside, read_pairs, split_items

if TYPE_CHECKING:
    from collections.abc import Callable

_BRACKETS = frozenset("[({")
_SHORT = 40

SEQUENCES: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    abc.Sequence: list,
    abc.MutableSequence: list,
    abc.Iterable: list,
    abc.Collection: list,
    abc.Container: list,
    abc.Reversible: list,
    deque: deque,
    set: set,
    abc.Set: set,
    abc.MutableSet: set,
    frozenset: frozenset,
}

MAPPINGS: dict[Any, Callable[[dict[Any, Any]], Any]] = {
    dict: dict,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
    OrderedDict: OrderedDict,
    defaultdict: lambda items: defaultdict(None, items),
}


def read_sequence(source: Any, hint: Any, reading: Reading) -> Any:
    """Return a list, a set or the like."""
    kind = typing.get_origin(hint) or hint
    item = (typing.get_args(hint) or (Any,))[0]
    if _is_one(source, item, reading):
        found = [_one(source, item, hint, reading)]
    else:
        found = _items(items_of(source, hint, reading), [item], reading)
    try:
        return SEQUENCES[kind](found)
    except TypeError:
        raise RefusedError(
            f"{shown(seen(source))} is no {display(hint)}: what can be changed, such as a list, "
            "cannot be in a set. Write a tuple, (1, 2)."
        ) from None


def read_tuple(source: Any, hint: Any, reading: Reading) -> tuple[Any, ...]:
    """Return a tuple of so many items as its annotation says."""
    args = typing.get_args(hint)
    if args[1:] == (...,) and _is_one(source, args[0], reading):
        return (_one(source, args[0], hint, reading),)
    parts = items_of(source, hint, reading)
    hints = _hints_of_tuple(hint, len(parts))
    if len(hints) != len(parts):
        raise RefusedError(
            f"{shown(seen(source))} has {len(parts)} item{'' if len(parts) == 1 else 's'}; "
            f"{display(hint)} has {len(hints)}."
        )
    return tuple(_items(parts, hints, reading))


def _items(parts: list[Any], hints: list[Any], reading: Reading) -> list[Any]:
    """Return the values of items; a list inside a list has brackets."""
    return [
        read_at(f"[{index}]", part, hints[index % len(hints)], reading, one_item=False)
        for index, part in enumerate(parts)
    ]


def _is_one(source: Any, item: Any, reading: Reading) -> bool:
    """Whether what is no list can be meant as the one item of it, and as nothing else.

    A text can be, unless items are texts: then it may as well be a list with its brackets lost.
    """
    from .unions import allows_text

    if not reading.one_item or reading.beside_text or allows_text(item):
        return False
    if isinstance(source, Word):
        return bool(source.text) and not (
            source.quoted or source.is_none or _is_list(source.text, reading)
        )
    return isinstance(source, (bool, int, float, dt.date))


def _one(source: Any, item: Any, hint: Any, reading: Reading) -> Any:
    try:
        return read_at("", source, item, reading, one_item=False)
    except RefusedError as refusal:
        raise RefusedError(
            f"{shown(seen(source))} is no {display(hint)}, and no item of one: {refusal}",
            is_final=refusal.is_final,
        ) from None


def _hints_of_tuple(hint: Any, count: int) -> list[Any]:
    args = list(typing.get_args(hint))
    if not args:
        bare = hint is tuple or hint is typing.Tuple  # noqa: UP006
        return [Any] * count if bare else []
    if args == [()]:
        return []
    if any("Unpack" in str(arg) or str(arg).startswith("*") for arg in args):
        return [Any] * count
    return args[:1] * count if args[-1] is ... else args


def items_of(source: Any, hint: Any, reading: Reading) -> list[Any]:
    """Return the parts of a list, as words or as plain data.

    Raises:
        RefusedError: The source is no list.
    """
    if isinstance(source, (list, tuple, set, frozenset, deque)):
        return list(source)
    if isinstance(source, Word) and not source.quoted and _is_list(source.text, reading):
        return [item_word(part) for part in split_items(source.text)]
    raise RefusedError(
        f"{shown(seen(source))} is no {display(hint)}. {_how(source, hint, reading)}"
    )


def _how(source: Any, hint: Any, reading: Reading) -> str:
    text = source.written if isinstance(source, Word) else ""
    if isinstance(source, Word) and (not text.strip() or source.is_none):
        return "Write [] for no items."
    args = typing.get_args(hint) or (Any,)
    if args[1:] not in ((), (...,)):
        return f"Write [{', '.join('abcdefgh'[: len(args)])}]."  # as many as there must be
    if not text or len(text) >= _SHORT:
        return "Write [a, b]."
    try:
        # No factory is called for a hint.
        reading.read(item_word(text), args[0], Reading(reading.read))
    except RefusedError:
        return "Write [a, b]."
    return f"Write [{text}] for one item."


def _is_list(text: str, reading: Reading) -> bool:
    if text[:1] in _BRACKETS and inside(text) != text:
        return True
    return not reading.beside_text and has_comma(text)


def read_mapping(source: Any, hint: Any, reading: Reading) -> Any:
    """Return a dict or the like."""
    kind = typing.get_origin(hint) or hint
    key_hint, value_hint = (typing.get_args(hint) or (Any, Any))[:2]
    found: dict[Any, Any] = {}
    for key_source, value_source in pairs_of(source, hint, reading):
        step = f"[{shown(seen(key_source))}]"
        key = read_at(step, key_source, key_hint, reading)
        try:
            if key in found:
                raise RefusedError(f"{shown(seen(source))} has the key {key!r} twice.")
        except TypeError:
            raise RefusedError(
                f"{shown(key)} cannot be a key of a dict; it can be changed."
            ) from None
        found[key] = read_at(step, value_source, value_hint, reading)
    return MAPPINGS[kind](found)


def pairs_of(source: Any, hint: Any, reading: Reading) -> list[tuple[Any, Any]]:
    """Return the keys and values of a dict, as words or as plain data.

    Raises:
        RefusedError: The source is no dict.
    """
    if isinstance(source, abc.Mapping):
        return list(source.items())
    if isinstance(source, Word) and not source.quoted:
        text = source.text
        braced = text[:1] == "{" and inside(text) != text
        if braced or (not reading.beside_text and text[:1] not in _BRACKETS and has_pairs(text)):
            return [(item_word(key), item_word(value)) for key, value in read_pairs(text)]
    raise RefusedError(f"{shown(seen(source))} is no {display(hint)}. Write {{key: value}}.")


def read_at(step: str, source: Any, hint: Any, reading: Reading, *, one_item: bool = True) -> Any:
    """Return the value of a part; a refusal says which part it is."""
    try:
        return reading.part(source, hint, one_item=one_item)
    except RefusedError as refusal:
        raise refusal.inside(step) from None
