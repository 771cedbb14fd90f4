"""Overrides applied to a configuration."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from nemo_run.config.graph.copying import deep_copy
from nemo_run.config.graph.defaults import converted
from nemo_run.config.graph.history import Shown, setting, summary
from nemo_run.exceptions import ConfigError, OverrideError

from .elsewhere import elsewhere
from .grammar import MISSING, parse_key
from .operators import combined
from .ordering import in_order, replaced
from .places import Place, UnknownNameError, descend, opened
from .reading import value_of
from .walking import Changed, changed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grammar import Override, Step

T = TypeVar("T")

_LONGEST_SHOWN = 200


def apply(task: T, overrides: Sequence[Override], hint: Any = Any) -> T:
    """Return a copy of a configuration with overrides applied.

    They are applied in the order given, but where a whole value is given after its parts. By the
    same source (``model.width=3 model=small``) it goes before them, since it would silently undo
    them; those of other sources are left out (see :func:`replaced`).

    Args:
        task: A configuration, or a list or dict of them. It is not changed.
        overrides: The changes.
        hint: The annotation of ``task`` itself, for keys without steps.

    Raises:
        OverrideError: A key leads nowhere, or a value cannot be used.
    """
    # Copied and converted once: what is changed after that is our own.
    result: Any = converted(copy.deepcopy(task)) if overrides else copy.deepcopy(task)
    gone = {id(part) for part, _ in replaced(overrides)}
    left = [override for override in overrides if id(override) not in gone]
    for override in in_order(_with_own_data(left)):
        result = _applied(result, override, hint)
    return result  # type: ignore[no-any-return]


def put(task: T, key: str, value: Any, operator: str = "=") -> T:
    """Return a copy of a configuration with a value set that a program has made already.

    Args:
        task: A configuration. It is not changed.
        key: As on the command line.
        value: The value, or the operand; it is taken as it is.
        operator: One of those of the command line.

    Raises:
        OverrideError: The key leads nowhere, or the operator does not fit.
    """
    own = converted(value)

    def change(place: Place) -> Changed:
        new = own
        if operator != "=":
            new = combined(place.value, operator, place.hint, lambda _hint: own)
        return Changed(new, summary(new))

    try:
        return changed(Place(copy.deepcopy(task)), parse_key(key), change).value  # type: ignore[no-any-return]
    except ConfigError as error:
        raise OverrideError(f"{key}: {error}") from error.__cause__


def hint_at(task: Any, steps: Sequence[Step], hint: Any = Any) -> Any:
    """Return the annotation of the place that ``steps`` lead to; ``Any`` where there is none.

    No factory is called, and ``task`` is not changed.

    Args:
        task: A configuration.
        steps: The steps of a key (:func:`nemo_run.config.overrides.grammar.parse_key`).
        hint: The annotation of ``task`` itself.

    Raises:
        OverrideError: They lead nowhere.
    """
    place = Place(task, hint)
    for step in steps:
        place = descend(opened(place, step, call=False), step)
    return place.hint


def _applied(task: Any, override: Override, hint: Any) -> Any:
    def change(place: Place) -> Changed:
        def read(hint: Any) -> Any:
            return converted(value_of(override, place, hint))

        if override.operator == "=":
            value = read(place.hint)
            return Changed(value, _shown(value, override))
        value = combined(place.value, override.operator, place.hint, read)
        return Changed(value, summary(value))

    try:
        with setting(override.kind, override.file, override.line):
            return changed(Place(task, hint), override.steps, change).value
    except ConfigError as error:
        if override.instead and not override.inside_call:
            raise OverrideError(override.instead) from error.__cause__
        label = replace(override, line=getattr(error, "line", override.line)).label
        raise OverrideError(
            f"{label}: {_explained(error, task)}{override.advice}"
        ) from error.__cause__


def _explained(error: ConfigError, task: Any) -> str:
    """Return what an error says, and where a name that is unknown here would be right."""
    more = elsewhere(task, error.unknown) if isinstance(error, UnknownNameError) else ""
    if not more or not isinstance(error, UnknownNameError):
        return str(error)
    return str(error).replace(error.near, "") + more


def _shown(value: Any, override: Override) -> Any:
    """Return what the history says of a value: of a factory's, how it was asked for."""
    seen = summary(value)
    if not isinstance(seen, Shown) or override.text is None:
        return seen
    text = override.text
    return Shown(text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}...")


def _with_own_data(overrides: Sequence[Override]) -> list[Override]:
    """Return overrides whose data is nobody else's; what they share they go on sharing."""
    memo: dict[int, Any] = {}
    return [o if o.data is MISSING else replace(o, data=deep_copy(o.data, memo)) for o in overrides]
