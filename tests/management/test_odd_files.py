"""Files of an experiment that are not what they should be, while something is done with it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from engine import Engine, experiment

import nemo_run as run
from nemo_run.exceptions import CorruptRecordError, NemoRunError, NotFoundError, ShortageError
from nemo_run.execution.jobspec import Handle, Token
from nemo_run.execution.observation import Observation, State
from nemo_run.management import index, operations, store
from nemo_run.management.conductor.conducting import Conducting
from nemo_run.management.conductor.process import conduct
from nemo_run.management.results import Results
from nemo_run.management.store import events
from nemo_run.management.store.record import Record
from nemo_run.management.watch.logs import LogReader


def until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def started(inline: str, *, name: str = "job") -> Record:
    described = run.Experiment("odd", clean_mode=True)
    described.add(run.Script(inline=inline, entrypoint="sh"), run.LocalExecutor(), name=name)
    described.run(detach=True)
    return store.find(described.id)


def running(inline: str) -> Record:
    record = started(inline)
    until(lambda: record.status().jobs["job"].state is State.RUNNING)
    return record


def over(record: Record) -> State:
    until(lambda: record.status().ended is not None)
    return record.status().state


# What a machine lacks for a while


class Short(Engine):
    """An engine on a machine whose memory is used up for the first few submissions."""

    left = 3

    def _take(self, token: Token) -> Handle:
        if self.left:
            self.left -= 1
            self.polls_when_short.append(self.polls)
            return ShortageError("There is no memory.")  # type: ignore[return-value]
        return super()._take(token)


def test_a_shortage_is_waited_for_and_the_job_then_runs_once(tmp_path: Path) -> None:
    engine = Short(tmp_path / "engine")
    engine.polls_when_short = []
    record = experiment({"a": [], "b": ["a"]})
    conduct(record, lambda _: engine)

    assert record.status().states == {"a": State.SUCCEEDED, "b": State.SUCCEEDED}
    assert engine.tokens() == [f"{record.id}/a/1", f"{record.id}/b/1"]
    happened = [event for event in record.journal.read()[0] if event.get("job") == "a"]
    waited = [e for e in happened if e.get("state") == "PENDING"]
    assert [e["message"] for e in waited] == ["There is no memory. It is tried again."]
    assert [e["event"] for e in happened].count("job.intent") == 1


def test_while_something_is_short_an_engine_is_not_asked_without_pause(tmp_path: Path) -> None:
    engine = Short(tmp_path / "engine")
    engine.left, engine.polls_when_short = 1000, []
    record = experiment({"a": [], "b": []})
    conducting = Conducting(record, lambda _: engine, log=lambda _line: None)
    for _ in range(50):
        conducting.step()
    # Both were asked for at once; after that the pause had not passed.
    assert len(engine.polls_when_short) < 10
    assert record.status().states == {"a": State.PENDING, "b": State.PENDING}


# Pipes in the place of files: nobody waits for a writer


def with_pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def test_a_pipe_in_the_place_of_a_plan_is_told(home: Path) -> None:
    record = experiment({"a": []})
    with_pipe(record.job_dir("a") / "spec.json")
    with pytest.raises(NemoRunError, match=r"spec\.json.*pipe"):
        list(LogReader(record, ["a"]).read(_running(record)))


def _running(record: Record):
    record.journal.append([events.job_observed("a", Observation(State.RUNNING, attempt=1))])
    return record.status()


@pytest.mark.parametrize("name", ["attempts/1/claim", "attempts/1/exit"])
def test_a_pipe_in_the_place_of_a_jobs_record_holds_nobody_up(name: str) -> None:
    record = running("exec sleep 300")
    leader = int((record.job_dir("job") / "attempts/1/claim").read_text().split()[0])
    with_pipe(record.job_dir("job") / name)
    try:
        assert operations.status_text(record, operations.status(record))
        operations.cancel(record)
        until(lambda: record.status().heard > 0)
    finally:
        os.killpg(leader, 9)
        os.kill(record.status().conductor.pid, 9)


def test_a_pipe_in_the_place_of_a_log_or_a_result_is_read_as_none() -> None:
    record = started("true")
    assert over(record) is State.SUCCEEDED
    with_pipe(record.job_dir("job") / "logs/1/rank-0.log")
    with_pipe(record.job_dir("job") / "result.json")
    for last in (None, 5):
        reader = LogReader(record, ["job"], last_lines=last)
        assert list(reader.read(record.status())) == []
    with pytest.raises(NemoRunError, match="pipe"):
        _ = Results(record)["job"]


# Damaged plans


def test_what_runs_is_ended_though_its_plan_was_damaged() -> None:
    record = running("exec sleep 300")
    os.kill(record.status().conductor.pid, 9)
    until(lambda: not operations.taken(record))
    (record.job_dir("job") / "spec.json").write_text("{")

    assert operations.status(record).jobs["job"].state is State.RUNNING
    operations.cancel(record)

    assert over(record) is State.CANCELLED
    assert record.status().jobs["job"].message == "cancelled"


@pytest.mark.parametrize("plan", ["", "[]", "null", '{"experiment": 5}', "{" * 5000])
def test_a_damaged_plan_is_a_sentence(home: Path, plan: str) -> None:
    record = experiment({"a": []})
    (record.job_dir("a") / "spec.json").write_text(plan)
    with pytest.raises(NemoRunError, match=r"spec\.json"):
        list(LogReader(record, ["a"]).read(_running(record)))
    for _ in range(2):
        operations.cancel(record)
    assert over(record) is State.CANCELLED


# Odd documents and journals


def test_an_unknown_kind_of_dependency_in_a_record_starts_nothing(tmp_path: Path) -> None:
    record = experiment({"a": [], "b": []})
    meta = json.loads((record.path / "experiment.json").read_text())
    meta["jobs"][1]["dependencies"] = [{"job": "a", "kind": "aftersome"}]
    (record.path / "experiment.json").write_text(json.dumps(meta))

    with pytest.raises(CorruptRecordError, match=r"aftersome.*'b'|'b'.*aftersome"):
        _ = Record(record.path).meta
    assert "aftersome" in index.reindex().rows[0].error


@pytest.mark.parametrize(
    "odd",
    [
        {"event": "job.submitted", "job": "a", "attempt": 1, "handle": 5},
        {"event": "job.submitted", "job": "a", "attempt": -1, "handle": "engine://here/x"},
        {"event": "job.submitted", "job": "a", "attempt": 1, "handle": "nonsense"},
        {"event": "job.submitted", "job": "a", "attempt": 1, "handle": "fortran://x"},
        {"event": "job.submitted", "job": "ghost", "attempt": 1, "handle": "engine://here/ghost"},
        {"event": "job.intent", "job": "a", "attempt": 2**40, "token": [1]},
        {"event": "job.retried", "job": "a", "attempt": "x"},
        {"event": "job.cancel_requested", "job": {"a": 1}},
        {"event": "conductor.started", "pid": "x", "host": 5},
    ],
)
def test_a_conductor_goes_on_over_odd_lines(tmp_path: Path, odd: Mapping) -> None:
    engine = Engine(tmp_path / "engine")
    record = experiment({"a": [], "b": ["a"], "c": []})
    lines = [{"seq": 2, "time": 1.0, **odd}]
    with record.journal.path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)

    conducting = Conducting(record, _only(engine), log=lambda _line: None)
    for _ in range(20):
        conducting.step()

    assert record.status().jobs["c"].state is State.SUCCEEDED
    assert set(engine.tokens()) <= {f"{record.id}/{job}/1" for job in "abc"}


def _only(engine: Engine):
    def named(name: str) -> Engine:
        if name != "engine":
            raise NemoRunError(f"No backend is called {name!r}.")
        return engine

    return named


def test_a_journal_that_is_emptied_under_its_conductor_starts_nothing_twice(tmp_path: Path) -> None:
    gate, log = tmp_path / "gate", tmp_path / "ran"
    record = running(f"echo once >> {log}; while [ ! -e {gate} ]; do sleep 0.02; done")
    until(log.exists)
    pid = record.status().conductor.pid
    record.journal.path.write_text("")
    gate.touch()
    until(lambda: not operations.taken(record))
    said = (record.path / "conductor.log").read_text()
    assert "events.jsonl" in said
    assert "Traceback" not in said
    assert log.read_text() == "once\n"
    assert not Path(f"/proc/{pid}").exists() or not operations.taken(record)

    operations.resume(record)
    assert over(record) is State.SUCCEEDED
    assert log.read_text() == "once\n"


# Deleting


@pytest.mark.parametrize("name", ["experiment.json", "events.jsonl", "jobs/job/spec.json"])
def test_a_damaged_record_is_deleted_by_force(name: str) -> None:
    record = running("sleep 0.2")
    (record.path / name).write_text("{")
    operations.delete(record, force=True)
    assert not record.path.exists()
    with pytest.raises(NotFoundError):
        store.find(record.id)


def test_what_was_deleted_is_not_run_again() -> None:
    described = run.Experiment("gone", clean_mode=True)
    described.add(run.Script(inline="true"), run.LocalExecutor(), name="job")
    described.run()
    opened = run.Experiment.from_id(described.id)
    operations.delete(store.find(described.id))
    for again in (described, opened):
        with pytest.raises(NemoRunError, match=r"deleted|was started|reset"):
            again.run()
    assert list(store.catalog()) == []
