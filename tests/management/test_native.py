"""Engines that wait for jobs, keep limits and begin jobs anew by themselves."""

from __future__ import annotations

import json

import pytest
from engine import Engine, experiment

from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import Capabilities
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.execution.resume import Resume
from nemo_run.management import operations, plans
from nemo_run.management.conductor.conducting import Conducting
from nemo_run.management.conductor.process import conduct
from nemo_run.management.store import events
from nemo_run.testing import FakeBackend, FakeEngine, Outcome

ALONE = Capabilities(
    dependencies=True, groups=True, detach=True, requeue=True, arrays=True, batch=1000
)


@pytest.fixture
def fake() -> FakeBackend:
    return FakeBackend(FakeEngine(queue=5), ALONE)


def names_of(record) -> list[str]:
    return [event["event"] for event in record.journal.read()[0]]


def failing(*jobs: str):
    """The outcome of an engine on which these jobs fail."""
    return lambda member: Outcome(10.0, int(member.name in jobs))


def test_a_graph_is_handed_over_in_one_call_each_job_after_those_it_waits_for(fake):
    record = experiment({"c": ["a", "b"], "a": [], "b": ["a"]}, backend="fake")

    conduct(record, lambda _: fake)

    [call] = fake.engine.calls
    assert call == [f"{record.id}/{job}/1" for job in "abc"]
    after = {token: job.after for token, job in fake.engine.jobs.items()}
    a, b, c = call
    assert after == {a: (), b: (("afterok", a),), c: (("afterok", a), ("afterok", b))}
    assert set(record.status().states.values()) == {State.SUCCEEDED}


def test_the_kind_of_each_edge_reaches_the_engine(fake):
    fake.engine.outcome = failing("a")
    after = {kind: [{"job": "a", "kind": kind}] for kind in ("afterok", "afterany", "afternotok")}
    record = experiment({"a": [], **after}, backend="fake")

    conduct(record, lambda _: fake)

    assert record.status().states == {
        "a": State.FAILED,
        "afterok": State.SKIPPED,
        "afterany": State.SUCCEEDED,
        "afternotok": State.SUCCEEDED,
    }
    assert len(fake.engine.calls) == 1


def test_what_the_engine_skips_is_told_in_the_words_of_all_skipped_jobs(fake):
    fake.engine.outcome = failing("a")
    record = experiment({"c": ["b"], "b": ["a"], "a": []}, backend="fake")

    conduct(record, lambda _: fake)

    jobs = record.status().jobs
    assert jobs["b"].message == "a FAILED (exit code 1)"
    assert jobs["c"].message == "b SKIPPED: a FAILED (exit code 1)"
    assert (jobs["c"].state, jobs["c"].reason) == (State.SKIPPED, Reason.DEPENDENCY)


def test_what_waits_for_another_engine_waits_here(fake, tmp_path):
    here = Engine(tmp_path / "engine")
    record = experiment(
        {"a": [], "b": ["a"], "c": ["b"]}, backend={"a": "engine", "b": "fake", "c": "fake"}
    )
    backends = {"engine": here, "fake": fake}

    conduct(record, backends.__getitem__)

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert here.tokens() == [f"{record.id}/a/1"]
    assert fake.engine.calls == [[f"{record.id}/b/1", f"{record.id}/c/1"]]
    # What had ended already is not named to an engine that does not know it.
    assert fake.engine.jobs[f"{record.id}/b/1"].after == ()


def test_two_clusters_of_one_kind_do_not_wait_for_each_other(fake):
    record = experiment({"a": [], "b": ["a"]}, backend="fake")
    spec = record.job_dir("b") / "spec.json"
    document = json.loads(spec.read_text())
    document["options"] = {"tunnel": {"host": "other"}}
    spec.write_text(json.dumps(document))

    conduct(record, lambda _: fake)

    assert len(fake.engine.calls) == 2
    assert fake.engine.jobs[f"{record.id}/b/1"].after == ()
    assert set(record.status().states.values()) == {State.SUCCEEDED}


def test_what_waits_for_a_refused_job_is_not_started_and_skipped(fake):
    fake.engine.refuse = lambda spec: BackendError("no such partition") if spec.job == "a" else None
    record = experiment({"a": [], "b": ["a"], "c": ["b"], "d": []}, backend="fake")

    conduct(record, lambda _: fake)

    status = record.status()
    assert status.states == {
        "a": State.FAILED,
        "b": State.SKIPPED,
        "c": State.SKIPPED,
        "d": State.SUCCEEDED,
    }
    assert status.jobs["a"].message == "no such partition"
    assert status.jobs["b"].message == "a FAILED (could not start)"
    assert fake.engine.submissions == [f"{record.id}/d/1"]


