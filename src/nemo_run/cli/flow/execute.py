"""The way of one command: its words, the task, then what was asked for."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.shared.settings import settings_of
from nemo_run.exceptions import OverrideError

from .options import Asked, asked_of, context_values, with_exports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.cli.entrypoints.entrypoint import Entrypoint
    from nemo_run.cli.shared.settings import Settings
    from nemo_run.config.sweeps.sweep import Sweep

    from .context import RunContext
    from .files import Files
    from .words import Words


@dataclass(frozen=True)
class Call:
    """One command as it was typed.

    Attributes:
        entry: The entrypoint.
        words: The words that are no options.
        options: The values of the options; None, False or empty where they were not given.
        defaults: What options are where they are not given.
        context: The command's context of click.
    """

    entry: Entrypoint
    words: Sequence[str]
    options: dict[str, Any]
    defaults: Mapping[str, Any]
    context: click.Context | None = None


@dataclass(frozen=True)
class Ready:
    """One command, understood: nothing has run yet.

    Attributes:
        entry: The entrypoint.
        run: What was said about the run.
        task: The task with all its values.
        asked: What was asked for beside a run.
        sweep: The points, where several were asked for; ``task`` is that of the first.
        context: The command's context of click.
        shows_value: Whether to say at the end what the task returned.
    """

    entry: Entrypoint
    run: RunContext
    task: Any
    asked: Asked
    sweep: Sweep | None = None
    context: click.Context | None = field(default=None, repr=False)
    shows_value: bool = False


def execute(call: Call) -> int:
    """Do what a command says.

    Args:
        call: The command.

    Returns:
        The exit code.

    Raises:
        Refused: Something of it cannot be used; nothing was started.
        JobFailedError: A job did not succeed.
    """
    from .errors import refusing, refusing_exit, showing_user_errors
    from .json_output import on_standard_error

    given = {name: value for name, value in call.options.items() if value is not None}
    with showing_user_errors({**call.defaults, **given}), refusing():
        aside = on_standard_error() if _prints_document(call) else nullcontext()
        with refusing_exit(), aside:
            ready = prepared(call)
        code = _other_than_run(ready)
    return _run(ready) if code is None else code


def _prints_document(call: Call) -> bool:
    """Tell whether standard output is for a document, which factories must not print into."""
    wanted = call.options["as_json"] or call.options["cfg"] or call.options["explain"]
    return bool(wanted or call.defaults.get("json"))


def prepared(call: Call) -> Ready:
    """Read the words and files of a command and make its task.

    Raises:
        OverrideError: Something of it cannot be used.
    """
    from nemo_run.cli.flow.sweeping import is_wanted
    from nemo_run.cli.run_overrides.fields import context_of

    from .defaults import context_defaults
    from .files import paths_of, read_files
    from .words import read_words

    entry = call.entry
    os.environ.update(entry.env)
    defaults, options = context_defaults(call.defaults), context_values(call.options)
    function = None if entry.lazy_target else entry.fn
    words = read_words(call.words, function)
    files = read_files(paths_of(defaults, options, words.run), function)
    options = {**options, "yaml": files.paths or None}
    run = context_of(entry, defaults, files.run, options, words.run)
    if call.context is not None and run.verbose:
        settings_of(call.context).verbose = True
    asked = with_exports(asked_of(call.options), run)
    if asked.lazy and entry.type == "experiment":
        raise OverrideError(
            f"{entry.name} describes an experiment here, and --lazy imports nothing here. Leave "
            "--lazy out."
        )
    if asked.lazy and not is_wanted(asked):
        task, sweep = _lazy_task(entry, run, call.words), None
    else:
        task, sweep = _task(entry, run, files, words, asked)
    recorded = run.executor is not None and not run.direct
    # What a script returns to itself is its own business.
    shows_value = recorded or call.defaults.get("direct") is False
    return Ready(entry, run, task, asked, sweep, call.context, shows_value)


def _task(
    entry: Entrypoint, run: RunContext, files: Files, words: Words, asked: Asked
) -> tuple[Any, Sweep | None]:
    from nemo_run.cli.flow.sweeping import is_wanted, refuse_unasked, sweep_of

    from .files import tell_replaced
    from .tasks import begun, configured

    named = run.factory if run.factory and not run.factory.startswith("@") else None
    base, by_position = begun(entry, named, words, of_files=files.factory)
    overrides = [*files.overrides, *by_position, *words.overrides]
    if not run.quiet:
        tell_replaced(overrides)
    if is_wanted(asked):
        sweep = sweep_of(entry, base, overrides, asked)
        return sweep[0].task, sweep
    refuse_unasked(base, overrides, quiet=run.quiet)
    return configured(entry, base, overrides), None


def _lazy_task(entry: Entrypoint, run: RunContext, words: Sequence[str]) -> Any:
    from nemo_run.cli.lazy.entrypoint import lazily

    from .words import task_words

    paths = run.yaml if isinstance(run.yaml, tuple) else ()
    target = entry.lazy_target or entry.fn
    return lazily(target, task_words(words), factory=run.factory, files=paths)


def _other_than_run(ready: Ready) -> int | None:
    """Do what was asked for instead of a run; None where nothing was."""
    if ready.asked.exports or ready.asked.cfg or ready.asked.explain:
        from .showing import show

        return show(ready)
    if ready.run.repl:
        from .repl import open_repl

        return open_repl(ready)
    return None


def _run(ready: Ready) -> int:
    from .confirmation import confirm_run
    from .errors import refusing, showing_user_errors
    from .starting import start
    from .tasks import give_context

    with showing_user_errors(vars(ready.run)), refusing():
        give_context(ready.entry, ready.task, ready.run)
        # What is missing is said before anybody is asked.
        _check(ready)
        if not ready.run.dryrun:
            confirm_run(ready)
    with showing_user_errors(vars(ready.run), running=True), refusing():
        return start(ready)


def _check(ready: Ready) -> None:
    from nemo_run.config.overrides.unset import check_given
    from nemo_run.exceptions import ConfigError

    try:
        check_given(ready.task)
    except ConfigError as error:
        if ready.context is None:
            raise
        raise click.UsageError(str(error), ready.context) from error


def execute_in(run: RunContext, entry: Entrypoint, args: Sequence[str]) -> Any:
    """Run an entrypoint with words, under a context that is there already.

    Returns:
        What the task returned, or the function.
    """
    from .starting import value_of
    from .tasks import give_context, parsed_task

    task = parsed_task(entry, run.parse_args(args), {})
    give_context(entry, task, run)
    return value_of(Ready(entry, run, task, Asked()))


def execute_simple(entry: Entrypoint, words: Sequence[str], settings: Settings) -> int:
    """Call the function of a command that has no options."""
    from nemo_run.console import api

    from .errors import refusing, showing_user_errors

    os.environ.update(entry.env)
    with showing_user_errors({"verbose": settings.verbose}, running=True), refusing():
        entry._execute_simple(list(words), api.CONSOLE)  # noqa: SLF001 - what programs replace
    return 0
