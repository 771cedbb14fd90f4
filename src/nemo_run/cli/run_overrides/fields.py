"""What ``run.…`` says: the context's fields, the executor, the plugins."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nemo_run.cli.entrypoints.entrypoint import Entrypoint
    from nemo_run.cli.flow.context import RunContext
    from nemo_run.config import Config
    from nemo_run.config.overrides.explaining import Said
    from nemo_run.config.overrides.grammar import Override

_PLACES = ("executor", "plugins")
# Which files there are is settled before they are read.
_FILES = {"yaml", "config"}
_ALIASES = {"yes": "skip_confirmation"}
# Nobody needs to be told of what is only understood for programs of the reference implementation.
_UNSAID = frozenset({"load"})


def context_of(
    entry: Entrypoint,
    defaults: Mapping[str, Any],
    of_files: Sequence[Override],
    options: Mapping[str, Any],
    of_words: Sequence[Override],
) -> RunContext:
    """Return the context of a run; what comes later in the arguments counts more.

    Args:
        entry: What is run.
        defaults: The program's defaults, by field.
        of_files: The sections ``run:`` of files.
        options: The options given.
        of_words: ``run.…`` of the command line.

    Raises:
        OverrideError: A field or a value cannot be used.
    """
    from nemo_run.cli.flow.context import RunContext

    kind = entry.run_ctx_cls or RunContext
    for override in of_files:
        if override.steps[0] in _FILES:
            raise OverrideError(
                f"{override.label}: a file cannot name further files. Use --config."
            )
    said = _said(kind, entry, defaults, of_files, options, of_words)
    given = {str(name): getattr(said, str(name)) for name in said.__arguments__}
    context = kind(**given)
    context.said = said
    if context.load:
        raise OverrideError(
            f"load={context.load!r} loads nothing. Give the files with --config FILE."
        )
    last = _this_machine() if entry.type == "task" and _is_recorded(given) else None
    overrides = [*of_files, *of_words]
    _choose_executor(context, overrides, entry.default_executor, last)
    context.plugins = _plugins(entry, overrides)
    context.said_of_places = {
        "executor": _named_as("executor", entry.default_executor or last, overrides),
        "plugins": _named_as("plugins", entry.default_plugins, overrides),
    }
    return context


def _is_recorded(given: Mapping[str, Any]) -> bool:
    """Tell whether something was said that only a run with a record can do."""
    direct = given.get("direct")
    return direct is False or (not direct and bool(given.get("name") or given.get("detach")))


def _this_machine() -> Any:
    from nemo_run.config import Config
    from nemo_run.execution import LocalExecutor

    return Config(LocalExecutor)


def _said(
    kind: type[RunContext],
    entry: Entrypoint,
    defaults: Mapping[str, Any],
    of_files: Sequence[Override],
    options: Mapping[str, Any],
    of_words: Sequence[Override],
) -> Config[RunContext]:
    """Return the fields as a configuration, with the history of each."""
    from nemo_run.cli.shared.program import program_name
    from nemo_run.config import Config
    from nemo_run.config.graph.history import setting
    from nemo_run.config.overrides.apply import apply

    said = Config(kind)
    with setting("default", program_name()):
        # The one job of a task is what everybody looks at.
        said.tail_logs = entry.type == "task"
        for name, value in defaults.items():
            setattr(said, name, value)
    said = apply(said, own_fields(kind, of_files))
    with setting("command line"):
        for name, value in options.items():
            if value is not None:
                setattr(said, name, value)
    return apply(said, own_fields(kind, of_words))


def own_fields(kind: type[RunContext], overrides: Iterable[Override]) -> list[Override]:
    """Return the overrides that set fields, by the names of the fields.

    Raises:
        OverrideError: There is no such field.
    """
    elsewhere = {*_PLACES, *_FILES}
    found = []
    known = [f.name for f in dataclasses.fields(kind) if f.init]
    for override in overrides:
        name = str(override.steps[0])
        if name in elsewhere:
            continue
        field = _ALIASES.get(name, name)
        if field not in known:
            raise OverrideError(f"{override.label}: {_unknown(name, known)}")
        found.append(replace(override, steps=(field, *override.steps[1:])))
    return found


def _unknown(name: str, known: Sequence[str]) -> str:
    from nemo_run.cli.flow.options import Asked

    if name in {*Asked.__dataclass_fields__, "export", "no_color", "help"}:
        return f"it is no field of a run, but an option: --{name.replace('_', '-')}."
    names = [*_PLACES, *(field for field in known if field not in _UNSAID)]
    return f"a run has no {name!r}.{nearest(name, names)} It has: {', '.join(names)}."


def _named_as(place: str, default: Any, overrides: Sequence[Override]) -> list[Said]:
    """Return what was said of the executor, or of the plugins, as a whole."""
    from nemo_run.config.graph.history import Shown, summary
    from nemo_run.config.overrides.explaining import Said
    from nemo_run.config.overrides.grammar import MISSING

    key = f"run.{place}"
    found = [Said(key, "default", summary(default))]
    for one in overrides:
        if one.steps == (place,):
            value = summary(one.data) if one.data is not MISSING else Shown(one.text)
            found.append(Said(key, one.kind, value, one.file, one.line))
    return found


def _fields(kind: type[RunContext], overrides: Iterable[Override]) -> dict[str, Any]:
    """Return the values of the fields that overrides set, each by its annotation."""
    from nemo_run.config import Config
    from nemo_run.config.overrides.apply import apply

    wanted = own_fields(kind, overrides)
    set_ = apply(Config(kind), wanted)
    return {str(one.steps[0]): getattr(set_, str(one.steps[0])) for one in wanted}


def _choose_executor(
    context: RunContext, overrides: Sequence[Override], default: Any, last: Any
) -> None:
    from nemo_run.cli.run_overrides.executors import choose_executor
    from nemo_run.cli.shared.settings import note
    from nemo_run.config import build

    chosen = choose_executor(overrides, default, last)
    if not context.quiet:
        for sentence in chosen.notes:
            note(sentence)
    context.executor_config = chosen.config
    context.executor = build(chosen.config)


def _plugins(entry: Entrypoint, overrides: Sequence[Override]) -> list[Any]:
    from nemo_run.cli.run_overrides.plugins import plugins_of

    return plugins_of(overrides, entry.default_plugins)


def context_with(context: RunContext, args: Sequence[str]) -> tuple[list[str], RunContext]:
    """Return the words that are not of the run, and the context with those that are."""
    import copy

    from nemo_run.cli.flow.words import split_run, task_words
    from nemo_run.cli.run_overrides.executors import executor_of
    from nemo_run.cli.run_overrides.plugins import plugins_of
    from nemo_run.config.overrides.grammar import is_override, parse_override

    _, run = split_run([parse_override(word) for word in args if is_override(word)])
    changed = copy.copy(context)
    for name, value in _fields(type(context), run).items():
        setattr(changed, name, value)
    if any(override.steps[0] == "executor" for override in run):
        changed.executor = executor_of(run, context.executor)
    if any(override.steps[0] == "plugins" for override in run):
        changed.plugins = plugins_of(run, context.plugins)
    return task_words(args), changed


def parsed_executor(name: str, args: Sequence[str]) -> Any:
    """Return the executor that ``run.executor=name run.executor.field=value`` makes."""
    from nemo_run.cli.run_overrides.executors import executor_of

    return executor_of(_named("executor", name, args))


def parsed_plugins(name: str, args: Sequence[str]) -> Any:
    """Return the plugins that ``run.plugins=name run.plugins.field=value`` makes."""
    from nemo_run.cli.run_overrides.plugins import plugins_of

    return plugins_of(_named("plugins", name, args))


def _named(place: str, name: str, args: Sequence[str]) -> list[Override]:
    from nemo_run.config.overrides.grammar import parse_override

    texts = [f"run.{place}={name}", *(f"run.{place}.{argument}" for argument in args)]
    return [parse_override(text) for text in texts]
