"""The words that can stand in the command line of an entrypoint."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from nemo_run.config.alternatives import alternatives
from nemo_run.config.overrides.grammar import OPERATORS, parse_key
from nemo_run.exceptions import NemoRunError

from .values import Candidate, first_line, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.cli.help.parameters import Parameter

_OPERATOR = re.compile(r"^(?P<key>[^=]*?)(?P<operator>[-+*/|&]?=)(?P<value>.*)$", re.DOTALL)
_RUN = "run."


def candidates(entrypoint: Any, words: Sequence[str], incomplete: str) -> list[Candidate]:
    """Return the words without a dash that can stand where ``incomplete`` begins.

    No task is made and no factory is called: it is found out from signatures and annotations.

    Args:
        entrypoint: A function, or an object whose ``fn`` is one.
        words: The words before it.
        incomplete: What of the word is there already.
    """
    fn = getattr(entrypoint, "fn", None) or entrypoint
    given = _OPERATOR.match(incomplete)
    try:
        if given and given["operator"] in OPERATORS:
            found = list(_values(fn, words, given["key"], given["operator"]))
        else:
            found = [*_keys(fn, words, incomplete), *_first_words(fn, words)]
    except NemoRunError:  # the key leads nowhere
        return []
    unique = {one.text: one for one in found if one.text.startswith(incomplete)}
    return list(unique.values())


def _first_words(fn: Any, words: Sequence[str]) -> Iterator[Candidate]:
    """Yield the factories of the function, which can stand first."""
    from nemo_run.config.factories import fitting

    if not words:
        for factory in fitting(fn):
            yield Candidate(factory.name, first_line(factory.doc))


# --- Keys -------------------------------------------------------------------------------------


def _keys(fn: Any, words: Sequence[str], incomplete: str) -> Iterator[Candidate]:
    if incomplete.startswith(_RUN):
        yield from _keys_of_run(incomplete)
        return
    place, dot, _ = incomplete.rpartition(".")
    if "[" in incomplete.rpartition("]")[2]:
        return
    before = place + dot
    used = {word.partition("=")[0] for word in words}
    for row in _parameters_at(fn, words, place):
        key = before + row.name
        if row.name.startswith("*") or key in used:
            continue
        yield Candidate(f"{key}=", _about(row), complete=False)
        if _has_parts(row):
            yield Candidate(f"{key}.", f"inside of {row.name}", complete=False)
    if not place:
        yield Candidate("run.executor=", "where and how it runs", complete=False)
        yield Candidate("run.plugins=", "what edits task and executor", complete=False)


def _keys_of_run(incomplete: str) -> Iterator[Candidate]:
    from nemo_run.cli.flow.context import RunContext
    from nemo_run.cli.help.parameters import parameters_of

    inside = incomplete.removeprefix(_RUN)
    place, _, _ = inside.rpartition(".")
    rows = parameters_of(_executor_class()) if place == "executor" else []
    if not place:
        rows = parameters_of(RunContext)
        for name in ("executor", "plugins"):
            yield Candidate(f"{_RUN}{name}=", complete=False)
    for row in rows:
        if row.text.startswith(("Kept for", "See ")):  # without effect here
            continue
        key = f"{_RUN}{place}{'.' * bool(place)}{row.name}"
        yield Candidate(f"{key}=", _about(row), complete=False)


def _parameters_at(fn: Any, words: Sequence[str], place: str) -> list[Parameter]:
    from nemo_run.cli.help.parameters import NOTHING, Parameter, parameters_inside, parameters_of

    if not place:
        return parameters_of(fn)
    hint, owner, argument = _hint_at(fn, place)
    made = _made_by_words(words, place, hint, owner, argument)
    default = _default_of(owner, argument)
    here = Parameter("", hint if made is None else made, default=NOTHING if made else default)
    return parameters_inside(here)


def _hint_at(fn: Any, place: str) -> tuple[Any, Any, str | None]:
    """Return the annotation of the place of a key, and whose argument that is."""
    from nemo_run.config import Partial
    from nemo_run.config.overrides.apply import hint_at

    steps = parse_key(place)
    task = fn if _is_node(fn) else Partial(fn)
    hint = hint_at(task, steps)
    target = task.__fn_or_cls__
    for step in steps[:-1]:
        inside = _classes(hint_at(task, (step,)))
        if not isinstance(step, str) or len(inside) != 1:
            return hint, None, None
        task, target = Partial(inside[0]), inside[0]
    last = steps[-1]
    return hint, target, last if isinstance(last, str) else None


def _is_node(value: Any) -> bool:
    from nemo_run.config.graph.node import is_node

    return is_node(value)


def _classes(hint: Any) -> list[Any]:
    from nemo_run.cli.help.parameters import classes_inside

    return classes_inside(hint)


def _made_by_words(words: Sequence[str], place: str, hint: Any, owner: Any, name: Any) -> Any:
    """Return what the factory that an earlier word names for a place makes; None without one."""
    from nemo_run.config.factories import find

    for word in reversed(words):
        key, equals, value = word.partition("=")
        if equals and key == place:
            factory = find(hint, value.partition("(")[0], owner, name)
            return factory.target if factory else None
    return None


def _default_of(owner: Any, argument: str | None) -> Any:
    from nemo_run.cli.help.parameters import NOTHING, parameters_of

    if owner is None or argument is None:
        return NOTHING
    return next((row.default for row in parameters_of(owner) if row.name == argument), NOTHING)


def _has_parts(row: Parameter) -> bool:
    from nemo_run.cli.help.parameters import parameters_inside

    return bool(parameters_inside(row))


def _about(row: Parameter) -> str:
    default = "required" if row.required else f"= {row.shown}" if row.shown else ""
    return "  ".join(filter(None, [row.written, default, row.text]))


# --- Values -----------------------------------------------------------------------------------


def _values(fn: Any, words: Sequence[str], key: str, operator: str) -> Iterator[Candidate]:
    before = key + operator
    if key.startswith(_RUN):
        found = _values_of_run(key.removeprefix(_RUN))
    else:
        found = values_of(*_place_of_value(fn, words, key))
    for one in found:
        yield Candidate(before + one.text, one.help, one.complete)


def _place_of_value(fn: Any, words: Sequence[str], key: str) -> tuple[Any, Any, str | None]:
    """Return the annotation of a value, and whose argument it is."""
    place, _, name = key.rpartition(".")
    if place and "[" not in name:
        # What an earlier word put there may have more to it than the annotation says.
        for row in _parameters_at(fn, words, place):
            if row.name == name:
                return row.hint, None, None
    return _hint_at(fn, key)


def _values_of_run(key: str) -> Iterator[Candidate]:
    if key == "executor":
        yield from _executors()
    elif key == "plugins":
        from nemo_run.management.describe.plugin import Plugin

        yield from values_of(Plugin)
    else:
        from nemo_run.cli.flow.context import RunContext

        owner = _executor_class() if key.startswith("executor.") else RunContext
        hint, target, argument = _hint_at(owner, key.removeprefix("executor."))
        yield from values_of(hint, target, argument)


def _executors() -> Iterator[Candidate]:
    from nemo_run.execution.executor import Executor
    from nemo_run.execution.profile_files import read_layers
    from nemo_run.execution.profiles import Profiles
    from nemo_run.execution.registry import backend_names

    for one in values_of(Executor):
        if one.text != "none":
            yield one
    try:
        profiles = Profiles(read_layers()).names
    except NemoRunError:  # whoever names one is told what is wrong with the file
        profiles = []
    for name in profiles:
        yield Candidate(name, "a profile")
    for kind in backend_names():
        yield Candidate(kind, "an executor")


def _executor_class() -> Any:
    from nemo_run.execution.executor import Executor

    return Executor


def is_file(entrypoint: Any, incomplete: str) -> bool:
    """Tell whether the word wants the name of a file: ``config=…`` of a path, ``key=@…``."""
    from pathlib import PurePath

    given = _OPERATOR.match(incomplete)
    if given is None:
        return False
    if given["value"].startswith("@"):
        return True
    fn = getattr(entrypoint, "fn", None) or entrypoint
    try:
        hint, _, _ = _hint_at(fn, given["key"])
    except NemoRunError:
        return False
    return any(isinstance(one, type) and issubclass(one, PurePath) for one in alternatives(hint))
