"""Where a value came from: everything that was said of it, and of what it is part of."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.history import HistoryEntry, Shown, summary
from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.reference import Deferred
from nemo_run.config.graph.signature import display_name, signature_info
from nemo_run.exceptions import OverrideError, nearest

from .grammar import MISSING, Item, key_of, parse_key
from .places import Place, Rest, descend, opened, rest_of, shown_step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from nemo_run.config.graph.history import Kind

    from .grammar import Step


@dataclass(frozen=True)
class Said:
    """One thing that was said of a value, or of what it is part of.

    Attributes:
        key: What it was said of.
        kind: What said it.
        value: The value, or a short text about it.
        file: The file, where known.
        line: The line, where known.
        function: The function around that line; for a default, what has it.
    """

    key: str
    kind: Kind
    value: Any
    file: str | None = None
    line: int | None = None
    function: str | None = None

    @property
    def place(self) -> str:
        """``file:line``, as far as known."""
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or ""


def chain(task: Any, key: str) -> list[Said]:
    """Return what was said of a value: its default first, what holds now last.

    What was said of the values around it (``model=small``) comes before what was said of itself.

    Args:
        task: A configuration; it is not changed.
        key: As on the command line: ``model.layers[0].width``.

    Raises:
        OverrideError: The key leads nowhere.
    """
    return list(_said(Place(task), parse_key(key), ()))


def _said(here: Place, steps: tuple[Step, ...], before: tuple[Step, ...]) -> Iterator[Said]:
    if not steps:
        return
    here = opened(here, steps[0], call=False)
    there = descend(here, steps[0])
    path = (*before, steps[0])
    if is_node(here.value):
        yield from _of_argument(here.value, there, path, steps[1:])
    if steps[1:]:
        yield from _said(there, steps[1:], path)
    elif is_node(there.value):
        parts = sorted(_of_parts(there.value, path), key=lambda one: one[1].sequence_id)
        for at, entry in parts:
            yield Said(at, entry.kind, entry.new_value, entry.file, entry.line, entry.function)


def stored_chain(task: Any, key: str) -> list[Said]:
    """Return what the history of a stored configuration says of a value, the latest last.

    Nothing is imported: of a value that nobody has set, only the code knows the default.

    Args:
        task: A configuration as it was read from a file.
        key: As on the command line.

    Raises:
        OverrideError: The configuration holds nothing there; the message names the nearest key.
    """
    return list(_stored(task, parse_key(key), ()))


def _stored(here: Any, steps: tuple[Step, ...], before: tuple[Step, ...]) -> Iterator[Said]:
    name = steps[0].key if isinstance(steps[0], Item) else steps[0]
    path = (*before, steps[0])
    if is_node(here):
        there = _known(here.__arguments__, name, path, here)
        for entry in here.__argument_history__.get(name, ()):
            if isinstance(entry, HistoryEntry) and _concerns(entry, steps[1:]):
                key, value = key_of(path), entry.new_value
                yield Said(key, entry.kind, value, entry.file, entry.line, entry.function)
    elif isinstance(here, dict):
        there = _known(here, name, path, here)
    elif isinstance(here, (list, tuple)):
        there = _known(dict(enumerate(here)), name, path, here)
    elif isinstance(here, Deferred):
        return  # what is inside of it can be told only with its code
    else:
        raise _nowhere(path, ())
    if steps[1:]:
        yield from _stored(there, steps[1:], path)
    elif is_node(there):
        parts = sorted(_of_parts(there, path), key=lambda one: one[1].sequence_id)
        for at, entry in parts:
            yield Said(at, entry.kind, entry.new_value, entry.file, entry.line, entry.function)


def _known(parts: Mapping[Any, Any], name: Any, path: tuple[Step, ...], owner: Any) -> Any:
    """Return the part of a value that a step leads to."""
    if name in parts:
        return parts[name]
    keys = [key if isinstance(key, str) and is_node(owner) else Item(key) for key in parts]
    raise _nowhere(path, [key_of((*path[:-1], key)) for key in keys])


def _nowhere(path: tuple[Step, ...], known: Sequence[str]) -> OverrideError:
    key = key_of(path)
    some = f" There are: {', '.join(known[:_MOST_NAMED])}" if known else ""
    more = ", …." if len(known) > _MOST_NAMED else "." if known else ""
    return OverrideError(
        f"no value is stored at {key!r}.{nearest(key, known)}{some}{more} An argument that nobody "
        "has set has its function's default, which is in the code."
    )


_MOST_NAMED = 20
_CHANGES = ("file", "command line", "plugin")


def _of_parts(node: Any, path: tuple[Step, ...]) -> Iterator[tuple[str, HistoryEntry]]:
    """Yield what was changed inside a value, after somebody had made it."""
    for stored, entries in node.__argument_history__.items():
        inside = (*path, Item(stored) if isinstance(stored, int) else stored)
        for entry in entries:
            if isinstance(entry, HistoryEntry) and entry.kind in _CHANGES:
                yield key_of(inside), entry
        value = node.__arguments__.get(stored)
        if is_node(value):
            yield from _of_parts(value, inside)


def _of_argument(
    node: Any, place: Place, path: tuple[Step, ...], inside: tuple[Step, ...]
) -> Iterator[Said]:
    key = key_of(path)
    stored = rest_of(node, place.key.start) if isinstance(place.key, Rest) else [place.key]
    entries = [one for each in stored for one in node.__argument_history__.get(each, [])]
    if not any(entry.kind == "default" for entry in entries):
        yield from _default(node, place.key, key)
    for entry in entries:
        if not isinstance(entry, HistoryEntry):
            yield _said_to_fiddle(key, entry)
        elif _concerns(entry, inside):
            yield Said(key, entry.kind, entry.new_value, entry.file, entry.line, entry.function)


def _said_to_fiddle(key: str, entry: Any) -> Said:
    """Return what fiddle's own history of a node of fiddle tells."""
    place = entry.location
    value = summary(entry.new_value)
    return Said(key, "python", value, place.filename, place.line_number, place.function_name)


