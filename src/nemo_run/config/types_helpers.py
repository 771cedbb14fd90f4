"""Questions about types, and objects from plain dicts."""

from __future__ import annotations

import dataclasses
import os
import sys
import types
import typing
from typing import Any, Optional, Union

from nemo_run.exceptions import CheckError, nearest, shown

from .graph.node import is_node, target_of
from .graph.reference import Reference

RECURSIVE_TYPES = (Union, Optional)

_UNIONS = (Union, types.UnionType)


def get_type_namespace(typ: Any) -> str:
    """Return ``module.qualname`` of a callable, or of the target of a configuration.

    The launching script goes by the name of its file.
    """
    if is_node(typ):
        typ = target_of(typ)
    if isinstance(typ, Reference):
        module, name = typ.module, typ.qualname
    else:
        typ = typing.get_origin(typ) or typ
        module, name = typ.__module__, typ.__qualname__
    if module == "__main__":
        file = getattr(sys.modules["__main__"], "__file__", None)
        if file:
            module = os.path.splitext(os.path.basename(file))[0]  # noqa: PTH119, PTH122
    return f"{module}.{name}"


def get_underlying_types(type_hint: Any) -> set[Any]:
    """Return the types of a union, an optional or an annotated type, flattened."""
    origin = typing.get_origin(type_hint)
    if origin is typing.Annotated:
        return get_underlying_types(typing.get_args(type_hint)[0])
    if origin in _UNIONS:
        return {
            found for part in typing.get_args(type_hint) for found in get_underlying_types(part)
        }
    return {type_hint}


def from_dict(raw_data: Any, cls: Any) -> Any:
    """Return an object of a dataclass from nested plain dicts.

    Args:
        raw_data: A dict of fields, or a value of a field.
        cls: The dataclass or the field's type; unions with None, lists, tuples and dicts of
            dataclasses are understood.

    Raises:
        CheckError: A field is unknown, or a union leaves several dataclasses to choose from.
    """
    found = get_underlying_types(cls) - {type(None)}
    if raw_data is None or len(found) != 1:
        if isinstance(raw_data, dict) and any(map(dataclasses.is_dataclass, found)):
            names = ", ".join(sorted(getattr(kind, "__qualname__", str(kind)) for kind in found))
            raise CheckError(f"{shown(raw_data)} could be any of {names}; name one type.")
        return raw_data
    kind = found.pop()
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if isinstance(raw_data, dict) and isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass_from(raw_data, kind)
    if isinstance(raw_data, dict) and origin is dict and len(parts) == 2:
        return {key: from_dict(value, parts[1]) for key, value in raw_data.items()}
    if isinstance(raw_data, list) and origin is list and parts:
        return [from_dict(value, parts[0]) for value in raw_data]
    if isinstance(raw_data, (list, tuple)) and origin is tuple and parts:
        each = parts[:1] * len(raw_data) if parts[-1] is ... else parts
        return tuple(from_dict(value, part) for value, part in zip(raw_data, each, strict=True))
    return raw_data


def _dataclass_from(raw: dict[str, Any], cls: Any) -> Any:
    hints = typing.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls) if field.init]
    for name in raw:
        if name not in names:
            raise CheckError(
                f"{cls.__qualname__} has no field {name!r}.{nearest(name, names)} Its fields: "
                f"{', '.join(names)}."
            )
    return cls(**{name: from_dict(value, hints.get(name, Any)) for name, value in raw.items()})
