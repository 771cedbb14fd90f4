"""From the JSON form of a graph to its nodes, without importing what the file names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.history import HistoryEntry, Shown, next_sequence
from nemo_run.config.graph.node import Config, Partial, is_node
from nemo_run.config.graph.reference import Deferred, Reference, resolved
from nemo_run.exceptions import ConfigError
from nemo_run.worker import worker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nemo_run.config.graph.node import Node

TAG = worker.TAG


def argument_step(name: str | int) -> Any:
    """Return the step to an argument, as paths have it."""
    return name if isinstance(name, int) or name.isidentifier() else (name,)


class GraphReader(worker.Reader):
    """Makes nodes instead of calling them, and leaves alone what needs the user's code."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: dict[str, Node[Any]] = {}

    def node(self, document: Mapping[str, Any]) -> Any:
        """Make the node that a document describes."""
        kind: type[Node[Any]] = Partial if document[TAG] == "partial" else Config
        place = worker.path_text(self.path)
        arguments: dict[str | int, Any] = {}
        for key, value in document.get("positional", ()):
            arguments[key] = self.step(argument_step(key), value)
        for name, value in document.get("arguments", {}).items():
            arguments[name] = self.step(argument_step(name), value)
        node = kind._restore(reference(document["target"]), arguments, {})  # noqa: SLF001 - made for this
        for name, tags in document.get("tags", {}).items():
            node.__argument_tags__[_key(name)].update(map(reference, tags))
        self.nodes[place] = node
        return node

    def make(self, parts: dict[str, Any]) -> Any:
        """Make a value, or its stand-in when that would import what the file names."""
        if parts[TAG] == "script":
            return _script(parts["fields"])
        if parts[TAG] == "secret":
            return _secret(parts)
        if _needs_import(parts) or _is_unready(parts):
            return Deferred(_hollow(parts), list(_children(parts)), _load)
        return super().make(parts)

    def restore_history(self, history: Mapping[str, Any]) -> None:
        """Give the nodes that were read their history."""
        files = history.get("files", [])
        for place, entries in history.get("nodes", {}).items():
            node = self.nodes.get(place)
            if node is None:
                continue  # the file was edited by hand
            for name, kind, value, *where in entries:
                entry = _history_entry(name, kind, value, where, files)
                node.__argument_history__.setdefault(name, []).append(entry)


def _secret(parts: Mapping[str, Any]) -> Any:
    from nemo_run.config.secret import Secret

    return Secret(parts["of"], **{n: parts[n] for n in ("env", "file", "keyring") if n in parts})


def _script(fields: Mapping[str, Any]) -> Any:
    """Return a Script as it was; its own rules have been at work when it was made."""
    from nemo_run.config.script import Script

    script = Script(inline="-")
    script.inline = ""
    for name, usual in vars(script).items():
        value = fields.get(name, usual)
        if type(value) is not type(usual):
            raise TypeError(f"{name} of a Script is no {type(value).__name__}")
        setattr(script, name, value)
    return script


def _history_entry(name: Any, kind: Any, value: Any, where: Any, files: Any) -> HistoryEntry:
    if isinstance(value, dict) and "shown" in value:
        value = Shown(value["shown"])
    else:
        value = GraphReader().read(value)
    index, line, function = where or (None, None, None)
    file = None if index is None else files[index]
    for given, kinds in ((kind, str), (file, _TEXT), (line, _NUMBER), (function, _TEXT)):
        if not isinstance(given, kinds):
            raise TypeError(f"the history of {name!r} holds {given!r}")
    return HistoryEntry(next_sequence(), name, kind, value, file, line, function)


_TEXT = (str, type(None))
_NUMBER = (int, type(None))


def reference(name: str) -> Reference:
    """Return the reference of ``module:qualname``."""
    module, _, qualname = name.partition(":")
    return Reference(module, qualname)


def _key(name: str) -> str | int:
    return int(name) if name.isdecimal() else name


# Names in these modules are harmless to look up, and the modules are loaded already.
_KNOWN = frozenset({"builtins", "types", "typing", "collections", "collections.abc"})


def _needs_import(parts: Mapping[str, Any]) -> bool:
    if parts[TAG] in ("method", "generic", "mappingproxy"):
        # Looking something up on a node loads its target.
        return is_node(parts["items"][0])
    if parts[TAG] not in worker.IMPORTING:
        return False
    return parts[TAG] != "object" or parts["name"].partition(":")[0] not in _KNOWN


def _is_unready(parts: Mapping[str, Any]) -> bool:
    """Whether a value cannot be made because one that it is made of is not made yet."""
    tag = parts[TAG]
    if tag in ("list", "tuple"):
        return False
    if tag == "dict":
        return any(_holds_deferred(key) for key, _ in parts.get("entries", ()))
    return any(map(_holds_deferred, _children(parts)))


def _holds_deferred(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        return any(map(_holds_deferred, value.values()))
    return kind is Deferred or (kind in (list, tuple) and any(map(_holds_deferred, value)))


def _children(parts: Mapping[str, Any]) -> Iterable[Any]:
    yield from parts.get("items", ())
    for pair in parts.get("entries", ()):
        yield from pair
    yield from parts.get("fields", {}).values()


def _hollow(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return parts without the values: only how many there are and what they are called."""
    document = dict(parts)
    document.pop("id", None)
    if "items" in parts:
        document["items"] = [None] * len(parts["items"])
    if "entries" in parts:
        document["entries"] = [[None, None]] * len(parts["entries"])
    if "fields" in parts:
        document["fields"] = dict.fromkeys(parts["fields"])
    return document


def rebuilt(document: Mapping[str, Any], children: Iterable[Any]) -> dict[str, Any]:
    """Put the values back into a hollow document."""
    following = iter(children)
    parts = dict(document)
    if "items" in parts:
        parts["items"] = [next(following) for _ in parts["items"]]
    if "entries" in parts:
        parts["entries"] = [(next(following), next(following)) for _ in parts["entries"]]
    if "fields" in parts:
        parts["fields"] = {name: next(following) for name in parts["fields"]}
    return parts


def _load(document: Mapping[str, Any], children: Iterable[Any]) -> Any:
    parts = rebuilt(document, [resolved(child) for child in children])
    try:
        return worker.MAKERS[parts[TAG]](parts)
    except (ImportError, AttributeError, LookupError) as error:
        name = parts.get("class") or parts.get("name") or parts[TAG]
        raise ConfigError(
            f"A value of the configuration needs {str(name).replace(':', '.')}, which cannot be "
            f"loaded: {type(error).__name__}: {error}. Make its module importable, or start "
            "from the folder that holds it."
        ) from error