def _default(node: Any, stored: Any, key: str) -> Iterator[Said]:
    target = node.__fn_or_cls__
    default = MISSING if isinstance(stored, Rest) else shown_default(target, stored)
    if default is not MISSING:
        file, line = _definition(target)
        yield Said(key, "default", default, file, line, display_name(target))


def shown_default(target: Any, stored: str | int) -> Any:
    """Return the default of an argument, or a short text about it; MISSING where it has none."""
    field = getattr(target, "__dataclass_fields__", {}).get(stored)
    if field is not None and field.default_factory is not MISSING:
        return Shown(f"{display_name(field.default_factory)}()")
    default = signature_info(target).get_default(stored, MISSING)
    return MISSING if default is MISSING else summary(default)


def _definition(target: Any) -> tuple[str | None, int | None]:
    """Return the file and line where a callable is defined."""
    target = inspect.unwrap(target) if callable(target) else target
    code = getattr(target, "__code__", None)
    if code is not None:
        return code.co_filename, code.co_firstlineno
    try:
        return inspect.getsourcefile(target), inspect.getsourcelines(target)[1]
    except (TypeError, OSError):
        return None, None


_PATH = re.compile(r"((?:\[[^\]]*\])+) = ")


def _concerns(entry: HistoryEntry, inside: tuple[Step, ...]) -> bool:
    """Whether an entry is about this part of an argument, and not about another one."""
    found = _PATH.match(entry.new_value) if isinstance(entry.new_value, Shown) else None
    if found is None or not inside:
        return True
    mine = "".join(map(shown_step, inside))
    said = found[1].replace("'", "").replace('"', "")
    mine = re.sub(r"\.([^.\[]+)", r"[\1]", mine).replace("'", "").replace('"', "")
    return mine.startswith(said) or said.startswith(mine)
