"""Graphs as plain data that people write: ``_target_`` and arguments beside it.

========================  ===========================================================
``_target_``              a Config of ``module.name``; its arguments stand beside it
``_partial_: true``       … a Partial instead
``_call_: false``         … the function or class itself
``_args_``                … arguments by position
``_type_``                a value of another type, with the keys of the JSON form
the same object again     the same object: an anchor of YAML, ``_same_as_`` elsewhere
========================  ===========================================================

This is the plain data; how it becomes text is in :mod:`.yaml_text`, :mod:`.toml_text` and
:mod:`.json_text`. Hydra's spelling of objects is the same, and what it has more is read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ConfigError
from nemo_run.worker import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TAG = worker.TAG
RESERVED = frozenset(
    {"_target_", "_partial_", "_call_", "_args_", "_positional_", "_arguments_", "_tags_"}
    | {"_type_", "_factory_", "_same_as_", "_recursive_", "_convert_"}
)
_NATIVE_KEYS = (str, int, bool)

# The parts of a value's JSON form that name a class, a function or a module.
_NAMES = ("class", "name")


def spell(document: Any, *, reserved: Iterable[str] = (), name: Callable[[str], str] = str) -> Any:
    """Return the plain data of the JSON form of a graph; shared parts are one object.

    Args:
        document: What :func:`nemo_run.config.files.codec.encode` returned.
        reserved: Names that would mean something else beside ``_target_`` of the root.
        name: Gives the ``module:qualname`` that is written for one of the graph.
    """
    return _Spelling(frozenset(reserved), name).of(document)


def document_of(data: Any, path: list[Any] | None = None, name: Callable[[str], str] = str) -> Any:
    """Return the JSON form of the graph that plain data describes.

    Args:
        data: Dicts, lists and scalars.
        path: Is given the keys and indices that lead to what is wrong.
        name: Gives the ``module:qualname`` that a written one means.

    Raises:
        ConfigError: It describes none.
    """
    try:
        return _Reading(data, [] if path is None else path, name).of(data)
    except ConfigError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ConfigError(
            f"It describes no configuration: {type(error).__name__}: {error}."
        ) from error


class _Spelling:
    """From the JSON form to plain data."""

    def __init__(self, reserved: frozenset[str], name: Callable[[str], str]) -> None:
        self.shared: dict[int, Any] = {}
        self.reserved = reserved
        self.name = name

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
        if RESERVED.isdisjoint(fields) and all(_is_safe(key) for key in fields):
            return fields
        return {"_type_": "dict", "entries": [[_safe(key), value] for key, value in fields.items()]}

    def _tagged(self, document: dict[str, Any]) -> Any:
        tag = document[TAG]
        if tag in ("config", "partial"):
            return self._node(document)
        if tag == "list":
            return self.of(document["items"])
        if tag == "dict":
            return self._tagged_dict(document)
        if tag == "object":
            return {"_target_": dotted(self.name(document["name"])), "_call_": False}
        if tag == "float" or (tag in ("date", "datetime") and document.keys() == {TAG, "value"}):
            return worker.MAKERS[tag](document)
        rest = {key: self.of(v) for key, v in document.items() if key not in (TAG, "id", "fields")}
        rest.update({key: self.name(rest[key]) for key in _NAMES if type(rest.get(key)) is str})
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
        node: dict[str, Any] = {"_target_": dotted(self.name(document["target"]))}
        if document[TAG] == "partial":
            node["_partial_"] = True
        positional = [[key, self.of(value)] for key, value in document.get("positional", ())]
        if [key for key, _ in positional] == list(range(len(positional))):
            if positional:
                node["_args_"] = [value for _, value in positional]
        else:
            node["_positional_"] = positional
        if "tags" in document:
            node["_tags_"] = {k: [*map(self.name, v)] for k, v in document["tags"].items()}
        reserved, self.reserved = self.reserved, frozenset()
        odd: list[list[Any]] = []
        for name, value in document.get("arguments", {}).items():
            # From the first odd one on, so that their order is kept.
            if odd or name in RESERVED or name in reserved or not _is_name(name):
                odd.append([_safe(name), self.of(value)])
            else:
                node[name] = self.of(value)
        if odd:
            node["_arguments_"] = odd
        return node


class _Reading:
    """From plain data to the JSON form."""

    def __init__(self, root: Any, path: list[Any], name: Callable[[str], str]) -> None:
        self.path = path
        self.name = name
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
        if kind is _Unread:
            return _as_data(value.data)
        if kind not in (dict, list):
            return value if kind in (str, int, bool, type(None)) else _plain(value)
        if self.times[id(value)] == 1:
            return self._dict(value) if kind is dict else self._list(value)
        return self._shared(value)

    def step(self, key: Any, value: Any) -> Any:
        """Read a part of what is being read."""
        self.path.append(key)
        document = self.of(value)
        self.path.pop()
        return document

    def _list(self, value: list[Any]) -> list[Any]:
        return [self.step(index, item) for index, item in enumerate(value)]

    def _shared(self, value: Any) -> Any:
        number = self.ids.setdefault(id(value), len(self.ids) + 1)
        if id(value) in self.done:
            return {TAG: "ref", "id": number}
        if id(value) in self.open:
            raise ConfigError("It has an anchor inside itself; a graph has no circles.")
        self.open.add(id(value))
        document = self._dict(value) if type(value) is dict else self._list(value)
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
            return {key: self.step(key, item) for key, item in value.items()}
        entries = [[self.of(key), self.step(key, item)] for key, item in value.items()]
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
                is_name = key in _NAMES and type(item) is str
                document[key] = self.name(item) if is_name else _data(item)
        return document

    def _parts(self, key: str, value: list[Any]) -> list[Any]:
        if key == "items":
            return [self.of(item) for item in value]
        return [[self.of(first), self.of(second)] for first, second in value]

    def _target(self, value: dict[Any, Any]) -> dict[str, Any]:
        name = self._named("_target_", value["_target_"])
        if value.get("_call_") is False:
            return {TAG: "object", "name": name}
        if name in _HYDRA_LOOKUPS and type(value.get("path")) is str:
            return {TAG: "object", "name": self._named("path", value["path"])}
        if value.get("_recursive_") is False:
            value = {key: item if key in RESERVED else _Unread(item) for key, item in value.items()}
        document: dict[str, Any] = {
            TAG: "partial" if value.get("_partial_") else "config",
            "target": name,
        }
        positional = value.get("_positional_") or list(enumerate(value.get("_args_", ())))
        if positional:
            document["positional"] = [[key, self.of(item)] for key, item in positional]
        if "_tags_" in value:
            document["tags"] = {k: [*map(self.name, v)] for k, v in value["_tags_"].items()}
        arguments = {k: v for k, v in value.items() if k not in RESERVED}
        arguments.update((_data(k), v) for k, v in value.get("_arguments_", ()))
        document["arguments"] = {str(key): self.step(key, item) for key, item in arguments.items()}
        return document

    def _named(self, key: str, written: Any) -> str:
        self.path.append(key)
        name = self.name(colon(written))
        self.path.pop()
        return name


# These give what a name leads to, as ``_call_: false`` does.
# https://hydra.cc/docs/advanced/instantiate_objects/overview
_HYDRA_LOOKUPS = frozenset(
    f"hydra.utils:{name}" for name in ("get_class", "get_method", "get_static_method", "get_object")
)


class _Unread:
    """Data that is given as it is: Hydra's ``_recursive_: false`` makes no objects of it."""

    def __init__(self, data: Any) -> None:
        self.data = data


