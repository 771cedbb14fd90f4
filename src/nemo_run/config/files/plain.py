"""What TOML and JSON lack, spelled with what they have.

========================  ======================================================
``_same_as_: "model"``    the same object as that of the key, an alias of YAML
``_type_: none``          nothing (TOML has no null)
``_type_: float``         nan and the infinities (JSON)
``_type_: int``           more than 64 bits (TOML)
``_type_: date``          a date or a time (JSON)
``_type_: dict``          keys that are no text
========================  ======================================================
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

from nemo_run.config.overrides.grammar import Item, Step, key_of, parse_key
from nemo_run.exceptions import OverrideError, nearest
from nemo_run.worker import worker

from .spelling import RESERVED

if TYPE_CHECKING:
    from .source import Source

_NONE = {"_type_": "none"}
_READ_AT_ONCE = ("float", "int", "date", "datetime", "time")
_NATIVE_KEYS = (str, int, bool)
_WIDEST = 1 << 63

Path = tuple[Any, ...]


def lowered(data: Any, form: str) -> Any:
    """Return plain data as the form can hold it.

    Args:
        data: Plain data of any form.
        form: ``yaml``, ``toml`` or ``json``.
    """
    return _Lowering(form).of(data, ())


class _Lowering:
    def __init__(self, form: str) -> None:
        self.form = form
        self.places: dict[int, Path] = {}
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []

    def of(self, value: Any, path: Path) -> Any:
        if type(value) not in (dict, list):
            return self.scalar(value)
        if id(value) in self.made:
            if self.form == "yaml":
                return self.made[id(value)]
            return {"_same_as_": key_of(tuple(map(_step, self.places[id(value)])))}
        self.places[id(value)] = path
        made: Any = [] if type(value) is list else {}
        self.made[id(value)] = made
        if type(value) is list:
            made.extend(self.of(item, (*path, index)) for index, item in enumerate(value))
        elif self.form == "yaml" or all(type(key) is str for key in value):
            made.update({key: self.of(item, (*path, key)) for key, item in value.items()})
        else:
            made["_type_"] = "dict"
            made["entries"] = [
                [self.of(key, (*path, "entries", n, 0)), self.of(item, (*path, "entries", n, 1))]
                for n, (key, item) in enumerate(value.items())
            ]
        return made

    def scalar(self, value: Any) -> Any:
        kind = type(value)
        if value is None:
            return dict(_NONE) if self.form == "toml" else None
        if kind is int and self.form == "toml" and not -_WIDEST <= value < _WIDEST:
            return {"_type_": "int", "value": hex(value)}
        if kind is float and self.form == "json" and not math.isfinite(value):
            return {"_type_": "float", "value": repr(value)}
        if kind in (str, int, float, bool) or self.is_native(value):
            return value
        document = worker.Writer().document(value)
        parts = {name: part for name, part in document.items() if name != worker.TAG}
        return {"_type_": document[worker.TAG], **parts}

    def is_native(self, value: Any) -> bool:
        if type(value) is dt.date:
            return self.form != "json"
        if type(value) is dt.datetime:
            own = value.tzinfo is None or type(value.tzinfo) is dt.timezone
            return self.form != "json" and own
        if type(value) is dt.time:
            return self.form == "toml" and value.tzinfo is None
        return self.form == "yaml"


def _step(step: Any) -> Step:
    if isinstance(step, int):
        return Item(step)
    return step if step.isidentifier() else Item(step, quoted=True)


def raised(source: Source) -> Any:
    """Return what a TOML or JSON file holds, with the spellings above read.

    Raises:
        OverrideError: A ``_same_as_`` names nothing.
    """
    return _Raising(source).whole()


class _Raising:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.seen: set[int] = set()
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []

    def whole(self) -> Any:
        holder = [self.source.data]
        # All of them before anything else: they name places as they are written.
        self.follow(holder, 0, ())
        return self.raise_(holder[0], ())

    def follow(self, parent: Any, key: Any, path: Path) -> None:
        value = parent[key]
        if type(value) is dict and "_same_as_" in value:
            parent[key] = value = self.target(value, path, [])
        if type(value) in (dict, list) and id(value) not in self.seen:
            self.seen.add(id(value))
            for inner in list(value) if type(value) is dict else range(len(value)):
                self.follow(value, inner, (*path, inner))

    def raise_(self, value: Any, path: Path) -> Any:
        """Return a value with the spellings inside of it read; lists and mappings stay theirs."""
        if type(value) not in (dict, list):
            return value
        if id(value) in self.made:
            return self.made[id(value)]
        self.kept.append(value)
        self.made[id(value)] = value
        for key in list(value) if type(value) is dict else range(len(value)):
            value[key] = self.raise_(value[key], (*path, key))
        if type(value) is dict and "_type_" in value:
            self.made[id(value)] = self.read(value, path)
        return self.made[id(value)]

    def target(self, value: Any, path: Path, before: list[str]) -> Any:
        """Follow a ``_same_as_`` to what it names."""
        name = value["_same_as_"]
        if len(value) > 1 or not isinstance(name, str):
            raise self.source.fault("_same_as_ stands alone and names a key, as text.", path)
        if name in before:
            circle = " → ".join([*before, name])
            raise self.source.fault(f"_same_as_ refers to itself: {circle}.", path)
        found = self.lookup(name, path)
        if type(found) is dict and "_same_as_" in found:
            return self.target(found, path, [*before, name])
        return found

    def lookup(self, name: str, path: Path) -> Any:
        try:
            steps = parse_key(name)
        except OverrideError as error:
            raise self.source.fault(f"_same_as_: {error}", path) from None
        here = self.source.data
        for step in steps:
            key = step.key if isinstance(step, Item) else step
            if type(here) is dict and "_same_as_" in here:
                here = self.target(here, path, [name])
            try:
                here = here[key]
            except (LookupError, TypeError):
                names = [str(known) for known in here] if type(here) is dict else []
                raise self.source.fault(
                    f"_same_as_ names {name!r}, but there is no {str(key)!r}."
                    f"{nearest(str(key), names)}",
                    path,
                ) from None
        return here

    def read(self, value: dict[str, Any], path: Path) -> Any:
        kind = value["_type_"]
        if value == _NONE:
            return None
        if kind == "dict" and value.keys() == {"_type_", "entries"}:
            return _dict_of(value["entries"]) or value
        if kind not in _READ_AT_ONCE or value.keys() != {"_type_", "value"}:
            return value
        try:
            return worker.MAKERS[kind]({worker.TAG: kind, **value})
        except (TypeError, ValueError) as error:
            raise self.source.fault(f"{value} cannot be read: {error}.", path) from error


def _dict_of(entries: Any) -> dict[Any, Any] | None:
    """Return the mapping of pairs, if its keys mean nothing but themselves."""
    if type(entries) is not list or not all(type(e) is list and len(e) == 2 for e in entries):
        return None
    keys = [key for key, _ in entries]
    plain = all(type(key) in _NATIVE_KEYS and key not in RESERVED for key in keys)
    return (
        dict(entries) if plain and len(set(keys)) == len(keys) and worker.TAG not in keys else None
    )
