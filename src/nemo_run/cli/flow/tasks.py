"""The task of a command: where it begins, and what words and files make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.cli.entrypoints.entrypoint import Entrypoint
    from nemo_run.config import Partial
    from nemo_run.config.overrides.grammar import Override

    from .words import Words

CONTEXT = "ctx"
"""The parameter of an experiment's function that is given, not set."""


def default_task(entry: Entrypoint) -> Partial[Any]:
    """Return the task that a command begins with where no factory is named.

    Raises:
        OverrideError: The default factory failed, or makes something else.
    """
    from nemo_run.config import Partial
    from nemo_run.config.factories import DEFAULT, default_of
    from nemo_run.config.overrides.positional import from_factory

    if default_of(entry.fn) is not None:
        return from_factory(entry.fn, DEFAULT)
    return Partial(entry.fn)


def begun(
    entry: Entrypoint, factory: str | None, words: Words, *, of_files: str | None = None
) -> tuple[Partial[Any], list[Override]]:
    """Return the task to begin with, and the overrides that words without a key are.

    The first of them may be a factory of the function: ``train small lr=1``.

    Args:
        entry: The entrypoint.
        factory: What ``--factory`` names.
        words: The words of the command.
        of_files: The factory that a file names; the command line counts more.

    Raises:
        OverrideError: There is no such factory, or it makes something else.
    """
    from nemo_run.config.overrides.positional import from_factory, start

    rest = list(words.positional)
    if factory:
        task: Partial[Any] | None = from_factory(entry.fn, factory)
    else:
        task, rest = start(entry.fn, rest)
        if task is None and of_files:
            task = from_factory(entry.fn, of_files)
    return default_task(entry) if task is None else task, _by_position(entry, rest)


def _by_position(entry: Entrypoint, words: Sequence[str]) -> list[Override]:
    """Return the overrides that values without a key are."""
    from nemo_run.config.overrides.positional import bound

    if not words:
        return []
    names = list(_parameters(entry))
    given = list(words)
    if takes_context(entry) and names.index(CONTEXT) <= len(given):
        # It takes no word.
        given.insert(names.index(CONTEXT), "")
    return [o for o in bound(entry.fn, given) if o.steps != (CONTEXT,) or entry.type == "task"]


def _parameters(entry: Entrypoint) -> Mapping[str, Any]:
    import inspect

    return inspect.signature(entry.fn).parameters


def takes_context(entry: Entrypoint) -> bool:
    """Tell whether the function is given the context of the run."""
    return entry.type == "experiment" and CONTEXT in _parameters(entry)


def give_context(entry: Entrypoint, task: Any, context: Any) -> None:
    """Set the context of the run, where the function takes it: the object itself, no copy."""
    if takes_context(entry):
        task.__arguments__[CONTEXT] = context


def configured(entry: Entrypoint, base: Any, overrides: Sequence[Override]) -> Any:
    """Return the task with overrides applied, and what nobody has set made by default factories.

    ``base`` stays as it is.

    Raises:
        OverrideError: A key or a value cannot be used.
    """
    from nemo_run.config.overrides.apply import apply
    from nemo_run.config.overrides.unset import filled

    for override in overrides:
        if takes_context(entry) and override.steps[:1] == (CONTEXT,):
            raise OverrideError(
                f"{override.label}: {CONTEXT} is given to {entry.name}() by NeMo Run. Write "
                "run.name=…, run.executor=… and so on."
            )
    return filled(apply(base, overrides))


def parsed_task(entry: Entrypoint, args: Sequence[str], defaults: Mapping[str, Any]) -> Any:
    """Return the task that words make.

    Args:
        entry: The entrypoint.
        args: The words, without options.
        defaults: Values that hold where the words say nothing.

    Raises:
        OverrideError: A word cannot be used.
    """
    from .words import read_words

    words = read_words(args, entry.fn)
    base, by_position = begun(entry, None, words)
    for name, value in defaults.items():
        setattr(base, name, value)
    return configured(entry, base, [*by_position, *words.overrides])
