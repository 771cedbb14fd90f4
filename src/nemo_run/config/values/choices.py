"""Literals and enums: one of what is listed."""

from __future__ import annotations

import enum
import functools
import operator
import typing
from typing import Any

from nemo_run.exceptions import nearest

from .reading import NONE_WORDS, Reading, Word
from .refusal import RefusedError, shown
from .scalars import SCALARS

_PLAIN = (str, int, float, bool, bytes, type(None))


def read_literal(source: Any, hint: Any, _reading: Reading) -> Any:
    """Return the one of the listed values that ``source`` is."""
    options = typing.get_args(hint)
    if isinstance(source, Word) and source.in_file and source.written in options:
        return source.written
    tests = (_is_exactly, _is_loosely) if isinstance(source, Word) else (_is_same,)
    for test in tests:
        for option in options:
            if test(source, option):
                return option
    seen = source.text if isinstance(source, Word) else source
    texts = [str(_plain(option)) for option in options]
    raise RefusedError(
        f"{shown(seen)} is not one of {', '.join(map(repr, options))}."
        f"{nearest(str(seen)[:80], texts)}"
    )


def _is_exactly(word: Word, option: Any) -> bool:
    """Whether a word is an option as Python would write it."""
    if isinstance(option, str) and not isinstance(option, enum.Enum):
        return option in (word.as_text, word.text)
    if isinstance(option, enum.Enum):
        return word.text == option.name
    if word.quoted:
        return False
    if option is None:
        return word.text in NONE_WORDS
    if isinstance(option, bool):
        return word.text in {str(option), str(option).lower()}
    return word.text == repr(option)


def _is_loosely(word: Word, option: Any) -> bool:
    """Whether a word is an option when read as one of its class."""
    if isinstance(option, enum.Enum):
        return _is_value(word, option.value)
    return not isinstance(option, str) and _is_value(word, option)


def _is_value(word: Word, value: Any) -> bool:
    if type(value) not in _PLAIN:
        return False
    if value is None:
        return word.is_none
    if isinstance(value, bool) and word.text in {"0", "1"}:
        return False
    try:
        return bool(SCALARS[type(value)].read(word) == value)
    except ValueError:
        return False


def _is_same(source: Any, option: Any) -> bool:
    plain = _plain(option)
    return source is option or (
        type(source) in _PLAIN and type(source) is type(plain) and source == plain
    )


def _plain(option: Any) -> Any:
    return option.value if isinstance(option, enum.Enum) else option


def read_enum(source: Any, kind: type[enum.Enum], _reading: Reading) -> Any:
    """Return the member by its name, its value, or its name in other letters."""
    members = kind.__members__
    if not isinstance(source, Word):
        found = next((m for m in members.values() if m is source or _is_same(source, m)), None)
        if found is not None:
            return found
        raise _no_member(source, kind)
    name = source.text.removeprefix(f"{kind.__name__}.")  # as Python shows it
    if name in members:
        return members[name]
    for member in members.values():
        if _is_value(source, member.value):
            return member
    lowered = source.text[:200].lower()
    for name, member in members.items():
        if name.lower() == lowered:
            return member
    if issubclass(kind, enum.Flag) and "|" in source.text:
        parts = [Word(part.strip(), part) for part in source.text.split("|", 64)]
        return functools.reduce(operator.or_, (read_enum(part, kind, _reading) for part in parts))
    raise _no_member(source.text, kind)


def _no_member(seen: Any, kind: type[enum.Enum]) -> RefusedError:
    names = list(kind.__members__)
    return RefusedError(
        f"{shown(seen)} is no {kind.__qualname__}.{_nearest_member(seen, names)} "
        f"Its members: {', '.join(names)}."
    )


def _nearest_member(seen: Any, names: list[str]) -> str:
    lowered = {name.lower(): name for name in names}
    near = nearest(str(seen)[:80].lower(), lowered)
    return next(
        (near.replace(low, name) for low, name in lowered.items() if f"'{low}'" in near), ""
    )
