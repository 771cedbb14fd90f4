"""Graphs as JSON and back, without loss.

The format is described in ``docs/task-format.md``; its reader, without the graph, is in
:mod:`nemo_run.worker.worker`, which travels with the job. Reading here makes nodes whose
targets are names and, for values that only the user's code can make, stand-ins: no module is
imported because a file says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.history import Shown, summary
from nemo_run.config.graph.node import is_node, target_of
from nemo_run.config.graph.reference import Deferred, Reference
from nemo_run.exceptions import ConfigError, SerializationError
from nemo_run.worker import worker

from . import written
from .reading import GraphReader, argument_step, rebuilt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


TAG = worker.TAG


def dumps(value: Any, *, where: str = "") -> str:
    """Return the JSON text of a graph: deterministic, and laid out to be read.

    Args:
        value: A node, or anything that configurations may hold.
        where: What the errors call it, such as ``task 'train'``.

    Raises:
        SerializationError: Something in it cannot travel; every such path is named.
    """
    from .json_layout import layout

    writer = _written(value, where)
    document = {"format": worker.FORMAT, "version": worker.VERSION, "value": writer.result}
    if writer.history:
        document["history"] = {"files": list(writer.files), "nodes": writer.history}
    try:
        return layout(document)
    except RecursionError:
        raise _too_deep(where) from None


def loads(text: str) -> Any:
    """Return the graph of a JSON text. Nothing of the user's is imported.

    Raises:
        ConfigError: The text is no such document, or one of a newer format.
    """
    import json

    try:
        document = worker.checked(json.loads(text), worker.FORMAT)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The text is not a configuration: {error}") from error
    if "value" not in document:
        raise ConfigError("The text is not a configuration: it has no value.")
    return _read(document["value"], document.get("history") or {})


def encode(value: Any) -> Any:
    """Return a graph as plain JSON data, without format and history.

    Raises:
        SerializationError: Something in it cannot travel.
    """
    return _written(value, "").result


def decode(data: Any) -> Any:
    """Return the graph that :func:`encode` described.

    Raises:
        ConfigError: The data is no such description.
    """
    return _read(data, {})


def check(value: Any, *, where: str = "") -> None:
    """Raise if anything in a graph cannot be written and read back.

    Raises:
        SerializationError: One line for each such value: its path, its type, what to do.
    """
    _written(value, where)


def _written(value: Any, where: str) -> GraphWriter:
    writer = GraphWriter()
    try:
        writer.result = writer.document(value)
    except RecursionError:
        raise _too_deep(where) from None
    if writer.problems:
        raise SerializationError(written.explanation(writer.problems, where))
    return writer


def _too_deep(where: str) -> SerializationError:
    return SerializationError(
        f"{where or 'The configuration'} is nested too deeply to be written; make it flatter."
    )


def _read(data: Any, history: Mapping[str, Any]) -> Any:
    reader = GraphReader()
    try:
        value = reader.read(data)
        reader.restore_history(history)
    except ConfigError:
        raise
    except Exception as error:
        place = worker.path_text(reader.path) or "its root"
        raise ConfigError(
            f"The configuration cannot be read at {_short(place)}: "
            f"{type(error).__name__}: {error}. Its file is damaged, or was "
            "changed to something that the task format does not have."
        ) from error
    return value


def _short(place: str) -> str:
    return place if len(place) <= _LONGEST else f"{place[: _LONGEST - 3]}..."


_LONGEST = 200


class GraphWriter(worker.Writer):
    """Writes graphs: nodes, and every type that configurations hold.

    Attributes:
        result: The document, once written.
        history: For each node's path, where its arguments came from.
        files: The files that the history names, each once, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.result: Any = None
        self.history: dict[str, list[Any]] = {}
        self.files: dict[str, int] = {}
        self._setters: list[tuple[int, Any]] = []

    def describe(self, value: Any) -> Any:
        """Return the parts of a value; see :func:`worker.describe`."""
        if type(value) is Deferred:
            return rebuilt(value.document, value.children)
        if type(value) is Reference:
            return {TAG: "object", "name": f"{value.module}:{value.qualname}"}
        if is_node(value):
            return _describe_node(value)
        return written.describe(value)

    def refuse(self, value: Any, why: str) -> Any:
        """Note the problem, with the line that set the value where it is known."""
        document = super().refuse(value, why)
        path, found, reason = self.problems[-1]
        place = self._place()
        self.problems[-1] = (path, found, f"{reason} It was set at {place}." if place else reason)
        return document

    def fill(self, parts: Any) -> Any:
        """Write the values inside of parts; a node's are its arguments."""
        if type(parts) is not dict or parts[TAG] not in ("config", "partial"):
            return super().fill(parts)
        node = parts.pop("node")
        self._keep_history(node)
        document = dict(parts)
        if "positional" in parts:
            document["positional"] = [[key, value] for key, value in parts["positional"]]
            for pair in document["positional"]:
                self._put_argument(node, pair[0], pair, 1, pair[1])
        document["arguments"] = arguments = dict(parts["arguments"])
        for name, value in parts["arguments"].items():
            self._put_argument(node, name, arguments, name, value)
        if not arguments:
            del document["arguments"]
        return document

    def _put_argument(self, node: Any, name: str | int, parent: Any, key: Any, value: Any) -> None:
        self._setters.append((len(self.path), (node, name)))
        self.put_step(argument_step(name), parent, key, value)
        self._setters.pop()

    def _place(self) -> str:
        if not self._setters:
            return ""
        node, name = self._setters[-1][1]
        entries = node.__argument_history__.get(name)
        location = getattr(entries[-1], "location", None) if entries else None
        if location is None or not location.line_number:
            return ""
        return f"{location.filename}:{location.line_number}"

    def _keep_history(self, node: Any) -> None:
        entries = [e for entries in node.__argument_history__.values() for e in entries]
        entries.sort(key=lambda entry: entry.sequence_id)
        if entries:
            self.history[worker.path_text(self.path)] = [self._entry(entry) for entry in entries]

    def _entry(self, entry: Any) -> list[Any]:
        value = summary(entry.new_value)
        # Plain: beside fiddle it is a subclass of str, and fiddle's own entries have an enum.
        kind = str(entry.kind) if isinstance(entry.kind, str) else "python"
        line: list[Any] = [entry.param_name, kind, _history_value(value)]
        place = entry.location
        if place is not None and place.line_number:
            file = self.files.setdefault(place.filename, len(self.files))
            line += [file, place.line_number, place.function_name]
        return line


