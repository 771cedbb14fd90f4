"""Places of a configuration: the values that keys lead to, with their annotations.

:func:`descend` goes one step and changes nothing. What is not set yet is made by its annotation
(:mod:`nemo_run.config.overrides.making`), so that its own parts have a place.
"""

from __future__ import annotations

import copy
import types
from collections import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.checks.hints import hints_of_class
from nemo_run.config.graph.arguments import stored
from nemo_run.config.graph.defaults import converted, default_of, is_record
from nemo_run.config.graph.history import summary
from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.reference import resolved
from nemo_run.config.graph.signature import display_name, signature_info
from nemo_run.exceptions import OverrideError, nearest

from . import hints
from .grammar import MISSING, Item

if TYPE_CHECKING:
    from .grammar import Step


@dataclass(frozen=True)
class Place:
    """A value, and what is known of it.

    Attributes:
        value: The value that is there, or MISSING.
        hint: Its annotation.
        target: The callable whose argument it is, or is inside of; None for the root.
        argument: That argument.
        key: Where the value around it keeps it: the key of an argument or of a dict, an index,
            or :class:`Rest`.
        free: Whether it is in a dict of anything, so that it may become a dict.
    """

    value: Any
    hint: Any = Any
    target: Any = None
    argument: str | None = None
    key: Any = None
    free: bool = False


@dataclass(frozen=True)
class Rest:
    """The key of ``*items`` as a whole, which a node stores one by one from ``start`` on."""

    start: int


class UnknownNameError(OverrideError):
    """A name that is no parameter.

    Attributes:
        unknown: The name.
        near: The part of the message that names a similar one.
    """

    def __init__(self, says: str, name: str, near: str) -> None:
        super().__init__(says)
        self.unknown = name
        self.near = near


def descend(here: Place, step: Step) -> Place:
    """Return the place that one step leads to.

    Args:
        here: A place with a value (see :func:`opened`).
        step: The step.

    Raises:
        OverrideError: It leads nowhere.
    """
    if is_node(here.value):
        return _argument(here.value, step)
    if isinstance(here.value, abc.MutableMapping):
        return _entry(here, step)
    if isinstance(here.value, (list, tuple)):
        return _item(here, step)
    from nemo_run.masking import mask_shown

    seen = mask_shown(str(here.key), repr(summary(here.value)))
    raise OverrideError(
        f"{shown_step(step)} leads nowhere: what is there is {seen}, of type "
        f"{type(here.value).__qualname__}, which has no parts that can be set."
    )


def opened(here: Place, step: Step | None = None, *, call: bool = True) -> Place:
    """Return a place whose value can have parts: made where nothing is set.

    Args:
        here: The place.
        step: The step that goes on from there.
        call: Whether a factory that is registered as default may be called for that.
    """
    from dataclasses import replace

    if here.value is MISSING or here.value is None:
        from .making import made

        by_index = isinstance(step, Item) and isinstance(step.key, int)
        here = replace(here, free=here.free and not by_index)
        return replace(here, value=made(here, call=call))
    return replace(here, value=_own(here.value))


def _own(value: Any) -> Any:
    """Return a value as a graph holds it. What is inside of it is opened when its turn comes."""
    if isinstance(value, (list, tuple, dict)):
        return value
    return resolved(converted(value))


def shown_step(step: Step) -> str:
    """Return a step as it is written."""
    return str(step) if isinstance(step, Item) else f".{step}"


def current(node: Any, key: str | int) -> Any:
    """Return an argument's value, or a copy of its default; MISSING where it has neither."""
    if key in node.__arguments__:
        return stored(node, key) if getattr(node, "__pending__", False) else node.__arguments__[key]
    value, _own = default_of(node, key)
    return value if value is MISSING else copy.deepcopy(value)


def rest_of(node: Any, start: int) -> list[int]:
    """Return the keys under which a node stores its ``*items``."""
    return sorted(key for key in node.__arguments__ if isinstance(key, int) and key >= start)


# Nodes.


def _argument(node: Any, step: Step) -> Place:
    target = node.__fn_or_cls__
    info = signature_info(target)
    name = step.key if isinstance(step, Item) else step
    start = info.var_positional_start
    if start is not None and name == list(info.parameters)[start]:
        values = [current(node, key) for key in rest_of(node, start)]
        hint = types.GenericAlias(list, hints.of_argument(target, start))
        return Place(values, hint, target, str(name), Rest(start))
    key = _key(node, name)
    by_index = {key: name for name, key in info.keys.items()}
    return Place(
        current(node, key), hints.of_argument(target, key), target, str(by_index.get(key, key)), key
    )


def _key(node: Any, name: int | str) -> int | str:
    """Return the key under which a node stores an argument."""
    target = node.__fn_or_cls__
    info = signature_info(target)
    if isinstance(name, str):
        if name not in info.keys and not info.has_var_keyword:
            raise UnknownNameError(info.unknown(name, target), name, nearest(name, info.keys))
        return info.key_of(name, target)
    given = len(info.all_positional(node.__arguments__))
    takes = info.positional_count()
    # One after the last of *items adds to them.
    more = info.var_positional_start is not None and given >= takes
    last = max(given, takes) + more - 1
    index = name + max(given, takes) if name < 0 else name
    if not 0 <= index <= last:
        by_position = f"its positions are [0] to [{last}]" if last >= 0 else "it takes none"
        raise OverrideError(
            f"{display_name(target)} has no positional argument [{name}]; {by_position}."
        )
    return info.index_to_key(index, node.__arguments__)


# Dicts.


def _entry(here: Place, step: Step) -> Place:
    key = _dict_key(here, step)
    hint = hints.of_entry(here.hint, key)
    value = here.value.get(key, MISSING)
    return Place(value, hint, here.target, here.argument, key, free=hint is Any)


def _dict_key(here: Place, step: Step) -> Any:
    name = step.key if isinstance(step, Item) else step
    typed = hints.typed_dict_of(here.hint)
    if typed is not None:
        known = hints_of_class(typed)
        if name not in known and name not in here.value:
            raise OverrideError(
                f"{typed.__qualname__} has no key {name!r}.{nearest(str(name), known)} Its keys: "
                f"{', '.join(known)}."
            )
        return name
    if isinstance(step, Item) and step.quoted:
        return name
    hint = hints.of_key(here.hint)
    if hint is not Any:
        from nemo_run.config.values.parse import parse

        return parse(str(name), hint)
    as_number = str(name).removeprefix("-").isdecimal()
    others = (str(name), int(name)) if as_number else ()
    return next((key for key in (name, *others) if key in here.value), name)


# Lists and tuples.


def _item(here: Place, step: Step) -> Place:
    index = _index(here.value, step)
    hint = hints.of_item(here.hint, index)
    return Place(here.value[index], hint, here.target, here.argument, index)


def _index(items: Any, step: Step) -> int:
    name = step.key if isinstance(step, Item) else step
    fields = type(items)._fields if is_record(items) else ()
    if name in fields:
        return int(fields.index(name))
    if isinstance(name, str) and not name.isdecimal():
        takes = f"one of {', '.join(fields)}" if fields else "an index, such as [0]"
        raise OverrideError(
            f"{shown_step(step)} leads nowhere: what is there is a {type(items).__name__}; "
            f"it takes {takes}."
        )
    index, length = int(name), len(items)
    if not -length <= index < length:
        more = " To add one, use +=." if index == length else ""
        raise OverrideError(
            f"there is no [{index}]: it has {length} item{'' if length == 1 else 's'}.{more}"
        )
    return index % length
