"""The JSON Schema of the files that a function takes, made of its annotations and docstrings.

Draft 2020-12 (https://json-schema.org/draft/2020-12). It describes both what people write, a few
arguments, and what ``--export`` writes, objects spelled with ``_target_`` and ``_type_``.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import fractions
import inspect
import os
import re
import typing
import uuid
from collections import abc
from typing import TYPE_CHECKING, Any

from nemo_run.cli.help.docstrings import docstring_of
from nemo_run.cli.help.parameters import NOTHING, Parameter, parameters_of
from nemo_run.config.alternatives import allows_none, alternatives, is_kind, kind_of
from nemo_run.config.checks.annotations import simplified
from nemo_run.config.checks.hints import hints_of_class
from nemo_run.config.factories import fitting
from nemo_run.config.files.names import importable
from nemo_run.config.graph.reference import Reference
from nemo_run.config.values.registered import parser_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Schema = dict[str, Any]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"

# Beside arguments, in any object that a file spells.
_WORDS: Schema = {
    "_partial_": {"type": "boolean", "description": "Give the function, not what it returns."},
    "_args_": {"type": "array", "description": "Arguments by position."},
    "_arguments_": {"type": "array"},
    "_positional_": {"type": "array"},
    "_tags_": {"type": "object"},
    "_recursive_": {"type": "boolean"},
    "_convert_": {"type": "string"},
    "_factory_": {"type": "string", "description": "A registered factory: name(argument=1)."},
}

# What stands for a value of any type.
_SPELLED: Schema = {
    "description": "Spelled with _type_, a factory, or ${another.key}.",
    "anyOf": [
        {"type": "string", "pattern": r"\$\{"},
        *({"type": "object", "required": [w]} for w in ("_type_", "_factory_", "_same_as_")),
    ],
}
_OBJECT: Schema = {"description": "Any object.", "type": "object", "required": ["_target_"]}

_NAMED: Schema = {
    "description": "A registered factory, or a class: name, or name(argument=1).",
    "type": "string",
}

_TEXT: Schema = {"type": "string"}
_NUMBER_OR_TEXT: Schema = {"type": ["number", "string"]}
_SCALARS: dict[Any, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    complex: _NUMBER_OR_TEXT,
    str: _TEXT,
    bytes: _TEXT,
    bytearray: _TEXT,
    dt.datetime: {"type": "string", "format": "date-time"},
    dt.date: {"type": "string", "format": "date"},
    dt.time: {"type": "string", "format": "time"},
    dt.timedelta: {**_NUMBER_OR_TEXT, "description": "Seconds, or a duration such as 1h30m."},
    decimal.Decimal: _NUMBER_OR_TEXT,
    fractions.Fraction: _NUMBER_OR_TEXT,
    uuid.UUID: {"type": "string", "format": "uuid"},
}


def schema_of(function: Callable[..., Any]) -> Schema:
    """Return the schema of the files that ``--config`` takes for a function.

    Args:
        function: A function or a class.
    """
    definitions = _Definitions()
    arguments = definitions.arguments(function)
    arguments["properties"] = {
        "$schema": _TEXT,
        "_target_": {"type": "string", "description": "The function, in a whole task."},
        **_WORDS,
        "run": {"type": "object", "description": "How it runs: executor, plugins, name."},
        **arguments["properties"],
    }
    found: Schema = {"$schema": _DRAFT, "title": _name(function)}
    text = docstring_of(function).summary
    if text:
        found["description"] = text
    return {**found, "type": "object", **arguments, "$defs": definitions.found}


class _Definitions:
    """Schemas of values; each class is described once, under ``$defs``."""

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {"spelled": _SPELLED, "object": _OBJECT}

    def arguments(self, target: Any) -> Schema:
        """Return what the arguments of a callable are, as parts of an object's schema."""
        rows = parameters_of(target)
        named = [row for row in rows if not row.name.startswith("*")]
        names = "|".join(re.escape(row.name) for row in named)
        schema: Schema = {"properties": {row.name: self.argument(target, row) for row in named}}
        if names:
            # `lr*=`, `model.size` and `layers[0]`.
            schema["patternProperties"] = {rf"^({names})(\s*[-+*/|&]?=|[.\[].*)$": True}
        rest = next((row for row in rows if row.name.startswith("**")), None)
        schema["additionalProperties"] = False if rest is None else self.value(rest.hint)
        return schema

    def argument(self, target: Any, row: Parameter) -> Schema | bool:
        schema = self.value(row.hint)
        if schema is not True and fitting(row.hint, target, row.name):
            schema = {"anyOf": _unique([_NAMED, *typing.cast("Schema", schema)["anyOf"]])}
        notes: Schema = {}
        if row.text:
            notes["description"] = row.text
        if _is_json(row.default):
            notes["default"] = row.default
        if not notes:
            return schema
        return notes if schema is True else {**notes, **typing.cast("Schema", schema)}

    def value(self, hint: Any) -> Schema | bool:
        """Return what a file may hold for an annotation: the value, or a spelling of one."""
        if hint is NOTHING or hint is Any:
            return True
        options = [self.one(option) for option in alternatives(hint)]
        if not options or any(option is True for option in options):
            return True
        if allows_none(hint):
            options.append({"type": "null"})
        # A class describes itself which objects there may be.
        others = ["spelled"]
        if any("$ref" in option for option in options):
            options.insert(0, _NAMED)
        else:
            others.append("object")
        options += [{"$ref": f"#/$defs/{name}"} for name in others]
        return {"anyOf": _unique(options)}

    def one(self, hint: Any) -> Any:  # noqa: PLR0911 - a kind a line
        hint = simplified(hint)
        kind = kind_of(hint)
        if kind is typing.Literal:
            return _choice(typing.get_args(hint))
        if kind in (abc.Callable, type):
            return {"type": "string", "description": "The name of it, with its module."}
        if not isinstance(kind, type):
            return True
        if kind in _SCALARS:
            return _SCALARS[kind]
        if parser_of(kind) is not None or issubclass(kind, os.PathLike):
            return _TEXT
        if issubclass(kind, enum.Enum):
            return _of_enum(kind)
        return self.container(hint, kind) or self.object(kind)

    def container(self, hint: Any, kind: type) -> Schema | None:
        if hasattr(kind, "__required_keys__"):
            return self.typed_dict(kind)
        if is_kind(hint, abc.Mapping):
            return {"type": "object", "additionalProperties": self.item(hint, -1)}
        if issubclass(kind, tuple):
            return self.tuple(hint, kind)
        if is_kind(hint, abc.Iterable) and kind.__module__ in _CONTAINERS:
            return {"type": "array", "items": self.item(hint, 0)}
        return None

    def item(self, hint: Any, index: int) -> Schema | bool:
        args = typing.get_args(hint)
        return self.value(args[index]) if args else True

    def tuple(self, hint: Any, kind: type) -> Schema:
        if hasattr(kind, "_fields"):
            hints = hints_of_class(kind)
            return {"type": "array", "prefixItems": [self.value(h) for h in hints.values()]}
        args = typing.get_args(hint)
        if not args:
            return {"type": "array"}
        if args[-1] is ...:
            return {"type": "array", "items": self.value(args[0])}
        count = len(args)
        parts = [self.value(arg) for arg in args]
        return {"type": "array", "prefixItems": parts, "minItems": count, "maxItems": count}

    def typed_dict(self, kind: Any) -> Schema:
        fields = {name: self.value(simplified(h)) for name, h in hints_of_class(kind).items()}
        return {"type": "object", "properties": fields, "additionalProperties": False}

    def object(self, kind: type) -> Schema | bool:
        """Return what makes an instance of a class: its arguments."""
        if kind.__module__ == "builtins" or getattr(kind, "_is_protocol", False):
            return True
        name = _name(kind)
        if name not in self.found:
            self.found[name] = {}  # it may hold itself
            self.found[name] = self.definition(kind, name)
        return {"$ref": f"#/$defs/{_pointer(name)}"}

    def definition(self, kind: type, name: str) -> Schema:
        schema: Schema = {"title": kind.__qualname__}
        text = docstring_of(kind).summary
        if text:
            schema["description"] = text
        arguments = self.arguments(kind)
        words = {"_target_": {"type": "string"}, **_WORDS}
        arguments["properties"] = {**words, **arguments["properties"]}
        own = f"{kind.__module__}:{kind.__qualname__}"
        names = sorted({name, own, own.replace(":", "."), importable(own)})
        return {
            **schema,
            "type": "object",
            # Another class, derived from this one, takes what it takes.
            "if": {"properties": {"_target_": {"enum": names}}},
            "then": arguments,
        }