def _history_value(value: Any) -> Any:
    if worker.is_plain(value):
        return value
    if isinstance(value, Shown):
        return {"shown": str(value)}
    return worker.Writer().document(value) if value is not ... else {"shown": "..."}


def _describe_node(node: Any) -> dict[str, Any]:
    kinds = {kind.__name__ for kind in type(node).__mro__}
    if not kinds & {"Config", "Partial"}:
        raise worker.CannotTravel(
            f"a {type(node).__qualname__} is a node of a kind that only its own library builds. "
            "Use run.Config or run.Partial."
        )
    positional, named = _call_order(node)
    parts: dict[str, Any] = {
        TAG: "partial" if "Partial" in kinds else "config",
        "target": written.name_of(target_of(node)),
    }
    if positional:
        parts["positional"] = positional
    parts["arguments"] = named
    tags = {str(k): sorted(map(written.name_of, v)) for k, v in _tags(node).items() if v}
    if tags:
        parts["tags"] = tags
    # The node itself, for its history; taken out again when the parts are filled.
    parts["node"] = node
    return parts


def _tags(node: Any) -> Mapping[Any, Iterable[Any]]:
    return getattr(node, "__argument_tags__", None) or {}


def _call_order(node: Any) -> tuple[list[tuple[str | int, Any]], dict[str, Any]]:
    """Split the arguments of a node into those given by position, in order, and the others.

    The job has no signature to look at, so the order must be in the file.
    """
    stored = node.__arguments__
    last = max((key for key in stored if isinstance(key, int)), default=None)
    if last is None:
        return [], stored
    if isinstance(target_of(node), Reference):
        # Read from a file and not looked at since: still in the order of that file.
        keys = list(stored)
        split = keys.index(last) + 1
        first: Iterable[str | int] = keys[:split]
    else:
        first = _positional_keys(node, last)
    positional = [(key, _stored_or_default(node, key)) for key in first]
    taken = {key for key, _ in positional}
    return positional, {str(k): v for k, v in stored.items() if k not in taken}


def _positional_keys(node: Any, last: int) -> list[str | int]:
    keys: list[str | int] = []
    for index, (name, parameter) in enumerate(node.__signature_info__.parameters.items()):
        if index > last or parameter.kind is parameter.VAR_POSITIONAL:
            break
        keys.append(index if parameter.kind is parameter.POSITIONAL_ONLY else name)
    return keys + list(range(len(keys), last + 1))


def _stored_or_default(node: Any, key: str | int) -> Any:
    if key in node.__arguments__:
        return node.__arguments__[key]
    parameters = list(node.__signature_info__.parameters.values())
    name = key if isinstance(key, str) else parameters[key].name
    parameter = node.__signature_info__.parameters[name]
    if parameter.default is parameter.empty:
        raise worker.CannotTravel(
            f"its argument {name!r} has no value, and a later one is given by position. Set it."
        )
    return parameter.default
