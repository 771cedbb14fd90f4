"""From a graph to what it describes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeVar, overload

from nemo_run.config.secret import Secret, built
from nemo_run.exceptions import ArgumentError, ConfigError

from .defaults import ATOMS, DICTS, is_record
from .node import is_node, target_name
from .reference import Deferred
from .traverse import children, join, step

if TYPE_CHECKING:
    import functools

    from .node import Config, Partial


T = TypeVar("T")


@overload
def build(value: Config[T]) -> T: ...


@overload
def build(value: Partial[T]) -> functools.partial[T]: ...


@overload
def build(value: Any) -> Any: ...


def build(value: Any) -> Any:
    """Build a configuration, or any value with configurations in it.

    Each Config calls its target, each Partial becomes a :func:`functools.partial`, lists,
    tuples, dicts and sets become new ones. A node that is used twice is built once.

    Args:
        value: A node, or a list, tuple or dict that holds some.

    Returns:
        What it describes; values without configurations as they are.

    Raises:
        ConfigError: The graph holds itself, or a target cannot be imported.
        ArgumentError: A node lacks an argument; a TypeError.
        Exception: What a target raised, with the path to its node in the message.
    """
    root = target_name(value) if is_node(value) else type(value).__name__
    return _Building(root).build(value, "")


class _Building:
    """One run over a graph; remembers what it made, by identity."""

    def __init__(self, root: str) -> None:
        self.root = root
        # The source is kept beside its result: its identity must stay its own.
        self.made: dict[int, tuple[Any, Any]] = {}
        self.open: set[int] = set()
        self.told: BaseException | None = None

    def build(self, value: Any, path: str) -> Any:
        kind = type(value)
        if kind in ATOMS:
            return value
        known = self.made.get(id(value))
        if known is not None:
            return known[1]
        result = value
        if is_node(value):
            result = self._node(value, path)
        elif kind in DICTS:
            result = value.copy()
            for key, item in value.items():
                result[key] = self.build(item, f"{path}[{key!r}]")
        elif kind is list or kind is tuple or is_record(value):
            result = self._sequence(value, path)
        elif kind is set:
            result = set(value)
        elif kind is Deferred:
            result = self.build(value.resolve(), path)
        elif kind is Secret:
            result = built(value)
        self.made[id(value)] = (value, result)
        return result

    def _sequence(self, value: Any, path: str) -> Any:
        items = []
        for part, item in children(value):
            items.append(self.build(item, join(path, part)))
        return type(value)._make(items) if is_record(value) else type(value)(items)

    def _node(self, node: Any, path: str) -> Any:
        if id(node) in self.open:
            raise ConfigError(
                f"The configuration at {path or 'the root'} holds itself, so it can never be built."
            )
        self.open.add(id(node))
        arguments: dict[Any, Any] = {}
        for key, value in node.__arguments__.items():
            arguments[key] = self.build(value, join(path, step(key)))
        self.open.discard(id(node))
        try:
            args, kwargs = node.__signature_info__.transform_to_args_kwargs(arguments)
            return node.__build__(*args, **kwargs)
        except Exception as error:
            lacking = self._lacking(node, path) if isinstance(error, TypeError) else None
            told = ArgumentError(lacking) if lacking else error
            if told is not self.told:
                self.told = told
                tell(told, _context(node, path))
            if told is error:
                raise
            raise told from None

    def _lacking(self, node: Any, path: str) -> str | None:
        from nemo_run.config.checks.check import missing

        return missing(self.root, path, node)


def _context(node: Any, path: str) -> str:
    where = f"at {path}" if path else "at the root"
    made = node.__argument_history__.get("__fn_or_cls__")
    place = getattr(made[-1], "location", None) if made else None
    configured = f", configured at {place}" if place and place.line_number else ""
    return f"(while building {type(node).__name__}[{target_name(node)}] {where}{configured})"


def tell(error: BaseException, text: str) -> None:
    """Add ``text`` to what the user reads of ``error``, without changing its type."""
    if sys.version_info >= (3, 11):
        error.add_note(text)
        return
    # 3.10 shows no notes; most exceptions show their first argument.
    if error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}\n{text}", *error.args[1:])
    else:
        vars(error)["__notes__"] = [*getattr(error, "__notes__", []), text]