def _as_data(value: Any) -> Any:
    if type(value) is list:
        return [_as_data(item) for item in value]
    if type(value) is not dict:
        return _plain(value)
    return {
        TAG: "dict",
        "entries": [[_plain(key), _as_data(item)] for key, item in value.items()],
    }


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


def _is_name(name: str) -> bool:
    """Whether a key with this name is an argument wherever it stands in a file."""
    return _is_safe(name) and not name.endswith("=") and "." not in name and "[" not in name


def _safe(text: str) -> Any:
    return text if _is_safe(text) else {"_type_": "str", "json": json.dumps(text)}


def _is_native_key(key: Any) -> bool:
    return type(key) is not str or (key not in RESERVED and _is_safe(key))


def dotted(name: str) -> str:
    """Return how ``module:qualname`` is written."""
    # A name inside a class keeps the colon: where the module ends could not be told otherwise.
    module, _, qualname = name.partition(":")
    return name if "." in qualname else f"{module}.{qualname}"


def colon(name: Any) -> str:
    """Return the ``module:qualname`` that a written name means."""
    parts = name.replace(":", ".", 1).split(".") if isinstance(name, str) else [""]
    if not all(part and part == part.strip() and ":" not in part for part in parts):
        raise ConfigError(f"_target_ must be the dotted name of a function or class, not {name!r}.")
    if ":" in name:
        return str(name)
    module, _, qualname = name.rpartition(".")
    return f"{module or 'builtins'}:{qualname}"
