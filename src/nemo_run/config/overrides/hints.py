"""The annotation of each place that a key can lead to."""

from __future__ import annotations

import typing
from collections import abc
from typing import Any

from nemo_run.config.alternatives import alternatives, is_kind, items_of
from nemo_run.config.checks.check import hint_of_one, parameter_of
from nemo_run.config.checks.hints import hints_of, hints_of_class
from nemo_run.config.graph.signature import signature_info


def of_argument(target: Any, key: str | int) -> Any:
    """Return the annotation of one argument of a callable; ``Any`` where there is none.

    Args:
        target: The callable.
        key: The argument as a node stores it. One that goes to ``**options`` or ``*items`` has
            the annotation of these.
    """
    parameter = parameter_of(signature_info(target), key)
    if parameter is None:
        return Any
    hint = hints_of(target).get(parameter.name, Any)
    return hint_of_one(hint, parameter, key)


def of_item(hint: Any, index: int) -> Any:
    """Return the annotation of an item of a list or tuple."""
    for one in alternatives(hint):
        if is_kind(one, tuple) and is_record_class(one):
            return list(hints_of_class(one).values())[index]
        if is_kind(one, abc.Iterable) and not is_kind(one, abc.Mapping, str, bytes):
            items = items_of(one)
            if is_kind(one, tuple) and ... not in typing.get_args(one):
                return items[index] if -len(items) <= index < len(items) else Any
            return items[0] if items else Any
    return Any


def is_record_class(hint: Any) -> bool:
    """Whether an alternative is a class of named tuples."""
    return isinstance(hint, type) and hasattr(hint, "_fields")


def typed_dict_of(hint: Any) -> Any:
    """Return the ``TypedDict`` among what a value may be, or None."""
    found = (typing.get_origin(one) or one for one in alternatives(hint))
    return next((one for one in found if hasattr(one, "__required_keys__")), None)


def of_entry(hint: Any, key: Any) -> Any:
    """Return the annotation of an entry of a dict."""
    typed = typed_dict_of(hint)
    if typed is not None:
        from nemo_run.config.checks.annotations import simplified

        return simplified(hints_of_class(typed).get(key, Any))
    return next((items[0] for items in map(items_of, _dicts(hint)) if items), Any)


def of_key(hint: Any) -> Any:
    """Return the annotation of the keys of a dict."""
    return next((args[0] for args in map(typing.get_args, _dicts(hint)) if args), Any)


def _dicts(hint: Any) -> list[Any]:
    return [one for one in alternatives(hint) if is_kind(one, abc.Mapping)]
