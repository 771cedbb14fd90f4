"""Values that may be of several kinds: the first that fits, in the order declared.

None comes first, wherever it is allowed. A text that something before it would take is written
with quotes around it: for ``int | str``, ``5`` is the number and ``'5'`` the text.
"""

from __future__ import annotations

import dataclasses
import typing
from collections import abc
from typing import Any

from nemo_run.config.alternatives import is_kind, is_partial
from nemo_run.config.checks.annotations import UNIONS, display, simplified

from .reading import Reading, Word, seen, whole_word
from .refusal import RefusedError, shown
from .scalars import scalar_of
from .syntax import is_quoted, read_call


def union_parts(hint: Any) -> list[Any]:
    """Return what a union consists of, also through aliases; for anything else, itself."""
    hint = simplified(hint)
    if typing.get_origin(hint) not in UNIONS:
        return [hint]
    return [found for part in typing.get_args(hint) for found in _kept_partial(part)]


def _kept_partial(hint: Any) -> list[Any]:
    return [hint] if is_partial(hint) else union_parts(hint)


def allows_text(hint: Any) -> bool:
    """Whether any text whatever is a value."""
    return any(option in (str, Any, object) for option in union_parts(hint))


def read_union(source: Any, hint: Any, reading: Reading) -> Any:
    """Return the value by the first alternative that takes it."""
    options = union_parts(hint)
    reading = dataclasses.replace(reading, asked=True)
    if Any in options or object in options:
        return reading.read(source, Any, reading)
    if not isinstance(source, Word):
        return _first_of_all(source, hint, options, reading)
    if str in options:
        return _beside_text(source, options, dataclasses.replace(reading, beside_text=True))
    if type(None) in options and source.is_none:
        return None
    return _first_of_all(source, hint, options, reading)


def _first_of_all(source: Any, hint: Any, options: list[Any], reading: Reading) -> Any:
    """Return what the first alternative makes; one item is a list where nothing else takes it."""
    try:
        return _first(source, hint, options, dataclasses.replace(reading, one_item=False))
    except RefusedError as refusal:
        lists = any(is_kind(option, abc.Iterable) for option in options)
        if refusal.is_final or not lists or not reading.one_item:
            raise
    return _first(source, hint, options, reading)


def _first(source: Any, hint: Any, options: list[Any], reading: Reading) -> Any:
    from .objects import lacks_arguments

    refusals: dict[Any, RefusedError] = {}
    incomplete: list[Any] = []  # of two classes with like fields, the one meant has all it needs
    for option in options:
        try:
            found = reading.read(source, option, reading)
        except RefusedError as refusal:
            if refusal.is_final:
                raise
            if option is not type(None):
                refusals[option] = refusal
            continue
        if not lacks_arguments(found):
            return found
        incomplete.append(found)
    if incomplete:
        return incomplete[0]
    if len(refusals) == 1:
        (only,) = refusals.values()
        raise only if only.path or type(None) not in options else _or_none(only)
    deeper = [refusal for refusal in refusals.values() if refusal.path]
    if len(deeper) == 1:
        raise deeper[0]
    reasons = " ".join(dict.fromkeys(_advice(refusal) for refusal in refusals.values()))
    raise RefusedError(f"{shown(seen(source))} is no {display(hint)}. {reasons}".rstrip())


def _or_none(refusal: RefusedError) -> RefusedError:
    return RefusedError(f"{refusal.says} Or write none.")


def _advice(refusal: RefusedError) -> str:
    """Return what a refusal says after its first sentence."""
    return refusal.says.partition(". ")[2]


def _beside_text(word: Word, options: list[Any], reading: Reading) -> Any:
    """Return what an alternative declared before ``str`` takes, else the text."""
    core = without_quotes(word.written) if word.is_whole else word.written
    if core != word.written:
        needs_quotes = _may_be_factory(core, options) or (
            _other_than_text(whole_word(core), options, reading) is not _NOTHING
        )
        return word.written[1:-1] if needs_quotes else word.written
    found = _other_than_text(word, options, reading)
    return word.as_text if found is _NOTHING else found


_NOTHING = object()


def _other_than_text(word: Word, options: list[Any], reading: Reading) -> Any:
    if word.quoted:
        return _NOTHING
    if type(None) in options and word.is_none:
        return None
    for option in options[: options.index(str)]:
        if option in (bytes, bytearray) and not is_quoted(word.text):
            continue  # bytes are a text too; here only what says that it is bytes
        try:
            return reading.read(word, option, reading)
        except RefusedError as refusal:
            if refusal.is_final:
                raise
    return _NOTHING


def _may_be_factory(text: str, options: list[Any]) -> bool:
    """Whether a text is a name or a call, and there may be factories for an alternative."""
    if all(option in (str, type(None)) or scalar_of(option) for option in options):
        return False
    try:
        return read_call(text) is not None
    except RefusedError:
        return False


def without_quotes(text: str) -> str:
    """Return a text without any of the pairs of quotes around it."""
    start, end = 0, len(text)
    while end - start > 1 and text[start] in "'\"" and text[start] == text[end - 1]:
        start, end = start + 1, end - 1
    return text[start:end]
