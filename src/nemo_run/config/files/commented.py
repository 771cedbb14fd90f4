"""The YAML of a graph with what nobody set, as comments: what is needed, what holds by default."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.config.checks.annotations import display
from nemo_run.config.graph.history import Shown
from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.signature import signature_info
from nemo_run.config.overrides.explaining import shown_default
from nemo_run.config.overrides.grammar import MISSING
from nemo_run.config.overrides.hints import of_argument

from .covering import covered
from .written_forms import data_of, with_escapes
from .yaml_text import write

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

# A key that stands where a comment is to stand; the writer knows of no comments.
_MARK = "_comment_{}_"
_LINE = re.compile(r"^( *)_comment_(\d+)_: null$", re.MULTILINE)
_WIDTH = 96


def commented(graph: Any, given: Collection[str] = ()) -> str:
    """Return the YAML of a graph, with a comment for each argument that nobody set.

    Args:
        graph: A Config or a Partial.
        given: Arguments of the graph that somebody else will set.

    Raises:
        SerializationError: Something in it cannot be written.
    """
    data = data_of(graph, to_show=True)
    comments: list[str] = []
    _mark(graph, data, comments, set(given), set())
    return _LINE.sub(lambda found: _line(found[1], comments[int(found[2])]), write(data))


def _line(indent: str, comment: str) -> str:
    text = f"{indent}# {comment}"
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _mark(
    value: Any, data: Any, comments: list[str], given: Collection[str], seen: set[int]
) -> None:
    """Put marks into the data, beside what a value was made of."""
    if id(data) in seen:
        return
    seen.add(id(data))
    if is_node(value) and type(data) is dict and "_target_" in data:
        for name, inside in list(value.__arguments__.items()):
            if name in data:
                _mark(inside, data[name], comments, (), seen)
        for comment in _unset(value, given):
            data[_MARK.format(len(comments))] = None
            comments.append(comment)
    elif type(value) is list and type(data) is list:
        for item, part in zip(value, data, strict=False):
            _mark(item, part, comments, (), seen)
    elif type(value) is dict and type(data) is dict:
        for key in value.keys() & data.keys():
            _mark(value[key], data[key], comments, (), seen)


def _unset(node: Any, given: Collection[str]) -> Iterator[str]:
    target = node.__fn_or_cls__
    info = signature_info(target)
    for name, key in info.keys.items():
        if key in node.__arguments__ or name in given:
            continue
        default = shown_default(target, key)
        if default is MISSING:
            hint = of_argument(target, key)
            yield f"needs: {name}" if hint is Any else f"needs: {name}: {display(hint)}"
        else:
            yield f"{name}: {_text(covered({name: default})[name])}"


# What a field of a dataclass calls for its default.
_MADE = {"list()": "[]", "dict()": "{}"}


def _text(default: Any) -> str:
    if isinstance(default, Shown):
        return _MADE.get(str(default), " ".join(str(default).split()))
    return write(with_escapes([default])).strip().removeprefix("[").removesuffix("]")
