"""Required arguments that nobody has set: default factories make them; else, how to give them."""

from __future__ import annotations

import enum
import inspect
import typing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from nemo_run.config.alternatives import alternatives, kind_of
from nemo_run.config.checks.check import error_of, problems
from nemo_run.config.factories import default_of, fitting
from nemo_run.config.graph.arguments import assign
from nemo_run.config.graph.history import setting
from nemo_run.config.graph.node import Config, Node
from nemo_run.config.graph.signature import display_name, signature_info
from nemo_run.config.graph.traverse import join, nodes, step
from nemo_run.exceptions import ConfigError, OverrideError

from .grammar import MISSING, parse_key
from .hints import of_argument
from .places import Place, descend, opened
from .resolving import call_factory, fitted, lacking

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.config.factories import Factory

T = TypeVar("T")

_MOST = 3


def filled(task: T) -> T:
    """Make the required arguments that are not set and have a default factory.

    A ``Partial`` inside the task gets what it lacks from whoever calls it.

    Args:
        task: A configuration. It is changed.

    Returns:
        The same configuration.

    Raises:
        OverrideError: A default factory failed, or makes something else.
    """
    _fill(task, "", task, ())
    return task


def _fill(value: Any, path: str, root: Any, around: tuple[Factory, ...]) -> None:
    for place, node in list(nodes(value)):
        if not isinstance(node, Config) and node is not root:
            continue
        for name in lacking(node) if isinstance(node, Node) else ():
            target = node.__fn_or_cls__
            key = signature_info(target).keys[name]
            hint = of_argument(target, key)
            factory = default_of(hint, target, name)
            if factory is None or factory in around:  # it leaves its own kind out on purpose
                continue
            here = join(join(path, place), step(name))
            try:
                made = fitted(call_factory(factory), factory, hint)
            except OverrideError as error:
                raise OverrideError(f"{here}: {error}") from error.__cause__
            with setting("factory", factory.file, factory.line):
                assign(node, key, made)
            entries = node.__argument_history__[key]
            entries[-1] = entries[-1]._replace(function=display_name(factory.fn))
            _fill(made, here, root, (*around, factory))


def check_given(task: Any) -> None:
    """Raise unless a task can be called; of what is missing the error says how to give it.

    Args:
        task: A configuration.

    Raises:
        ArgumentError: Arguments are unknown or missing.
        CheckError: Values do not fit their annotations.
    """
    found = [replace(one, says=one.says + ways_to_give(task, one.path)) for one in problems(task)]
    if found:
        raise error_of(task, found)


def ways_to_give(task: Any, key: str) -> str:
    """Return the sentence that says what to write for an argument that is not set.

    Args:
        task: A configuration. It is not changed.
        key: The key of the argument.

    Returns:
        An empty string where the argument is set, or there is no such argument, or its
        annotation says too little.
    """
    place = Place(task)
    try:
        for one in parse_key(key):
            place = descend(opened(place, one, call=False), one)
    except ConfigError:
        return ""
    found = list(dict.fromkeys(_values(place))) if place.value is MISSING else []
    more = " or the like" if len(found) > _MOST else ""
    texts = [f"{key}={text}" for text in found[:_MOST]]
    return f" Write {' or '.join(texts)}{more}." if texts else ""


def _values(place: Place) -> Iterator[str]:
    for factory in fitting(place.hint, place.target, place.argument):
        needed = lacking(Config(factory.fn, bind_args=False))
        arguments = ", ".join(f"{name}=…" for name in needed)
        yield f"{factory.name}({arguments})" if needed else factory.name
    for one in alternatives(place.hint):
        kind = kind_of(one)
        if kind is typing.Literal:
            yield from map(str, typing.get_args(one))
        elif isinstance(kind, type) and issubclass(kind, enum.Enum):
            yield from kind.__members__
        elif hasattr(kind, "__dataclass_fields__") and not inspect.isabstract(kind):
            needed = lacking(Config(kind, bind_args=False))
            yield f"{{{', '.join(f'{name}: …' for name in needed)}}}"
