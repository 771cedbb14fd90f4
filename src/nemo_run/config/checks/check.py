"""A task is checked before anything runs: its arguments, and their values.

Unknown and missing arguments, and values that cannot be what their annotations say
(:mod:`nemo_run.config.checks.annotations`), anywhere in the graph, are reported in one error.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import Config, Partial, is_node, target_name
from nemo_run.config.graph.signature import signature_info
from nemo_run.config.graph.traverse import join, nodes, step
from nemo_run.exceptions import ArgumentError, CheckError, ConfigError, nearest

from .annotations import display, mismatches
from .build_types import makes_itself
from .hints import hints_of
from .namesakes import namesake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.config.graph.signature import SignatureInfo

_P = inspect.Parameter
_SHORT = 80


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: Where: ``model.layers[0].width``; empty for the task itself.
        says: A sentence.
        about_value: Whether a value does not fit, rather than an argument being unknown or
            missing.
    """

    path: str
    says: str
    about_value: bool = False

    @property
    def text(self) -> str:
        """The sentence after its place."""
        return f"{self.path}: {self.says}" if self.path else self.says


def check_task(task: Any) -> None:
    """Raise unless ``task`` can be called with the arguments that it has.

    Args:
        task: A ``Config``, a ``Partial``, or anything else; in what holds no configuration there
            is nothing to check.

    Raises:
        ArgumentError: Arguments are unknown or missing.
        CheckError: Values do not fit their annotations. Either error lists every problem, each
            with its path, the value, what was expected, and where it was set.
    """
    found = list(problems(task))
    if found:
        raise error_of(task, found)


def error_of(task: Any, found: list[Problem]) -> ConfigError:
    """Return the error that tells the problems of a task."""
    kind = CheckError if any(problem.about_value for problem in found) else ArgumentError
    return kind(_message(_name(task) if is_node(task) else type(task).__name__, found))


def missing(root: str, path: str, node: Any) -> str | None:
    """Return the sentence about arguments that a node needs and does not have, if there are any.

    Args:
        root: What the sentence calls the whole configuration.
        path: Where the node is in it.
        node: A node that is to be called without further arguments.
    """
    found = list(_missing(path, node))
    return _message(root.removeprefix("__main__."), found) if found else None


def _message(name: str, found: list[Problem]) -> str:
    if len(found) > 1:
        lines = "".join(f"\n  {problem.text}" for problem in found)
        return f"{name} has {len(found)} problems:{lines}"
    (problem,) = found
    # Its own arguments, by name: what is said begins with the name, and ends with the argument.
    if problem.path.isidentifier() and problem.says.startswith(f"{name} "):
        return problem.says
    return f"{name}: {problem.text}"


def problems(task: Any) -> Iterator[Problem]:
    """Yield what is wrong with a graph, in the order of its paths."""
    for path, node in nodes(task):
        yield from _abstract(path, node)
        yield from _unknown(path, node)
        # A Partial inside the graph gets the rest from whoever calls it; the task is called
        # with nothing.
        if path == "" or not _is_partial(node):
            yield from _missing(path, node)
        yield from _unfit(path, node)


def _abstract(path: str, node: Any) -> Iterator[Problem]:
    kind = node.__fn_or_cls__
    # A target that is an object is not asked for attributes: it may answer anything.
    if not isinstance(kind, type):
        return
    abstract = inspect.isabstract(kind) or getattr(kind, "_is_protocol", False)
    if abstract and makes_itself(kind):
        yield Problem(
            path,
            f"{_name(node)} is abstract, so no object of it can be made. Use a class that derives "
            "from it, or has its methods.",
        )


def _is_partial(node: Any) -> bool:
    return isinstance(node, Partial) or (
        not isinstance(node, Config) and "Partial" in str(type(node))
    )


def _unknown(path: str, node: Any) -> Iterator[Problem]:
    info = _signature_of(node)
    count = len([p for p in info.parameters.values() if p.kind in _BY_POSITION])
    for key in node.__arguments__:
        if isinstance(key, str):
            if key in info.keys or _accepts_any_name(info):
                continue
            names = ", ".join(info.keys) or "none"
            about = f"has no parameter {key!r}.{nearest(key, info.keys)} Its parameters: {names}"
        elif key < count or _variadic(info, _P.VAR_POSITIONAL):
            continue
        else:
            about = f"takes {count} positional arguments, and number {key + 1} was given"
        here = join(path, step(key))
        yield Problem(here, f"{_name(node)} {about}{_set_at(node, key)}.")


