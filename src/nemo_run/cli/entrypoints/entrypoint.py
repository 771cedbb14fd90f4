"""A Python function as a command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import click

    from nemo_run.cli.flow.context import RunContext
    from nemo_run.config import Config, Partial

Type = Literal["task", "experiment"]


class Entrypoint:
    """A function, and how it is called from a terminal.

    Programs may derive from it and give the class as ``entrypoint_cls``.

    Args:
        fn: The function, or a class.
        namespace: The groups above the command, with dots; by default its module.
        default_factory: Makes the task that the command begins with.
        default_executor: Runs it where the command line names no executor.
        default_plugins: Edit task and executor where the command line names no plugins.
        env: Environment variables that are set before the function is configured.
        name: The command's name; by default that of the function.
        help_str: What ``--help`` shows; by default the docstring.
        enable_executor: False makes a simple command, which calls the function at once and has
            no options.
        skip_confirmation: Never ask before it runs.
        type: ``"task"``: the function is what runs. ``"experiment"``: it describes an experiment
            and launches it through its parameter ``ctx``.
        run_ctx_cls: A class derived from :class:`RunContext`, of which ``ctx`` is one.

    Raises:
        OverrideError: (a ``ValueError``) The function or a default cannot be used.
    """

    lazy_target: str | None = None
    """Where the function is, for ``--lazy``, if it was not imported."""

    def __init__(
        self,
        fn: Callable[..., Any],
        namespace: str | None = None,
        default_factory: Callable[..., Any] | None = None,
        default_executor: Any = None,
        default_plugins: Any = None,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
        help_str: str | None = None,
        enable_executor: bool = True,
        skip_confirmation: bool = False,
        type: Type = "task",  # noqa: A002 - the reference's word
        run_ctx_cls: type[RunContext] | None = None,
    ) -> None:
        from .checking import check_context, check_defaults, check_function

        check_function(fn, type)
        if run_ctx_cls is not None:
            check_context(run_ctx_cls)
        check_defaults(default_factory, default_executor, default_plugins)
        self.fn = fn
        self.name = name or fn.__name__
        self.given_namespace = namespace
        self.namespace = namespace if namespace is not None else fn.__module__
        self.use_default_factory(default_factory)
        self.default_executor = default_executor
        self.default_plugins = default_plugins
        self.env = dict(env or {})
        self.help_str = help_str
        self.enable_executor = enable_executor
        self.skip_confirmation = skip_confirmation
        self.type: Type = type
        self.run_ctx_cls = run_ctx_cls

    def use_default_factory(self, factory: Callable[..., Any] | None) -> None:
        """Let a function make the task that the command begins with."""
        self.default_factory = factory
        if factory is not None:
            from nemo_run.config.factories import register

            register(factory, self.fn, is_target_default=True)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.fn(*args, **kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, type={self.type!r})"

    @property
    def path(self) -> str:
        """Namespace and name, with dots."""
        return f"{self.namespace}.{self.name}" if self.namespace else self.name

    def configure(self, **fixed_args: Any) -> Config[Any] | Partial[Any]:
        """Return the task with these arguments."""
        from nemo_run.cli.flow.tasks import default_task

        task = default_task(self)
        for name, value in fixed_args.items():
            setattr(task, name, value)
        return task

    def parse_partial(self, args: Sequence[str], **default_args: Any) -> Partial[Any]:
        """Return the task that words of a command line make.

        Args:
            args: ``key=value`` and positional words.
            **default_args: Values that hold where the words say nothing.
        """
        from nemo_run.cli.flow.tasks import parsed_task

        task: Partial[Any] = parsed_task(self, args, default_args)
        return task

    def command(self, cmd_defaults: Mapping[str, Any] | None = None) -> click.Command:
        """Return it as a command of click.

        Args:
            cmd_defaults: What its options are where they are not given.
        """
        from nemo_run.cli.flow.command import command_of

        return command_of(self, cmd_defaults or {})

    def cli(self, parent: click.Group) -> None:
        """Add it to a group of commands."""
        parent.add_command(self.command())

    def main(self, cmd_defaults: Mapping[str, Any] | None = None) -> None:
        """Run it with the words of this process's command line.

        Args:
            cmd_defaults: What its options are where they are not given.

        Raises:
            SystemExit: The exit code, where it is not 0.
        """
        from nemo_run.cli.flow.command import run_as_program

        code = run_as_program(self, sys.argv[1:], cmd_defaults or {})
        if code:
            raise SystemExit(code)

    def help(self, console: Any = None, with_docs: bool = True) -> None:
        """Print what the function takes, as ``--help`` does.

        Args:
            console: A console of rich to print on; standard output by default.
            with_docs: Show what the docstrings say.
        """
        from nemo_run.cli.help import help as print_help

        print_help(self, with_docs=with_docs, console=console)

    def _execute_simple(self, args: Sequence[str], console: Any) -> Any:  # noqa: ARG002
        """Call the function of a simple command; programs replace this.

        Args:
            args: The words after the command.
            console: A console of rich.
        """
        from nemo_run.config import build

        return build(self.parse_partial(args))()


def entrypoint_of(fn: Any) -> Entrypoint | None:
    """Return the entrypoint that a decorated function has, if it is one."""
    if isinstance(fn, Entrypoint):
        return fn
    found = getattr(fn, "cli_entrypoint", None)
    return found if isinstance(found, Entrypoint) else None


def entrypoint(
    fn: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    namespace: str | None = None,
    help: str | None = None,  # noqa: A002 - the reference's word
    skip_confirmation: bool = False,
    require_confirmation: bool | None = None,
    enable_executor: bool = True,
    default_factory: Callable[..., Any] | None = None,
    default_executor: Any = None,
    default_plugins: Any = None,
    entrypoint_cls: type[Entrypoint] | None = None,
    type: Type = "task",  # noqa: A002 - the reference's word
    run_ctx_cls: type[RunContext] | None = None,
) -> Any:
    """Make a function a command; it stays the function it was.

    Args:
        fn: The function, where the decorator stands without arguments.
        name: The command's name; by default that of the function.
        namespace: The groups above it, with dots; by default its module.
        help: What ``--help`` shows; by default the docstring.
        skip_confirmation: Never ask before it runs.
        require_confirmation: The same the other way round; False never asks.
        enable_executor: False makes a simple command without options.
        default_factory: Makes the task that the command begins with.
        default_executor: A ``Config`` of an executor, or an executor.
        default_plugins: A ``Config`` of a plugin, or several.
        entrypoint_cls: A class derived from :class:`Entrypoint`.
        type: ``"task"`` or ``"experiment"``.
        run_ctx_cls: A class derived from :class:`RunContext`.

    Raises:
        OverrideError: (a ``ValueError``) The function or a default cannot be used.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        from .registry import register_entrypoint

        made = (entrypoint_cls or Entrypoint)(
            function,
            namespace=namespace,
            name=name,
            help_str=help,
            enable_executor=enable_executor,
            skip_confirmation=skip_confirmation or require_confirmation is False,
            default_factory=default_factory,
            default_executor=default_executor,
            default_plugins=default_plugins,
            type=type,
            run_ctx_cls=run_ctx_cls,
        )
        register_entrypoint(made)
        try:
            function.cli_entrypoint = made  # type: ignore[attr-defined]
        except AttributeError:
            raise OverrideError(
                f"{function!r} cannot be an entrypoint: it takes no attributes. Wrap it in a "
                "function."
            ) from None
        return function

    return decorate if fn is None else decorate(fn)
