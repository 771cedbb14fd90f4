"""A graph as rows with rows inside: what trees, pictures and diffs are drawn from."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

from nemo_run.config.graph.compare import value_or_default
from nemo_run.config.graph.defaults import ATOMS, MISSING
from nemo_run.config.graph.node import is_node, target_of
from nemo_run.config.graph.positions import ordered
from nemo_run.config.graph.reference import Reference
from nemo_run.config.graph.signature import display_name
from nemo_run.config.graph.traverse import children, join, step

Mark = Literal["", "+", "-", "~"]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_INLINE = 60
MANY = 30
_CONTAINERS = (list, tuple, dict, set, frozenset)


@dataclass
class Row:
    """One value.

    Attributes:
        name: Its argument or item: ``lr``, ``[0]``; empty for the root.
        text: The value, or for a node what it calls.
        path: Where it is.
        rows: What it holds.
        mark: In a diff: added, removed or changed.
        note: Where it was set, or which earlier row is the same object.
        same_as: The path of that earlier row.
        is_node: Whether it is a node.
        is_default: Whether it is the default of an argument that is not set.
        old: In a diff, the old value as text.
        new: In a diff, the new value as text.
    """

    name: str
    text: str
    path: str = ""
    rows: list[Row] = field(default_factory=list)
    mark: Mark = ""
    note: str = ""
    same_as: str | None = None
    is_node: bool = False
    is_default: bool = False
    old: str = ""
    new: str = ""


def outline(value: Any, *, history: bool = False, defaults: bool = False) -> Row:
    """Return the rows of a graph.

    Args:
        value: The root.
        history: Note beside each argument where it was set.
        defaults: Show arguments that are not set, too.
    """
    return _Outliner(history=history, defaults=defaults).row("", value, "")


class _Outliner:
    def __init__(self, *, history: bool, defaults: bool) -> None:
        self.history = history
        self.defaults = defaults
        self.first: dict[int, tuple[str, Any]] = {}

    def row(self, name: str, value: Any, path: str) -> Row:
        if is_node(value):
            return self._node(name, value, path)
        if not holds_nodes(value):
            return Row(name, value_text(value), path)
        row = Row(name, type(value).__name__, path)
        if self._is_known(value, row):
            return row
        for part, child in children(value):
            row.rows.append(self.row(part.removeprefix("."), child, join(path, part)))
        return row

    def _node(self, name: str, node: Any, path: str) -> Row:
        row = Row(name, node_text(node), path, is_node=True)
        if self._is_known(node, row):
            return row
        for key, value in ordered(node).items():
            part = step(key)
            child = self.row(part.removeprefix("."), value, join(path, part))
            if self.history:
                child.note = child.note or where_set(node, key)
            row.rows.append(child)
        if self.defaults:
            row.rows += _default_rows(node, path)
        return row

    def _is_known(self, value: Any, row: Row) -> bool:
        if id(value) in self.first:
            row.same_as = self.first[id(value)][0]
            row.note = f"the same as {row.same_as or 'the root'}"
            return True
        self.first[id(value)] = (row.path, value)
        return False


def _default_rows(node: Any, path: str) -> list[Row]:
    rows: list[Row] = []
    if isinstance(target_of(node), Reference):  # not imported, so not known
        return rows
    for name, key in getattr(node.__signature_info__, "keys", {}).items():
        if key in node.__arguments__:
            continue
        value = value_or_default(node, key)
        if value is not MISSING:
            text = node_text(value) if is_node(value) else value_text(value)
            rows.append(Row(name, text, join(path, step(key)), note="default", is_default=True))
    return rows


def holds_nodes(value: Any) -> bool:
    """Whether a list, tuple or dict holds a node, at any depth, or reads better on many lines."""
    if type(value) in ATOMS or is_node(value):
        return False
    inside = children(value)
    if not inside:
        return False
    if any(is_node(child) or holds_nodes(child) for _, child in inside):
        return True
    return 1 < len(inside) <= MANY and len(value_text(value)) > _INLINE


def node_text(node: Any) -> str:
    """Return ``Config[Llama]``."""
    return f"{type(node).__name__}[{display_name(target_of(node))}]"


def value_text(value: Any) -> str:
    """Return a value as Python would write it, the same on every run, on one line."""
    if type(value) in _CONTAINERS:
        return _container_text(value)
    if isinstance(value, Reference):
        return value.qualname
    if callable(value) and isinstance(getattr(value, "__qualname__", None), str):
        return str(value.__qualname__)
    return _ADDRESS.sub("", safe_repr(value)).replace("\n", "\\n")


def safe_repr(value: Any) -> str:
    """Return ``repr(value)``, or a text that says why there is none."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  (whatever a value's own repr raises)
        return f"<{type(value).__name__}, whose repr fails with {type(error).__name__}>"


def _container_text(value: Any) -> str:
    kind = type(value)
    if kind is dict:
        pairs = [f"{k!r}: {value_text(v)}" for k, v in islice(value.items(), MANY)]
        return f"{{{', '.join(pairs + _rest(value))}}}"
    # A set has no order of its own.
    ordered_items = sorted(value, key=safe_repr) if kind in (set, frozenset) else value
    items = [value_text(item) for item in islice(ordered_items, MANY)] + _rest(value)
    if kind is list:
        return f"[{', '.join(items)}]"
    if kind is tuple:
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    return f"{{{', '.join(items)}}}" if items else f"{kind.__name__}()"


def _rest(value: Any) -> list[str]:
    return [f"… {len(value) - MANY} more"] if len(value) > MANY else []


def where_set(node: Any, key: str | int) -> str:
    """Return where an argument was last set: ``train.py:12``, ``file conf.yaml:3``, ``default``."""
    entries = node.__argument_history__.get(key)
    if not entries:
        return ""
    entry = entries[-1]
    told = getattr(entry, "where", None)
    return str(told()) if told else str(entry.location)
