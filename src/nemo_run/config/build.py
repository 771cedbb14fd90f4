"""From a graph to what it describes."""

from __future__ import annotations

import sys
from typing import Any

from nemo_run.exceptions import ConfigError

from .defaults import ATOMS
from .node import is_node, target_name
from .reference import Deferred
from .traverse import join, step


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
        Exception: What a target raised, with the path to its node in the message.
    """
    return _Building().build(value, "")


class _Building:
    """One run over a graph; remembers what it made, by identity."""

    def __init__(self) -> None:
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
        if is_node(value):
            result = self._guarded(value, path)
        elif kind is list:
            result = [self.build(v, f"{path}[{i}]") for i, v in enumerate(value)]
        elif kind is dict:
            result = {k: self.build(v, f"{path}[{k!r}]") for k, v in value.items()}
        elif kind is tuple:
            result = tuple([self.build(v, f"{path}[{i}]") for i, v in enumerate(value)])
        elif kind is set:
            result = set(value)
        elif isinstance(value, tuple) and hasattr(kind, "_fields"):
            result = kind._make(self.build(getattr(value, f), f"{path}.{f}") for f in kind._fields)
        elif kind is Deferred:
            result = self.build(value.resolve(), path)
        else:
            return value
        self.made[id(value)] = (value, result)
        return result

    def _guarded(self, node: Any, path: str) -> Any:
        if id(node) in self.open:
            raise ConfigError(f"the configuration at {path or 'the root'} holds itself.")
        self.open.add(id(node))
        try:
            return self._call(node, path)
        finally:
            self.open.discard(id(node))

    def _call(self, node: Any, path: str) -> Any:
        arguments = {
            key: self.build(value, join(path, step(key)))
            for key, value in node.__arguments__.items()
        }
        try:
            args, kwargs = node.__signature_info__.transform_to_args_kwargs(arguments)
            return node.__build__(*args, **kwargs)
        except Exception as error:
            if error is not self.told:
                self.told = error
                _tell(error, _context(node, path))
            raise


def _context(node: Any, path: str) -> str:
    where = f"at {path}" if path else "at the root"
    made = node.__argument_history__.get("__fn_or_cls__")
    place = getattr(made[-1], "location", None) if made else None
    configured = f", configured at {place}" if place and place.line_number else ""
    return f"(while building {type(node).__name__}[{target_name(node)}] {where}{configured})"


def _tell(error: BaseException, text: str) -> None:
    """Add ``text`` to what the user reads of ``error``, without changing its type."""
    if sys.version_info >= (3, 11):
        error.add_note(text)
        return
    # 3.10 shows no notes; most exceptions show their first argument.
    if error.args and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}\n{text}", *error.args[1:])
    else:
        vars(error)["__notes__"] = [*getattr(error, "__notes__", []), text]
