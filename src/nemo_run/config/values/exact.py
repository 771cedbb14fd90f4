"""Whether plain data is a value of its annotation as it stands: reading it would change it."""

from __future__ import annotations

import datetime as dt
import typing
from collections import abc
from typing import Any

from nemo_run.config.checks.annotations import UNIONS, mismatches, simplified

_PLAIN = (str, bool, int, float, list, dict, dt.date, dt.datetime, dt.time)
_LISTS = (list, abc.Sequence, abc.MutableSequence, abc.Collection, abc.Iterable)
_DICTS = (dict, abc.Mapping, abc.MutableMapping)


def is_exact(value: Any, hint: Any) -> bool:  # noqa: PLR0911 - a case a line
    """Whether a value needs no reading: it has the very type, or is no plain data and fits.

    Args:
        value: A value of a file.
        hint: A resolved annotation.
    """
    from nemo_run.config.overrides.hints import of_entry, of_item

    hint = simplified(hint)
    if hint is Any or hint is object:
        return True
    kind, wanted = type(value), typing.get_origin(hint) or hint
    if wanted in UNIONS:
        return any(is_exact(value, option) for option in typing.get_args(hint))
    if kind not in _PLAIN:
        return not mismatches(value, hint)
    if wanted is typing.Literal:
        return any(type(option) is kind and option == value for option in typing.get_args(hint))
    if kind is list and wanted in _LISTS:
        return all(is_exact(item, of_item(hint, n)) for n, item in enumerate(value))
    if kind is dict and (wanted in _DICTS or hasattr(wanted, "__required_keys__")):
        return all(is_exact(item, of_entry(hint, key)) for key, item in value.items())
    return kind is wanted or (kind is int and wanted is float)
