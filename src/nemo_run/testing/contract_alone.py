"""What backends do whose engines wait, keep limits and begin jobs anew by themselves.

Part of :class:`~nemo_run.testing.BackendContract`; a test is skipped where the capabilities of a
backend do not say that its engine can do it.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nemo_run.execution.backend import After, Wanted
from nemo_run.execution.jobspec import ArrayPlace
from nemo_run.execution.observation import Reason, State

from .contract_words import ContractWords

if TYPE_CHECKING:
    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import Handle, JobSpec


def _require(backend: Backend, what: str) -> None:
    if not getattr(backend.capabilities, what):
        pytest.skip(f"the engine of {backend.name} has no {what}")


class AloneContract(ContractWords):
    """The tests of engines that do more than run one job after the other."""

    # Dependencies

    def test_a_graph_in_one_call_is_waited_for_by_the_engine(self, backend: Backend) -> None:
        """Each kind of edge, by the token of a job that goes with it."""
        _require(backend, "dependencies")
        good, bad = self.job("good", "sleep 1"), self.job("bad", "sleep 1; exit 3")
        expected = {
            "after-good": ("afterok", good, State.SUCCEEDED),
            "after-bad": ("afterok", bad, State.SKIPPED),
            "any-bad": ("afterany", bad, State.SUCCEEDED),
            "not-bad": ("afternotok", bad, State.SUCCEEDED),
            "not-good": ("afternotok", good, State.SKIPPED),
        }
        jobs = {name: self.job(name, "true") for name in expected}
        answers = backend.submit(
            [
                self.rendered(backend, good),
                self.rendered(backend, bad),
                *(
                    self.rendered(backend, jobs[name], After(kind, before.token))
                    for name, (kind, before, _) in expected.items()
                ),
            ]
        )
        for name, (_, before, state) in expected.items():
            seen = self.end(backend, self._handle(answers[jobs[name].token]))
            assert seen.state is state, name
            if state is State.SKIPPED:
                assert seen.reason is Reason.DEPENDENCY
                continue
            first = self.end(backend, self._handle(answers[before.token]))
            assert seen.started is not None
            assert first.ended is not None
            # Engines tell whole seconds.
            assert seen.started >= first.ended - 1.0

    def test_a_job_that_is_there_is_waited_for_by_its_handle(self, backend: Backend) -> None:
        """Also by another process."""
        _require(backend, "dependencies")
        first, second = self.job("first", "sleep 2; exit 4"), self.job("second", "true")
        [handle] = self.start(backend, first)
        other = self.new_backend()
        answers = other.submit([self.rendered(other, second, After("afterok", handle))])
        assert self.end(other, self._handle(answers[second.token])).state is State.SKIPPED
        assert self.end(backend, handle).exit_code == 4

    def test_what_waits_for_a_cancelled_job_never_starts(self, backend: Backend) -> None:
        """The engine gives it up by itself."""
        _require(backend, "dependencies")
        first, second = self.job("endless", f"sleep {self.long}"), self.job("next", "true")
        answers = backend.submit(
            [
                self.rendered(backend, first),
                self.rendered(backend, second, After("afterok", first.token)),
            ]
        )
        backend.cancel([self._handle(answers[first.token])])
        seen = self.end(backend, self._handle(answers[second.token]))
        assert (seen.state, seen.reason) == (State.SKIPPED, Reason.DEPENDENCY)

    # Arrays

    def array(self, size: int, script: str, *, max_parallel: int = 0) -> list[JobSpec]:
        """Return equal jobs, each with its place among them."""
        return [
            dataclasses.replace(
                self.job(f"point{i}", script), array=ArrayPlace("points", i, size, max_parallel)
            )
            for i in range(size)
        ]

    def test_every_job_of_an_array_is_a_job_of_its_own(self, backend: Backend) -> None:
        """With its own handle, by which it is found, ended and told from the others."""
        _require(backend, "arrays")
        specs = self.array(3, f"sleep {self.long}")
        handles = self.start(backend, *specs)
        assert len(set(handles)) == 3
        tokens = [spec.token for spec in specs]
        assert self.new_backend().find(specs) == dict(zip(tokens, handles, strict=True))
        owned = backend.own(list(zip(specs, handles, strict=True)))
        assert set(owned) == set(tokens)
        backend.cancel([handles[1]])
        assert self.end(backend, handles[1]).state is State.CANCELLED
        others = backend.poll([handles[0], handles[2]])
        assert not any(seen.state.terminal for seen in others.values())
        backend.cancel(handles)
        for handle in handles:
            self.end(backend, handle)

    def test_the_limit_of_an_array_is_kept_by_the_engine(self, backend: Backend) -> None:
        """No two run at once where one may."""
        _require(backend, "arrays")
        handles = self.start(backend, *self.array(3, "sleep 2", max_parallel=1))
        seen = [self.end(backend, handle) for handle in handles]
        assert {one.state for one in seen} == {State.SUCCEEDED}
        times = sorted((one.started or 0.0, one.ended or 0.0) for one in seen)
        for (_, ended), (started, _) in itertools.pairwise(times):
            assert started >= ended - 1.0

    # Begun anew

    def test_a_job_begun_anew_is_its_next_attempt_under_the_same_handle(
        self, backend: Backend
    ) -> None:
        """Nobody submits it, and it can be ended as before."""
        _require(backend, "requeue")
        spec = self.job("anew", f"sleep {self.long}")
        [handle] = self.start(backend, spec)
        assert self.until(backend, handle, State.RUNNING).attempt == 1
        self.restart(handle)
        seen = self.until(backend, handle, State.RUNNING, State.PENDING)
        while seen.attempt == 1:
            backend.wait([handle], 1.0)
            seen = self.until(backend, handle, State.RUNNING, State.PENDING)
        assert seen.attempt == 2
        assert self.new_backend().find([spec]) == {spec.token: handle}
        assert set(backend.own([(spec, handle)])) == {spec.token}
        backend.cancel([handle])
        assert self.end(backend, handle).state is State.CANCELLED

    # What is left

    def test_what_a_job_leaves_is_brought_once_and_whole(self, backend: Backend) -> None:
        """Twice is as good as once, and a copy that was cut off is made good."""
        spec = self.leaving("leaving")
        [handle] = self.start(backend, spec)
        self.end(backend, handle)
        folder = self.record_of(spec)
        log = Path(folder, "logs", "1", "rank-0.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        if folder != Path(spec.directory):
            log.write_text("hel")
        wanted = [Wanted(spec, str(folder)), Wanted(spec, str(folder), (("leaving", 0),))]
        for _ in range(2):
            assert not backend.bring(wanted)
        assert log.read_text() == "hello\n"
        assert Path(folder, "attempts", "1", "result.json").read_text() == "{}\n"

    def test_bringing_what_is_not_there_yet_is_no_error(self, backend: Backend) -> None:
        """Somebody may follow a job that has not begun."""
        spec = self.job("nothing", "true")
        folder = self.record_of(spec)
        folder.mkdir(parents=True, exist_ok=True)
        wanted = [Wanted(spec, str(folder)), Wanted(spec, str(folder), (("nothing", 0),))]
        assert not backend.bring(wanted)

    def test_what_many_jobs_leave_is_brought_in_one_call(self, backend: Backend) -> None:
        """Each into its own folder; nothing at all is no error."""
        specs = [self.leaving(f"leaving{i}") for i in range(3)]
        for handle in self.start(backend, *specs):
            self.end(backend, handle)
        assert not backend.bring([])
        assert not backend.bring([Wanted(s, str(self.record_of(s))) for s in specs])
        for spec in specs:
            assert Path(self.record_of(spec), "attempts", "1", "result.json").exists()

    def _handle(self, answer: Handle | Exception) -> Handle:
        assert isinstance(answer, str), answer
        return answer
