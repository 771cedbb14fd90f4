"""Which override is meant for which jobs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.config.overrides.grammar import is_override, parse_override
from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nemo_run.config.overrides.grammar import Override

RUN = "run"
EXECUTOR = "executor"


@dataclass(frozen=True)
class Word:
    """One word of a command line.

    Attributes:
        text: As it was typed.
        override: What it says, ``run.`` taken off.
        job: The job or member that is meant; empty for all that have the key.
        of_executor: Whether it is about the executor.
    """

    text: str
    override: Override
    job: str = ""
    of_executor: bool = False

    def concerns(self, *names: str) -> bool:
        """Whether it is meant for one of these names, or for all."""
        return not self.job or self.job in names


def read_words(words: Iterable[str], names: Sequence[str]) -> list[Word]:
    """Return what words say: ``key=value``, ``JOB:key=value``, ``run.executor.field=value``.

    Args:
        words: The words.
        names: The jobs of the experiment, and the members of its groups as ``job/member``.

    Raises:
        OverrideError: A word is none of these.
    """
    return [_word(word, names) for word in words]


def _word(text: str, names: Sequence[str]) -> Word:
    job, rest = _parted(text, names)
    override = parse_override(rest)
    if override.steps[:1] != (RUN,) or len(override.steps) == 1:
        return Word(text, override, job)
    if override.steps[1] != EXECUTOR:
        raise OverrideError(
            f"{override.label}: of the run only the executor can be another one: "
            "run.executor=NAME, run.executor.FIELD=VALUE."
        )
    from dataclasses import replace

    return Word(text, replace(override, steps=override.steps[1:]), job, of_executor=True)


def _parted(text: str, names: Sequence[str]) -> tuple[str, str]:
    """Return the job that a word names, and the rest."""
    # The name of a point of a sweep has an equals sign of its own: lr=0.1:steps=5.
    for name in sorted(names, key=len, reverse=True):
        rest = text.removeprefix(f"{name}:")
        if rest != text and is_override(rest):
            return name, rest
    before, colon, rest = text.partition(":")
    if colon and not is_override(text) and is_override(rest):
        raise OverrideError(
            f"{text}: there is no job {before!r}.{nearest(before, names)} "
            f"The jobs are: {', '.join(names)}."
        )
    return "", text
