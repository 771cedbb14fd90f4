"""The way from a root along the steps of a key to the value that is changed, and back.

Nodes, lists and dicts are changed in place; tuples are made anew. What is not set yet is made by
its annotation. The node nearest to the value records the change in its history.
"""

from __future__ import annotations

import copy
import types
from collections import abc
from typing import TYPE_CHECKING, Any, NamedTuple

from nemo_run.config.checks.hints import hints_of_class
from nemo_run.config.graph.arguments import assign, stored
from nemo_run.config.graph.defaults import converted, default_of, is_record
from nemo_run.config.graph.history import Shown, origin, summary
from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.reference import resolved
from nemo_run.config.graph.signature import display_name, signature_info
from nemo_run.exceptions import OverrideError, nearest

from . import hints
from .grammar import MISSING, Item
from .making import made
from .owner import Owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from .grammar import Step

    # Gets the value that is there (or MISSING), its annotation and its owner.
    Change = Callable[[Any, Any, Owner], "Changed"]


class Changed(NamedTuple):
    """A value after a change inside of it.

    Attributes:
        value: The value.
        shown: What the history says that was set.
        path: Where it was set, inside of the value; None when a node inside has recorded it.
    """

    value: Any
    shown: Any
    path: str | None = ""


def changed(here: Any, hint: Any, steps: tuple[Step, ...], owner: Owner, change: Change) -> Changed:
    """Change what ``steps`` lead to.

    Args:
        here: The value where the steps begin, or MISSING.
        hint: Its annotation.
        steps: The steps that are left.
        owner: Whose argument it is.
        change: Returns the new value at the end of the steps.

    Raises:
        OverrideError: A step leads nowhere, or the value cannot be used.
    """
    if not steps:
        return change(here, hint, owner)
    if here is MISSING or here is None:
        here = made(hint, owner)
    here = resolved(converted(here))
    step, rest = steps[0], steps[1:]
    if is_node(here):
        return _in_node(here, step, rest, change)
    if isinstance(here, abc.MutableMapping):
        return _in_dict(here, hint, step, rest, owner, change)
    if isinstance(here, (list, tuple)):
        return _in_list(here, hint, step, rest, owner, change)
    raise OverrideError(
        f"{_step(step)} leads nowhere: what is there is {summary(here)!r}, of type "
        f"{type(here).__qualname__}, which has no parts that can be set."
    )


def _in_node(node: Any, step: Step, rest: tuple[Step, ...], change: Change) -> Changed:
    target = node.__fn_or_cls__
    info = signature_info(target)
    name = step.key if isinstance(step, Item) else step
    start = info.var_positional_start
    if start is not None and name == list(info.parameters)[start]:
        return _in_var_positional(node, start, rest, change)
    key = _key(node, name)
    owner = Owner(target, _parameter_name(info, key))
    found = changed(_current(node, key), hints.of_argument(target, key), rest, owner, change)
    record(node, key, found)
    return Changed(node, None, None)


def _key(node: Any, name: int | str) -> int | str:
    """Return the key under which a node stores an argument."""
    target = node.__fn_or_cls__
    info = signature_info(target)
    if isinstance(name, str):
        if name not in info.keys and not info.has_var_keyword:
            raise OverrideError(info.unknown(name, target))
        return info.key_of(name, target)
    given = len(info.all_positional(node.__arguments__))
    takes = info.positional_count()
    # One after the last of *args adds to them.
    more = info.var_positional_start is not None and given >= takes
    limit = max(given, takes) + more
    index = name + max(given, takes) if name < 0 else name
    if not 0 <= index < limit:
        raise OverrideError(
            f"{display_name(target)} has no positional argument [{name}]; it takes {takes} by "
            f"position and was given {given}."
        )
    return info.index_to_key(index, node.__arguments__)


def _parameter_name(info: Any, key: int | str) -> str:
    by_index = {stored: name for name, stored in info.keys.items()}
    return str(by_index.get(key, key))


def _in_var_positional(node: Any, start: int, rest: tuple[Step, ...], change: Change) -> Changed:
    """Change ``*items`` like a list that is called ``items``."""
    target = node.__fn_or_cls__
    name = list(signature_info(target).parameters)[start]
    values = [stored(node, key) for key in _positions(node, start)]
    hint = types.GenericAlias(list, hints.of_argument(target, start))
    found = changed(values, hint, rest, Owner(target, name), change)
    for index in range(len(found.value), len(values)):
        del node.__arguments__[start + index]
    for index, value in enumerate(found.value):
        if index >= len(values) or value is not values[index]:
            record(node, start + index, Changed(value, _shown_item(value)))
    return Changed(node, None, None)


