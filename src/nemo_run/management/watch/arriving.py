"""Having the logs of jobs that run elsewhere in the record before they are read there."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import CorruptRecordError, NemoRunError
from nemo_run.management.bringing import bring, note_whole, whole_logs
from nemo_run.management.plans import is_elsewhere, own_spec
from nemo_run.saying import say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from nemo_run.execution.backend import LogFile
    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record

_OFTEN = 0.5
"""Seconds between two copies of a log that is being followed."""

_LONGEST = 10.0


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

    def are_here(
        self, spec: JobSpec | None, attempt: int, files: Collection[LogFile], *, over: bool
    ) -> bool:
        """Copy what is new in some logs of an attempt, unless that was done just now.

        Args:
            spec: What was planned for the job.
            attempt: Which try.
            files: The logs.
            over: Whether the attempt has ended, so that nothing more comes after this.

        Returns:
            Whether everything is here that the attempt ever writes, or that there is so far.
        """
        if spec is None or not is_elsewhere(self._record, spec):
            return True
        logs = {(file.member, file.rank) for file in files}
        key = spec.job, attempt
        if over and logs <= whole_logs(self._record, spec.job, attempt):
            self._failures.pop(key, None)
            return True
        failed = key in self._failures
        if time.monotonic() < self._not_before.get(key, 0.0) and (failed or not over):
            return False
        if logs and not self._bring(key, logs):
            return False
        if over and not self._refused:
            note_whole(self._record, *key, logs)
        return True

    def _bring(self, key: tuple[str, int], logs: Collection[tuple[str, int]]) -> bool:
        from nemo_run.execution.registry import get_backend

        job, attempt = key
        try:
            # The plan is that of this record, or nothing is asked for.
            spec = dataclasses.replace(own_spec(self._record, job, attempt), attempt=attempt)
            bring(self._record, get_backend(spec.backend), spec, sorted(logs))
        except CorruptRecordError as error:
            if not self._refused:
                self._tell(f"The output of {job} is not fetched: {error}")
            self._refused = True
            return True
        except (NemoRunError, OSError, ImportError) as error:
            count = self._failures[key] = self._failures.get(key, 0) + 1
            self._not_before[key] = time.monotonic() + min(_OFTEN * 2**count, _LONGEST)
            if count == 1:
                self._tell(f"The output of {job} cannot be fetched now; it is tried again: {error}")
            return False
        self._not_before[key] = time.monotonic() + _OFTEN
        if self._failures.pop(key, 0):
            self._tell(f"The output of {job} is fetched again.")
        return True
