"""The task format spelled in YAML.

========================  ===========================================================
``_target_``              a Config of ``module.name``; its arguments stand beside it
``_partial_: true``       … a Partial instead
``_call_: false``         … the function or class itself
``_args_``                … arguments by position
``_type_``                a value of another type, with the keys of the JSON form
``&id001`` / ``*id001``   the same object again
========================  ===========================================================
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from nemo_run.exceptions import ConfigError
from nemo_run.worker import worker

TAG = worker.TAG
_RESERVED = frozenset(
    ["_target_", "_partial_", "_call_", "_args_", "_positional_", "_arguments_", "_tags_", "_type_"]
)
_NATIVE_KEYS = (str, int, bool)
_SCALARS = (str, int, float, bool, type(None))
_SHORT = 80
_DEEPEST = 1000

# The classes on libyaml are ten times as fast and write the same.
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(_BaseDumper):  # type: ignore[misc]
    """Quotes everything that some reader of YAML takes for another type."""


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Reads plain values only, and 3e-4 as the number that it is in YAML 1.2."""


def _text(dumper: Any, text: str) -> Any:
    style = (
        "|" if "\n" in text and all(line == line.rstrip() for line in text.split("\n")) else None
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: Any, items: list[Any]) -> Any:
    short = all(type(item) in _SCALARS for item in items) and len(repr(items)) < _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


def _resolvers() -> None:
    import re

    # PyYAML reads 1e3 and 0o17 as text, as YAML 1.1 has them; YAML 1.2 and JSON do not. A person
    # who writes 1e3 means a number, and text that looks so is quoted.
    number = re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][-+]?\d+)?$|^0o[0-7]+$")
    _Dumper.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    exponent = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")
    _Loader.add_implicit_resolver("tag:yaml.org,2002:float", exponent, list("-+.0123456789"))
    _Dumper.add_representer(str, _text)
    _Dumper.add_representer(list, _list)


_resolvers()


def dump(document: Any) -> str:
    """Return the YAML text of the JSON form of a graph."""
    text = yaml.dump(
        _Spelling().of(document),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return str(text)


def load(text: str) -> Any:
    """Return the JSON form of the graph that a YAML text describes.

    Raises:
        ConfigError: The text is no YAML.
    """
    try:
        _check_depth(text)
        found = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"The text is no YAML: {error}") from error
    try:
        return _Reading(found).of(found)
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"The YAML describes no configuration: {type(error).__name__}: {error}"
        ) from error


def _check_depth(text: str) -> None:
    # The classes on libyaml recurse in C without a limit: a deep text would end the process.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > _DEEPEST:
            raise ConfigError(f"The YAML is nested more than {_DEEPEST} levels deep.")


class _Spelling:
    """From the JSON form to the objects that PyYAML writes; shared ones become anchors."""

    def __init__(self) -> None:
        self.shared: dict[int, Any] = {}

    def of(self, document: Any) -> Any:
        kind = type(document)
        if kind is str:
            return _safe(document)
        if kind is list:
            return [self.of(item) for item in document]
        if kind is not dict:
            return document
        if TAG not in document:
            return self._dict(document)
        if document[TAG] == "ref":
            return self.shared[document["id"]]
        made = self._tagged(document)
        if "id" in document:
            self.shared[document["id"]] = made
        return made

    def _dict(self, document: dict[str, Any]) -> dict[str, Any]:
        fields = {key: self.of(value) for key, value in document.items()}
        if _RESERVED.isdisjoint(fields) and all(_is_safe(key) for key in fields):
            return fields
        return {"_type_": "dict", "entries": [[_safe(key), value] for key, value in fields.items()]}

    def _tagged(self, document: dict[str, Any]) -> Any:
        tag = document[TAG]
        if tag in ("config", "partial"):
            return self._node(document)
        if tag == "object":
            return {"_target_": _dotted(document["name"]), "_call_": False}
        if tag == "float":
            return float(document["value"])
        if tag == "list":
            return self.of(document["items"])
        if tag == "dict":
            return self._tagged_dict(document)
        rest = {key: self.of(v) for key, v in document.items() if key not in (TAG, "id", "fields")}
        if "fields" in document:
            rest["fields"] = {key: self.of(v) for key, v in document["fields"].items()}
        return {"_type_": tag, **rest}

    def _tagged_dict(self, document: dict[str, Any]) -> dict[Any, Any]:
        if "fields" in document:
            return self._dict(document["fields"])
        entries = document["entries"]
        if all(type(key) in _NATIVE_KEYS and _is_native_key(key) for key, _ in entries):
            return {key: self.of(value) for key, value in entries}
        return {"_type_": "dict", "entries": [[self.of(k), self.of(v)] for k, v in entries]}

    def _node(self, document: dict[str, Any]) -> dict[str, Any]:
        node: dict[str, Any] = {"_target_": _dotted(document["target"])}
        if document[TAG] == "partial":
            node["_partial_"] = True
        positional = [[key, self.of(value)] for key, value in document.get("positional", ())]
        if [key for key, _ in positional] == list(range(len(positional))):
            if positional:
                node["_args_"] = [value for _, value in positional]
        else:
            node["_positional_"] = positional
        if "tags" in document:
            node["_tags_"] = document["tags"]
        arguments = {name: self.of(v) for name, v in document.get("arguments", {}).items()}
        if _RESERVED.isdisjoint(arguments) and all(_is_safe(name) for name in arguments):
            return {**node, **arguments}
        node["_arguments_"] = [[_safe(name), value] for name, value in arguments.items()]
        return node