def _positions(node: Any, start: int) -> list[int]:
    return sorted(key for key in node.__arguments__ if isinstance(key, int) and key >= start)


def _shown_item(value: Any) -> Any:
    return summary(value)


def _current(node: Any, key: int | str) -> Any:
    """Return an argument's value, or a copy of its default; MISSING where it has neither."""
    if key in node.__arguments__:
        return stored(node, key) if getattr(node, "__pending__", False) else node.__arguments__[key]
    value, _own = default_of(node, key)
    return value if value is MISSING else copy.deepcopy(value)


def record(node: Any, key: int | str, found: Changed) -> None:
    """Store an argument and say in the node's history what was set."""
    if found.path is None and node.__arguments__.get(key, MISSING) is found.value:
        return
    assign(node, key, found.value)
    entries = node.__argument_history__.get(key)
    if not entries or (entries[-1].new_value is None and found.value is not None):
        return
    said = found.shown
    if found.path:
        said = Shown(f"{found.path} = {said!r}")
    elif found.path is None:
        said = entries[-1].new_value
    place = {"file": None, "line": None, "function": None} if _is_command_line() else {}
    entries[-1] = entries[-1]._replace(new_value=said, **place)


def _is_command_line() -> bool:
    found = origin()
    return found is not None and found[0] == "command line"


def _in_dict(
    here: Any, hint: Any, step: Step, rest: tuple[Step, ...], owner: Owner, change: Change
) -> Changed:
    key = _entry(here, hint, step)
    found = changed(here.get(key, MISSING), _hint_of_entry(hint, key, rest), rest, owner, change)
    here[key] = found.value
    return Changed(here, found.shown, _inside(f"[{key!r}]", found))


def _entry(here: Any, hint: Any, step: Step) -> Any:
    """Return the key of a dict that a step means."""
    name = step.key if isinstance(step, Item) else step
    typed = hints.typed_dict_of(hint)
    if typed is not None:
        known = hints_of_class(typed)
        if name not in known and name not in here:
            raise OverrideError(
                f"{typed.__qualname__} has no key {name!r}.{nearest(str(name), known)} Its keys: "
                f"{', '.join(known)}."
            )
        return name
    if isinstance(step, Item) and step.quoted:
        return name
    kind = hints.of_key(hint)
    if kind is not Any:
        from nemo_run.config.values.parse import parse

        return parse(str(name), kind)
    others = (str(name), int(name)) if str(name).lstrip("-").isdigit() else (name,)
    return next((key for key in (name, *others) if key in here), name)


def _hint_of_entry(hint: Any, key: Any, rest: tuple[Step, ...]) -> Any:
    found = hints.of_entry(hint, key)
    # A dict of anything takes dicts, as deep as the key goes.
    by_name = rest and not (isinstance(rest[0], Item) and isinstance(rest[0].key, int))
    return dict if found is Any and by_name else found


def _in_list(
    here: Any, hint: Any, step: Step, rest: tuple[Step, ...], owner: Owner, change: Change
) -> Changed:
    index = _index(here, step)
    found = changed(here[index], hints.of_item(hint, index), rest, owner, change)
    path = _inside(f"[{index}]", found)
    if isinstance(here, list):
        here[index] = found.value
        return Changed(here, found.shown, path)
    items = [*here[:index], found.value, *here[index + 1 :]]
    value = type(here)._make(items) if is_record(here) else type(here)(items)
    return Changed(value, found.shown, path)


def _index(here: Any, step: Step) -> int:
    name = step.key if isinstance(step, Item) else step
    if is_record(here) and name in type(here)._fields:
        return int(type(here)._fields.index(name))
    if isinstance(name, str) and not name.isdecimal():
        what = f"one of {', '.join(type(here)._fields)}" if is_record(here) else "an index, [0]"
        raise OverrideError(f"{_step(step)} leads nowhere: {type(here).__name__} takes {what}.")
    index = int(name)
    if not -len(here) <= index < len(here):
        items = f"{len(here)} item{'' if len(here) == 1 else 's'}"
        more = " To add one, use +=[…]." if index == len(here) else ""
        raise OverrideError(f"there is no [{index}]: it has {items}.{more}")
    return index % len(here)


def _inside(step: str, found: Changed) -> str | None:
    return None if found.path is None else step + found.path


def _step(step: Step) -> str:
    return str(step) if isinstance(step, Item) else f".{step}"
