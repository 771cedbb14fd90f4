"""Objects of the user's classes: configurations of them, which nothing here builds."""

from __future__ import annotations

import inspect
import sys
import typing
from dataclasses import dataclass
from typing import Any

from nemo_run.config.alternatives import is_abstract, is_below
from nemo_run.config.checks.annotations import display, mismatches
from nemo_run.config.checks.hints import hints_of
from nemo_run.config.checks.namesakes import namesake
from nemo_run.config.graph.copying import recast
from nemo_run.config.graph.node import Config, Partial, is_node
from nemo_run.config.graph.signature import signature_info
from nemo_run.exceptions import ConfigError, nearest

from .classes import classes_below, classes_named, names_of_classes, which
from .containers import read_at
from .imported import find_loaded, find_of_program, kind_of
from .inferred import infer
from .reading import Reading, Word, item_word, seen
from .records import read_fields, unknown_field
from .refusal import RefusedError, shown
from .syntax import Call, inside, read_call

_P = inspect.Parameter


def read_object(source: Any, hint: Any, reading: Reading) -> Any:
    """Return a configuration of a class, or a constant that is an object of it."""
    if isinstance(source, dict):
        return _from_fields(source, hint, reading)
    if not isinstance(source, Word):
        return _accepted(source, hint, reading)
    text = source.text
    if not source.quoted and text[:1] == "{" and inside(text) != text:
        return _from_fields(source, hint, reading)
    call = read_call(text)
    if call is None:
        return _accepted(source, hint, reading)
    if call.bare:
        return _constant(source, call.name, hint, reading)
    return _from_call(call, hint, reading)


def _accepted(source: Any, hint: Any, reading: Reading) -> Any:
    """Return what programs use in place of an object, such as a device by its name."""
    plain = infer(source, Any, reading)
    for value in (plain, source.as_text if isinstance(source, Word) else plain):
        if not mismatches(value, hint):
            return value
    raise RefusedError(f"{shown(seen(source))} is no {display(hint)}. {_how(hint)}")


def _how(hint: Any) -> str:
    if is_abstract(typing.get_origin(hint) or hint):
        return which(hint)
    name = display(hint).partition("[")[0]
    module = (typing.get_origin(hint) or hint).__module__
    if module.partition(".")[0] in sys.stdlib_module_names:
        # It is mostly made by something else, as a pattern is by re.compile.
        return f"Register a parser for {name}, or write the name of a factory."
    return f"Write {name}(key=value), {{key: value}}, or the name of a factory."


def _from_fields(source: Any, hint: Any, reading: Reading) -> Any:
    kind = typing.get_origin(hint) or hint
    if is_abstract(kind):
        return _of_abstract(source, kind, reading)
    takes = _taken_by(kind)
    found = read_fields(source, kind, takes.by_name, reading, rest=takes.other_names)
    return configured(Config, kind, [], found)


def _of_abstract(source: Any, kind: type, reading: Reading) -> Any:
    plain = infer(source, Any, reading)
    if is_below(type(plain), kind):
        return plain
    how = which(kind) if isinstance(source, Word) else "Name its class with _target_."
    raise RefusedError(
        f"{shown(seen(source))} does not say which class: {display(kind)} is abstract. {how}"
    )


@dataclass(frozen=True)
class _Taken:
    """What a callable takes, by annotation.

    Attributes:
        by_name: What can be given by name.
        by_position: What can be given by position.
        other_names: The annotation of ``**kwargs``, in a list; an empty one without any.
        other_positions: The same of ``*args``.
    """

    by_name: dict[str, Any]
    by_position: list[Any]
    other_names: list[Any]
    other_positions: list[Any]


def _taken_by(target: Any) -> _Taken:
    try:
        parameters = signature_info(target).parameters.values()
    except (TypeError, ValueError):  # Python does not know what it takes
        return _Taken({}, [], [Any], [Any])
    hints = hints_of(target)

    def of(*kinds: Any) -> dict[str, Any]:
        return {p.name: hints.get(p.name, Any) for p in parameters if p.kind in kinds}

    return _Taken(
        of(_P.POSITIONAL_OR_KEYWORD, _P.KEYWORD_ONLY),
        [*of(_P.POSITIONAL_ONLY, _P.POSITIONAL_OR_KEYWORD).values()],
        [*of(_P.VAR_KEYWORD).values()],
        [*of(_P.VAR_POSITIONAL).values()],
    )


