"""What differs between two configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nemo_run.config.graph.compare import same, same_target, value_or_default
from nemo_run.config.graph.defaults import DICTS, MISSING, converted
from nemo_run.config.graph.node import is_node, target_of
from nemo_run.config.graph.positions import ordered
from nemo_run.config.graph.traverse import children, join, step

from .outline import MANY, Row, holds_nodes, node_text, outline, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .picture import Picture


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        path: Where, such as ``model.layers[0].lr``; empty for the root.
        kind: What happened there.
        old: The old value as text; empty when it was added.
        new: The new value as text; empty when it was removed.
    """

    path: str
    kind: Literal["added", "removed", "changed"]
    old: str
    new: str

    def __str__(self) -> str:
        place = self.path or "(root)"
        if self.kind == "added":
            return f"+ {place} = {self.new}"
        if self.kind == "removed":
            return f"- {place} = {self.old}"
        return f"~ {place}: {self.old} → {self.new}"


class Diff:
    """The differences of two configurations, as data, as text and as a picture.

    It is false when there are none.

    Attributes:
        changes: The differences, in the order of the new configuration.
        root: The rows to draw, with marks.
    """

    def __init__(self, root: Row, changes: tuple[Change, ...]) -> None:
        self.root = root
        self.changes = changes

    @property
    def text(self) -> str:
        """One line a difference."""
        return "\n".join(map(str, self.changes)) or "no differences"

    @property
    def tree(self) -> str:
        """The differences where they are in the graph."""
        from .printing import lines_of

        return lines_of(self.root)

    @property
    def picture(self) -> Picture:
        """The same, drawn."""
        from .picture import Picture

        return Picture(self.root, self.text)

    @property
    def svg(self) -> str:
        """The picture as SVG."""
        return self.picture.svg

    def save(self, path: str) -> str:
        """Write the picture to a ``.svg`` or ``.png`` file and return the path."""
        return self.picture.save(path)

    def _repr_svg_(self) -> str:
        return self.svg

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __len__(self) -> int:
        return len(self.changes)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


def diff(new: Any, old: Any, trim: bool = True) -> Diff:
    """Compare two configurations, or two dataclass objects.

    Args:
        new: The one that is asked about.
        old: What it is compared with.
        trim: Keep only what differs in the tree and the picture.
    """
    root = _Comparison().row("", converted(old), converted(new), "")
    changes = tuple(_changes(root))
    if trim:
        _trim(root)
    return Diff(root, changes)


def _marked(name: str, old: Any, new: Any, path: str) -> Row:
    """Return the row of a value that is on one side only, or different on both."""
    shown = outline(old if new is MISSING else new)
    row = Row(name, shown.text, path, shown.rows, is_node=shown.is_node)
    if old is MISSING:
        row.mark, row.new = "+", _text(new)
    elif new is MISSING:
        row.mark, row.old = "-", _text(old)
    else:
        row.mark, row.old, row.new = "~", _text(old), _text(new)
        row.text = f"{row.old} → {row.new}"
        row.rows = [] if not is_node(new) else shown.rows
    if row.mark in ("+", "-"):
        _mark_all(row.rows, row.mark)
    return row


def _mark_all(rows: list[Row], mark: Any) -> None:
    for row in rows:
        row.mark = mark
        _mark_all(row.rows, mark)


def _text(value: Any) -> str:
    return repr(value) if is_node(value) else value_text(value)


