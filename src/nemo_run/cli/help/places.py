"""The places of a callable's arguments, level by level, with what they begin with."""

from __future__ import annotations

import io
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node

from .parameters import NOTHING, Parameter, classes_inside, parameters_inside, parameters_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 2


@dataclass(frozen=True)
class Place:
    """One argument.

    Attributes:
        key: As it is typed: ``trainer.callbacks``.
        depth: How many arguments it is inside of.
        row: What is known of it.
        owner: What takes it; None where that may be several classes.
    """

    key: str
    depth: int
    row: Parameter
    owner: Any


def beginning(target: Any) -> Any:
    """Return the task that a command of a function begins with.

    Returns:
        The target itself where it is no function, where no factory makes a value of it or of its
        arguments, and where one that does fails.
    """
    if is_node(target) or isinstance(target, type):
        return target
    from nemo_run.config import Partial
    from nemo_run.config.factories import DEFAULT, default_of
    from nemo_run.config.overrides.positional import from_factory
    from nemo_run.config.overrides.unset import filled

    task = None
    # Help has to be there also when factories of others fail.
    with redirect_stdout(io.StringIO()), suppress(Exception):
        made = default_of(target) is not None
        task = from_factory(target, DEFAULT) if made else Partial(target)
        filled(task)
    return task if task is not None and task.__arguments__ else target


def places_of(target: Any) -> Iterator[Place]:
    """Yield the arguments of a callable or of a configuration, and those inside them."""
    owner = target.__fn_or_cls__ if is_node(target) else target
    for row in parameters_of(target):
        place = Place(row.name, 0, row, owner)
        yield place
        yield from _inside(place, ())


def _inside(place: Place, around: tuple[Any, ...]) -> Iterator[Place]:
    row = place.row
    if row.name.startswith("*") or place.depth == _DEEPEST:
        return
    classes = _classes(row)
    if place.depth and not all(map(_is_configured, classes)) and not is_node(row.default):
        return  # what others' classes take is told where they are chosen
    if not is_node(row.default) and set(classes) & set(around):
        return
    owner = classes[0] if len(classes) == 1 else None
    for inner in _parameters_inside(row):
        found = Place(f"{place.key}.{inner.name}", place.depth + 1, inner, owner)
        yield found
        yield from _inside(found, (*around, *classes))


def _classes(row: Parameter) -> list[Any]:
    if is_node(row.default):
        return [row.default.__fn_or_cls__]
    return classes_inside(row.hint) if row.hint is not NOTHING else []


def _is_configured(kind: Any) -> bool:
    return hasattr(kind, "__dataclass_fields__")


def _parameters_inside(row: Parameter) -> list[Parameter]:
    try:
        return parameters_inside(row)
    except Exception:  # noqa: BLE001 - the classes of others may do anything when they are asked
        return []
