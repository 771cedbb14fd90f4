"""The words that can stand in the command line of an entrypoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives
from nemo_run.config.overrides.grammar import OPERATORS
from nemo_run.exceptions import NemoRunError

from .places import about, has_parts, hint_at, parameters_at
from .run_words import RUN, keys_of_run, values_of_run
from .values import Candidate, first_line, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_OPERATOR = re.compile(r"^(?P<key>[^=]*?)(?P<operator>[-+*/|&]?=)(?P<value>.*)$", re.DOTALL)


def candidates(entrypoint: Any, words: Sequence[str], incomplete: str) -> list[Candidate]:
    """Return the words without a dash that can stand where ``incomplete`` begins.

    No task is made and no factory is called: it is found out from signatures and annotations.

    Args:
        entrypoint: A function, or an object whose ``fn`` is one.
        words: The words before it.
        incomplete: What of the word is there already.
    """
    given = _OPERATOR.match(incomplete)
    try:
        if given and given["operator"] in OPERATORS:
            found = list(_values(entrypoint, words, given["key"], given["operator"]))
        else:
            found = [
                *_keys(entrypoint, words, incomplete),
                *_first_words(_function(entrypoint), words),
            ]
    except NemoRunError:  # the key leads nowhere
        return []
    unique = {one.text: one for one in found if one.text.startswith(incomplete)}
    return list(unique.values())


def _function(entrypoint: Any) -> Any:
    return getattr(entrypoint, "fn", None) or entrypoint


def _first_words(fn: Any, words: Sequence[str]) -> Iterator[Candidate]:
    """Yield the factories of the function, which can stand first."""
    from nemo_run.config.factories import fitting

    if not words:
        for factory in fitting(fn):
            yield Candidate(factory.name, first_line(factory.doc))


# --- Keys -------------------------------------------------------------------------------------


def keys(entrypoint: Any, words: Sequence[str], incomplete: str) -> list[Candidate]:
    """Return the keys that ``incomplete`` may become, without an operator behind them."""
    try:
        found = list(_keys(entrypoint, words, incomplete, again=True))
    except NemoRunError:  # the key leads nowhere
        return []
    bare = [
        Candidate(one.text.removesuffix("="), one.help, not one.text.endswith(".")) for one in found
    ]
    return [one for one in bare if one.text.startswith(incomplete)]


def _keys(
    entrypoint: Any, words: Sequence[str], incomplete: str, *, again: bool = False
) -> Iterator[Candidate]:
    fn = _function(entrypoint)
    if incomplete.startswith(RUN):
        yield from keys_of_run(entrypoint, words, incomplete)
        return
    place, dot, _ = incomplete.rpartition(".")
    if "[" in incomplete.rpartition("]")[2]:
        return
    before = place + dot
    used = set() if again else {word.partition("=")[0] for word in words}
    for row in parameters_at(fn, words, place):
        key = before + row.name
        if row.name.startswith("*") or key in used:
            continue
        yield Candidate(f"{key}=", about(row), complete=False)
        if has_parts(row):
            yield Candidate(f"{key}.", f"inside of {row.name}", complete=False)
    if not place:
        yield Candidate("run.executor=", "where and how it runs", complete=False)
        yield Candidate("run.plugins=", "what edits task and executor", complete=False)


# --- Values -----------------------------------------------------------------------------------


def _values(entrypoint: Any, words: Sequence[str], key: str, operator: str) -> Iterator[Candidate]:
    before = key + operator
    if key.startswith(RUN):
        found = values_of_run(entrypoint, words, key.removeprefix(RUN))
    else:
        found = values_of(*_place_of_value(_function(entrypoint), words, key))
    for one in found:
        yield Candidate(before + one.text, one.help, one.complete)


def _place_of_value(fn: Any, words: Sequence[str], key: str) -> tuple[Any, Any, str | None]:
    """Return the annotation of a value, and whose argument it is."""
    place, _, name = key.rpartition(".")
    if place and "[" not in name:
        # What an earlier word put there may have more to it than the annotation says.
        for row in parameters_at(fn, words, place):
            if row.name == name:
                return row.hint, None, None
    return hint_at(fn, key)


def is_file(entrypoint: Any, incomplete: str) -> bool:
    """Tell whether the word wants the name of a file: ``config=…`` of a path, ``key=@…``."""
    from pathlib import PurePath

    given = _OPERATOR.match(incomplete)
    if given is None:
        return False
    if given["value"].startswith("@"):
        return True
    try:
        hint, _, _ = hint_at(_function(entrypoint), given["key"])
    except NemoRunError:
        return False
    return any(isinstance(one, type) and issubclass(one, PurePath) for one in alternatives(hint))