def _constant(source: Word, name: str, hint: Any, reading: Reading) -> Any:
    """Return the object that a dotted name stands for, if it is one of the class."""
    if not mismatches(source.as_text, hint):
        return source.as_text
    if any(not is_abstract(kind) for kind in classes_named(name, hint)):
        raise _is_class(name)
    own = vars(sys.modules["__main__"])
    if reading.beside_text:
        found = find_loaded(name)
    elif "." in name or name in own:
        found = find_of_program(name)
    else:
        return _accepted_name(source, name, hint, reading)
    if mismatches(found, hint):
        if not is_abstract(found) and any(found is kind for kind in classes_below(hint)):
            raise _is_class(name)
        raise RefusedError(
            f"{shown(name)} is no {display(hint)}, but {kind_of(found)}. {_how(hint)}"
        )
    return found


def _is_class(name: str) -> RefusedError:
    return RefusedError(f"{name} is a class. Write {name}() for one with its defaults.")


def _accepted_name(source: Word, name: str, hint: Any, reading: Reading) -> Any:
    try:
        return _accepted(source, hint, reading)
    except RefusedError:
        raise RefusedError(_no_object(name, hint)) from None


def _no_object(name: str, hint: Any) -> str:
    near = nearest(name, names_of_classes(hint))
    return f"{shown(name)} is no {display(hint)}.{near} {_how(hint)}"


def _from_call(call: Call, hint: Any, reading: Reading) -> Any:
    kind = _class_named(call.name, hint, reading)
    if is_abstract(kind):
        raise RefusedError(f"{call.name} is abstract, so there are no objects of it. {which(hint)}")
    try:
        positional, named = arguments_of(kind, call, reading)
        made = configured(Config, kind, positional, named)
    except RefusedError as refusal:
        raise refusal.final() from None
    if mismatches(made, hint):
        raise RefusedError(
            f"{call.name} makes no {display(hint)}.{namesake(made, hint)} {_how(hint)}"
        )
    return made


def _class_named(name: str, hint: Any, reading: Reading) -> type:
    named = classes_named(name, hint)
    if len(named) > 1:
        full = ", ".join(f"{kind.__module__}.{kind.__qualname__}" for kind in named)
        raise RefusedError(f"{name} could be any of {full}. Write one of them.")
    if named:
        return named[0]
    if "." not in name:
        raise RefusedError(_no_object(name, hint))
    found = find_loaded(name) if reading.beside_text else find_of_program(name)
    if not isinstance(found, type):
        raise RefusedError(
            f"{name} is no class, but {kind_of(found)}, and nothing but registered "
            "factories is called. Decorate it with @run.cli.factory."
        )
    return found


def arguments_of(target: Any, call: Call, reading: Reading) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call, read by the annotations of its target.

    Raises:
        RefusedError: There is no such argument, or its value cannot be used.
    """
    takes = _taken_by(target)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    nested: dict[str, list[str]] = {}
    for key, text in call.arguments:
        if key is None:
            index = len(positional)
            hints = [*takes.by_position, *takes.other_positions[:1] * (index + 1)]
            hint = hints[index] if index < len(hints) else Any
            positional.append(read_at(f"[{index}]", item_word(text), hint, reading))
            continue
        name, _, deeper = key.partition(".")
        hint = _hint_of_name(name, takes, target)
        if name in named or (name in nested and not deeper):
            raise RefusedError(f"{call.name} was given {name!r} twice.")
        if deeper:
            nested.setdefault(name, []).append(f"{deeper}={text}")
        else:
            named[name] = read_at(f".{name}", item_word(text), hint, reading)
    for name, pairs in nested.items():
        fields = item_word(f"{{{', '.join(pairs)}}}")
        named[name] = read_at(f".{name}", fields, _hint_of_name(name, takes, target), reading)
    return positional, named


def _hint_of_name(name: str, takes: _Taken, target: Any) -> Any:
    if name in takes.by_name:
        return takes.by_name[name]
    if not takes.other_names:
        raise RefusedError(unknown_field(name, target, takes.by_name))
    return takes.other_names[0]


def configured(node: Any, target: Any, positional: list[Any], named: dict[str, Any]) -> Any:
    """Return a ``Config`` or a ``Partial`` of a target.

    Raises:
        RefusedError: The target does not take these arguments.
    """
    try:
        return node(target, *positional, **named)
    except (ConfigError, TypeError) as error:
        raise RefusedError(str(error)) from None


def as_partial(made: Any) -> Any:
    """Return what a parameter for partial configurations gets in place of a configuration."""
    if is_node(made) and isinstance(made, Config):
        return recast(made, Partial)
    return made


def lacks_arguments(made: Any) -> bool:
    """Whether a configuration that was just made is one of a class that needs more arguments."""
    if type(made) is not Config:
        return False
    info = signature_info(made.__fn_or_cls__)
    variadic = (_P.VAR_POSITIONAL, _P.VAR_KEYWORD)
    return any(
        parameter.default is _P.empty
        and parameter.kind not in variadic
        and info.keys.get(name, name) not in made.__arguments__
        for name, parameter in info.parameters.items()
    )
