"""Text and plain data to values, by the annotation of what takes them.

Nothing is evaluated and nothing is called but registered parsers and, through the resolver,
registered factories. A module is imported only where the annotation asks for a callable or for a
class itself, and a dotted name says which; an object's class is in what is imported already.
"""

from __future__ import annotations

import datetime as dt
import enum
import inspect
import numbers
import os
import typing
from collections import abc
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

from nemo_run.config.alternatives import is_partial
from nemo_run.config.checks.annotations import UNIONS, display, mismatches, simplified
from nemo_run.config.checks.build_types import defines_call
from nemo_run.config.checks.namesakes import namesake

from . import choices, containers, imported, inferred, objects, paths, records, secrets, unions
from .reading import (
    NONE_WORDS,
    NOT_FOUND,
    Reading,
    Resolver,
    Word,
    item_word,
    seen,
    whole_word,
    word_of_file,
)
from .refusal import RefusedError, shown
from .registered import parser_of
from .scalars import Scalar, scalar_of
from .syntax import read_call

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[[Any, Any, Reading], Any]


def parse(text: str, hint: Any, resolve: Resolver | None = None) -> Any:
    """Return the value that ``text`` says, for something annotated ``hint``.

    Args:
        text: All that stands after the operator; as a str it is kept to the last character.
        hint: A resolved annotation (see :mod:`nemo_run.config.checks.hints`).
        resolve: Asked for names and calls that may be registered factories.

    Raises:
        OverrideError: It says no such value. The message does not name the key.
    """
    return _read(whole_word(text), hint, Reading(_read, resolve))


def parse_item(text: str, hint: Any, resolve: Resolver | None = None) -> Any:
    """Return the value of a part of a list, a dict or a call: quotes around it are read.

    Args:
        text: The part as written, as :mod:`nemo_run.config.values.syntax` gives it.
        hint: A resolved annotation.
        resolve: Asked for names and calls that may be registered factories.

    Raises:
        OverrideError: It says no such value.
    """
    return _read(item_word(text), hint, Reading(_read, resolve))


def convert(data: Any, hint: Any, resolve: Resolver | None = None) -> Any:
    """Return the value that plain data of a file says, for something annotated ``hint``.

    A text is kept where the annotation allows a text; elsewhere it is read as on the command
    line.

    Args:
        data: A str, number, bool, None, date, list or dict, as a file holds it. What a program
            has made already is checked and kept.
        hint: A resolved annotation.
        resolve: Asked for names and calls that may be registered factories.

    Raises:
        OverrideError: It says no such value. The message does not name the key.
    """
    try:
        return _read(data, hint, Reading(_read, resolve))
    except RecursionError:
        raise RefusedError(
            f"A {type(data).__name__} is nested too deep, or holds itself."
        ) from None


def _read(source: Any, hint: Any, reading: Reading) -> Any:
    if is_partial(hint):
        made = _read(source, (typing.get_args(hint) or (Any,))[0], reading)
        return objects.as_partial(made)
    hint = simplified(hint)
    if type(source) is str:
        if unions.allows_text(hint):
            return source
        source = word_of_file(source)
    if isinstance(source, Word):
        found = _of_factory(source, hint, reading)
        if found is not NOT_FOUND:
            return found
    elif type(source) not in _PLAIN and not isinstance(source, (list, abc.Mapping)):
        return _kept(source, hint)
    if typing.get_origin(hint) in UNIONS:
        return unions.read_union(source, hint, reading)
    return _by_rule(source, hint, reading)


_PLAIN = (
    *(str, bool, int, float, complex, bytes, type(None)),
    *(list, tuple, set, frozenset, dict),
    *(dt.date, dt.time, dt.timedelta),
)


def _kept(value: Any, hint: Any) -> Any:
    """Return what a program has made, if it fits."""
    if mismatches(value, hint):
        raise RefusedError(f"{shown(value)} is no {display(hint)}.{namesake(value, hint)}")
    return value


def _of_factory(word: Word, hint: Any, reading: Reading) -> Any:
    secret = secrets.read_secret(word, hint)
    if secret is not None:
        return secret
    if reading.resolve is None or reading.asked or word.quoted or hint is str:
        return NOT_FOUND
    if word.text in _CONSTANTS:
        return NOT_FOUND
    try:
        call = read_call(word.text)
    except RefusedError:
        if hint is Any or reading.beside_text or unions.allows_text(hint):
            return NOT_FOUND
        raise
    return NOT_FOUND if call is None else reading.resolve(call, hint)


_CONSTANTS = NONE_WORDS | {"true", "false", "True", "False"}


def _by_rule(source: Any, hint: Any, reading: Reading) -> Any:
    kind = typing.get_origin(hint) or hint
    if kind in _NUMBERS:
        return reading.read(source, _NUMBERS[kind], reading)
    for special, rule in _SPECIAL:
        if kind is special:
            return rule(source, hint, reading)
    if not isinstance(kind, type) or kind in (object, inspect.Parameter.empty):
        return inferred.infer(source, hint, reading)
    if isinstance(source, Word) and parser_of(kind) is not None:
        return _registered(source, kind)
    scalar = scalar_of(kind)
    if scalar is not None:
        return _scalar(source, scalar)
    return _rule_of_class(kind)(source, hint, reading)


def _rule_of_class(kind: Any) -> Rule:  # noqa: PLR0911 - a kind a line
    if hasattr(kind, "__required_keys__"):
        return records.read_typed_dict
    if issubclass(kind, tuple):
        return records.read_named_tuple if hasattr(kind, "_fields") else containers.read_tuple
    if kind in containers.SEQUENCES:
        return containers.read_sequence
    if kind in containers.MAPPINGS:
        return containers.read_mapping
    if issubclass(kind, enum.Enum):
        return choices.read_enum
    if issubclass(kind, os.PathLike):
        return paths.read_path
    if getattr(kind, "_is_protocol", False) and defines_call(kind):
        return imported.read_callable
    return objects.read_object


def _none(source: Any, _hint: Any, _reading: Reading) -> None:
    if source is None or (isinstance(source, Word) and source.is_none):
        return
    raise RefusedError(f"{shown(seen(source))} is not None. Write none.")


_NUMBERS: dict[Any, Any] = {
    numbers.Integral: int,
    numbers.Rational: int | Fraction,
    numbers.Real: int | float,
    numbers.Complex: int | float | complex,
    numbers.Number: int | float | complex,
}
_SPECIAL: tuple[tuple[Any, Rule], ...] = (
    (Any, inferred.infer),
    (None, _none),
    (type(None), _none),
    (typing.Literal, choices.read_literal),
    (abc.Callable, imported.read_callable),
    (type, imported.read_class),
)


def _scalar(source: Any, scalar: Scalar) -> Any:
    try:
        return scalar.read(source)
    except ValueError as error:
        why = str(error) if type(error) is ValueError and str(error).startswith(_ADVICE) else ""
        how = why or f"Write {scalar.example}."
        raise RefusedError(f"{shown(seen(source))} is no {scalar.name}. {how}") from None


# How the sentences begin that rules of ours give; those of Python say less.
_ADVICE = ("Write ", "It ")


def _registered(word: Word, kind: type) -> Any:
    parser = cast("Callable[[str], Any]", parser_of(kind))
    try:
        return parser(word.as_text)
    except (ValueError, TypeError) as error:
        raise RefusedError(f"{shown(word.written)} is no {kind.__qualname__}: {error}") from error


__all__ = ["NOT_FOUND", "Resolver", "convert", "parse", "parse_item"]