def test_a_job_that_we_may_have_to_try_again_is_waited_for_here(fake):
    fake.capabilities = Capabilities(dependencies=True, detach=True, batch=1000)
    fake.engine.outcome = failing("a")
    record = experiment({"a": [], "b": ["a"]}, backend="fake", retries=1)
    conduct(record, lambda _: fake)

    # The last try of a is final, so b goes with it.
    first, second = f"{record.id}/a/1", f"{record.id}/a/2"
    assert fake.engine.calls == [[first], [second, f"{record.id}/b/1"]]
    assert record.status().states == {"a": State.FAILED, "b": State.SKIPPED}
    assert record.status().jobs["a"].attempt == 2


def test_a_failure_on_an_engine_that_tries_again_itself_is_final(fake):
    fake.engine.outcome = failing("a")
    record = experiment({"a": []}, backend="fake", retries=3)
    conduct(record, lambda _: fake)
    assert fake.engine.submissions == [f"{record.id}/a/1"]


def test_what_waited_for_a_lost_attempt_waits_for_the_next_one(fake):
    record = experiment({"a": [], "b": ["a"]}, backend="fake", retries=1)
    fake.engine.outcome = lambda _: Outcome(1000.0)
    work = conducting(record, fake)
    work.step()
    a, b = fake.engine.calls[0]
    # The engine forgets a, and gives up what it was to start after it.
    fake.engine.lose(a)
    job = fake.engine.jobs[b]
    job.after = (("afternotok", a),)
    fake.engine.clock.advance(2000)
    assert fake.engine.observe(b).state is State.SKIPPED

    fake.engine.outcome = lambda _: Outcome(10.0)
    while work._open:
        work.step()
        fake.engine.clock.advance(5)

    status = record.status()
    assert set(status.states.values()) == {State.SUCCEEDED}
    assert {job.attempt for job in status.jobs.values()} == {2}
    assert fake.engine.jobs[f"{record.id}/b/2"].after == (("afterok", f"{record.id}/a/2"),)


def conducting(record, backend, **how) -> Conducting:
    work = Conducting(record, lambda _: backend, **how)
    work._begin()
    return work


# Arrays


def test_an_array_is_handed_over_whole_and_the_engine_keeps_its_limit(fake):
    fake.engine.outcome = lambda _: Outcome(10.0)
    record = experiment({f"p{i}": [] for i in range(40)}, backend="fake", max_parallel=2)
    began = fake.engine.clock.time()

    conduct(record, lambda _: fake)

    assert [len(call) for call in fake.engine.calls] == [40]
    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert fake.engine.clock.time() - began >= 20 * 10


def test_an_engine_without_arrays_gets_as_many_as_may_run(fake):
    fake.capabilities = Capabilities(dependencies=True, detach=True, batch=1000)
    fake.engine.outcome = lambda _: Outcome(10.0)
    record = experiment({f"p{i}": [] for i in range(6)}, backend="fake", max_parallel=2)
    conduct(record, lambda _: fake)
    assert max(len(call) for call in fake.engine.calls) == 2


def test_a_batch_holds_as_many_jobs_as_the_engine_wants(fake):
    fake.capabilities = Capabilities(dependencies=True, detach=True, batch=7)
    record = experiment({f"p{i}": ([f"p{i - 1}"] if i else []) for i in range(20)}, backend="fake")
    conduct(record, lambda _: fake)
    assert [len(call) for call in fake.engine.calls] == [7, 7, 6]
    assert set(record.status().states.values()) == {State.SUCCEEDED}


# Jobs begun anew by their engine


def test_an_engine_that_begins_a_job_anew_moves_it_to_its_next_attempt(fake):
    fake.engine.outcome = lambda _: Outcome(100.0)
    record = experiment({"a": []}, backend="fake")
    work = conducting(record, fake)
    work.step()
    [token] = fake.engine.jobs
    fake.engine.clock.advance(20)
    work.step()
    before = record.status().jobs["a"]
    fake.engine.restart(token, Reason.NODE_FAILURE)
    work.step()
    after = record.status().jobs["a"]

    assert (before.state, before.attempt) == (State.RUNNING, 1)
    assert (after.state, after.attempt) == (State.PENDING, 2)
    assert (after.token, after.handle) == (before.token, before.handle)
    assert after.submitted_attempt == 1
    [end] = after.previous
    assert (end.state, end.reason, end.attempt) == (State.FAILED, Reason.NODE_FAILURE, 1)
    assert end.started == before.started

    # Another conductor goes on with it: handle and token are those of the first attempt.
    conduct(record, lambda _: fake)
    job = record.status().jobs["a"]
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert fake.engine.submissions == [token]
    assert names_of(record).count("job.restarted") == 1


def test_a_job_begun_anew_can_be_cancelled(fake):
    fake.engine.outcome = lambda _: Outcome(100.0)
    record = experiment({"a": []}, backend="fake")
    work = conducting(record, fake)
    work.step()
    [token] = fake.engine.jobs
    fake.engine.restart(token)
    work.step()
    record.journal.append([events.job_cancel_requested("a", "me")])

    conduct(record, lambda _: fake)

    job = record.status().jobs["a"]
    assert (job.state, job.attempt) == (State.CANCELLED, 2)
    assert fake.engine.jobs[token].cancelled is not None