class _Reading:
    """From what PyYAML read to the JSON form."""

    def __init__(self, root: Any) -> None:
        self.times: dict[int, int] = {}
        self.ids: dict[int, int] = {}
        self.open: set[int] = set()
        self.done: set[int] = set()
        self._count(root)

    def _count(self, value: Any) -> None:
        if type(value) not in (dict, list):
            return
        self.times[id(value)] = self.times.get(id(value), 0) + 1
        if self.times[id(value)] == 1:
            for item in value.values() if type(value) is dict else value:
                self._count(item)

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind not in (dict, list):
            return value if kind in (str, int, bool, type(None)) else _plain(value)
        if self.times[id(value)] == 1:
            return self._dict(value) if kind is dict else [self.of(item) for item in value]
        return self._shared(value)

    def _shared(self, value: Any) -> Any:
        number = self.ids.setdefault(id(value), len(self.ids) + 1)
        if id(value) in self.done:
            return {TAG: "ref", "id": number}
        if id(value) in self.open:
            raise ConfigError("The YAML has an anchor inside itself; a graph has no circles.")
        self.open.add(id(value))
        document = self._dict(value) if type(value) is dict else [self.of(item) for item in value]
        self.done.add(id(value))
        if type(document) is list:
            return {TAG: "list", "id": number, "items": document}
        if type(document) is not dict:
            return document
        if TAG not in document:
            return {TAG: "dict", "id": number, "fields": document}
        return {TAG: document[TAG], "id": number, **_without(document, TAG)}

    def _dict(self, value: dict[Any, Any]) -> Any:
        if "_target_" in value:
            return self._target(value)
        if "_type_" in value:
            return self._typed(value)
        if all(type(key) is str for key in value) and TAG not in value:
            return {key: self.of(item) for key, item in value.items()}
        entries = [[self.of(key), self.of(item)] for key, item in value.items()]
        return {TAG: "dict", "entries": entries}

    def _typed(self, value: dict[Any, Any]) -> Any:
        if value["_type_"] == "str" and "json" in value:
            text = json.loads(value["json"])
            return worker.Writer().document(text)
        rest = _without(value, "_type_")
        document = {TAG: value["_type_"]}
        for key, item in rest.items():
            if key == "fields" and type(item) is dict:
                document[key] = {name: self.of(field) for name, field in item.items()}
            elif key in ("items", "entries"):
                document[key] = self._parts(key, item)
            else:
                document[key] = _data(item)
        return document

    def _parts(self, key: str, value: list[Any]) -> list[Any]:
        if key == "items":
            return [self.of(item) for item in value]
        return [[self.of(first), self.of(second)] for first, second in value]

    def _target(self, value: dict[Any, Any]) -> dict[str, Any]:
        name = _colon(value["_target_"])
        if value.get("_call_") is False:
            return {TAG: "object", "name": name}
        document: dict[str, Any] = {
            TAG: "partial" if value.get("_partial_") else "config",
            "target": name,
        }
        positional = value.get("_positional_") or list(enumerate(value.get("_args_", ())))
        if positional:
            document["positional"] = [[key, self.of(item)] for key, item in positional]
        if "_tags_" in value:
            document["tags"] = value["_tags_"]
        arguments = {k: v for k, v in value.items() if k not in _RESERVED}
        arguments.update((_data(k), v) for k, v in value.get("_arguments_", ()))
        document["arguments"] = {str(name): self.of(item) for name, item in arguments.items()}
        return document


def _without(mapping: dict[Any, Any], key: str) -> dict[Any, Any]:
    return {name: value for name, value in mapping.items() if name != key}


def _plain(value: Any) -> Any:
    # What YAML itself has more than JSON: dates, bytes, sets, special floats.
    return worker.Writer().document(value)


def _data(value: Any) -> Any:
    """Return a part that is plain data, with text that YAML cannot hold put back."""
    if type(value) is dict and value.get("_type_") == "str":
        return json.loads(value["json"])
    return [_data(item) for item in value] if type(value) is list else value


def _is_safe(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _safe(text: str) -> Any:
    return text if _is_safe(text) else {"_type_": "str", "json": json.dumps(text)}


def _is_native_key(key: Any) -> bool:
    return type(key) is not str or (key not in _RESERVED and _is_safe(key))


def _dotted(name: str) -> str:
    # A name inside a class keeps the colon: where the module ends could not be told otherwise.
    module, _, qualname = name.partition(":")
    return name if "." in qualname else f"{module}.{qualname}"


def _colon(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ConfigError(f"_target_ must be the dotted name of a function or class, not {name!r}.")
    if ":" in name:
        return name
    module, _, qualname = name.rpartition(".")
    return f"{module or 'builtins'}:{qualname}"