class _Comparison:
    """One walk through both graphs; each pair of nodes is looked at once."""

    def __init__(self) -> None:
        self.old_paths: dict[int, str] = {}
        self.new_paths: dict[int, str] = {}

    def row(self, name: str, old: Any, new: Any, path: str) -> Row:
        if old is MISSING or new is MISSING:
            return _marked(name, old, new, path)
        if is_node(old) and is_node(new):
            return self._nodes(name, old, new, path)
        pairs = _pairs(old, new)
        if pairs is None or not _any_inside(old, new):
            return (
                Row(name, value_text(new), path)
                if same(old, new)
                else _marked(name, old, new, path)
            )
        row = Row(name, type(new).__name__, path)
        row.rows = [
            self.row(part.removeprefix("."), a, b, join(path, part)) for part, a, b in pairs
        ]
        return row

    def _nodes(self, name: str, old: Any, new: Any, path: str) -> Row:
        before, now = self.old_paths.get(id(old)), self.new_paths.get(id(new))
        row = Row(name, node_text(new), path, is_node=True)
        if before is not None and before == now:
            row.same_as, row.note = now, f"the same as {now or 'the root'}"
            return row
        if before != now:
            row.mark, row.old, row.new = "~", _identity(before), _identity(now)
            row.note = f"{row.old} → {row.new}"
        self.old_paths.setdefault(id(old), path)
        self.new_paths.setdefault(id(new), path)
        if type(old) is not type(new) or not same_target(target_of(old), target_of(new)):
            row.mark, row.old, row.new = "~", node_text(old), node_text(new)
            row.text = f"{row.old} → {row.new}"
        row.rows = list(self._arguments(old, new, path))
        return row

    def _arguments(self, old: Any, new: Any, path: str) -> Iterator[Row]:
        one_target = same_target(target_of(old), target_of(new))
        for key in {**ordered(new), **ordered(old)}:
            a = old.__arguments__.get(key, MISSING)
            b = new.__arguments__.get(key, MISSING)
            if one_target:
                a, b = value_or_default(old, key), value_or_default(new, key)
            part = step(key)
            yield self.row(part.removeprefix("."), a, b, join(path, part))


def _identity(path: str | None) -> str:
    return "an object of its own" if path is None else f"the same object as {path or 'the root'}"


def _any_inside(old: Any, new: Any) -> bool:
    # Small plain containers read better as one change than as one a item.
    # What is cut where it is shown would hide the difference.
    return any(holds_nodes(v) or type(v) in DICTS or len(v) > MANY for v in (old, new))


def _pairs(old: Any, new: Any) -> list[tuple[str, Any, Any]] | None:
    """Return what two containers of one kind hold, side by side; None when they are no such."""
    if type(old) is not type(new):
        return None
    before, now = children(old), children(new)
    if type(new) in DICTS:
        a, b = dict(before), dict(now)
        return [(part, a.get(part, MISSING), b.get(part, MISSING)) for part in {**b, **a}]
    if not isinstance(new, (list, tuple)):
        return None
    return _aligned([value for _, value in before], [value for _, value in now])


def _aligned(old: list[Any], new: list[Any]) -> list[tuple[str, Any, Any]]:
    # What both begin and end with stays; between, items are paired in order.
    longest = max(len(old), len(new))
    tail = 0
    if len(old) != len(new):
        head = 0
        while head < min(len(old), len(new)) and same(old[head], new[head]):
            head += 1
        while tail < min(len(old), len(new)) - head and same(old[-1 - tail], new[-1 - tail]):
            tail += 1
    missing = [MISSING] * abs(len(old) - len(new))
    cut_old, cut_new = len(old) - tail, len(new) - tail
    left = old[:cut_old] + (missing if len(old) < longest else []) + old[cut_old:]
    right = new[:cut_new] + (missing if len(new) < longest else []) + new[cut_new:]
    return [(f"[{index}]", a, b) for index, (a, b) in enumerate(zip(left, right, strict=True))]


def _changes(row: Row) -> Iterator[Change]:
    if row.mark == "+":
        yield Change(row.path, "added", "", row.new)
        return
    if row.mark == "-":
        yield Change(row.path, "removed", row.old, "")
        return
    if row.mark == "~":
        yield Change(row.path, "changed", row.old, row.new)
    for inner in row.rows:
        yield from _changes(inner)


def _trim(row: Row) -> bool:
    """Drop rows without a difference; tell whether one is left."""
    if row.mark in ("+", "-"):
        return True
    row.rows = [inner for inner in row.rows if _trim(inner)]
    return bool(row.rows) or bool(row.mark)
