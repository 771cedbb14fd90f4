"""Names and calls in values: the registered factories that they mean."""

from __future__ import annotations

from collections import abc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nemo_run.config import factories
from nemo_run.config.alternatives import alternatives, is_kind, kind_of
from nemo_run.config.checks.annotations import display, mismatches
from nemo_run.config.checks.namesakes import namesake
from nemo_run.config.graph.copying import deep_copy
from nemo_run.config.graph.defaults import converted, is_plain
from nemo_run.config.graph.history import setting, summary
from nemo_run.config.graph.node import Config, is_node, target_name
from nemo_run.config.graph.signature import signature_info
from nemo_run.exceptions import OverrideError

from .grammar import MISSING, Override, parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.config.factories import Factory
    from nemo_run.config.values.syntax import Call


class Resolving:
    """Finds and calls the factories that are named in the value of one argument.

    Attributes:
        missed: The names that are no factory, with what they were asked for.
    """

    def __init__(self, parent: Any = None, argument: str | None = None) -> None:
        """Look for one argument, ``argument``, of the callable ``parent``."""
        self.parent = parent
        self.argument = argument
        self.missed: list[tuple[str, Any]] = []

    def __call__(self, call: Call, hint: Any) -> Any:
        """Return what a name or call makes, or ``NOT_FOUND``."""
        factory = factories.find(hint, call.name, self.parent, self.argument)
        if factory is None:
            from nemo_run.config.values.parse import NOT_FOUND

            self.missed.append((call.name, hint))
            return NOT_FOUND
        return fitted(call_factory(factory, call), factory, hint)

    def advice(self) -> str:
        """Return which factories there are where a name was none, or nothing."""
        for name, hint in self.missed:
            said = factories.suggestion(name, factories.fitting(hint, self.parent, self.argument))
            if said:
                return said
        return ""


def resolver(parent: Any = None, argument: str | None = None) -> Resolving:
    """Return what finds and calls the factories for one argument.

    Args:
        parent: The callable that takes the value.
        argument: Its parameter.
    """
    return Resolving(parent, argument)


def call_factory(factory: Factory, call: Call | None = None) -> Any:
    """Return what a factory makes; it is called once.

    A factory may return what it keeps, so that each use gets a copy of its own.

    Args:
        factory: The factory.
        call: Its name and arguments, as written.

    Raises:
        OverrideError: Its arguments cannot be used, or it failed.
    """
    node: Any = Config(factory.fn, bind_args=False)
    if call is not None:
        node = _with_arguments(node, call)
    needed = lacking(node)
    if needed:
        values = ", ".join(f"{name}=..." for name in needed)
        raise OverrideError(
            f"the factory {factory.name} ({factory.place}) needs {' and '.join(needed)}. Write "
            f"{factory.name}({values})."
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
    return deep_copy(made, {})


def _line_of(error: BaseException, factory: Factory) -> str:
    """Return the line of the factory's file that failed."""
    line, step = None, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == factory.file:
            line = step.tb_lineno
        step = step.tb_next
    return f" at line {line}" if line else ""


def lacking(node: Any) -> list[str]:
    """Return the names of the arguments that a node needs and does not have."""
    info = signature_info(node.__fn_or_cls__)
    return [
        name
        for name, key in info.keys.items()
        if key not in node.__arguments__ and info.get_default(key, MISSING) is MISSING
    ]


def _with_arguments(node: Any, call: Call) -> Any:
    from .apply import apply

    try:
        return apply(node, list(_changes(node.__fn_or_cls__, call)))
    except OverrideError as error:
        raise OverrideError(f"{call.name}(...): {error}") from error.__cause__


def _changes(target: Any, call: Call) -> Iterator[Override]:
    """Yield the arguments of a call as changes of its configuration."""
    from .positional import bound

    words = [text for key, text in call.arguments if key is None]
    if any(key is not None for key, _ in call.arguments[: len(words)]):
        raise OverrideError(f"{words[-1]!r} has no key, but comes after one that has.")
    by_position = bound(target, words, call.name)
    given = {override.key for override in by_position}
    for override in by_position:
        yield replace(override, inside_call=True, advice="")
    for key, text in call.arguments[len(words) :]:
        if key in given:
            raise OverrideError(f"{key!r} is given twice.")
        given.add(str(key))
        yield Override(str(key), parse_key(str(key)), "=", text, inside_call=True)


def fitted(made: Any, factory: Factory, hint: Any) -> Any:
    """Return what was made, in a list where a list of such things is wanted.

    Args:
        made: What the factory made.
        factory: The factory, for the error.
        hint: The annotation of what takes it.

    Raises:
        OverrideError: It does not fit.
    """
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
        f"expected.{namesake(made, hint)}"
    )


def _shown(made: Any) -> str:
    return f"{type(made).__name__}({target_name(made)})" if is_node(made) else repr(summary(made))
