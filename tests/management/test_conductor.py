"""The conductor drives an experiment to its end, from whatever it finds in the journal."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from engine import Engine, experiment

from nemo_run.execution.backend import Capabilities
from nemo_run.execution.observation import State
from nemo_run.management.conductor.charge import charge, taken
from nemo_run.management.conductor.process import conduct
from nemo_run.management.store import events

BATCH = Capabilities().batch


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "engine")


def names_of(record) -> list[str]:
    return [event["event"] for event in record.journal.read()[0]]


def test_every_job_runs_once_after_its_dependencies_and_the_experiment_ends(engine):
    record = experiment({"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]})

    conduct(record, lambda _: engine)

    status = record.status()
    assert set(status.states.values()) == {State.SUCCEEDED}
    assert status.ended is not None
    assert engine.tokens() == [f"{record.id}/{job}/1" for job in "abcd"]
    order = [e["job"] for e in record.journal.read()[0] if e["event"] == "job.intent"]
    assert order[0] == "a"
    assert order[-1] == "d"
    assert names_of(record)[-1] == "conductor.ended"


def test_the_intent_of_every_job_is_on_disk_before_the_engine_is_asked(engine):
    record = experiment({"a": [], "b": [], "c": ["a"]})
    seen = []

    def look(tokens):
        written = {e.get("token") for e in record.journal.read()[0]}
        seen.extend((token, token in written) for token in tokens)

    engine.on_submit = look
    conduct(record, lambda _: engine)

    assert len(seen) == 3
    assert all(written for _, written in seen)


def test_a_hundred_jobs_need_few_writes_and_few_looks(engine):
    record = experiment({f"job{i}": [] for i in range(100)})

    conduct(record, lambda _: engine)

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    batches = 100 // BATCH + 1
    assert engine.polls <= batches + 2


def test_the_engine_gets_no_more_jobs_at_once_than_it_takes(tmp_path):
    engine = Engine(tmp_path / "engine", max_running=3)
    engine.outcome = lambda _token, looks: State.SUCCEEDED if looks else State.RUNNING
    record = experiment({f"job{i}": [] for i in range(10)})

    conduct(record, lambda _: engine)

    assert engine.most_running == 3
    assert set(record.status().states.values()) == {State.SUCCEEDED}


def test_a_failure_is_tried_again_as_often_as_was_asked(engine):
    engine.outcome = lambda token, _: State.SUCCEEDED if token.endswith("/3") else State.FAILED
    record = experiment({"a": [], "b": ["a"]}, retries=2)

    conduct(record, lambda _: engine)

    job = record.status().jobs["a"]
    assert (job.state, job.attempt) == (State.SUCCEEDED, 3)
    assert [seen.state for seen in job.previous] == [State.FAILED, State.FAILED]
    assert engine.tokens() == [
        *(f"{record.id}/a/{attempt}" for attempt in (1, 2, 3)),
        *(f"{record.id}/b/{attempt}" for attempt in (1, 2, 3)),
    ]


def test_the_last_failure_stands_and_what_depends_on_it_is_skipped(engine):
    engine.outcome = lambda _token, _looks: State.FAILED
    record = experiment({"a": [], "b": ["a"], "c": ["b"]}, retries=1)

    conduct(record, lambda _: engine)

    status = record.status()
    assert status.states == {"a": State.FAILED, "b": State.SKIPPED, "c": State.SKIPPED}
    assert status.jobs["a"].attempt == 2
    assert status.jobs["b"].message.startswith("a FAILED")
    assert engine.tokens() == [f"{record.id}/a/1", f"{record.id}/a/2"]


def test_nobody_ever_sees_a_failure_that_is_tried_again_as_the_end(engine):
    engine.outcome = lambda token, _: State.SUCCEEDED if token.endswith("/2") else State.FAILED
    record = experiment({"a": []}, retries=1)
    seen = set()

    engine.on_submit = lambda _tokens: seen.add(record.status().jobs["a"].state)
    engine.on_poll = lambda: seen.add(record.status().jobs["a"].state)
    conduct(record, lambda _: engine)

    assert State.FAILED not in seen
    assert record.status().jobs["a"].state is State.SUCCEEDED


def test_an_engine_that_cannot_be_reached_neither_ends_nor_cancels_a_job(engine):
    record = experiment({"a": []})
    answers = iter([ConnectionError("no route"), OSError("again"), TimeoutError("slow")])

    def fail():
        error = next(answers, None)
        if error:
            raise error

    engine.on_poll = fail
    conduct(record, lambda _: engine)

    seen = [e["state"] for e in record.journal.read()[0] if e["event"] == "job.observed"]
    assert seen == ["UNKNOWN", "SUCCEEDED"]
    assert engine.cancelled == []


def test_an_engine_that_cannot_say_whose_a_job_is_is_asked_again_later(tmp_path):
    class Deaf(Engine):
        asked = 0

        def own(self, jobs):
            self.asked += 1
            if self.asked < 5:
                raise ConnectionError("no route")
            return super().own(jobs)

    engine = Deaf(tmp_path / "engine")
    record = experiment({"a": []})
    token = f"{record.id}/a/1"
    handle = engine._take(token)
    # An earlier conductor started it.
    record.journal.append([events.experiment_started(), events.job_intent("a", 1, token)])
    record.journal.append([events.job_submitted("a", 1, handle)])
    conduct(record, lambda _: engine)

    seen = [e["state"] for e in record.journal.read()[0] if e["event"] == "job.observed"]
    assert seen == ["UNKNOWN", "SUCCEEDED"]
    assert engine.asked == 5
    assert engine.polls == 1


def test_an_engine_that_fails_while_it_starts_jobs_is_asked_again_and_starts_none_twice(engine):
    record = experiment({"a": [], "b": []})
    failures = iter([RuntimeError("busy"), RuntimeError("busy")])

    def fail(_tokens):
        error = next(failures, None)
        if error:
            raise error

    engine.on_submit = fail
    conduct(record, lambda _: engine)

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert names_of(record).count("job.intent") == 2
    assert engine.tokens() == [f"{record.id}/a/1", f"{record.id}/b/1"]


def test_while_an_engine_refuses_no_further_jobs_are_promised(engine):
    record = experiment({f"job{i}": [] for i in range(2 * BATCH)})
    promised = []
    failures = iter([RuntimeError("busy")] * 3)

    def fail(_tokens):
        promised.append(names_of(record).count("job.intent"))
        error = next(failures, None)
        if error:
            raise error

    engine.on_submit = fail
    conduct(record, lambda _: engine)

    assert promised[:3] == [BATCH] * 3
    assert set(record.status().states.values()) == {State.SUCCEEDED}


def test_a_job_that_the_engine_took_before_the_answer_was_lost_is_found_by_its_token(engine):
    record = experiment({"a": []})
    token = f"{record.id}/a/1"
    record.journal.append([events.experiment_started(), events.job_intent("a", 1, token)])
    engine._take(token)

    conduct(record, lambda _: engine)

    assert record.status().jobs["a"].state is State.SUCCEEDED
    assert "asked_again" not in engine._path(token).read_text()
    assert names_of(record).count("job.intent") == 1


def test_an_intent_that_never_reached_the_engine_is_carried_out(engine):
    record = experiment({"a": []})
    token = f"{record.id}/a/1"
    record.journal.append([events.experiment_started(), events.job_intent("a", 1, token)])

    conduct(record, lambda _: engine)

    assert record.status().jobs["a"].state is State.SUCCEEDED
    assert engine.tokens() == [token]


def test_a_request_to_cancel_reaches_jobs_that_run_and_jobs_that_have_not_begun(engine):
    engine.outcome = lambda _token, _looks: State.RUNNING
    record = experiment({"a": [], "b": ["a"], "c": []})
    engine.on_poll = lambda: (
        record.journal.append([events.job_cancel_requested(None, "somebody")])
        if engine.polls == 2
        else None
    )

    conduct(record, lambda _: engine)

    status = record.status()
    assert set(status.states.values()) == {State.CANCELLED}
    assert set(engine.cancelled) == {f"{record.id}/a/1", f"{record.id}/c/1"}
    assert f"{record.id}/b/1" not in engine.tokens()


def test_a_cancelled_job_is_not_tried_again(engine):
    record = experiment({"a": []}, retries=5)
    engine.outcome = lambda _token, _looks: State.FAILED
    engine.on_poll = lambda: record.journal.append([events.job_cancel_requested("a", "me")])

    conduct(record, lambda _: engine)

    # The request and the failure cross; either way there is one attempt more at the most.
    assert record.status().jobs["a"].state is State.CANCELLED
    assert len(engine.tokens()) <= 2


def test_a_second_conductor_leaves_at_once_and_changes_nothing(engine):
    record = experiment({"a": []})
    with charge(record):
        before = names_of(record)
        assert taken(record)
        assert conduct(record, lambda _: engine) == 0
        assert names_of(record) == before
    assert not taken(record)
    assert engine.tokens() == []


def test_two_conductors_at_once_start_every_job_once(tmp_path):
    record = experiment({f"job{i}": [] for i in range(20)})
    engines = [Engine(tmp_path / "engine") for _ in range(2)]
    threads = [threading.Thread(target=conduct, args=(record, lambda _, e=e: e)) for e in engines]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert names_of(record).count("job.intent") == 20
    assert len(engines[0].tokens()) == 20


def test_asked_to_stop_it_leaves_the_jobs_running_and_another_one_goes_on(engine):
    engine.outcome = lambda _token, looks: State.RUNNING if looks < 3 else State.SUCCEEDED
    record = experiment({"a": [], "b": ["a"]})

    def stop_soon(work):
        engine.on_poll = lambda: setattr(work, "stopping", True)

    conduct(record, lambda _: engine, begun=stop_soon)
    assert record.status().jobs["a"].state is State.RUNNING
    assert record.status().conductor.why == "stopped"
    assert engine.cancelled == []

    engine.on_poll = lambda: None
    conduct(record, lambda _: engine)
    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert engine.tokens() == [f"{record.id}/a/1", f"{record.id}/b/1"]


def test_looking_whether_somebody_has_charge_never_keeps_a_conductor_from_its_work(engine):
    record = experiment({f"job{i}": [] for i in range(5)})
    with charge(record):
        pass
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            taken(record)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        conduct(record, lambda _: engine)
    finally:
        stop.set()
        watcher.join()

    assert record.status().ended is not None


def test_an_ended_experiment_is_left_alone(engine):
    record = experiment({"a": []})
    conduct(record, lambda _: engine)
    ended = record.status().ended
    time.sleep(0.01)

    conduct(record, lambda _: engine)

    assert record.status().ended == ended
    assert engine.tokens() == [f"{record.id}/a/1"]
