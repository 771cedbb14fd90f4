"""The words of a command that are no options: positional values, overrides, ``run.…``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from nemo_run.config.overrides.grammar import Override

RUN = "run"


@dataclass(frozen=True)
class Words:
    """The words of one command.

    Attributes:
        positional: Values without a key, and perhaps the name of a factory before them.
        overrides: ``key OP value``, in the order given.
        run: The same of ``run.key``; the steps of their keys begin behind ``run``.
    """

    positional: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()
    run: tuple[Override, ...] = ()


def read_words(words: Sequence[str], function: Callable[..., Any] | None = None) -> Words:
    """Tell the words of a command apart.

    Args:
        words: The words.
        function: What the command calls, where it is known.

    Raises:
        OverrideError: A positional word stands behind an override, or a key cannot be read.
    """
    from nemo_run.config.overrides.positional import parted

    positional, overrides = parted(words, function, is_of_run)
    own, run = split_run(overrides)
    return Words(tuple(positional), tuple(own), tuple(run))


def is_of_run(override: Override) -> bool:
    """Tell whether it is about the run: ``runner=1`` and ``run=1`` are arguments of the task."""
    return override.steps[:1] == (RUN,) and len(override.steps) > 1


def split_run(overrides: Iterable[Override]) -> tuple[list[Override], list[Override]]:
    """Return the overrides of the task, and those of the run, whose steps begin behind ``run``."""
    own: list[Override] = []
    run: list[Override] = []
    for override in overrides:
        if is_of_run(override):
            run.append(replace(override, steps=override.steps[1:]))
        else:
            own.append(override)
    return own, run


def task_words(words: Sequence[str]) -> list[str]:
    """Return the words that are of the task, as they were typed."""
    from nemo_run.config.overrides.grammar import is_override, parse_override

    return [word for word in words if not is_override(word) or split_run([parse_override(word)])[0]]
