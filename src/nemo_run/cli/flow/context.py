"""The context of a run: what was asked for, for functions that launch an experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.config.mixin import ConfigurableMixin

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nemo_run.execution.executor import Executor
    from nemo_run.management import Experiment
    from nemo_run.management.describe.plan import Plan


@dataclass(kw_only=True)
class RunContext(ConfigurableMixin):
    """What the command line says about the run itself.

    A function of ``type="experiment"`` receives one as its parameter ``ctx``::

        @run.cli.entrypoint(type="experiment")
        def pipeline(ctx: run.cli.RunContext, steps: int = 3):
            with run.Experiment("pipeline", executor=ctx.executor) as exp:
                exp.add(run.Partial(train, steps), plugins=ctx.plugins)
                ctx.launch(exp)

    Each field can be set as ``run.field=value``, and so can the fields of a class that is derived
    from this one and given as ``run_ctx_cls``.

    Attributes:
        name: What to call the experiment.
        direct: Run in this process.
        dryrun: Print the plan only.
        factory: The factory that the task begins with.
        load: Refused where it is set; files are given as ``yaml``.
        repl: Open Python instead of running.
        detach: Do not wait.
        skip_confirmation: Do not ask.
        tail_logs: Show the output of the jobs.
        yaml: The files that values were taken from.
        to_yaml: Write the configuration to this file, and stop.
        to_toml: The same as TOML.
        to_json: The same as JSON.
        verbose: Show tracebacks of our own errors.
        quiet: Say nothing but errors.
        json: Print one JSON document.
        rich_exceptions: Show tracebacks of the function through rich.
        rich_traceback: All of their frames.
        rich_locals: With the values of local variables.
        rich_theme: In these colours.
        executor: Where and how to run; None where nothing was said.
        plugins: Edit task and executor.
    """

    name: str | None = None
    direct: bool = False
    dryrun: bool = False
    factory: str | None = None
    load: str | None = None
    repl: bool = False
    detach: bool = False
    skip_confirmation: bool = False
    tail_logs: bool = False
    yaml: str | tuple[str, ...] | None = None
    to_yaml: str | None = None
    to_toml: str | None = None
    to_json: str | None = None
    verbose: bool = False
    quiet: bool = False
    json: bool = False
    rich_exceptions: bool = False
    rich_traceback: bool = True
    rich_locals: bool = False
    rich_theme: str | None = None
    executor: Executor | None = field(default=None, init=False)
    plugins: list[Any] = field(default_factory=list, init=False)
    # The executor before it was built: who set which value.
    executor_config: Any = field(default=None, init=False, repr=False, compare=False)
    # The fields with their history, and who named the executor and the plugins.
    said: Any = field(default=None, init=False, repr=False, compare=False)
    said_of_places: Any = field(default=None, init=False, repr=False, compare=False)
    _launched: list[Experiment] = field(default_factory=list, init=False, repr=False, compare=False)
    _planned: list[Plan] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def launched(self) -> tuple[Experiment, ...]:
        """The experiments that were launched through it, in order."""
        return tuple(self._launched)

    @property
    def planned(self) -> tuple[Plan, ...]:
        """The plans of the experiments that a dry run launched, in order."""
        return tuple(self._planned)

    def launch(self, experiment: Experiment, sequential: bool = False) -> Any:
        """Run an experiment as the command line says, or print its plan.

        Args:
            experiment: The experiment, with its jobs.
            sequential: Start each job after the one before it has succeeded.

        Returns:
            What :meth:`Experiment.run` returns; the plan of a dry run.

        Raises:
            JobFailedError: Jobs did not succeed.
        """
        if self.dryrun:
            plan = experiment.dryrun(log=not self.json, sequential=sequential)
            self._planned.append(plan)
            return plan
        self._launched.append(experiment)
        return experiment.run(
            sequential=sequential, detach=self.detach, tail_logs=self.tail_logs, direct=self.direct
        )

    def parse_fn(self, fn: Callable[..., Any], args: Sequence[str], **default_args: Any) -> Any:
        """Return the task that words of a command line make of a function.

        Args:
            fn: The function.
            args: ``key=value`` and positional words.
            **default_args: Values that hold where the words say nothing.
        """
        return _entry(fn).parse_partial(args, **default_args)

    def parse_args(self, args: Sequence[str], lazy: bool = False) -> list[str]:  # noqa: ARG002
        """Take the words ``run.…`` and return the others.

        Args:
            args: The words of a command line.
            lazy: Kept for programs that give it.

        Raises:
            OverrideError: A field or a value cannot be used.
        """
        from nemo_run.cli.run_overrides.fields import context_with

        rest, context = context_with(self, args)
        vars(self).update(vars(context))
        return rest

    def parse_executor(self, name: str, *args: str) -> Any:
        """Return the executor of a factory or profile, with fields set as ``field=value``."""
        from nemo_run.cli.run_overrides.fields import parsed_executor

        return parsed_executor(name, args)

    def parse_plugin(self, name: str, *args: str) -> Any:
        """Return the plugins of a factory, with fields set as ``field=value``."""
        from nemo_run.cli.run_overrides.fields import parsed_plugins

        return parsed_plugins(name, args)

    def cli_execute(
        self,
        fn: Callable[..., Any],
        args: Sequence[str],
        type: str = "task",  # noqa: A002
    ) -> Any:
        """Run a function with words of a command line, as this context says.

        Args:
            fn: The function.
            args: The words, without options.
            type: ``"task"`` or ``"experiment"``.
        """
        from .execute import execute_in

        return execute_in(self, _entry(fn, type), args)

    @classmethod
    def get_help(cls) -> str:
        """Return the text about the fields."""
        import inspect

        return inspect.getdoc(cls) or ""


def _entry(fn: Callable[..., Any], kind: Any = "task") -> Any:
    from nemo_run.cli.entrypoints.entrypoint import Entrypoint, entrypoint_of

    return entrypoint_of(fn) or Entrypoint(fn, type=kind)
