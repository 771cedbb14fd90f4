"""The way from a root along the steps of a key to the value that is changed, and back.

Nodes, lists and dicts are changed in place; tuples are made anew. The node nearest to the value
records the change in its history.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from nemo_run.config.graph.arguments import store
from nemo_run.config.graph.defaults import is_record
from nemo_run.config.graph.history import Shown, summary
from nemo_run.config.graph.node import Node, is_node

from .grammar import MISSING
from .places import Place, Rest, descend, opened, rest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .grammar import Step


class Changed(NamedTuple):
    """A value after a change in it.

    Attributes:
        value: The value.
        shown: What the history says that was set.
        path: Where in the value; None when a node inside has recorded the change.
    """

    value: Any
    shown: Any = None
    path: str | None = ""


def changed(here: Place, steps: tuple[Step, ...], change: Callable[[Place], Changed]) -> Changed:
    """Change what ``steps`` lead to.

    Args:
        here: Where the steps begin.
        steps: The steps.
        change: Gets the place at their end and returns its new value.

    Raises:
        OverrideError: A step leads nowhere, or the value cannot be used.
    """
    if not steps:
        return change(here)
    here = opened(here, steps[0])
    there = descend(here, steps[0])
    found = changed(there, steps[1:], change)
    if is_node(here.value):
        _put_argument(here.value, there, found)
        return Changed(here.value, path=None)
    return _put_item(here.value, there.key, found)


def _put_item(around: Any, key: Any, found: Changed) -> Changed:
    """Put an item into a dict, list or tuple."""
    path = None if found.path is None else f"[{key!r}]{found.path}"
    if not isinstance(around, tuple):
        around[key] = found.value
        return Changed(around, found.shown, path)
    if around[key] is found.value:  # a node, changed in place
        return Changed(around, found.shown, path)
    items = [*around[:key], found.value, *around[key + 1 :]]
    kind: Any = type(around)
    value = kind._make(items) if is_record(around) else kind(items)
    return Changed(value, found.shown, path)


def _put_argument(node: Any, there: Place, found: Changed) -> None:
    if not isinstance(there.key, Rest):
        _store(node, there, found)
        return
    start = there.key.start
    for key in rest_of(node, start)[len(found.value) :]:
        del node.__arguments__[key]
    for index, value in enumerate(found.value):
        if node.__arguments__.get(start + index, MISSING) is not value:
            place = replace(there, value=MISSING, key=start + index)
            _store(node, place, Changed(value, summary(value)))


def _store(node: Any, there: Place, found: Changed) -> None:
    """Store an argument and say in the node's history what was set."""
    key = there.key
    if found.path is None and found.value is there.value:
        # A node inside was changed. What is not the node's own yet is a copy of the default.
        node.__arguments__.setdefault(key, found.value)
        return
    if not isinstance(node, Node):  # one of fiddle's keeps a history of its own
        if isinstance(key, int):
            node[key] = found.value
        else:
            setattr(node, key, found.value)
        return
    store(node, key, found.value)
    entries = node.__argument_history__[key]
    entries[-1] = entries[-1]._replace(new_value=_shown(found))


def _shown(found: Changed) -> Any:
    if found.path is None:  # made on the way
        return summary(found.value)
    return Shown(f"{found.path} = {found.shown!r}") if found.path else found.shown
