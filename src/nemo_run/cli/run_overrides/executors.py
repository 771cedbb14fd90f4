"""The executor that ``run.executor…`` asks for: a factory's, a profile's, or of some kind.

::

    run.executor=h100 run.executor.nodes=2
    run.executor=slurm(account=research) run.executor.env_vars.DEBUG=1
    run.executor.nodes=2                      on top of the program's own executor
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nemo_run.config import factories
from nemo_run.config.graph.build import build
from nemo_run.config.graph.defaults import converted
from nemo_run.config.graph.history import setting
from nemo_run.config.graph.node import Config, is_node
from nemo_run.config.graph.reference import resolved
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import MISSING, Override
from nemo_run.config.overrides.resolving import call_factory
from nemo_run.config.values.syntax import Call, read_call
from nemo_run.exceptions import ConfigError, OverrideError, PlanError, nearest
from nemo_run.execution.executor import Executor
from nemo_run.execution.kinds import executor_class, find_executor_class
from nemo_run.execution.launcher import LAUNCHER_MAP
from nemo_run.execution.profile_files import places, read_layers
from nemo_run.execution.profiles import Profiles
from nemo_run.execution.registry import backend_names

from .parts import called, is_none, own_part

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Chosen:
    """An executor, and what a person should know of the choice.

    Attributes:
        config: Its configuration, with the history of each value; the executor itself where it
            was given as an object that has no configuration; None for no executor.
        notes: Sentences: which profile it is, and from which files.
    """

    config: Any = None
    notes: tuple[str, ...] = ()


def executor_of(run_overrides: Sequence[Override], default: Any = None) -> Executor | None:
    """Return the executor that a command line asks for; see :func:`choose_executor`."""
    chosen = choose_executor(run_overrides, default).config
    found: Executor | None = build(chosen) if is_node(chosen) else chosen
    return found


def choose_executor(
    run_overrides: Sequence[Override], default: Any = None, last: Any = None
) -> Chosen:
    """Return what is to run a task, before it is built.

    Args:
        run_overrides: What ``run.…`` says, with that word or without; only what is about the
            executor counts.
        default: What runs it where nothing is named: an executor, a configuration of one, or a
            name as in ``run.executor=NAME``. It is not changed.
        last: What runs it where no file names one either.

    Raises:
        OverrideError: There is no such executor, or a field or value cannot be used.
    """
    named, fields = _parted(own_part(run_overrides, "executor"))
    notes: list[str] = []
    if named is not None:
        begun = _of_override(named, notes)
    elif isinstance(default, str):
        begun = _labelled("default_executor", default, notes)
    elif default is not None:
        begun = default
    else:
        begun = _default_of_files(notes) or last
    if not fields:
        return Chosen(copy.deepcopy(begun), tuple(notes))
    if begun is None and named is not None:
        raise OverrideError(
            f"{fields[0].label}: {named.key}={named.text} asks for no executor, so it has no "
            "fields. Leave one of the two out."
        )
    return Chosen(_with_fields(begun, fields), tuple(notes))


def _parted(overrides: Sequence[Override]) -> tuple[Override | None, list[Override]]:
    """Return which executor is named, at last, and the fields, in the order given."""
    named = None
    fields = []
    for override in overrides:
        if len(override.steps) > 1:
            fields.append(replace(override, steps=override.steps[1:]))
        elif override.operator == "=":
            named = override
            # Another executor than that of a file has none of the fields that the file set.
            fields = [field for field in fields if field.source == override.source]
        else:
            raise OverrideError(
                f"{override.label}{override.operator}…: an executor can only be set, with "
                f"{override.key}=NAME."
            )
    return named, fields


def _of_override(override: Override, notes: list[str]) -> Any:
    text = override.text if override.data is MISSING else override.data
    if text is None:
        return None
    if is_node(text):
        return _checked(resolved(text), f"{override.label}: the file")
    if not isinstance(text, str):
        raise OverrideError(
            f"{override.label} is {text!r}; it must be the name of an executor. Its fields go "
            f"under {override.key}.FIELD."
        )
    with setting(override.kind, override.file, override.line):
        return _labelled(override.label, text, notes)


def _labelled(label: str, text: str, notes: list[str]) -> Any:
    try:
        return None if is_none(text) else _named(text.strip(), notes)
    except (ConfigError, PlanError) as error:
        raise OverrideError(f"{label}: {error}") from error.__cause__


def _default_of_files(notes: list[str]) -> Any:
    default = Profiles(read_layers()).default
    if default is None:
        return None
    with setting("file", default.file, default.line):
        found = _labelled(f"{default.place}: default_executor", default.value, notes)
    said = notes.pop() if notes else f"executor: {default.value}"
    notes.append(f"{said}; the default_executor of {default.place}")
    return found


def _named(text: str, notes: list[str]) -> Any:
    """Return what a name or a call stands for: a factory, a profile, or a kind of executor."""
    # `package.module:Class` is no call in the language of values; with a dot it is.
    place = text.partition("(")[0].strip()
    call = read_call(text.replace(":", ".", 1) if ":" in place else text)
    profiles = Profiles(read_layers())
    if call is None and text in profiles:
        call = Call(text, bare=True)
    if call is None:
        raise OverrideError(f"{text!r} is no name of an executor. Write NAME or NAME(field=value).")
    factory = factories.find(Executor, call.name)
    if factory is not None:
        if call.name in profiles:
            source = profiles.get(call.name).sources[-1]
            notes.append(
                f"executor: {call.name} is the factory at {factory.place}; the profile of that "
                f"name ({source}) is not used"
            )
        return _made_by(factory, call)
    if call.name in profiles:
        from nemo_run.execution.profile_config import config_of

        profile = profiles.get(call.name)
        files = ", ".join(map(str, profile.sources))
        notes.append(f"executor: profile {call.name} ({profile.kind.value}) from {files}")
        return called(config_of(profile), call)
    if find_executor_class(place) is None:
        raise OverrideError(_unknown(place, profiles))
    return called(Config(executor_class(place)), call)


def _made_by(factory: factories.Factory, call: Call) -> Any:
    return _checked(call_factory(factory, call), f"the factory {factory.name} ({factory.place})")


def _checked(made: Any, what: str) -> Any:
    kind = made.__fn_or_cls__ if is_node(made) else type(made)
    if not isinstance(kind, type) or not issubclass(kind, Executor):
        raise OverrideError(f"{what} made {made!r}, and that is no executor.")
    return made


def _with_fields(begun: Any, fields: Sequence[Override]) -> Any:
    if begun is None:
        return _fields_of_local(fields)
    config = converted(begun)
    if not is_node(config):
        raise OverrideError(
            f"{fields[0].label}: the executor is {begun!r}, whose fields cannot be set from the "
            "command line, as its class is no dataclass that takes them all. Give the program a "
            "run.Config of it."
        )
    return apply(*_with_launcher(config, fields))


def _fields_of_local(fields: Sequence[Override]) -> Any:
    """Return the executor of this machine with fields set, as nothing says which one is meant."""
    config = Config(executor_class("local"))
    try:
        return apply(*_with_launcher(config, fields))
    except OverrideError as error:
        raise OverrideError(
            f"{error} No executor is named, so LocalExecutor is meant; name one with "
            "run.executor=NAME."
        ) from error.__cause__


def _with_launcher(config: Any, fields: Sequence[Override]) -> tuple[Any, list[Override]]:
    """Make launchers that are only named launchers with fields, where fields of them are set."""
    if not any(override.steps[0] == "launcher" and len(override.steps) > 1 for override in fields):
        return config, list(fields)
    named = config.__arguments__.get("launcher")
    if isinstance(named, str) and named in LAUNCHER_MAP:
        config = copy.deepcopy(config)
        config.launcher = Config(LAUNCHER_MAP[named])
    return config, [_opened(override) for override in fields]


def _opened(override: Override) -> Override:
    said = override.text if override.data is MISSING else override.data
    if override.steps != ("launcher",) or not isinstance(said, str) or said not in LAUNCHER_MAP:
        return override
    return replace(override, text=None, data=Config(LAUNCHER_MAP[said]))


def _unknown(name: str, profiles: Profiles) -> str:
    """Return the sentence for a name that nothing has, with all that there are."""
    made = [factory.name for factory in factories.fitting(Executor)]
    kinds = backend_names()
    looked = ", ".join(str(place.path) for place in places())
    return (
        f"no executor is called {name!r}.{nearest(name, [*made, *profiles.names, *kinds])} "
        f"Factories: {', '.join(dict.fromkeys(made)) or 'none'}. "
        f"Profiles: {', '.join(profiles.names) or 'none'} (looked for in {looked}). "
        f"Kinds: {', '.join(kinds)}; any other class goes by its place, package.module:MyExecutor."
    )
