"""``run.cli.main``: a script whose function is its command line."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from .checking import check_defaults
from .entrypoint import Entrypoint, entrypoint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def main(
    fn: Any,
    default_factory: Callable[..., Any] | None = None,
    default_executor: Any = None,
    default_plugins: Any = None,
    cmd_defaults: Mapping[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Run a function with the command line of this process, and end the process on failure.

    Put it into the main block of a script::

        if __name__ == "__main__":
            run.cli.main(train, default_executor=run.Config(run.LocalExecutor))

    Args:
        fn: The function, decorated with :func:`entrypoint` or not.
        default_factory: Makes the task that the command line begins with.
        default_executor: A ``Config`` of an executor, or an executor. Without one a task runs in
            this process, unless the command line asks for an executor or a record.
        default_plugins: A ``Config`` of a plugin, or several.
        cmd_defaults: What options are where they are not given: ``{"skip_confirmation": True}``.
        **kwargs: What else :func:`entrypoint` takes.

    Raises:
        OverrideError: (a ``ValueError``) A default cannot be used.
        SystemExit: The exit code, where it is not 0.
    """
    from nemo_run.cli.entrypoints.loading import is_loading
    from nemo_run.cli.flow.defaults import check_names
    from nemo_run.config.graph.program import take_own_name

    check_names(cmd_defaults or {})
    entry = _entry(fn, kwargs)
    check_defaults(default_factory, default_executor, default_plugins)
    if default_factory is not None:
        entry.use_default_factory(default_factory)
    if default_executor is not None:
        entry.default_executor = default_executor
    if default_plugins is not None:
        entry.default_plugins = default_plugins
    if is_loading():
        # ``nemo-run run script.py`` wants the functions of the script; it starts one itself.
        return
    take_own_name()
    entry.main(cmd_defaults)


def _entry(fn: Any, options: Mapping[str, Any]) -> Entrypoint:
    decorated = entrypoint_of(fn)
    if decorated is not None and not options:
        return copy.copy(decorated)
    function = decorated.fn if decorated is not None else fn
    given = dict(options)
    kind = given.pop("entrypoint_cls", None) or (type(decorated) if decorated else Entrypoint)
    if "help" in given:
        given["help_str"] = given.pop("help")
    if given.pop("require_confirmation", True) is False:
        given["skip_confirmation"] = True
    if decorated is not None:
        given = {**_settings(decorated), **given}
    made: Entrypoint = kind(function, **given)
    return made


def _settings(entry: Entrypoint) -> dict[str, Any]:
    names = (
        *("name", "help_str", "enable_executor", "skip_confirmation", "type", "run_ctx_cls", "env"),
        *("default_factory", "default_executor", "default_plugins"),
    )
    return {"namespace": entry.given_namespace, **{name: getattr(entry, name) for name in names}}
