"""Driving an experiment to its end, one step after the other.

Everything that a step decides it reads from the journal, and everything it does it writes there,
so that a new process can go on at any point where the last one was stopped:

* before an engine is asked to start a job, the intent and its token are on disk;
* an intent without a handle is looked up in the engine by its token, and only what the engine
  does not know is submitted (again; a token never runs twice);
* what could not be written to the journal did not happen for us: it is observed again.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError, StoreError
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management.store import events
from nemo_run.management.store.status import HANDED_OVER

from .charge import followed
from .submitting import Submitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from nemo_run.execution.backend import Backend
    from nemo_run.management.store import Record
    from nemo_run.management.store.events import Event

_LONGEST = 1.0
_CANCEL_AGAIN = 5.0
_GRACE = 5.0
"""Seconds that somebody may take from starting a conductor to following it, or to come back."""


class Leave(BaseException):
    """Asked to stop while an engine is being waited for: what was begun is found again later."""


class Conducting(Submitting):
    """One experiment being driven.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
        log: Takes lines for whoever looks for the cause of trouble.
        only_cancels: Start nothing and leave when all is cancelled that was asked to be, unless
            somebody resumes the experiment meanwhile.
        hand_over: Leave as soon as the engines finish the rest alone; else only when nobody has
            followed the experiment for a while.
    """

    def __init__(
        self,
        record: Record,
        backend_named: Callable[[str], Backend],
        *,
        log: Callable[[str], None] | None = None,
        only_cancels: bool = False,
        hand_over: bool = False,
    ) -> None:
        super().__init__(record, backend_named, log=log)
        self._only_cancels = only_cancels
        self._hand_over = hand_over
        self._followed = time.monotonic()
        self._ask_for_followers = 0.0
        self._cancelled: dict[str, float] = {}

    def run(self) -> str:
        """Go on until every job has ended or :attr:`stopping` is set; return why it ended."""
        try:
            return self._run()
        except Leave:
            self.stopping = True
        self._write([_left("stopped")])
        return "stopped"

    def _run(self) -> str:
        self._begin()
        while not self.stopping:
            self.step()
            if not self._open and self._end():
                self._write([_left("done")])
                return "done"
            why = self._reason_to_leave()
            if why and self._leave_unless_asked(why):
                return why
            self._wait()
        self._write([_left("stopped")])
        return "stopped"

    def _reason_to_leave(self) -> str:
        done = self._only_cancels and not self._cancels()
        if self._can_hand_over() and (done or self._hand_over or not self._is_followed()):
            return HANDED_OVER
        return "cancelled" if done else ""

    def _is_followed(self) -> bool:
        """Whether somebody waits for the end, or did so a moment ago."""
        now = time.monotonic()
        if now >= self._ask_for_followers:
            self._ask_for_followers = now + _LONGEST
            if followed(self._record):
                self._followed = now
        return now - self._followed < _GRACE

    def _can_hand_over(self) -> bool:
        """Whether nothing is left to do that only we can do."""
        left = self._waiting or self._unconfirmed or self._unusable or self._bringing
        return (
            not left
            and not self._cancels()
            and bool(self._open)
            and all(map(self._finishes_alone, self._open))
        )

    def _finishes_alone(self, job: str) -> bool:
        if job not in self._running:
            return False
        try:
            can = self._backend_named(self._backend_name(job)).capabilities
        except (NemoRunError, ImportError):
            return False
        return can.finishes_alone and self._ends_by_itself(job)

    def _begin(self) -> None:
        self._hear()
        started = events.conductor_started(
            os.getpid(), platform.node(), "", only_cancels=self._only_cancels
        )
        first = self.status.started is None and not self._only_cancels
        self._write([started, *([events.experiment_started()] if first else [])])

    def _leave_unless_asked(self, why: str) -> bool:
        """Say that nobody has charge any more, unless somebody wrote something meanwhile."""
        try:
            return self._journal.append_if([_left(why)], self._offset) is not None
        except StoreError as error:
            self._backoff.failed("journal", error)
            return False

    def step(self) -> None:
        """Do what can be done now, without waiting."""
        self._hear()
        if self.stopping:
            return
        self._answer()
        self._disown([job for job in self._running if not self._is_own(job)])
        self._confirm()
        self._cancel()
        self._skip()
        if not self._only_cancels:
            self._submit()
        self._look()
        self._bring_rest()
        self._give_up()
        self._skip()
        if self._freed and not self._only_cancels:
            # At once: whoever waits for its turn waits no longer than it must.
            self._submit()

    def _answer(self) -> None:
        """Let whoever asked for something know that it was heard."""
        last = self._last.get
        if last(events.JOB_CANCEL_REQUESTED, 0) > last(events.CONDUCTOR_HEARD, 0):
            self._write([events.conductor_heard()])
        if self._only_cancels and (
            last(events.EXPERIMENT_RESUMED, 0) > last(events.CONDUCTOR_STARTED, 0)
        ):
            self._only_cancels = False
            self._begin()

    # Ending

    def _cancels(self) -> list[str]:
        if events.JOB_CANCEL_REQUESTED not in self._last:
            return []
        return [job for job in self._open if self._known(job).cancel_requested]

    def _cancel(self) -> None:
        wanted = self._cancels()
        self._call_off([j for j in wanted if j not in self._running and j not in self._unconfirmed])
        now = time.monotonic()
        due = [
            job
            for job in wanted
            if job in self._running and now - self._cancelled.get(job, -1e9) > _CANCEL_AGAIN
        ]
        # What they name may have changed since.
        self._disown(due)
        for name, jobs in self._by_backend([j for j in due if self._is_own(j)]).items():
            try:
                self._backend_named(name).cancel(self._handles(jobs))
            except Exception as error:  # noqa: BLE001 - an engine's failure: ask again later
                self._backoff.failed(f"{name}: cancel", error)
                continue
            self._cancelled.update(dict.fromkeys(jobs, now))
            self._due.pop(name, None)

    def _wait(self) -> None:
        going = self._by_backend(filter(self._is_own, self._running))
        begun = time.monotonic()
        for name, jobs in going.items():
            try:
                self._backend_named(name).wait(self._handles(jobs), self._pause / len(going))
            except Exception as error:  # noqa: BLE001 - an engine's failure: look again later
                self._backoff.failed(f"{name}: wait", error)
        rest = self._pause
        if going and not self._backoff:
            # Who wants to be left alone for a while is looked at no earlier, whatever happened.
            due = min(self._due.get(name, 0.0) for name in going)
            rest = min(begun + self._pause, due) - time.monotonic()
        if rest > 0:
            # An engine that fails does not wait either.
            time.sleep(rest)
        self._pause = min(self._pause * 1.5, _LONGEST)

    def _give_up(self) -> None:
        """Fail jobs that cannot be started at all; of those that were, nothing can be told."""
        for job, error in self._unusable.items():
            if self._known(job).token and not self._known(job).cancel_requested:
                seen = Observation(State.UNKNOWN, message=str(error))
            else:
                seen = Observation(State.FAILED, Reason.START, message=str(error))
            self._write(self._changes(job, seen, retries=0))


def _left(why: str) -> Event:
    """Return the event that says why this process left, and what it has cost."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of each).
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return events.conductor_ended(why, used.ru_utime + used.ru_stime, used.ru_maxrss / unit)
