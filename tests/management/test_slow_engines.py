"""Engines that are slow, far away, or do not answer for a long time."""

from __future__ import annotations

import dataclasses
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from alone import Alone, install
from engine import Engine, experiment

from nemo_run.execution.backend import Capabilities
from nemo_run.execution.observation import Observation, State
from nemo_run.management import operations
from nemo_run.management.conductor.backoff import BackOff
from nemo_run.management.conductor.charge import taken
from nemo_run.management.conductor.conducting import Conducting
from nemo_run.management.conductor.launch import start, wait_until_in_charge
from nemo_run.management.conductor.process import conduct
from nemo_run.testing import FakeBackend, FakeEngine, Outcome

ALONE = Capabilities(dependencies=True, detach=True, requeue=True, arrays=True, batch=1000)


@pytest.fixture
def fake() -> FakeBackend:
    return FakeBackend(FakeEngine(queue=5), ALONE)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch) -> Alone:
    return install(tmp_path, monkeypatch)


def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def states_seen(record) -> list[str]:
    return [e["state"] for e in record.journal.read()[0] if e["event"] == "job.observed"]


def test_asked_to_stop_it_leaves_an_engine_that_is_still_starting_jobs(alone, tmp_path):
    (alone.folder / "slow").touch()
    record = experiment({"a": [], "b": ["a"]}, backend="alone", target=str(tmp_path / "target"))
    started = start(record)
    wait_until_in_charge(record, started)
    until(lambda: record.status().jobs["b"].token)

    begun = time.monotonic()
    os.kill(started.pid, signal.SIGTERM)
    until(lambda: started.gone)

    assert time.monotonic() - begun < 10
    assert record.status().conductor.why == "stopped"
    assert not taken(record)
    (alone.folder / "slow").unlink()
    operations.resume(record)
    until(lambda: record.status().ended is not None or record.status().handed_over)
    until(lambda: operations.status(record).ended is not None)
    assert sorted(alone.asked()) == [f"{record.id}/a/1", f"{record.id}/b/1"]
    assert set(record.status().states.values()) == {State.SUCCEEDED}


def test_a_thousand_looks_that_fail_end_and_cancel_nothing(fake):
    fake.engine.outcome = lambda _: Outcome(10.0)
    record = experiment({"a": [], "b": ["a"]}, backend="fake")
    work = Conducting(record, lambda _: fake, log=lambda _: None)
    # Between two looks, more time passes than it ever waits.
    looks = itertools.count()
    work._backoff = BackOff(work.log, lambda: next(looks) * 1000.0)
    work._begin()
    work.step()
    fake.engine.down = True
    for _ in range(1000):
        work.step()
    assert set(record.status().states.values()) == {State.UNKNOWN}
    assert "does not answer" in record.status().jobs["a"].message
    assert fake.engine.jobs[f"{record.id}/a/1"].cancelled is None

    fake.engine.down = False
    fake.engine.clock.advance(1000)
    work.step()
    assert set(record.status().states.values()) == {State.SUCCEEDED}
    # One line for each job, not one for each look.
    assert states_seen(record).count("UNKNOWN") == 2
    assert len(fake.engine.submissions) == 2


def test_what_an_engine_cannot_tell_counts_when_it_says_so_again_and_again(tmp_path):
    class Forgetful(Engine):
        unknown = 2

        def poll(self, handles):
            self.unknown -= 1
            if self.unknown >= 0:
                return {h: Observation(State.UNKNOWN, message="no answer") for h in handles}
            return super().poll(handles)

    engine = Forgetful(tmp_path / "engine")
    record = experiment({"a": []})
    conduct(record, lambda _: engine)
    assert states_seen(record) == ["SUCCEEDED"]

    engine.unknown = 5
    record = experiment({"a": []})
    conduct(record, lambda _: engine)
    assert states_seen(record) == ["UNKNOWN", "SUCCEEDED"]


def test_an_engine_is_looked_at_as_often_as_it_wants(tmp_path):
    engine = Engine(tmp_path / "engine")
    engine.capabilities = dataclasses.replace(engine.capabilities, interval=0.3)
    engine.outcome = lambda _, looks: State.SUCCEEDED if looks > 3 else State.RUNNING
    record = experiment({"a": []})
    steps = []

    class Counted(Conducting):
        def step(self):
            steps.append(1)
            super().step()

    begun = time.monotonic()
    Counted(record, lambda _: engine).run()
    spent = time.monotonic() - begun

    assert record.status().state is State.SUCCEEDED
    assert engine.polls == 5
    assert spent > 4 * 0.3 * 0.85
    # Nor does it run in circles meanwhile.
    assert len(steps) < 40


def test_a_request_to_cancel_does_not_wait_for_the_next_look(tmp_path):
    from nemo_run.management.store import events

    engine = Engine(tmp_path / "engine")
    engine.capabilities = dataclasses.replace(engine.capabilities, interval=3600.0)
    engine.outcome = lambda _, looks: State.RUNNING
    record = experiment({"a": []})
    engine.on_poll = lambda: (
        record.journal.append([events.job_cancel_requested("a", "me")])
        if engine.polls == 1
        else None
    )
    conduct(record, lambda _: engine)
    assert record.status().jobs["a"].state is State.CANCELLED