_CONTAINERS = frozenset({"builtins", "collections", "collections.abc"})


def _unique(options: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for option in options:
        if option not in found:
            found.append(option)
    return found


def _choice(values: Iterable[Any]) -> Schema | bool:
    plain = [value.name if isinstance(value, enum.Enum) else value for value in values]
    return {"enum": plain} if all(map(_is_json, plain)) else True


def _of_enum(kind: type[enum.Enum]) -> Schema:
    values = [member.value for member in kind if _is_json(member.value)]
    return {"enum": _unique([*kind.__members__, *values])}


def _is_json(value: Any) -> bool:
    """Whether a value stands for itself in JSON."""
    if type(value) is float:
        return value == value and value not in (float("inf"), float("-inf"))  # noqa: PLR0124
    if type(value) in (list, dict):
        parts = value if type(value) is list else [*value, *value.values()]
        return all(map(_is_json, parts)) and (type(value) is list or all(map(_is_text, value)))
    return value is None or type(value) in (str, int, bool)


def _is_text(value: Any) -> bool:
    return type(value) is str


def _name(target: Any) -> str:
    try:
        found = Reference.of(inspect.unwrap(target))
        return importable(f"{found.module}:{found.qualname}").replace(":", ".")
    except ValueError:
        return str(getattr(target, "__qualname__", target))


def _pointer(name: str) -> str:
    """Return a name as a part of a JSON pointer in a URI (RFC 6901)."""
    from urllib.parse import quote

    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~.<>")