def test_several_restarts_that_nobody_saw_come_to_one_event(fake):
    record = experiment({"a": []}, backend="fake")
    work = conducting(record, fake)
    work.step()
    [token] = fake.engine.jobs
    for _ in range(3):
        fake.engine.restart(token)
    fake.engine.clock.advance(1000)
    work.step()

    job = record.status().jobs["a"]
    assert (job.state, job.attempt) == (State.SUCCEEDED, 4)
    assert [seen.attempt for seen in job.previous] == [1]


# What others do


def test_a_job_that_somebody_else_cancelled_says_who(fake):
    fake.engine.outcome = lambda _: Outcome(100.0)
    record = experiment({"a": [], "b": ["a"]}, backend="fake")
    work = conducting(record, fake)
    work.step()
    fake.engine.cancel(f"{record.id}/a/1", by="uid 0")
    conduct(record, lambda _: fake)

    status = record.status()
    assert status.states == {"a": State.CANCELLED, "b": State.SKIPPED}
    assert status.jobs["a"].message == "cancelled by uid 0"
    assert status.jobs["b"].message == "a CANCELLED"


def test_after_a_resume_a_job_and_what_was_skipped_with_it_are_handed_over_again(fake):
    fake.engine.outcome = failing("a")
    record = experiment({"a": [], "b": ["a"], "c": []}, backend="fake")
    conduct(record, lambda _: fake)
    known = record.status()
    assert known.states == {"a": State.FAILED, "b": State.SKIPPED, "c": State.SUCCEEDED}

    fake.engine.outcome = lambda _: Outcome(1.0)
    record.journal.append(operations.again(known, by="me"))
    conduct(record, lambda _: fake)

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert fake.engine.calls[-1] == [f"{record.id}/a/2", f"{record.id}/b/2"]
    assert fake.engine.jobs[f"{record.id}/b/2"].after == (("afterok", f"{record.id}/a/2"),)


def test_an_interrupted_job_that_is_chained_is_submitted_again_and_waited_for_here(fake):
    policy = Resume(how="chain", max_attempts=3).to_options()
    record = experiment({"a": [], "b": ["a"]}, backend="fake", options={"resume": policy})
    interrupted = Observation(State.FAILED, Reason.TIME_LIMIT, 75)

    class Interrupting(FakeBackend):
        def poll(self, handles):
            seen = super().poll(handles)
            first = {h for h in handles if h.endswith("/a/1") and seen[h].state.terminal}
            return {**seen, **dict.fromkeys(first, interrupted)}

    conduct(record, lambda _: Interrupting(fake.engine, ALONE))

    job = record.status().jobs["a"]
    assert (job.state, job.attempt) == (State.SUCCEEDED, 2)
    assert [seen.reason for seen in job.previous] == [Reason.TIME_LIMIT]
    assert [len(call) for call in fake.engine.calls] == [1, 1, 1]
    retried = [e for e in record.journal.read()[0] if e["event"] == "job.retried"]
    assert [e["because"] for e in retried] == ["attempt 2 of at most 3 after time limit"]


def test_an_attempt_that_wrote_down_why_it_ended_is_asked(fake, tmp_path):
    fake.engine.outcome = lambda _: Outcome(100.0)
    record = experiment({"a": [], "b": []}, backend="fake", target=str(tmp_path / "target"))
    work = conducting(record, fake)
    work.step()
    for name, exits in (("a", "exit 75 by time limit, requeued"), ("b", "exit 3 by a, requeued")):
        spec = plans.own_spec(record, name, 1)
        fake.engine.leave(spec, "attempts/1/exit", f"{exits}\n".encode())
        fake.engine.restart(spec.token, Reason.NONE)
    work.step()

    ends = {job.id: job.previous[0] for job in record.status().jobs.values()}
    assert (ends["a"].reason, ends["a"].exit_code) == (Reason.TIME_LIMIT, 75)
    assert (ends["b"].reason, ends["b"].exit_code) == (Reason.EXIT_CODE, 3)


def test_jobs_that_end_together_are_brought_in_a_handful_of_calls(fake, tmp_path):
    record = experiment({f"j{i}": [] for i in range(100)}, backend="fake", target=str(tmp_path))
    fake.engine.outcome = failing("j7")
    for i in range(100):
        spec = plans.own_spec(record, f"j{i}", 1)
        fake.engine.leave(spec, "attempts/1/exit", b"exit 0 by it\n")
        fake.engine.leave(spec, "logs/1/rank-0.log", b"hello\n")

    conduct(record, lambda _: fake)

    assert sorted(record.status().states.values()).count(State.SUCCEEDED) == 99
    assert {(record.job_dir(f"j{i}") / "attempts/1/exit").exists() for i in range(100)} == {True}
    assert (record.job_dir("j7") / "logs/1/rank-0.log").read_text() == "hello\n"
    assert fake.engine.bring_calls == 2
