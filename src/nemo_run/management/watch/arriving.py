"""Having the logs of jobs that run elsewhere in the record before they are read there."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import CorruptRecordError, NemoRunError
from nemo_run.management.bringing import bring, note_whole, whole_logs
from nemo_run.management.plans import is_elsewhere, own_spec
from nemo_run.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record

_OFTEN = 0.5
"""Seconds between two copies of a log that is being followed."""

_LONGEST = 10.0
_NAMED = 3


@dataclass(frozen=True)
class Expected:
    """The logs of one attempt that somebody reads.

    Attributes:
        spec: What was planned for the job.
        key: The job's id, and which try.
        logs: Member and rank of each.
        over: Whether the attempt has ended, so that nothing more comes after this.
    """

    spec: JobSpec | None
    key: tuple[str, int]
    logs: frozenset[tuple[str, int]]
    over: bool


class Arrivals:
    """The logs of one experiment's jobs, as far as they are in its record.

    Args:
        record: The experiment.
        tell: Takes a line when the target cannot be reached, and when it can again.
    """

    def __init__(self, record: Record, tell: Callable[[str], None] = say) -> None:
        self._record = record
        self._tell = tell
        self._not_before: dict[tuple[str, int], float] = {}
        self._failures: dict[tuple[str, int], int] = {}
        self._refused = False

    @property
    def failing(self) -> bool:
        """Whether something cannot be had now."""
        return bool(self._failures)

    def are_here(self, expected: Iterable[Expected]) -> set[tuple[str, int]]:
        """Copy what is new in some logs, unless that was done just now.

        Args:
            expected: The logs of attempts.

        Returns:
            Job and number of those attempts of which everything is here that they ever write,
            or that there is so far.
        """
        here: set[tuple[str, int]] = set()
        due: list[Expected] = []
        for one in expected:
            if one.spec is None or not is_elsewhere(self._record, one.spec):
                here.add(one.key)
            elif one.over and one.logs <= whole_logs(self._record, *one.key):
                self._failures.pop(one.key, None)
                here.add(one.key)
            elif self._is_due(one):
                due.append(one)
        missing = self._bring([one for one in due if one.logs]) if due else set()
        for one in due:
            if one.key in missing:
                continue
            here.add(one.key)
            if one.over and not self._refused:
                note_whole(self._record, *one.key, one.logs)
        return here

    def _is_due(self, one: Expected) -> bool:
        if one.over and one.key not in self._failures:
            return True
        return time.monotonic() >= self._not_before.get(one.key, 0.0)

    def _bring(self, due: Collection[Expected]) -> set[tuple[str, int]]:
        """Copy logs, those of one engine together; return whose could not be had."""
        failed: dict[tuple[str, int], Exception] = {}
        for name, theirs in self._by_backend(due, failed).items():
            failed.update(self._bring_from(name, theirs))
        refused = {k: e for k, e in failed.items() if isinstance(e, CorruptRecordError)}
        for (job, _), error in refused.items():
            if not self._refused:
                self._tell(f"The output of {job} is not fetched: {error}")
            self._refused = True
        missing = {k: e for k, e in failed.items() if k not in refused}
        self._note([one.key for one in due if one.key not in refused], missing)
        return set(missing)

    def _by_backend(
        self, due: Iterable[Expected], failed: dict[tuple[str, int], Exception]
    ) -> dict[str, list[tuple[JobSpec, Expected]]]:
        found: dict[str, list[tuple[JobSpec, Expected]]] = {}
        for one in due:
            job, attempt = one.key
            try:
                # The plan is that of this record, or nothing is asked for.
                spec = dataclasses.replace(own_spec(self._record, job, attempt), attempt=attempt)
            except (NemoRunError, OSError) as error:
                failed[one.key] = error
            else:
                found.setdefault(spec.backend, []).append((spec, one))
        return found

    def _bring_from(
        self, name: str, theirs: Collection[tuple[JobSpec, Expected]]
    ) -> dict[tuple[str, int], Exception]:
        from nemo_run.execution.registry import get_backend

        try:
            backend = get_backend(name)
        except (NemoRunError, ImportError) as error:
            return {one.key: error for _, one in theirs}
        wanted = [(spec, tuple(sorted(one.logs))) for spec, one in theirs]
        failed = bring(self._record, backend, wanted)
        return {one.key: failed[spec.token] for spec, one in theirs if spec.token in failed}

    def _note(
        self, keys: Iterable[tuple[str, int]], missing: Mapping[tuple[str, int], Exception]
    ) -> None:
        """Remember when each may be asked for again, and say what has changed."""
        now = time.monotonic()
        lost, again = [], []
        for key in keys:
            if key in missing:
                count = self._failures[key] = self._failures.get(key, 0) + 1
                self._not_before[key] = now + min(_OFTEN * 2**count, _LONGEST)
                lost += [key] if count == 1 else []
                continue
            self._not_before[key] = now + _OFTEN
            again += [key] if self._failures.pop(key, 0) else []
        if lost:
            why = missing[lost[0]]
            self._tell(
                f"The output of {_jobs(lost)} cannot be fetched now; it is tried again: {why}"
            )
        if again:
            self._tell(f"The output of {_jobs(again)} is fetched again.")


def _jobs(keys: Sequence[tuple[str, int]]) -> str:
    names = list(dict.fromkeys(job for job, _ in keys))
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more jobs"
