"""The jobs of a stored experiment with other values, or on other executors."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nemo_run.config.files import codec
from nemo_run.config.graph.node import is_node
from nemo_run.config.graph.reference import resolved
from nemo_run.exceptions import OverrideError

from .stored_code import Asked, answers
from .words import Word, read_words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nemo_run.config.overrides.grammar import Override
    from nemo_run.execution.executor import Executor
    from nemo_run.management.describe.jobs import Job, Member

    Choose = Callable[[Sequence[Override], Executor], Executor]


@dataclass(frozen=True)
class _Place:
    job: Job
    member: Member

    @property
    def names(self) -> tuple[str, ...]:
        """What words may call it."""
        if len(self.job.members) == 1:
            return (self.job.id,)
        return self.job.id, f"{self.job.id}/{self.member.name}"


def amend(
    jobs: Sequence[Job],
    words: Sequence[str],
    *,
    executor: Executor | None = None,
    choose: Choose | None = None,
) -> dict[str, list[str]]:
    """Change the tasks and executors of jobs.

    Args:
        jobs: The jobs; they are changed.
        words: ``key=value``, ``JOB:key=value`` and ``run.executor…=…``.
        executor: What runs them instead of their own.
        choose: Returns what overrides of the executor make of one.

    Returns:
        For each job the words that were applied to it.

    Raises:
        OverrideError: A word fits no job, or a value cannot be used; nothing was changed.
    """
    from nemo_run.management.describe.jobs import clone

    places = [_Place(job, member) for job in jobs for member in job.members]
    said = read_words(words, list(dict.fromkeys(name for one in places for name in one.names)))
    of_tasks = [word for word in said if not word.of_executor]
    of_executors = [word for word in said if word.of_executor]
    tasks, applied = _tasks(places, of_tasks)
    executors = [_executor(place, of_executors, executor, choose) for place in places]
    for place, task, new in zip(places, tasks, executors, strict=True):
        place.member.task = task
        if new is not None:
            place.member.executor = clone(new)
    for place in places:
        own = [word.text for word in of_executors if word.concerns(*place.names)]
        if own:
            applied.setdefault(place.job.id, []).extend(own)
    _tell_sweeps(jobs, of_tasks, applied)
    return {job: list(dict.fromkeys(texts)) for job, texts in applied.items()}


def _tasks(
    places: Sequence[_Place], words: Sequence[Word]
) -> tuple[list[Any], dict[str, list[str]]]:
    """Return the task of each place with the overrides of it, and which were applied to a job."""
    if not words:
        return [place.member.task for place in places], {}
    meant = [[word for word in words if word.concerns(*place.names)] for place in places]
    found = answers(
        [
            Asked(
                codec.dumps(place.member.task),
                tuple(_bare(word) for word in own),
                place.member.origin if is_node(place.member.task) else None,
            )
            for place, own in zip(places, meant, strict=True)
        ]
    )
    applied: dict[str, list[str]] = {}
    used: set[int] = set()
    for place, own, answer in zip(places, meant, found, strict=True):
        if "refused" in answer:
            raise OverrideError(_of_job(answer["refused"], place, places))
        for at in answer["applied"]:
            applied.setdefault(place.job.id, []).append(own[at].text)
            used.add(id(own[at]))
    for word in words:
        if id(word) not in used:
            raise OverrideError(_fits_none(word, meant, found, places))
    return [resolved(codec.loads(answer["task"])) for answer in found], applied


def _bare(word: Word) -> str:
    return word.text.removeprefix(f"{word.job}:") if word.job else word.text


def _of_job(message: str, place: _Place, places: Sequence[_Place]) -> str:
    return f"Job {place.names[-1]}: {message}" if len(places) > 1 else message


def _fits_none(
    word: Word,
    meant: Sequence[Sequence[Word]],
    found: Sequence[dict[str, Any]],
    places: Sequence[_Place],
) -> str:
    """Return why a word fits no job, in the words of each different reason."""
    reasons: dict[str, list[str]] = {}
    for place, own, answer in zip(places, meant, found, strict=True):
        for at, one in enumerate(own):
            if one is word and str(at) in answer["unknown"]:
                reasons.setdefault(answer["unknown"][str(at)], []).append(place.job.id)
    if not reasons:
        return f"{word.text}: there is no such job."
    if len(places) == 1 or word.job:
        return f"{word.override.label}: {next(iter(reasons))}"
    # A suggestion tells more than its absence.
    first = sorted(reasons, key=lambda reason: "Did you mean" not in reason)[:_MOST_REASONS]
    told = " ".join(f"Job {reasons[reason][0]}: {reason}" for reason in first)
    return f"{word.override.label}: no job has such a key. {told}"


_MOST_REASONS = 3


def _executor(
    place: _Place, words: Sequence[Word], executor: Executor | None, choose: Choose | None
) -> Executor | None:
    own = [word.override for word in words if word.concerns(*place.names)]
    if not own:
        return executor
    begun = executor if executor is not None else _unassigned(place.member.executor)
    if choose is None:
        raise OverrideError(f"{own[0].label}: give executor= an executor instead.")
    return choose(own, begun)


def _unassigned(executor: Any) -> Any:
    """Return an equal executor that belongs to no job yet."""
    return replace(executor) if hasattr(type(executor), "__dataclass_fields__") else executor


def _tell_sweeps(jobs: Sequence[Job], words: Sequence[Word], applied: dict[str, list[str]]) -> None:
    """Say of points of sweeps what holds now, where a word sets what varies."""
    for job in jobs:
        if job.varied is None:
            continue
        mine = applied.get(job.id, ())
        new = {
            word.override.key: _plain(word.override.text or "")
            for word in words
            if word.text in mine and word.override.key in job.varied.values
        }
        if new:
            job.varied = replace(job.varied, values={**job.varied.values, **new})


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
