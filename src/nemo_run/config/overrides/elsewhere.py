"""Where else in a configuration a name would be right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives, kind_of
from nemo_run.config.graph.signature import signature_info
from nemo_run.config.graph.traverse import join, nodes, step
from nemo_run.exceptions import ConfigError

from .hints import of_argument

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST = 3


def elsewhere(task: Any, name: str) -> str:
    """Return the sentence that says which keys end with ``name``, or an empty string."""
    found = list(dict.fromkeys(_keys(task, name)))
    if not found:
        return ""
    more = ", ..." if len(found) > _MOST else ""
    return f" There is {', '.join(found[:_MOST])}{more}."


def _keys(task: Any, name: str) -> Iterator[str]:
    for path, node in nodes(task):
        info = signature_info(node.__fn_or_cls__)
        if name in info.keys:
            yield join(path, step(name))
        for argument, key in info.keys.items():
            if node.__arguments__.get(key) is None and _takes(node.__fn_or_cls__, key, name):
                yield join(join(path, step(argument)), step(name))


def _takes(target: Any, key: str | int, name: str) -> bool:
    """Whether what an argument may be has a parameter of that name."""
    for one in alternatives(of_argument(target, key)):
        kind = kind_of(one)
        if isinstance(kind, type) and kind.__module__ != "builtins":
            try:
                return name in signature_info(kind).keys
            except ConfigError:
                continue
    return False
