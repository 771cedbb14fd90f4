"""TypedDicts, named tuples, and the fields of a class, by their names."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Any

from nemo_run.config.checks.hints import hints_of_class
from nemo_run.exceptions import nearest

from .containers import items_of, pairs_of, read_at
from .reading import Reading, Word, seen
from .refusal import RefusedError, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def read_typed_dict(source: Any, kind: Any, reading: Reading) -> dict[str, Any]:
    """Return a dict that has the keys of a TypedDict."""
    hints = hints_of_class(kind)
    found = read_fields(source, kind, hints, reading)
    optional = {name for name, hint in hints.items() if "NotRequired" in str(hint)}
    missing = sorted(kind.__required_keys__ - optional - found.keys())
    if missing:
        raise RefusedError(
            f"{shown(seen(source))} lacks {', '.join(map(repr, missing))} of {kind.__qualname__}."
        )
    return found


def read_named_tuple(source: Any, kind: Any, reading: Reading) -> Any:
    """Return a named tuple, from its items in order or by name."""
    hints = hints_of_class(kind)
    names: tuple[str, ...] = kind._fields
    if is_list(source):
        parts = items_of(source, kind, reading)
        if len(parts) > len(names):
            raise RefusedError(
                f"{shown(seen(source))} has {len(parts)} items; {kind.__qualname__} has "
                f"{len(names)}: {', '.join(names)}."
            )
        found = {
            name: read_at(f"[{index}]", part, hints.get(name, Any), reading)
            for index, (name, part) in enumerate(zip(names, parts, strict=False))
        }
    else:
        found = read_fields(source, kind, {name: hints.get(name, Any) for name in names}, reading)
    found = {**kind._field_defaults, **found}
    missing = [name for name in names if name not in found]
    if missing:
        raise RefusedError(
            f"{shown(seen(source))} lacks {', '.join(map(repr, missing))} of {kind.__qualname__}."
        )
    return tuple.__new__(kind, [found[name] for name in names])


def is_list(source: Any) -> bool:
    """Whether a source lists items rather than pairs."""
    from .syntax import has_pairs

    if not isinstance(source, Word):
        return isinstance(source, (list, tuple))
    return not source.quoted and (source.text[:1] in {"[", "("} or not has_pairs(source.text))


def read_fields(
    source: Any, kind: Any, hints: dict[str, Any], reading: Reading, *, rest: Sequence[Any] = ()
) -> dict[str, Any]:
    """Return the values of named fields.

    Args:
        source: Pairs.
        kind: What the fields belong to.
        hints: Their annotations.
        reading: How values are read.
        rest: The annotation of fields of any other name; none where there are no others.

    Raises:
        RefusedError: A name is no field, or is there twice.
    """
    found: dict[str, Any] = {}
    for key, value in pairs_of(source, kind, reading):
        name = key.text if isinstance(key, Word) else key
        if not (name in hints or (rest and isinstance(name, str))):
            raise RefusedError(unknown_field(name, kind, hints))
        if name in found:
            raise RefusedError(f"{shown(seen(source))} has {name!r} twice.")
        found[name] = read_at(f".{name}", value, hints[name] if name in hints else rest[0], reading)
    return found


def unknown_field(name: Any, kind: Any, names: Iterable[str]) -> str:
    """Return the sentence about a name that is no field."""
    names = list(names)
    field = "key" if typing.is_typeddict(kind) else "field"
    return (
        f"{getattr(kind, '__qualname__', kind)} has no {field} {shown(name)}."
        f"{nearest(str(name)[:80], names)} Its {field}s: {', '.join(names) or 'none'}."
    )
