"""Factories: functions whose results a command line calls by name.

::

    @run.cli.factory
    def small() -> run.Config[Model]:
        return run.Config(Model, width=64)

    nemo-run run train.py:train model=small
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from nemo_run.config import factories
from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


@overload
def factory(
    fn: F,
    target: Any = None,
    *,
    target_arg: str | None = None,
    is_target_default: bool = False,
    name: str | None = None,
    namespace: str | None = None,
) -> F: ...


@overload
def factory(
    fn: None = None,
    target: Any = None,
    *,
    target_arg: str | None = None,
    is_target_default: bool = False,
    name: str | None = None,
    namespace: str | None = None,
) -> Callable[[F], F]: ...


def factory(
    fn: Any = None,
    target: Any = None,
    *,
    target_arg: str | None = None,
    is_target_default: bool = False,
    name: str | None = None,
    namespace: str | None = None,
) -> Any:
    """Register a function as a factory: the command line calls it by its name.

    Args:
        fn: The function. Without it, the decorator with these options is returned.
        target: What it makes a value of: a class, a function, a configuration of one, or its
            dotted name. Without it the function's return annotation says so.
        target_arg: Makes it a factory for this argument of the target only.
        is_target_default: Use it where an argument needs such a value, or a part of one is set,
            and no value was named.
        name: What to call it by; the function's own name otherwise.
        namespace: Register it here instead; the command line calls it ``namespace.name``.

    Returns:
        The function itself.

    Raises:
        OverrideError: Nothing says what the function makes, or the target has no such argument.
    """

    def registered(fn: Any) -> Any:
        factories.register(
            fn,
            target,
            target_arg=target_arg,
            is_target_default=is_target_default,
            name=name,
            namespace=namespace,
        )
        return fn

    return registered if fn is None else registered(fn)


def resolve_factory(target: Any, name: str) -> Callable[..., Any]:
    """Return the factory function of that name.

    Args:
        target: What it makes (a class, a function, an annotation), or a namespace.
        name: Its name.

    Raises:
        OverrideError: There is none; the message says which there are.
    """
    found = factories.find(target, name)
    if found is None:
        called = target if isinstance(target, str) else getattr(target, "__qualname__", target)
        fits = factories.fitting(target)
        raise OverrideError(f"{called} has no factory {name!r}.{factories.suggestion(name, fits)}")
    return found.fn


def list_factories(type_or_namespace: Any) -> list[Callable[..., Any]]:
    """Return the factory functions for a class, a function, an annotation, or a namespace.

    Those that were registered in a namespace are listed for that namespace only.
    """
    is_namespace = isinstance(type_or_namespace, str)
    fits = factories.fitting(type_or_namespace)
    return [found.fn for found in fits if is_namespace or found.made is None]
