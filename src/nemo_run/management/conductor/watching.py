"""Looking at the jobs of an experiment, and noting what became of them."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError, PlanError, StoreError
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.execution.resume import next_attempt, policy_of
from nemo_run.management import results
from nemo_run.management.bringing import TOGETHER, bring_ends, why_ended
from nemo_run.management.describe import dag
from nemo_run.management.direct_handles import DIRECT, process_gone
from nemo_run.management.plans import strangers
from nemo_run.management.store import events
from nemo_run.management.store.job_status import CHANGES

from .forgetting import Forgetting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.execution.resume import Resume
    from nemo_run.management.store.events import Event
    from nemo_run.management.store.status import JobStatus

_INTERRUPTIONS = frozenset({Reason.PREEMPTED, Reason.NODE_FAILURE, Reason.TIME_LIMIT})
_PATIENCE = 3
_SOON = 2.0


class Watching(Forgetting):
    """One experiment, looked at.

    Attributes:
        bring_until: When to stop bringing what jobs left, on the monotonic clock.
        bring_patience: Seconds that the end of a job waits for its results, where their target
            cannot be reached; after that the end is written down without them.
    """

    bring_patience = 60.0
    bring_until = math.inf

    # Whose a handle is

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

    # What became of it

    def _look(self) -> None:
        direct = [job for job in self._running if self._handle(job).startswith(DIRECT)]
        # We have charge, so the process that had it while it ran them is gone.
        self._write([e for job in direct for e in self._changes(job, process_gone(), retries=0)])
        for name, jobs in self._by_backend(filter(self._is_own, self._running)).items():
            if self._backoff.waiting(f"{name}: poll") or time.monotonic() < self._due.get(name, 0):
                continue
            handles = {self._handle(job): job for job in jobs}
            interval = self._backend_named(name).capabilities.interval
            if any(self._known(job).cancel_requested for job in jobs):
                # Somebody is waiting for the end.
                interval = min(interval, _SOON)
            # Not all at the same moment: many experiments ask one engine.
            self._due[name] = time.monotonic() + interval * random.uniform(0.9, 1.1)  # noqa: S311
            try:
                seen = self._backend_named(name).poll(list(handles))
            except Exception as error:  # noqa: BLE001 - an engine's failure says nothing about jobs
                self._backoff.failed(f"{name}: poll", error)
                unknown = self._cannot_tell(f"{name}: poll", error)
                self._note(dict.fromkeys(jobs, unknown) if unknown else {})
            else:
                self._backoff.worked(f"{name}: poll")
                self._looked_at({job: seen[h] for h, job in handles.items() if h in seen})

    def _looked_at(self, seen: dict[str, Observation]) -> None:
        """Take what an engine said of jobs; what it cannot tell counts when it says so again."""
        for job, one in seen.items():
            if one.state is State.UNKNOWN:
                self._untold[job] = self._untold.get(job, 0) + 1
            else:
                self._untold.pop(job, None)
                self._told[job] = self._known(job).handle
        self._note(
            {j: one for j, one in seen.items() if not 0 < self._untold.get(j, 0) < _PATIENCE}
        )

    def _note(self, seen: dict[str, Observation]) -> None:
        """Write down what is new, causes before consequences."""
        skipped = {job for job, one in seen.items() if one.state is State.SKIPPED}
        slow = [j for j in seen if j not in skipped and self._leaves_something(j, seen[j])]
        quick = [job for job in seen if job not in skipped and job not in {*slow}]
        self._write([e for job in quick for e in self._observed(job, seen[job])])
        for start in range(0, len(slow), TOGETHER):
            if self.stopping:
                break
            # Bringing takes its time: what is known by then is written down.
            together = slow[start : start + TOGETHER]
            self._fetch({job: seen[job] for job in together})
            self._write([e for job in together for e in self._observed(job, seen[job])])
        for job in [job for job in self._node if job in skipped] if skipped else []:
            # The words for one look at what became of those before it.
            self._write(self._observed(job, seen[job]))

    def _leaves_something(self, job: str, seen: Observation) -> bool:
        return seen.state.terminal and self._lies_elsewhere(job)

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
        if known.state.terminal:
            return []
        happened = self._restart(known, seen)
        for event in happened:
            known = CHANGES[event["event"]](known, {**event, "time": time.time()})
        seen = dataclasses.replace(seen, attempt=known.attempt)
        if known.cancel_requested and seen.state in {State.FAILED, State.LOST}:
            seen = dataclasses.replace(seen, state=State.CANCELLED, reason=Reason.CANCELLED)
        if seen.state is State.SKIPPED:
            again = self._bound_to_an_earlier_attempt(job)
            if again:
                return [events.job_retried(job, known.attempt + 1, because=again)]
            seen = dataclasses.replace(seen, message=self._why_skipped(job) or seen.message)
        if not _is_news(seen, known):
            return happened
        if not seen.state.terminal:
            return [*happened, events.job_observed(job, seen)]
        return happened + self._ended(known, seen, retries)

    def _restart(self, known: JobStatus, seen: Observation) -> list[Event]:
        """Return the event for an attempt that the engine began by itself."""
        if not known.handle or not known.attempt or seen.attempt <= known.attempt:
            return []
        why, code = seen.reason, None
        if seen.state.terminal or why not in _INTERRUPTIONS or seen.attempt > known.attempt + 1:
            # The engine speaks of something else; the attempt itself may have said it.
            why, code = self._why_ended(known)
        return [events.job_restarted(known.id, seen.attempt, str(why), code)]

    def _why_ended(self, known: JobStatus) -> tuple[Reason, int | None]:
        """Return why an attempt ended that was not the last, as it wrote down itself."""
        here = why_ended(self._record, known.id, known.attempt)
        if here[0] is not Reason.NONE or not self._lies_elsewhere(known.id):
            return here
        self._brought([dataclasses.replace(known, state=State.UNKNOWN)])
        return why_ended(self._record, known.id, known.attempt)

    def _ended(self, known: JobStatus, seen: Observation, retries: int) -> list[Event]:
        """Return what the end of an attempt comes to; nothing while its results are not here."""
        job = known.id
        unbrought = self._bring(known, seen)
        if unbrought is None:
            return []
        if seen.state is State.SUCCEEDED:
            self._keep_results(job, known.attempt)
        happened = [events.job_observed(job, seen)]
        if unbrought:
            happened.append(events.job_unbrought(job, known.attempt, unbrought))
        because = self._tried_again(known, seen, retries)
        if because is not None:
            # In one write with the end of the attempt, so that nobody ever sees that end alone
            # and takes it for the end of the job.
            happened.append(events.job_retried(job, known.attempt + 1, because=because))
        return happened

    def _tried_again(self, known: JobStatus, seen: Observation, retries: int) -> str | None:
        """Return why it is for us to start a job once more, which some engines do themselves."""
        if seen.state not in {State.FAILED, State.LOST} or known.cancel_requested:
            return None
        if seen.state is State.FAILED and seen.reason in _INTERRUPTIONS:
            policy = self._resume(known.id)
            if policy is not None:
                decision = next_attempt(policy, [*known.previous, seen], time.time())
                return decision.reason if decision.again else None
        ours = seen.state is State.LOST or seen.reason is Reason.START
        if known.attempt > retries or not (ours or not self._requeues(known.id)):
            return None
        return str(seen.reason)

    def _resume(self, job: str) -> Resume | None:
        """Return how a job goes on after interruptions; None where nothing is said of it."""
        try:
            return policy_of(self._spec(job).options.get("resume"))
        except (StoreError, PlanError, TypeError):
            return None

    def _requeues(self, job: str) -> bool:
        return self._backend_named(self._backend_name(job)).capabilities.requeue

    def _bound_to_an_earlier_attempt(self, job: str) -> str:
        """Return why an engine gave a job up that has to be started again; else nothing.

        It knows only the submission that the job was to wait for; we may have made another since.
        """
        known = self._known(job)
        for edge in self._node[job].edges:
            before = self._known(edge.job)
            since = before.submitted is None or before.submitted > (known.submitted or 0)
            if not before.state.terminal and before.previous and since:
                return f"{edge.job} is tried again"
        return ""

    def _why_skipped(self, job: str) -> str:
        """Return which dependency, and what became of it, in the words of all skipped jobs."""
        jobs = {**self.status.jobs, job: dataclasses.replace(self._known(job), state=State.CREATED)}
        return dag.skips(self._nodes, jobs).get(job, "")

    def _skip(self) -> None:
        if not self._moved:
            return
        self._moved = False
        because = dag.skips(self._nodes, self.status.jobs)
        # What an engine may have been asked to start is looked for there first.
        self._write(
            [events.job_skipped(j, why) for j, why in because.items() if j not in self._unconfirmed]
        )

    def _end(self) -> bool:
        if self.status.ended is not None:
            return True
        return self._write([events.experiment_ended(self.status.state)])

    # What it left behind

    def _lies_elsewhere(self, job: str) -> bool:
        known = self._known(job)
        return bool(known.handle) and self._is_remote(job)

    def _bring(self, known: JobStatus, seen: Observation) -> str | None:
        """Have what an ended attempt left in the record, before its end is written down.

        Returns:
            Nothing where all is here; why not, where that has to do; None to try again first.
        """
        job = known.id
        if seen.state is State.SKIPPED or not self._lies_elsewhere(job):
            return ""
        if job not in self._fetched:
            if self._backoff.waiting(f"job {job}: bring"):
                return None
            self._fetched.update(self._brought([dataclasses.replace(known, state=seen.state)]))
        why = self._fetched.pop(job)
        since = self._bringing.setdefault(job, time.monotonic())
        if why and time.monotonic() - since < self.bring_patience:
            return None
        self._bringing.pop(job)
        return why

    def _fetch(self, seen: dict[str, Observation]) -> None:
        """Copy what ended attempts left, those of one engine together."""
        self._fetched.clear()
        ended = []
        for job, one in seen.items():
            known = self._known(job)
            if known.state.terminal or self._backoff.waiting(f"job {job}: bring"):
                continue
            attempt = max(known.attempt, one.attempt)
            ended.append(dataclasses.replace(known, state=one.state, attempt=attempt))
        self._fetched.update(self._brought(ended))

    def _brought(self, ended: Sequence[JobStatus]) -> dict[str, str]:
        """Bring what is left of attempts; return why that could not be done, else nothing."""
        if time.monotonic() > self.bring_until:
            return {job.id: "others came first." for job in ended}
        failed: dict[str, Exception] = {}
        by_name: dict[str, list[tuple[JobSpec, JobStatus]]] = {}
        for job in ended:
            try:
                spec = self._spec(job.id)
                by_name.setdefault(self._backend_name(job.id), []).append((spec, job))
            except NemoRunError as error:
                failed[job.id] = error
        for name, jobs in by_name.items():
            try:
                failed.update(bring_ends(self._record, self._backend_named(name), jobs))
            except Exception as error:  # noqa: BLE001 - an engine's failure: ask again later
                failed.update({spec.job: error for spec, _ in jobs})
        for job in ended:
            if job.id in failed:
                self._backoff.failed(f"job {job.id}: bring", failed[job.id])
            else:
                self._backoff.worked(f"job {job.id}: bring")
        return {job.id: _words(failed[job.id]) if job.id in failed else "" for job in ended}

    def _bring_rest(self) -> None:
        """Bring what could not be brought when its job ended."""
        left = [
            job
            for job in self.status.jobs.values()
            if job.unbrought
            and job.state.terminal
            and not self._backoff.waiting(f"job {job.id}: bring")
        ]
        if not left or self.stopping:
            return
        why = self._brought(left)
        here = [job for job in left if not why[job.id]]
        for job in here:
            if job.state is State.SUCCEEDED:
                self._keep_results(job.id, job.attempt)
        self._write([events.job_brought(job.id, job.attempt) for job in here])

    def _keep_results(self, job: str, attempt: int) -> None:
        try:
            results.keep(self._record, job, attempt)
        except OSError as error:
            # The attempt's own file stays, and is read where the copy is missing.
            self._backoff.failed("results", error)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _is_news(seen: Observation, known: JobStatus) -> bool:
    if known.state.terminal or seen.state in {State.CREATED, State.SUBMITTED}:
        return False
    if seen.state is known.state is State.UNKNOWN:
        return False
    return seen != dataclasses.replace(
        known.observation,
        started=seen.started if seen.started is None else known.started,
    )