def _signature_of(node: Any) -> SignatureInfo:
    # Also of fiddle's nodes, whose own answers less.
    return signature_info(node.__fn_or_cls__)


_BY_POSITION = (_P.POSITIONAL_ONLY, _P.POSITIONAL_OR_KEYWORD)


def _accepts_any_name(info: Any) -> bool:
    return _variadic(info, _P.VAR_KEYWORD) is not None


def _variadic(info: Any, kind: Any) -> inspect.Parameter | None:
    return next((p for p in info.parameters.values() if p.kind is kind), None)


def _missing(path: str, node: Any) -> Iterator[Problem]:
    info, given = _signature_of(node), node.__arguments__
    for index, parameter in enumerate(info.parameters.values()):
        if parameter.kind in (_P.VAR_POSITIONAL, _P.VAR_KEYWORD):
            continue
        is_given = parameter.name in given or (parameter.kind in _BY_POSITION and index in given)
        if is_given or parameter.default is not _P.empty:
            continue
        here = join(path, step(parameter.name))
        yield Problem(here, f"{_name(node)} needs {parameter.name!r}.")


def _unfit(path: str, node: Any) -> Iterator[Problem]:
    if not node.__arguments__:
        return
    info = _signature_of(node)
    hints = hints_of(node.__fn_or_cls__)
    for key, value in node.__arguments__.items():
        parameter = parameter_of(info, key)
        # Nobody means a parameter to be nothing but None; torch writes its own annotations so
        # that they are None.
        if parameter is None or hints.get(parameter.name) in (None, type(None)):
            continue
        if value is parameter.default or (value is None and parameter.default is None):
            continue
        here = join(path, step(key))
        hint = hint_of_one(hints[parameter.name], parameter, key)
        for found in mismatches(value, hint):
            yield Problem(
                here + found.path,
                f"{_shown(found.value)} is given, {found.expected} is expected"
                f"{_set_at(node, key)}.{namesake(found.value, hint)}",
                about_value=True,
            )


def parameter_of(info: Any, key: str | int) -> inspect.Parameter | None:
    if isinstance(key, str):
        found = info.parameters.get(key)
        own = found is not None and found.kind not in (_P.VAR_POSITIONAL, _P.VAR_KEYWORD)
        return found if own else _variadic(info, _P.VAR_KEYWORD)
    by_position = [p for p in info.parameters.values() if p.kind in _BY_POSITION]
    return by_position[key] if key < len(by_position) else _variadic(info, _P.VAR_POSITIONAL)


def hint_of_one(hint: Any, parameter: inspect.Parameter, key: str | int) -> Any:
    """Return what the annotation of ``**options`` or ``*items`` says of one of them."""
    import typing

    if parameter.kind not in (_P.VAR_POSITIONAL, _P.VAR_KEYWORD):
        return hint
    if getattr(typing.get_origin(hint), "_name", None) != "Unpack":
        return Any if isinstance(hint, typing.ParamSpec) or "ParamSpec" in str(type(hint)) else hint
    from .hints import hints_of_class

    (inside,) = typing.get_args(hint)
    return hints_of_class(inside).get(str(key), Any) if isinstance(inside, type) else Any


def _set_at(node: Any, key: str | int) -> str:
    entries = node.__argument_history__.get(key) or []
    where = getattr(entries[-1], "where", None) if entries else None
    return f" (set at {where()})" if where else ""


def _name(node: Any) -> str:
    return target_name(node).removeprefix("__main__.")


def _shown(value: Any) -> str:
    if is_node(value):
        return f"{type(value).__name__}({_name(value)})"
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a broken __repr__ must not hide the problem
        text = f"a {type(value).__qualname__}"
    text = " ".join(text.split())
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."


__all__ = ["Problem", "check_task", "display", "problems"]
