"""The words ``run.…``: fields of the run, of its executor, and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.signature import assigned_fields
from nemo_run.exceptions import NemoRunError

from .places import about, has_parts, hint_at, parameters_at
from .values import Candidate, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.execution.executor import Executor
    from nemo_run.execution.profiles import Profiles

RUN = "run."
_EXECUTOR = "executor"


def keys_of_run(entrypoint: Any, words: Sequence[str], incomplete: str) -> Iterator[Candidate]:
    """Yield the keys that begin with ``run.``.

    Args:
        entrypoint: A function, or an object that may have a ``default_executor``.
        words: The words before it.
        incomplete: What of the word is there already.
    """
    place, _, _ = incomplete.removeprefix(RUN).rpartition(".")
    before = f"{RUN}{place}{'.' * bool(place)}"
    if not place:
        for name in (_EXECUTOR, "plugins"):
            yield Candidate(f"{RUN}{name}=", complete=False)
            if name == _EXECUTOR:
                yield Candidate(f"{RUN}{name}.", "its fields", complete=False)
    for row in _rows(entrypoint, words, place):
        if row.text.startswith(("Kept for", "See ")):  # without effect here
            continue
        yield Candidate(f"{before}{row.name}=", about(row), complete=False)
        if place and has_parts(row):
            yield Candidate(f"{before}{row.name}.", f"inside of {row.name}", complete=False)


def _rows(entrypoint: Any, words: Sequence[str], place: str) -> list[Any]:
    first, _, inner = place.partition(".")
    if first == _EXECUTOR:
        executor = executor_of(entrypoint, words)
        unsaid = () if inner else assigned_fields(executor)
        rows = parameters_at(executor, words, inner)
        return [row for row in rows if row.name not in unsaid]
    if place:
        return []
    from nemo_run.cli.flow.context import RunContext

    return parameters_at(RunContext, words, "")


def values_of_run(entrypoint: Any, words: Sequence[str], key: str) -> Iterator[Candidate]:
    """Yield the values for a key, which is without ``run.``."""
    if key == _EXECUTOR:
        yield from _executors()
    elif key == "plugins":
        from nemo_run.management.describe.plugin import Plugin

        yield from values_of(Plugin)
    else:
        from nemo_run.cli.flow.context import RunContext

        first, dot, inner = key.partition(".")
        of_executor = first == _EXECUTOR and dot
        owner = executor_of(entrypoint, words) if of_executor else RunContext
        yield from values_of(*hint_at(owner, inner if of_executor else key))


def executor_of(entrypoint: Any, words: Sequence[str]) -> type[Executor]:
    """Return the class of the executor that a command would use, as far as that is known."""
    from nemo_run.execution.executor import Executor
    from nemo_run.execution.kinds import executor_class

    try:
        found = _executor_kind(entrypoint, words)
    except NemoRunError:  # whoever runs it is told what is wrong
        found = None
    if isinstance(found, type) and issubclass(found, Executor):
        return found
    return executor_class("local")


def _executor_kind(entrypoint: Any, words: Sequence[str]) -> Any:
    from nemo_run.config.graph.node import is_node

    start = f"{RUN}{_EXECUTOR}="
    given = next((word for word in reversed(words) if word.startswith(start)), None)
    default = getattr(entrypoint, "default_executor", None)
    if given is not None:
        return _kind_named(given.removeprefix(start).partition("(")[0].strip())
    if isinstance(default, str):
        return _kind_named(default)
    if default is not None:
        return default.__fn_or_cls__ if is_node(default) else type(default)
    of_files = _profiles().default
    return _kind_named(of_files.value) if of_files else None


def _kind_named(name: str) -> Any:
    from nemo_run.config.factories import find
    from nemo_run.execution.executor import Executor
    from nemo_run.execution.kinds import find_executor_class

    factory = find(Executor, name)
    if factory is not None:
        return factory.target
    profiles = _profiles()
    return find_executor_class(profiles.get(name).kind.value if name in profiles else name)


def _profiles() -> Profiles:
    from nemo_run.execution.profile_files import read_layers
    from nemo_run.execution.profiles import Profiles

    return Profiles(read_layers())


def _executors() -> Iterator[Candidate]:
    from nemo_run.execution.executor import Executor
    from nemo_run.execution.registry import backend_names

    for one in values_of(Executor):
        if one.text != "none":
            yield one
    yield from profiles()
    for kind in backend_names():
        yield Candidate(kind, "an executor")


def profiles() -> Iterator[Candidate]:
    """Yield the profiles of the files that hold here."""
    try:
        names = _profiles().names
    except NemoRunError:  # whoever names one is told what is wrong with the file
        names = []
    for name in names:
        yield Candidate(name, "a profile")
