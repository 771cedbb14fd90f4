"""Experiments that their engines finish alone: nobody is there, and the truth is told anyhow."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from alone import Alone, install
from engine import experiment

import nemo_run as run
from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import Reason, State
from nemo_run.management import operations
from nemo_run.management.conductor.charge import taken
from nemo_run.management.conductor.launch import start, wait_until_in_charge
from nemo_run.management.plans import own_spec
from nemo_run.management.results import Results
from nemo_run.management.store.record import Record

GRAPH = {"a": [], "again": ["a"], "fails": ["a"], "b": ["again"], "never": ["fails"]}
ENDS = {
    "a": State.SUCCEEDED,
    "again": State.SUCCEEDED,
    "fails": State.FAILED,
    "b": State.SUCCEEDED,
    "never": State.SKIPPED,
}


@pytest.fixture
def alone(tmp_path: Path, monkeypatch) -> Alone:
    engine = install(tmp_path, monkeypatch)
    (engine.folder / "hold").touch()
    return engine


def hand_over(tmp_path: Path, jobs=GRAPH, **how) -> Record:
    """Start an experiment whose conductor leaves as soon as the engine has all."""
    record = experiment(jobs, backend="alone", target=str(tmp_path / "target"), **how)
    wait_until_in_charge(record, start(record, hand_over=True))
    until(lambda: record.status().handed_over and not taken(record))
    return record


def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def go_on(alone: Alone) -> None:
    (alone.folder / "hold").unlink()


def test_the_conductor_leaves_when_the_engine_has_every_job(alone, tmp_path):
    record = hand_over(tmp_path)

    status = record.status()
    assert status.conductor.why == "handed over"
    assert status.ended is None
    assert alone.asked() == [f"{record.id}/{job}/1" for job in GRAPH]
    assert operations.notice(record, status) == ""


def test_status_looks_once_and_writes_down_what_it_sees(alone, tmp_path):
    record = hand_over(tmp_path)
    assert operations.status(record).jobs["a"].state is State.RUNNING
    assert record.status().jobs["a"].state is State.RUNNING

    go_on(alone)
    until(lambda: operations.status(record).ended is not None)

    status = record.status()
    assert status.states == ENDS
    assert status.jobs["never"].message == "fails FAILED (exit code 1)"
    assert status.jobs["again"].attempt == 2
    assert [seen.reason for seen in status.jobs["again"].previous] == [Reason.PREEMPTED]
    assert not taken(record)


def test_results_and_errors_are_in_the_record_when_the_end_is(alone, tmp_path):
    record = hand_over(tmp_path)
    go_on(alone)
    until(lambda: operations.status(record).ended is not None)

    results = Results(record)
    assert (results["a"], results["again"], results["b"]) == ("a", "again", "b")
    with pytest.raises(run.exceptions.JobFailedError, match="no"):
        results["fails"]
    # What failed is looked for first: its log is here without anybody asking for it.
    assert (record.job_dir("fails") / "logs/1/rank-0.log").read_text() == "this is fails\n"
    assert not (record.job_dir("a") / "logs/1/rank-0.log").exists()


def test_months_later_the_record_alone_is_read(alone, tmp_path):
    record = hand_over(tmp_path)
    go_on(alone)
    until(lambda: operations.status(record).ended is not None)
    operations.print_logs(record, "a")
    (alone.folder / "down").touch()
    polls, brought = alone.count("polls"), alone.count("brought")

    assert operations.status(record).doubt == ""
    assert Results(record)["a"] == "a"
    operations.print_logs(record, "a")
    assert (alone.count("polls"), alone.count("brought")) == (polls, brought)


def test_results_look_for_themselves(alone, tmp_path):
    record = hand_over(tmp_path, {"a": []})
    results = Results(record)
    with pytest.raises(NemoRunError, match="has no result yet"):
        results["a"]
    go_on(alone)
    assert results["a"] == "a"
    assert record.status().ended is not None


def test_waiting_drives_it_again_until_its_end(alone, tmp_path):
    record = hand_over(tmp_path, {"a": [], "b": ["a"]})
    waiter = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import nemo_run as run\nprint(run.Experiment.from_id({record.id!r}).wait())",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    until(lambda: taken(record))
    go_on(alone)
    assert waiter.communicate(timeout=30)[0].strip() == "SUCCEEDED"
    assert alone.asked() == [f"{record.id}/{job}/1" for job in "ab"]


def test_cancel_reaches_what_was_handed_over_and_the_rest_stays_handed_over(alone, tmp_path):
    record = hand_over(tmp_path, {"a": [], "b": []})
    operations.cancel(record, "a")
    until(lambda: record.status().jobs["a"].state.terminal and not taken(record))

    status = operations.status(record)
    assert status.states == {"a": State.CANCELLED, "b": State.RUNNING}
    assert status.handed_over
    operations.cancel(record)
    until(lambda: record.status().ended is not None)
    assert set(record.status().states.values()) == {State.CANCELLED}


def test_an_engine_that_cannot_be_reached_leaves_what_was_last_known_with_a_doubt(alone, tmp_path):
    record = hand_over(tmp_path)
    assert operations.status(record).doubt == ""
    (alone.folder / "down").touch()
    go_on(alone)
    before = len(record.journal.read()[0])

    first, second = operations.status(record), operations.status(record)

    assert first.jobs["a"].state is State.RUNNING
    assert "The engine does not answer." in first.doubt
    assert " since 2" in first.doubt
    assert first.doubt == second.doubt
    assert operations.notice(record, first) == first.doubt
    # Looking at what does not answer fills no journal.
    assert len(record.journal.read()[0]) == before

    (alone.folder / "down").unlink()
    until(lambda: operations.status(record).ended is not None)
    assert operations.status(record).doubt == ""


def test_an_engine_is_not_asked_again_before_it_wants_to_be(alone, tmp_path, monkeypatch):
    record = hand_over(tmp_path, {"a": []})
    monkeypatch.setattr(Alone, "capabilities", slow(Alone.capabilities))
    operations.status(record)
    polls = alone.count("polls")
    for _ in range(5):
        operations.status(record)
    assert alone.count("polls") == polls


def slow(capabilities):
    import dataclasses

    return dataclasses.replace(capabilities, interval=60.0)


def test_two_looks_at_once_write_every_end_once(alone, tmp_path):
    record = hand_over(tmp_path)
    go_on(alone)
    program = (
        "import sys; from nemo_run.management import operations; "
        "from nemo_run.management.store.record import Record; r = Record(sys.argv[1])\n"
        "while operations.status(r).ended is None: pass"
    )
    looks = [subprocess.Popen([sys.executable, "-c", program, str(record.path)]) for _ in range(4)]
    assert [look.wait(30) for look in looks] == [0] * 4

    happened = record.journal.read()[0]
    ends = [
        (e["job"], e["attempt"])
        for e in happened
        if e["event"] == "job.observed" and State(e["state"]).terminal
    ]
    assert len(ends) == len(set(ends)) == len(GRAPH)
    assert [e["event"] for e in happened].count("experiment.ended") == 1
    assert record.status().states == ENDS


def test_what_only_a_conductor_can_do_starts_one_again(alone, tmp_path):
    record = hand_over(tmp_path, {"a": [], "b": ["a"]}, retries=1)
    # The engine forgets a job that it had: it is lost, and tried again.
    alone._path(f"{record.id}/a/1").unlink()
    go_on(alone)
    until(lambda: operations.status(record).ended is not None)
    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert alone.asked()[-2:] == [f"{record.id}/a/2", f"{record.id}/b/2"]


# Results that cannot be brought


def test_an_end_without_its_results_says_so_and_they_come_later(alone, tmp_path):
    record = hand_over(tmp_path, {"a": []})
    (alone.folder / "cut").touch()
    go_on(alone)

    status = operations.status(record)
    assert status.jobs["a"].state is State.SUCCEEDED
    assert "The connection broke" in status.jobs["a"].unbrought
    assert "The connection broke" in status.doubt
    with pytest.raises(NemoRunError, match="could not be fetched yet: The connection broke"):
        Results(record)["a"]

    (alone.folder / "cut").unlink()
    assert Results(record)["a"] == "a"
    status = record.status()
    assert (status.jobs["a"].unbrought, status.ended is not None) == ("", True)
    brought = alone.count("brought")
    assert operations.status(record).doubt == ""
    assert alone.count("brought") == brought


def test_a_conductor_lets_an_end_wait_for_its_results(alone, tmp_path):
    record = experiment({"a": []}, backend="alone", target=str(tmp_path / "target"))
    (alone.folder / "cut").touch()
    go_on(alone)
    wait_until_in_charge(record, start(record))
    until(lambda: alone.count("polls") > 3)
    assert not record.status().jobs["a"].state.terminal

    (alone.folder / "cut").unlink()
    until(lambda: record.status().ended is not None)
    assert Results(record)["a"] == "a"
    assert "job.unbrought" not in [e["event"] for e in record.journal.read()[0]]


# Killed anywhere

HAND_OVER_AND_DIE = textwrap.dedent(
    """
    import os, sys
    from nemo_run.management import looking
    from nemo_run.management.conductor.process import conduct
    from nemo_run.management.store.journal import Journal
    from nemo_run.management.store.record import Record

    folder, number, moment = sys.argv[1], int(sys.argv[2]), sys.argv[3]

    class Deadly(Journal):
        def _append(self, events, only_at):
            last = self.read()[0][-1]["seq"]
            if moment == "before" and last + len(events) >= number:
                os.kill(os.getpid(), 9)
            written = super()._append(events, only_at)
            if moment == "after" and last + len(events) >= number:
                os.kill(os.getpid(), 9)
            return written

    class Watched(Record):
        @property
        def journal(self):
            return Deadly(self.path / "events.jsonl")

    record = Watched(folder)
    conduct(record, hand_over=True)
    os.unlink(os.environ["ALONE"] + "/hold")
    while looking.looked_at(record).ended is None:
        pass
    """
)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(2, 30))
def test_killed_at_any_line_of_the_journal_nothing_is_lost_or_done_twice(
    alone, tmp_path, number, moment
):
    record = experiment(GRAPH, backend="alone", target=str(tmp_path / "target"))
    program = [sys.executable, "-c", HAND_OVER_AND_DIE, str(record.path), str(number), moment]
    subprocess.run(program, check=False)

    (alone.folder / "hold").unlink(missing_ok=True)
    if record.status().ended is None and not record.status().handed_over:
        operations.resume(record)
    until(lambda: operations.status(record).ended is not None)

    assert record.status().states == ENDS
    asked = alone.asked()
    assert sorted(set(asked)) == sorted(f"{record.id}/{job}/1" for job in GRAPH)
    assert len(list(alone.folder.glob("*.json"))) == len(GRAPH)
    results = Results(record)
    assert [results[job] for job in ("a", "again", "b")] == ["a", "again", "b"]
    assert json.loads((record.job_dir("fails") / "attempts/1/error.0.json").read_text())


def test_looking_at_a_copy_of_the_record_asks_nobody(alone, tmp_path):
    import shutil

    record = hand_over(tmp_path)
    copy = Record(record.path.parents[2] / "copies" / "conducted" / record.id)
    shutil.copytree(record.path, copy.path)
    operations.cancel(copy)
    until(lambda: copy.status().ended is not None)

    assert not any("cancelled" in file.read_text() for file in alone.folder.glob("*.json"))
    assert "none of this experiment" in copy.status().jobs["a"].message
    assert operations.status(record).jobs["a"].state is State.RUNNING


def test_what_ended_unseen_can_be_deleted_and_resumed(alone, tmp_path):
    ended, failed = hand_over(tmp_path, {"a": []}), hand_over(tmp_path, {"fails": []})
    with pytest.raises(run.exceptions.StoreError, match="is not over"):
        operations.delete(ended)
    go_on(alone)
    operations.delete(ended)
    assert not ended.path.exists()

    operations.resume(failed)
    until(lambda: operations.status(failed).ended is not None)
    assert alone.asked()[-2:] == [f"{failed.id}/fails/1", f"{failed.id}/fails/2"]


def test_a_detached_run_hands_over_and_tells_the_truth(alone, tmp_path):
    """From the program's own side, with the executor of a package."""
    program = textwrap.dedent(
        """
        import time
        from dataclasses import dataclass
        import nemo_run as run

        @dataclass(kw_only=True)
        class Far(run.Executor):
            backend = "alone"

        with run.Experiment("far") as experiment:
            experiment.add(run.Script(inline="true"), Far(), name="a")
            experiment.add(run.Script(inline="true"), Far(), name="b", dependencies=["a"])
            experiment.run(detach=True)
        while not experiment._record.status().handed_over:
            time.sleep(0.01)
        assert experiment.jobs[1].state == "PENDING", experiment.jobs[1].state
        assert experiment.status(return_dict=True)["a"]["status"] == "RUNNING"
        import os
        os.unlink(os.environ["ALONE"] + "/hold")
        assert experiment.jobs[0].wait() == "SUCCEEDED"
        assert experiment.wait() == "SUCCEEDED"
        print(experiment.id)
        """
    )
    path = tmp_path / "program.py"
    path.write_text(program)
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    name = done.stdout.split()[-1]
    assert alone.asked() == [f"{name}/a/1", f"{name}/b/1"]


