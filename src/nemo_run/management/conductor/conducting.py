"""Driving an experiment to its end, one step after the other.

Everything that a step decides it reads from the journal, and everything it does it writes there,
so that a new process can go on at any point where the last one was stopped:

* before an engine is asked to start a job, the intent and its token are on disk;
* an intent without a handle is looked up in the engine by its token, and only what the engine
  does not know is submitted (again; a token never runs twice);
* what could not be written to the journal did not happen for us: it is observed again.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import sys
import time
from typing import TYPE_CHECKING, TypeVar

from nemo_run.exceptions import ShortageError, StoreError
from nemo_run.execution.backend import Rendered
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management import results
from nemo_run.management.describe import dag
from nemo_run.management.direct_handles import DIRECT, process_gone
from nemo_run.management.plans import strangers
from nemo_run.management.store import events

from .standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import Handle, JobSpec
    from nemo_run.management.store import Record
    from nemo_run.management.store.events import Event
    from nemo_run.management.store.status import JobStatus

_T = TypeVar("_T")

BATCH = 32
"""The most jobs submitted at once, so that the first ones are watched while the last ones start."""

_LONGEST = 1.0
_PATIENCE = 3
_CANCEL_AGAIN = 5.0


class Conducting(Standing):
    """One experiment being driven.

    Args:
        record: The experiment.
        backend_named: Returns the backend of a name.
        log: Takes lines for whoever looks for the cause of trouble.
        only_cancels: Start nothing and leave when all is cancelled that was asked to be, unless
            somebody resumes the experiment meanwhile.
    """

    def __init__(
        self,
        record: Record,
        backend_named: Callable[[str], Backend],
        *,
        log: Callable[[str], None] | None = None,
        only_cancels: bool = False,
    ) -> None:
        super().__init__(record, backend_named, log=log)
        self._only_cancels = only_cancels
        # The handle of each job that was found to be its own.
        self._own: dict[str, str] = {}
        self._cancelled: dict[str, float] = {}

    def run(self) -> str:
        """Go on until every job has ended or :attr:`stopping` is set; return why it ended."""
        self._begin()
        while not self.stopping:
            self.step()
            if not self._open and self._end():
                self._write([_left("done")])
                return "done"
            if self._only_cancels and not self._cancels() and self._leave_unless_asked():
                return "cancelled"
            self._wait()
        self._write([_left("stopped")])
        return "stopped"

    def _begin(self) -> None:
        self._hear()
        started = events.conductor_started(
            os.getpid(), platform.node(), "", only_cancels=self._only_cancels
        )
        first = self.status.started is None and not self._only_cancels
        self._write([started, *([events.experiment_started()] if first else [])])

    def _leave_unless_asked(self) -> bool:
        """Say that nobody has charge any more, unless somebody wrote something meanwhile."""
        try:
            return self._journal.append_if([_left("cancelled")], self._offset) is not None
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

    # Starting

    def _submit(self) -> None:
        """Start jobs whose turn it is, as many as their backends take."""
        self._freed = False
        for name, jobs in self._by_backend(self._limits.admitted(self._ready)).items():
            if self._backoff.waiting(f"{name}: submit"):
                continue
            limit = self._backend_named(name).capabilities.max_running
            going = self._by_backend([*self._running, *self._unconfirmed]).get(name, [])
            room = len(jobs) if limit is None else max(0, limit - len(going))
            for batch in _batches(jobs[:room], BATCH):
                still = [job for job in batch if not self._known(job).cancel_requested]
                if self.stopping or not self._start(still):
                    break

    def _start(self, jobs: Sequence[str]) -> bool:
        if not jobs:
            return True
        specs = [self._spec(job) for job in jobs]
        intents = [events.job_intent(s.job, s.attempt, s.token) for s in specs]
        # No engine is asked before this is on disk: what is not written cannot be found again.
        if not self._write(intents):
            return False
        return self._ask_to_start(specs)

    def _ask_to_start(self, specs: Sequence[JobSpec]) -> bool:
        backend = self._backend_named(specs[0].backend)
        if self._backoff.waiting(f"{backend.name}: submit"):
            return False
        try:
            answers = backend.submit([Rendered(s, tuple(backend.render(s))) for s in specs])
        except Exception as error:  # noqa: BLE001 - an engine's failure must not end the others' jobs
            self._backoff.failed(f"{backend.name}: submit", error)
            return False
        short = next((a for a in answers.values() if isinstance(a, ShortageError)), None)
        if short is None:
            self._backoff.worked(f"{backend.name}: submit")
        else:
            self._backoff.failed(f"{backend.name}: submit", short)
        # What the engine has just told us needs no further proof.
        told = {s.job: answers.get(s.token) for s in specs}
        self._own.update({job: handle for job, handle in told.items() if isinstance(handle, str)})
        written = self._write([e for s in specs for e in self._answered(s, answers.get(s.token))])
        return written and short is None

    def _answered(self, spec: JobSpec, answer: Handle | Exception | None) -> list[Event]:
        if answer is None:
            return []
        if isinstance(answer, str):
            return [events.job_submitted(spec.job, spec.attempt, answer)]
        if isinstance(answer, ShortageError):
            seen = Observation(State.PENDING, message=f"{answer} It is tried again.")
        else:
            seen = Observation(State.FAILED, Reason.START, message=str(answer))
        return self._observed(spec.job, seen)

    def _confirm(self) -> None:
        """Find out about jobs that were about to be started when nobody was there to see it."""
        for name, jobs in self._by_backend(self._unconfirmed).items():
            backend = self._backend_named(name)
            later = self._only_cancels or self._backoff.waiting(f"{name}: submit")
            now = [j for j in jobs if not later or self._known(j).cancel_requested]
            specs = [self._spec(job) for job in now]
            if not specs or self._backoff.waiting(f"{name}: find"):
                continue
            try:
                found = backend.find(specs)
            except Exception as error:  # noqa: BLE001 - an engine's failure: ask again later
                self._backoff.failed(f"{name}: find", error)
                continue
            self._backoff.worked(f"{name}: find")
            known = [s for s in specs if s.token in found]
            self._write([events.job_submitted(s.job, s.attempt, found[s.token]) for s in known])
            unknown = [s for s in specs if s.token not in found]
            called_off = [s.job for s in unknown if self._known(s.job).cancel_requested]
            self._call_off(called_off)
            wanted = [s for s in unknown if not later and s.job not in called_off]
            for batch in _batches(wanted, BATCH):
                if not self._ask_to_start(batch):
                    break

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

    def _is_own(self, job: str) -> bool:
        return self._own.get(job) == self._known(job).handle

    def _disown(self, jobs: Iterable[str]) -> None:
        """Let go of jobs whose handle is none of theirs: no engine is asked about those."""
        named = [job for job in jobs if not self._handle(job).startswith(DIRECT)]
        for name, theirs in self._by_backend(named).items():
            if self._backoff.waiting(f"{name}: own"):
                continue
            known = [self._known(job) for job in theirs]
            try:
                foreign = strangers(self._backend_named(name), self._record, known)
            except Exception as error:  # noqa: BLE001 - an engine's failure: ask again later
                self._backoff.failed(f"{name}: own", error)
                seen = self._cannot_tell(f"{name}: own", error)
                self._write([e for job in theirs if seen for e in self._observed(job, seen)])
                continue
            self._backoff.worked(f"{name}: own")
            self._own.update({job.id: job.handle for job in known if job.id not in foreign})
            for job, why in foreign.items():
                self.log(str(why))
                self._own.pop(job, None)
                seen = Observation(State.LOST, Reason.PROCESS_LOST, message=str(why))
                self._write(self._observed(job, seen))

    def _call_off(self, jobs: Iterable[str]) -> None:
        """Note that jobs which no engine has will not be started."""
        seen = Observation(
            State.CANCELLED, Reason.CANCELLED, message="it was cancelled before it started"
        )
        self._write([e for job in jobs for e in self._changes(job, seen, retries=0)])

    def _skip(self) -> None:
        if not self._moved:
            return
        self._moved = False
        because = dag.skips(self._nodes, self.status.jobs)
        self._write([events.job_skipped(job, why) for job, why in because.items()])

    def _end(self) -> bool:
        if self.status.ended is not None:
            return True
        return self._write([events.experiment_ended(self.status.state)])

    # Watching

    def _look(self) -> None:
        direct = [job for job in self._running if self._handle(job).startswith(DIRECT)]
        # We have charge, so the process that had it while it ran them is gone.
        self._write([e for job in direct for e in self._changes(job, process_gone(), retries=0)])
        for name, jobs in self._by_backend(filter(self._is_own, self._running)).items():
            handles = {self._handle(job): job for job in jobs}
            if self._backoff.waiting(f"{name}: poll"):
                continue
            try:
                seen = self._backend_named(name).poll(list(handles))
            except Exception as error:  # noqa: BLE001 - an engine's failure says nothing about jobs
                self._backoff.failed(f"{name}: poll", error)
                unknown = self._cannot_tell(f"{name}: poll", error)
                seen = dict.fromkeys(handles, unknown) if unknown else {}
            else:
                self._backoff.worked(f"{name}: poll")
            self._write(
                [e for h, job in handles.items() if h in seen for e in self._observed(job, seen[h])]
            )

    def _cannot_tell(self, what: str, error: Exception) -> Observation | None:
        """Return what is seen of jobs of an engine that has failed several times; else None."""
        if self._backoff.count(what) < _PATIENCE:
            return None
        return Observation(State.UNKNOWN, message=str(error))

    def _observed(self, job: str, seen: Observation) -> list[Event]:
        """Return what is new in an observation; nothing when it shows what is known."""
        try:
            retries = self._spec(job).retries
        except StoreError:
            retries = 0
        return self._changes(job, seen, retries=retries)

    def _changes(self, job: str, seen: Observation, *, retries: int) -> list[Event]:
        known = self._known(job)
        seen = dataclasses.replace(seen, attempt=known.attempt)
        if known.cancel_requested and seen.state in {State.FAILED, State.LOST}:
            seen = dataclasses.replace(seen, state=State.CANCELLED, reason=Reason.CANCELLED)
        if not _is_news(seen, known):
            return []
        if seen.state is State.SUCCEEDED:
            self._keep_results(job, known.attempt)
        happened = [events.job_observed(job, seen)]
        if seen.state in {State.FAILED, State.LOST} and known.attempt <= retries:
            # In one write with the end of the attempt, so that nobody ever sees that end alone
            # and takes it for the end of the job.
            happened.append(events.job_retried(job, known.attempt + 1, because=str(seen.reason)))
        return happened

    def _keep_results(self, job: str, attempt: int) -> None:
        try:
            results.keep(self._record, job, attempt)
        except OSError as error:
            # The attempt's own file stays, and is read where the copy is missing.
            self._backoff.failed("results", error)

    def _wait(self) -> None:
        going = self._by_backend(filter(self._is_own, self._running))
        for name, jobs in going.items():
            try:
                self._backend_named(name).wait(self._handles(jobs), self._pause / len(going))
            except Exception as error:  # noqa: BLE001 - an engine's failure: look again later
                self._backoff.failed(f"{name}: wait", error)
        if not going or self._backoff:
            # An engine that fails does not wait either.
            time.sleep(self._pause)
        self._pause = min(self._pause * 1.5, _LONGEST)

    def _give_up(self) -> None:
        """Fail jobs that cannot be started at all; of those that were, nothing can be told."""
        for job, error in self._unusable.items():
            if self._known(job).token and not self._known(job).cancel_requested:
                seen = Observation(State.UNKNOWN, message=str(error))
            else:
                seen = Observation(State.FAILED, Reason.START, message=str(error))
            self._write(self._changes(job, seen, retries=0))


def _is_news(seen: Observation, known: JobStatus) -> bool:
    if known.state.terminal or seen.state in {State.CREATED, State.SUBMITTED}:
        return False
    if seen.state is known.state is State.UNKNOWN:
        return False
    return seen != dataclasses.replace(
        known.observation,
        started=seen.started if seen.started is None else known.started,
    )


def _left(why: str) -> Event:
    """Return the event that says why this process left, and what it has cost."""
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    # Kilobytes on Linux, bytes on macOS (getrusage(2) of each).
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return events.conductor_ended(why, used.ru_utime + used.ru_stime, used.ru_maxrss / unit)


def _batches(items: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
