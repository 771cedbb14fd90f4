"""What every backend does, as tests that each of them passes.

A backend's own test module derives from it::

    class TestSlurmBackend(BackendContract):
        def new_backend(self):
            return SlurmBackend(...)
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from nemo_run.execution.backend import Capabilities
from nemo_run.execution.executor import Executor
from nemo_run.execution.jobspec import Handle, JobSpec, Token
from nemo_run.execution.observation import Reason, State

from .contract_alone import AloneContract
from .contract_secrets import SecretsContract

if TYPE_CHECKING:
    from nemo_run.execution.backend import Backend


class BackendContract(AloneContract, SecretsContract):
    """The tests. A subclass says how to make a backend, and what differs on its engine."""

    # Rendering

    def test_rendering_gives_the_same_bytes_each_time(self, backend: Backend) -> None:
        """Also after the spec went through a file."""
        spec = self.group("twice", a="true", b="exit 1")
        again = JobSpec.from_json(json.loads(json.dumps(spec.to_json())))
        assert backend.render(spec) == backend.render(spec) == backend.render(again)

    def test_rendering_touches_nothing(self, backend: Backend) -> None:
        """Neither the disk nor the engine."""
        spec = self.job("quiet", "true")
        before = sorted(self.folder.rglob("*"))
        backend.render(spec)
        assert sorted(self.folder.rglob("*")) == before
        assert backend.find([spec]) == {}

    # How jobs end

    def test_a_job_that_ends_well_succeeded(self, backend: Backend) -> None:
        """With exit code 0 and the times of it."""
        [handle] = self.start(backend, self.job("well", "true"))
        seen = self.end(backend, handle)
        assert (seen.state, seen.exit_code, seen.attempt) == (State.SUCCEEDED, 0, 1)
        assert seen.started is not None
        assert seen.ended is not None
        assert seen.started <= seen.ended

    def test_the_exit_code_is_known(self, backend: Backend) -> None:
        """And is the reason."""
        [handle] = self.start(backend, self.job("three", "exit 3"))
        seen = self.end(backend, handle)
        assert (seen.state, seen.reason, seen.exit_code) == (State.FAILED, Reason.EXIT_CODE, 3)

    def test_a_signal_is_a_signal(self, backend: Backend) -> None:
        """128 + its number."""
        [handle] = self.start(backend, self.job("killed", "kill -9 $$"))
        seen = self.end(backend, handle)
        assert (seen.state, seen.reason, seen.exit_code) == (State.FAILED, Reason.SIGNAL, 137)

    def test_many_jobs_are_told_apart(self, backend: Backend) -> None:
        """One submit, one poll, each its own end."""
        specs = [self.job(f"job{code}", f"exit {code}") for code in range(5)]
        handles = self.start(backend, *specs)
        for handle in handles:
            self.end(backend, handle)
        seen = backend.poll(handles)
        assert [seen[handle].exit_code for handle in handles] == [0, 1, 2, 3, 4]
        assert set(seen) == set(handles)

    # Exactly once

    def test_a_token_runs_once(self, backend: Backend) -> None:
        """However often it is submitted, and from wherever."""
        spec = self.counted("counted")
        first = self.start(backend, spec)
        assert self.start(backend, spec) == first
        assert self.start(self.new_backend(), spec) == first
        self.end(backend, first[0])
        assert self.start(backend, spec) == first
        assert self.end(backend, first[0]).state is State.SUCCEEDED
        assert self.runs(spec) == 1

    def test_what_was_submitted_is_found_by_its_token(self, backend: Backend) -> None:
        """Nothing else is."""
        known, unknown = self.job("known", "true"), self.job("unknown", "true")
        [handle] = self.start(backend, known)
        assert self.new_backend().find([known, unknown]) == {known.token: handle}
        self.end(backend, handle)
        assert self.new_backend().find([known, unknown]) == {known.token: handle}

    def test_a_handle_belongs_to_its_own_job_alone(self, backend: Backend) -> None:
        """Handles are read from files that somebody else may have written."""
        a, b = self.job("a", "true"), self.job("b", "true")
        of_a, of_b = self.start(backend, a, b)
        assert set(backend.own([(a, of_a), (b, of_b)])) == {a.token, b.token}
        assert set(backend.own([(a, of_b), (b, of_b)])) == {b.token}
        assert not backend.own([(a.next_attempt(), of_a), (b, Handle("nonsense"))])
        bare = JobSpec(b.experiment, b.job, b.backend, b.directory, members=())
        assert set(self.new_backend().own([(bare, of_b)])) == {b.token}

    def test_another_process_sees_the_same(self, backend: Backend) -> None:
        """A job outlives whoever started it."""
        [handle] = self.start(backend, self.job("shared", "sleep 0.3; exit 4"))
        other = self.new_backend()
        assert self.end(other, handle) == self.end(backend, handle)
        assert self.end(self.new_backend(), handle).exit_code == 4

    def test_the_next_attempt_is_a_job_of_its_own(self, backend: Backend) -> None:
        """With its own handle, end and logs."""
        first = self.job("again", "exit 5")
        second = first.next_attempt()
        [one] = self.start(backend, first)
        assert self.end(backend, one).attempt == 1
        [two] = self.start(backend, second)
        assert two != one
        assert self.end(backend, two).attempt == 2
        logs = [file.path for s in (first, second) for file in backend.log_files(s)]
        assert len(set(logs)) == 2

    # Cancelling

    def test_cancel_ends_a_running_job(self, backend: Backend) -> None:
        """Twice is as good as once, and every process sees it."""
        [handle] = self.start(backend, self.job("endless", f"sleep {self.long}"))
        self.until(backend, handle, State.RUNNING)
        backend.cancel([handle])
        backend.cancel([handle])
        seen = self.end(backend, handle)
        assert (seen.state, seen.reason) == (State.CANCELLED, Reason.CANCELLED)
        assert self.end(self.new_backend(), handle).state is State.CANCELLED

    def test_cancel_at_once_is_heard(self, backend: Backend) -> None:
        """Also before the job has begun."""
        [handle] = self.start(backend, self.job("early", f"sleep {self.long}"))
        self.new_backend().cancel([handle])
        assert self.end(backend, handle).state is State.CANCELLED

    def test_cancel_leaves_an_ended_job_alone(self, backend: Backend) -> None:
        """It stays what it was."""
        [handle] = self.start(backend, self.job("ended", "exit 6"))
        before = self.end(backend, handle)
        backend.cancel([handle])
        assert backend.poll([handle])[handle] == before

    def test_cancel_ends_that_job_only(self, backend: Backend) -> None:
        """Its neighbour goes on."""
        victim, neighbour = self.start(
            backend,
            self.job("victim", f"sleep {self.long}"),
            self.job("neighbour", "sleep 1"),
        )
        backend.cancel([victim])
        assert self.end(backend, victim).state is State.CANCELLED
        assert self.end(backend, neighbour).state is State.SUCCEEDED

    def test_a_job_nobody_knows_is_neither_done_nor_running(self, backend: Backend) -> None:
        """Looking at it and cancelling it are no errors."""
        [handle] = self.start(backend, self.job("real", "true"))
        self.end(backend, handle)
        unknown = Handle(handle.replace("real", "imagined"))
        backend.cancel([unknown])
        assert backend.poll([unknown])[unknown].state in {State.UNKNOWN, State.LOST}

    # Groups

    def test_a_group_waits_for_every_member(self, backend: Backend) -> None:
        """None is ended because another one finished well."""
        spec = self.group("both", quick="true", slow="sleep 0.5; exit 0")
        [handle] = self.start(backend, spec)
        seen = self.end(backend, handle)
        assert seen.state is State.SUCCEEDED
        assert {name: m.state for name, m in seen.members} == {
            "quick": State.SUCCEEDED,
            "slow": State.SUCCEEDED,
        }

    def test_a_member_that_fails_ends_its_group(self, backend: Backend) -> None:
        """The group's exit code is that member's."""
        spec = self.group("broken", bad="exit 7", good=f"sleep {self.long}")
        [handle] = self.start(backend, spec)
        seen = self.end(backend, handle)
        members = dict(seen.members)
        assert (seen.state, seen.exit_code) == (State.FAILED, 7)
        assert (members["bad"].state, members["bad"].exit_code) == (State.FAILED, 7)
        assert members["good"].state is State.CANCELLED

    def test_a_sidecar_ends_with_the_main_member(self, backend: Backend) -> None:
        """That is no failure."""
        spec = self.group(
            "served", "main", sidecar="server", server=f"sleep {self.long}", client="sleep 0.2"
        )
        [handle] = self.start(backend, spec)
        seen = self.end(backend, handle)
        members = dict(seen.members)
        assert (seen.state, seen.exit_code) == (State.SUCCEEDED, 0)
        assert members["client"].state is State.SUCCEEDED
        assert members["server"].state is State.CANCELLED

    def test_a_sidecar_that_ends_first_decides_nothing(self, backend: Backend) -> None:
        """Well or not."""
        spec = self.group("alone", "main", sidecar="server", server="exit 9", client="sleep 0.5")
        [handle] = self.start(backend, spec)
        seen = self.end(backend, handle)
        assert seen.state is State.SUCCEEDED
        assert dict(seen.members)["server"].exit_code == 9

    # Logs and the rest

    def test_every_rank_has_a_log_of_its_own(self, backend: Backend) -> None:
        """In order of member and rank."""
        spec = self.job("ranks", "true", processes_per_node=3)
        files = backend.log_files(spec)
        assert [(f.member, f.attempt, f.rank) for f in files] == [
            ("ranks", 1, 0),
            ("ranks", 1, 1),
            ("ranks", 1, 2),
        ]
        group = backend.log_files(self.group("logs", a="true", b="true"))
        assert [f.member for f in group] == ["a", "b"]
        assert len({f.path for f in [*files, *group]}) == 5

    def test_waiting_for_nothing_returns(self, backend: Backend) -> None:
        """At the latest after the time that was given."""
        backend.wait([], 0.01)

    def test_it_says_what_it_can_do(self, backend: Backend) -> None:
        """As data."""
        assert isinstance(backend.capabilities, Capabilities)
        assert backend.name
        assert backend.submit([]) == {}
        assert backend.poll([]) == {}
        assert backend.find([]) == {}
        assert not backend.own([])
        assert self.job("t", "true").token == Token(f"{self.experiment}/t/1")

    def test_its_executor_is_the_one_that_names_it(self, backend: Backend) -> None:
        """So that a profile and the command line find the executor by the backend's name."""
        if not backend.executor:
            return
        module, _, attribute = backend.executor.partition(":")
        kind = getattr(import_module(module), attribute)
        assert issubclass(kind, Executor)
        assert kind.backend == backend.name
