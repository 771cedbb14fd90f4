"""Names and calls in values: the registered factories that they mean."""

from __future__ import annotations

from collections import abc
from typing import TYPE_CHECKING, Any

from nemo_run.config import factories
from nemo_run.config.alternatives import alternatives, is_kind, kind_of
from nemo_run.config.checks.annotations import display, mismatches
from nemo_run.config.checks.check import missing
from nemo_run.config.graph.defaults import converted, is_plain
from nemo_run.config.graph.history import setting, summary
from nemo_run.config.graph.node import Config, is_node, target_name
from nemo_run.config.graph.signature import signature_info
from nemo_run.exceptions import OverrideError

from .grammar import Override, parse_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.config.factories import Factory
    from nemo_run.config.values.syntax import Call


def resolver(parent: Any = None, argument: str | None = None) -> Callable[[Call, Any], Any]:
    """Return what finds and calls the factories for one argument.

    Args:
        parent: The callable that takes the value.
        argument: Its parameter.
    """
    from nemo_run.config.values.parse import NOT_FOUND

    def resolve(call: Call, hint: Any) -> Any:
        factory = factories.find(hint, call.name, parent, argument)
        if factory is None:
            return NOT_FOUND
        return _fitted(call_factory(factory, call), factory, hint)

    return resolve


def call_factory(factory: Factory, call: Call | None = None) -> Any:
    """Return what a factory makes; it is called once.

    Args:
        factory: The factory.
        call: Its name and arguments, as written.

    Raises:
        OverrideError: Its arguments cannot be used, or it failed.
    """
    node: Any = Config(factory.fn, bind_args=False)
    if call is not None:
        node = _with_arguments(node, call)
    lacking = missing(factory.name, "", node)
    if lacking:
        raise OverrideError(
            f"the factory {factory.name} ({factory.place}) lacks a value: {lacking}"
        )
    args, kwargs = signature_info(factory.fn).transform_to_args_kwargs(node.__arguments__)
    try:
        with setting("factory"):
            made = converted(factory.fn(*args, **kwargs))
    except Exception as error:
        line = _line_of(error, factory)
        raise OverrideError(
            f"the factory {factory.name} ({factory.place}) failed{line}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not is_plain(made):
        raise OverrideError(
            f"the factory {factory.name} ({factory.place}) returned an object of "
            f"{type(made).__qualname__}, and a configuration is needed. Decorate it with "
            f"@run.autoconvert, below @run.cli.factory, or return run.Config("
            f"{type(made).__qualname__}, ...)."
        )
    return made


def _line_of(error: BaseException, factory: Factory) -> str:
    """Return the line of the factory's file that failed."""
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == factory.file:
            line = step.tb_lineno
        step = step.tb_next
    return f" at line {line}" if line else ""


def _with_arguments(node: Any, call: Call) -> Any:
    from .apply import apply

    changes = []
    for index, (key, text) in enumerate(call.arguments):
        name = key if key is not None else f"[{index}]"
        changes.append(Override(name, parse_key(name), "=", text, inside_call=True))
    try:
        return apply(node, changes)
    except OverrideError as error:
        raise OverrideError(f"{call.name}(…): {error}") from error.__cause__


def _fitted(made: Any, factory: Factory, hint: Any) -> Any:
    """Return what was made, in a list where a list of such things is wanted."""
    if not mismatches(made, hint):
        return made
    for one in alternatives(hint):
        for kind in (list, tuple):
            if is_kind(one, kind) or kind_of(one) in (abc.Sequence, abc.Iterable):
                alone = kind([made])
                if not mismatches(alone, hint):
                    return alone
    raise OverrideError(
        f"the factory {factory.name} ({factory.place}) makes {_shown(made)}; {display(hint)} is "
        "expected."
    )


def _shown(made: Any) -> str:
    return f"{type(made).__name__}({target_name(made)})" if is_node(made) else repr(summary(made))
