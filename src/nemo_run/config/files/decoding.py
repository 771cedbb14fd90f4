"""Plain data of a file to the values that it spells; each node knows the lines it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node
from nemo_run.exceptions import ConfigError, OverrideError

from .names import meant
from .reading import GraphReader
from .spelling import RESERVED, document_of

if TYPE_CHECKING:
    from .source import Source

Path = tuple[Any, ...]


def decoded(data: Any, source: Source, path: Path = (), *, taker: Any = None) -> Any:
    """Return the value that a part of a file spells; nothing of the user's is imported.

    Args:
        data: Plain data.
        source: The file that it is from.
        path: Where it stands in the file.
        taker: The function or class that takes the value, where it is known.

    Raises:
        OverrideError: It spells no value. The message begins with the file.
    """
    steps: list[Any] = []
    try:
        document = document_of(data, steps, lambda name: meant(name, taker))
    except OverrideError:
        raise
    except ConfigError as error:
        raise source.fault(str(error), (*path, *steps)) from error
    reader = GraphReader()
    try:
        value = reader.read(document)
    except Exception as error:
        place = [step[0] if type(step) is tuple else step for step in reader.path]
        raise source.fault(_why(error), (*path, *place)) from error
    _Marks(source).note(data, value, path)
    return value


def _why(error: Exception) -> str:
    if isinstance(error, ConfigError):
        return str(error)
    if isinstance(error, KeyError):
        return f"What _type_ spells here lacks {error}."
    return f"What _type_ spells here cannot be read: {error}".rstrip(".") + "."


class _Marks:
    """Tells each node on which lines its arguments stand."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.seen: set[int] = set()

    def note(self, data: Any, value: Any, path: Path) -> None:
        if type(data) not in (dict, list) or id(data) in self.seen:
            return
        self.seen.add(id(data))
        if is_node(value):
            self.node(data, value, path)
        elif type(data) is list and type(value) is list and len(data) == len(value):
            for index, item in enumerate(data):
                self.note(item, value[index], (*path, index))
        elif type(data) is dict and type(value) is dict and data.keys() == value.keys():
            for key, item in data.items():
                self.note(item, value[key], (*path, key))

    def node(self, data: Any, node: Any, path: Path) -> None:
        if type(data) is not dict:
            return
        place = self.source.line((*path, "_target_"))
        history = node.__argument_history__
        history.add("__fn_or_cls__", node.__target__, ("file", self.source.file, place), None)
        for key, item, inside in self.arguments(data, path):
            if key not in node.__arguments__:
                continue
            value = node.__arguments__[key]
            line = self.source.line(inside)
            history.add(key, value, ("file", self.source.file, line), None)
            self.note(item, value, inside)

    def arguments(self, data: dict[Any, Any], path: Path) -> list[tuple[Any, Any, Path]]:
        found = [(key, item, (*path, key)) for key, item in data.items() if key not in RESERVED]
        for name, items in (("_args_", None), ("_arguments_", 1)):
            given = data.get(name)
            for index, item in enumerate(given if type(given) is list else ()):
                inside = (*path, name, index)
                if items is None:
                    found.append((index, item, inside))
                elif type(item) is list and len(item) == 2:
                    found.append((item[0], item[1], inside))
        return [entry for entry in found if isinstance(entry[0], (str, int))]