def test_a_conductor_stays_while_somebody_waits_and_hands_over_when_nobody_does(alone, tmp_path):
    record = experiment({"a": [], "b": ["a"]}, backend="alone", target=str(tmp_path / "target"))
    waits = f"import nemo_run as run; run.Experiment.from_id({record.id!r}).wait()"
    wait_until_in_charge(record, start(record))
    waiter = subprocess.Popen([sys.executable, "-c", waits])
    until(lambda: record.status().jobs["a"].state is State.RUNNING)
    time.sleep(7)
    assert taken(record)
    first = record.status().conductor.pid

    waiter.kill()
    waiter.wait()
    until(lambda: record.status().handed_over)
    assert record.status().conductor.pid == first
    go_on(alone)
    until(lambda: operations.status(record).ended is not None)
    assert alone.asked() == [f"{record.id}/a/1", f"{record.id}/b/1"]


def test_a_request_to_cancel_is_heard_at_any_moment_of_the_hand_over(alone, tmp_path):
    for delay in (0.0, 0.02, 0.05, 0.1):
        record = experiment({"a": []}, backend="alone", target=str(tmp_path / "target"))
        wait_until_in_charge(record, start(record, hand_over=True))
        until(lambda r=record: r.status().jobs["a"].handle)
        time.sleep(delay)
        operations.cancel(record)
        until(lambda r=record: r.status().ended is not None)
        assert record.status().states == {"a": State.CANCELLED}


def test_every_record_has_an_identity_that_engines_hear_of(alone, tmp_path):
    away = [
        experiment({"a": []}, backend="alone", target=str(tmp_path / "target")) for _ in range(2)
    ]
    told = [own_spec(record, "a", 1).identity for record in away]
    assert all(told)
    assert told == [record.meta["identity"] for record in away]
    assert len(set(told)) == 2
    here = experiment({"a": []}, backend="alone")
    assert own_spec(here, "a", 1).identity == ""
