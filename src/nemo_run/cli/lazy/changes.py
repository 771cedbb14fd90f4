"""Changes of a task that is not made yet: kept in their order, and carried out when it is."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nemo_run.config.overrides.grammar import Override, Step

T = TypeVar("T")

# A change is a text as it is typed, ``lr=0.1``, or a dict that can be written to a file: its key
# and operator, with a ``value`` of Python, or with ``data`` of a file.
Change = Any


class Place:
    """A value inside of a task that is not made yet.

    Args:
        changes: Where changes of it are kept.
        steps: The way to it: names, and :class:`Key` for what stands in brackets.
    """

    __iter__ = None
    __hash__ = None  # type: ignore[assignment]

    _changes: list[Change]
    _steps: tuple[Any, ...]

    def __init__(self, changes: list[Change], steps: tuple[Any, ...]) -> None:
        vars(self).update(_changes=changes, _steps=steps)

    def __getattr__(self, name: str) -> Place:
        if name[:2] == "__" == name[-2:] or name.startswith(("_ipython", "_repr_")):
            raise AttributeError(name)
        return Place(self._changes, (*self._steps, name))

    def __getitem__(self, key: Any) -> Place:
        return Place(self._changes, (*self._steps, Key(key)))

    def __setattr__(self, name: str, value: Any) -> None:
        self._changes.extend(changes_of((*self._steps, name), value))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._changes.extend(changes_of((*self._steps, Key(key)), value))

    def __add__(self, value: Any) -> Computed:
        return Computed(self._steps, (("+=", value),))

    def __sub__(self, value: Any) -> Computed:
        return Computed(self._steps, (("-=", value),))

    def __mul__(self, value: Any) -> Computed:
        return Computed(self._steps, (("*=", value),))

    def __truediv__(self, value: Any) -> Computed:
        return Computed(self._steps, (("/=", value),))

    def __eq__(self, other: object) -> bool:
        raise OverrideError(f"{self!r} is not known before the task is resolved.")

    def __bool__(self) -> bool:
        raise OverrideError(f"{self!r} is not known before the task is resolved.")

    def __repr__(self) -> str:
        return key_text(self._steps) or "the task"


@dataclass(frozen=True)
class Key:
    """A step in brackets."""

    key: Any


@dataclass(frozen=True)
class Computed:
    """What is to become of a value: ``task.lr * 2 + 1``."""

    steps: tuple[Any, ...]
    operations: tuple[tuple[str, Any], ...] = ()

    def _then(self, operator: str, value: Any) -> Computed:
        return Computed(self.steps, (*self.operations, (operator, value)))

    def __add__(self, value: Any) -> Computed:
        return self._then("+=", value)

    def __sub__(self, value: Any) -> Computed:
        return self._then("-=", value)

    def __mul__(self, value: Any) -> Computed:
        return self._then("*=", value)

    def __truediv__(self, value: Any) -> Computed:
        return self._then("/=", value)


def changes_of(steps: tuple[Any, ...], value: Any) -> list[Change]:
    """Return the changes that setting a place to ``value`` means.

    Raises:
        OverrideError: The value is computed from another place.
    """
    key = key_text(steps)
    if isinstance(value, Place):
        value = Computed(value._steps)  # noqa: SLF001 - of the same module
    if not isinstance(value, Computed):
        return [{"key": key, "operator": "=", "value": value}]
    if value.steps != steps:
        raise OverrideError(
            f"{key} cannot be computed from {key_text(value.steps)} before the task is made. "
            "Resolve it first: task = task.resolve()."
        )
    return [{"key": key, "operator": symbol, "value": one} for symbol, one in value.operations]


def change_of(given: Any) -> Change:
    """Return a change that was given as a whole.

    Args:
        given: A text, a pair of key and value, or a triple of key, operator and value.

    Raises:
        OverrideError: It is none of these.
    """
    from nemo_run.config.overrides.grammar import OPERATORS, parse_key

    if isinstance(given, (str, dict)):
        return given
    if isinstance(given, (tuple, list)) and len(given) in (2, 3) and isinstance(given[0], str):
        key, symbol, value = given if len(given) == 3 else (given[0], "=", given[1])
        symbol = symbol if symbol.endswith("=") else f"{symbol}="
        if symbol in OPERATORS:
            parse_key(key)
            return {"key": key, "operator": symbol, "value": value}
    raise OverrideError(
        f"{given!r} changes nothing. Give a text such as 'lr=0.1', a key and a value, or a key, an "
        f"operator ({', '.join(OPERATORS)}) and a value."
    )


def changes_of_file(file: str) -> list[Change]:
    """Return the changes that a file makes; it is read now, for the job may not have it."""
    from nemo_run.config.files.layers import overrides_of
    from nemo_run.config.files.load import load

    return [
        {"key": o.key, "operator": o.operator, "data": o.data, "file": o.file, "line": o.line}
        for o in overrides_of(load(file))
    ]


def shown(change: Change) -> str:
    """Return a change as people read it."""
    if isinstance(change, str):
        return change
    return f"{change['key']} {change['operator']} {change.get('value', change.get('data'))!r}"


def carried_out(task: T, changes: Iterable[Any]) -> T:
    """Return a copy of a task with changes carried out, in their order.

    Args:
        task: The task.
        changes: Changes, and overrides.

    Raises:
        OverrideError: One cannot be.
    """
    from nemo_run.config.overrides.apply import apply, put
    from nemo_run.config.overrides.grammar import parse_override

    waiting: list[Override] = []
    for change in changes:
        if isinstance(change, dict) and "value" in change:
            # A copy: what is made twice shares nothing.
            value = copy.deepcopy(change["value"])
            task = put(apply(task, waiting), change["key"], value, change["operator"])
            waiting = []
        elif isinstance(change, dict):
            waiting.append(_of_data(change))
        else:
            waiting.append(parse_override(change) if isinstance(change, str) else change)
    return apply(task, waiting)


def _of_data(change: dict[str, Any]) -> Override:
    from nemo_run.config.overrides.grammar import Override, parse_key

    key = change["key"]
    return Override(
        key,
        parse_key(key),
        change["operator"],
        data=change["data"],
        kind="file",
        file=change.get("file"),
        line=change.get("line"),
    )


def key_text(steps: tuple[Any, ...]) -> str:
    """Return the key of a way to a value, as it is typed."""
    from nemo_run.config.overrides.grammar import Item, key_of

    return key_of(tuple(_step(step, Item) for step in steps))


def _step(step: Any, item: Any) -> Step:
    if not isinstance(step, Key):
        return str(step)
    made: Step = item(step.key, quoted=isinstance(step.key, str))
    return made
