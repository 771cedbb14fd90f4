"""What a function and its defaults must be to make a command."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable

TYPES = ("task", "experiment")


def check_function(fn: Callable[..., Any], kind: str) -> None:
    """Refuse what cannot be a command.

    Raises:
        OverrideError: It says what is wrong with it.
    """
    if not callable(fn):
        raise OverrideError(f"An entrypoint is a function, and {fn!r} cannot be called.")
    if kind not in TYPES:
        raise OverrideError(
            f"An entrypoint has type 'task' or 'experiment', not {kind!r}.{nearest(kind, TYPES)}"
        )
    if not getattr(fn, "__name__", ""):
        raise OverrideError(
            f"A {type(fn).__name__} object has no name, and a command needs one. Wrap it in a "
            "function with def."
        )
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn):
        is_generator = inspect.isgeneratorfunction(fn)
        what, how = ("generator", "list") if is_generator else ("coroutine", "asyncio.run")
        raise OverrideError(
            f"{fn.__name__}() only makes a {what} when it is called, and nothing of it would run. "
            f"Write a function around it that runs it, such as with {how}({fn.__name__}())."
        )
    if kind == "task" and "executor" in _parameters(fn):
        raise OverrideError(
            f"{fn.__name__}() has a parameter 'executor', and a task runs on the executor that "
            "run.executor=… names. Rename it, or write type='experiment' and use ctx.executor."
        )


def _parameters(fn: Callable[..., Any]) -> Any:
    try:
        return inspect.signature(fn).parameters
    except (TypeError, ValueError) as error:
        raise OverrideError(
            f"{fn!r} cannot be an entrypoint: its parameters are not known ({error}). Wrap it in "
            "a function."
        ) from None


def check_defaults(factory: Any, executor: Any, plugins: Any) -> None:
    """Refuse defaults that cannot be what they are for.

    Raises:
        OverrideError: It says which, and what was expected.
    """
    if factory is not None and not callable(factory):
        raise OverrideError(
            f"default_factory is a function that returns a run.Partial, not {factory!r}."
        )
    if executor is not None and not is_executor(executor):
        raise OverrideError(
            f"default_executor is a run.Config of an executor or an executor, not {executor!r}. "
            "Write default_executor=run.Config(run.LocalExecutor)."
        )
    given = plugins if isinstance(plugins, (list, tuple)) else [plugins]
    wrong = [plugin for plugin in given if plugin is not None and not is_plugin(plugin)]
    if wrong:
        raise OverrideError(
            f"default_plugins is a run.Config of a plugin, or a list of them, not {wrong[0]!r}."
        )


def check_context(kind: Any) -> None:
    """Refuse a class of contexts that is none.

    Raises:
        OverrideError: It does not derive from ``RunContext``.
    """
    from nemo_run.cli.flow.context import RunContext

    if not (isinstance(kind, type) and issubclass(kind, RunContext)):
        raise OverrideError(
            f"run_ctx_cls is a class derived from run.cli.RunContext, not {kind!r}."
        )


def is_executor(value: Any) -> bool:
    """Tell whether it is an executor, or a configuration that may make one."""
    from nemo_run.execution.executor import Executor

    return isinstance(value, Executor) or _makes(value, Executor)


def is_plugin(value: Any) -> bool:
    """Tell whether it is a plugin, or a configuration that may make one."""
    from nemo_run.management.describe.plugin import Plugin

    return isinstance(value, Plugin) or _makes(value, Plugin)


def _makes(value: Any, kind: type) -> bool:
    from nemo_run.config.graph.node import is_node

    if not is_node(value) or any(base.__name__ == "Partial" for base in type(value).__mro__):
        return False
    target = value.__fn_or_cls__
    # What a function returns is seen when it is built.
    return not isinstance(target, type) or issubclass(target, kind)
