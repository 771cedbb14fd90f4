"""Starting jobs when their turn comes: each once, whatever happens in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nemo_run.exceptions import NemoRunError, SecretError, ShortageError, StoreError
from nemo_run.execution.backend import After, Rendered
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.invocation import experiment_command
from nemo_run.management.describe import dag
from nemo_run.management.direct_handles import DIRECT
from nemo_run.management.plans import with_files
from nemo_run.management.store import events

from .watching import Watching

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import Handle, JobSpec
    from nemo_run.management.store.events import Event


class Submitting(Watching):
    """One experiment whose jobs are started."""

    _only_cancels = False
    _natives: bool | None = None

    def _submit(self) -> None:
        """Start jobs whose turn it is, as many as their backends take."""
        self._freed = False
        turn = self._limits.admitted(self._turn(), self._keeps_limit)
        for name, jobs in self._by_backend(turn).items():
            if self._backoff.waiting(f"{name}: submit"):
                continue
            can = self._backend_named(name).capabilities
            going = self._by_backend([*self._running, *self._unconfirmed]).get(name, [])
            most = can.max_running
            room = len(jobs) if most is None else max(0, most - len(going))
            for batch in self._batches(jobs[:room], can.batch):
                still = [job for job in batch if not self._known(job).cancel_requested]
                if self.stopping or not self._start(still):
                    break

    def _keeps_limit(self, job: str) -> bool:
        try:
            spec = self._spec(job)
            return spec.array is not None and self._backend_of(spec).capabilities.arrays
        except (NemoRunError, ImportError):
            return False

    def _backend_of(self, spec: JobSpec) -> Backend:
        return self._backend_named(spec.backend)

    def _batches(self, jobs: Sequence[str], size: int) -> Iterator[list[str]]:
        """Cut jobs into pieces; those of one array stay together where they fit."""
        size = max(size, 1)
        batch: list[str] = []
        for together in self._runs(jobs):
            if batch and len(batch) + len(together) > size:
                yield batch
                batch = []
            batch += together
            while len(batch) > size:
                yield batch[:size]
                batch = batch[size:]
        if batch:
            yield batch

    def _runs(self, jobs: Sequence[str]) -> Iterator[list[str]]:
        run: list[str] = []
        last = None
        for job in jobs:
            array = self._spec(job).array
            name = array and array.name
            if run and (name is None or name != last):
                yield run
                run = []
            run.append(job)
            last = name
        if run:
            yield run

    # Whose turn it is

    def _turn(self) -> list[str]:
        """Return the jobs that can be started, each after those that it waits for.

        That is after their dependencies have ended; or with them, where the engine itself waits.
        """
        found = dict.fromkeys(self._ready)
        if not self._any_native():
            return list(found)
        for job in self._node:
            waits = job in self._waiting and job not in found
            if waits and self._after(job, found) is not None:
                found[job] = None
        return list(found)

    def _any_native(self) -> bool:
        """Whether an engine of a job with dependencies can wait for others by itself."""
        if self._natives is None:
            names = {self._spec(job).backend for job in self._node if self._is_dependant(job)}
            self._natives = any(self._waits_itself(name) for name in names)
        return self._natives and bool(self._waiting)

    def _is_dependant(self, job: str) -> bool:
        try:
            return bool(self._node[job].edges and self._spec(job))
        except StoreError:
            return False

    def _waits_itself(self, backend: str) -> bool:
        try:
            return self._backend_named(backend).capabilities.dependencies
        except (NemoRunError, ImportError):
            return False

    def _after(self, job: str, together: Collection[str] = ()) -> tuple[After, ...] | None:
        """Return what the engine is to wait for before it starts a job; None where it cannot yet.

        Args:
            job: The job.
            together: The jobs that are handed over with it, or before.
        """
        found = []
        for edge in self._node[job].edges:
            before = self._known(edge.job)
            if before.state.terminal:
                # What allows the start is left out: the engine may have forgotten it by now.
                if not dag.allows(edge, before.state):
                    return None
                continue
            if not self._can_wait_for(job, edge.job):
                return None
            if edge.job in together:
                found.append(After(edge.kind, self._spec(edge.job).token))
            elif before.handle and self._told.get(edge.job) == before.handle:
                found.append(After(edge.kind, self._handle(edge.job)))
            else:
                return None
        return tuple(found)

    def _can_wait_for(self, job: str, other: str) -> bool:
        """Whether the engine of a job can wait for another one, which has not ended."""
        known = self._known(other)
        if known.cancel_requested or known.handle.startswith(DIRECT) or other in self._unusable:
            return False
        try:
            mine, theirs = self._spec(job), self._spec(other)
        except StoreError:
            return False
        if not self._waits_itself(mine.backend) or _engine(mine) != _engine(theirs):
            return False
        return self._ends_by_itself(other)

    def _ends_by_itself(self, job: str) -> bool:
        """Whether the end that the engine sees is that of the job.

        One that we may have to start again is another job to the engine then.
        """
        policy = self._resume(job)
        if policy is not None and policy.how == "chain":
            return False
        try:
            tried = max(self._known(job).attempt, 1) > self._spec(job).retries
            return tried or self._requeues(job)
        except (NemoRunError, ImportError):
            return False

    # Asking the engine

    def _start(self, jobs: Sequence[str]) -> bool:
        specs = self._in_turn(self._spec(job) for job in jobs)
        if not specs:
            return True
        intents = [events.job_intent(s.job, s.attempt, s.token) for s, _ in specs]
        # No engine is asked before this is on disk: what is not written cannot be found again.
        if not self._write(intents):
            return False
        return self._ask_to_start(specs)

    def _in_turn(self, specs: Iterable[JobSpec]) -> list[tuple[JobSpec, tuple[After, ...]]]:
        """Return those that can be handed over in one call, with what each waits for."""
        together: dict[str, tuple[JobSpec, tuple[After, ...]]] = {}
        for spec in specs:
            after = self._after(spec.job, together)
            if after is not None:
                together[spec.job] = spec, after
        return list(together.values())

    def _ask_to_start(self, asked: Sequence[tuple[JobSpec, tuple[After, ...]]]) -> bool:
        specs = [spec for spec, _ in asked]
        backend = self._backend_of(specs[0])
        if self._backoff.waiting(f"{backend.name}: submit"):
            return False
        try:
            answers = backend.submit([self._rendered(backend, *one) for one in asked])
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
        known = {job: handle for job, handle in told.items() if isinstance(handle, str)}
        self._own.update(known)
        self._told.update(known)
        written = self._write([e for s in specs for e in self._answered(s, answers.get(s.token))])
        return written and short is None

    def _rendered(self, backend: Backend, spec: JobSpec, after: tuple[After, ...]) -> Rendered:
        if self._is_remote(spec.job):
            # They lie beside the plan, which does not repeat them, and have to get there.
            spec = with_files(self._record, spec)
        return Rendered(spec, tuple(backend.render(spec)), after)

    def _answered(self, spec: JobSpec, answer: Handle | Exception | None) -> list[Event]:
        if answer is None:
            return []
        if isinstance(answer, str):
            return [events.job_submitted(spec.job, spec.attempt, answer)]
        if isinstance(answer, ShortageError):
            seen = Observation(State.PENDING, message=f"{answer} It is tried again.")
        elif isinstance(answer, SecretError):
            # Only another process can have it: whoever resumes, with the variable set.
            again = experiment_command("resume", self._record.id)
            why = f"{answer} Then start the job with `{again}`."
            seen = Observation(State.FAILED, Reason.START, message=why)
        else:
            seen = Observation(State.FAILED, Reason.START, message=str(answer))
        return self._observed(spec.job, seen)

    def _confirm(self) -> None:
        """Find out about jobs that were about to be started when nobody was there to see it."""
        for name, jobs in self._by_backend(self._unconfirmed).items():
            backend = self._backend_named(name)
            later = self._only_cancels or self._backoff.waiting(f"{name}: submit")
            now = [
                job
                for job in jobs
                if self._known(job).cancel_requested or not (later or self._waits_for_another(job))
            ]
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
            self._told.update({s.job: found[s.token] for s in known})
            unknown = {s.job: s for s in specs if s.token not in found}
            called_off = [job for job in unknown if self._known(job).cancel_requested]
            self._call_off(called_off)
            never = dag.skips(self._nodes, self.status.jobs)
            never = {job: why for job, why in never.items() if job in unknown}
            self._write([events.job_skipped(job, why) for job, why in never.items()])
            if later:
                continue
            wanted = [j for j in self._node if j in unknown and j not in {*called_off, *never}]
            for batch in self._batches(wanted, backend.capabilities.batch):
                asked = self._in_turn(unknown[job] for job in batch)
                if asked and not self._ask_to_start(asked):
                    break

    def _waits_for_another(self, job: str) -> bool:
        """Whether a job was to be handed over with one that has to be started again first."""
        return any(edge.job in self._waiting for edge in self._node[job].edges)

    def _call_off(self, jobs: Iterable[str]) -> None:
        """Note that jobs which no engine has will not be started."""
        seen = Observation(
            State.CANCELLED, Reason.CANCELLED, message="it was cancelled before it started"
        )
        self._write([e for job in jobs for e in self._changes(job, seen, retries=0)])


def _engine(spec: JobSpec) -> tuple[str, str]:
    """Return what tells the engine of a job from others of its kind: how it is reached."""
    tunnel = spec.options.get("tunnel")
    reached = dict(tunnel) if isinstance(tunnel, dict) else {}
    # Jobs of one cluster may lie in several folders.
    reached.pop("job_dir", None)
    return spec.backend, json.dumps(reached, sort_keys=True)
