"""Logs that are written on another machine: fetched when somebody reads them, whole, and once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from alone import Alone, install
from engine import experiment

from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management import operations
from nemo_run.management.conductor.charge import taken
from nemo_run.management.conductor.launch import start, wait_until_in_charge
from nemo_run.management.plans import own_spec
from nemo_run.management.store import events
from nemo_run.management.store.record import Record
from nemo_run.management.watch.logs import LogReader, log_files


@pytest.fixture
def alone(tmp_path: Path, monkeypatch) -> Alone:
    engine = install(tmp_path, monkeypatch)
    (engine.folder / "hold").touch()
    return engine


@pytest.fixture
def record(alone, tmp_path) -> Record:
    """A job that runs elsewhere."""
    made = experiment({"a": []}, backend="alone", target=str(tmp_path / "target"))
    token = f"{made.id}/a/1"
    running = Observation(State.RUNNING)
    made.journal.append([events.experiment_started(), events.job_intent("a", 1, token)])
    made.journal.append([events.job_submitted("a", 1, f"alone://here/{token}")])
    made.journal.append([events.job_observed("a", running)])
    return made


def write(record: Record, text: str, attempt: int = 1) -> None:
    log = Path(own_spec(record, "a", 1).directory, "logs", str(attempt), "rank-0.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(text)


def read(reader: LogReader, record: Record) -> str:
    return b"".join(piece.data for piece in reader.read(record.status())).decode()


def until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def end(record: Record, state: State = State.SUCCEEDED) -> None:
    record.journal.append([events.job_observed("a", Observation(state, Reason.NONE, 0))])


def test_what_is_read_is_fetched_before(alone, record):
    write(record, "one\ntwo\n")
    assert read(LogReader(record, ["a"]), record) == "one\ntwo\n"
    assert read(LogReader(record, ["a"], last_lines=1), record) == "two\n"


def test_nothing_is_fetched_more_often_than_twice_a_second(alone, record):
    write(record, "one\n")
    reader = LogReader(record, ["a"])
    begun = time.monotonic()
    while time.monotonic() - begun < 1.2:
        read(reader, record)
    assert 2 <= alone.count("brought") <= 4


def test_a_broken_connection_leaves_neither_a_gap_nor_a_repeat(alone, record, capsys):
    reader = LogReader(record, ["a"])
    write(record, "one\n")
    seen = read(reader, record)
    (alone.folder / "cut").touch()
    write(record, "two\n")
    time.sleep(0.6)
    for _ in range(10):
        seen += read(reader, record)
    assert seen == "one\n"
    end(record)
    seen += read(reader, record)
    # The job has ended, and what it wrote last is not here yet: that is not the end.
    assert (seen, reader.ended, reader.behind) == ("one\n", False, True)

    (alone.folder / "cut").unlink()
    write(record, "three\n")

    def all_read() -> bool:
        nonlocal seen
        seen += read(reader, record)
        return reader.ended

    until(all_read)
    assert seen == "one\ntwo\nthree\n"
    told = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in told] == [
        "The output of a cannot be fetched now; it is tried again",
        "The output of a is fetched again.",
    ]


def test_the_log_of_an_ended_attempt_is_fetched_once_for_all(alone, record):
    write(record, "one\n")
    end(record)
    assert read(LogReader(record, ["a"]), record) == "one\n"
    (alone.folder / "down").touch()
    brought = alone.count("brought")
    reader = LogReader(record, ["a"])
    assert read(reader, record) == "one\n"
    assert reader.ended
    assert alone.count("brought") == brought


def test_attempts_that_the_engine_began_anew_are_read_one_after_the_other(alone, record):
    write(record, "first\n")
    reader = LogReader(record, ["a"])
    assert read(reader, record) == "first\n"
    write(record, "cut off")
    record.journal.append([events.job_restarted("a", 2, "preempted")])
    record.journal.append([events.job_observed("a", Observation(State.RUNNING, attempt=2))])
    write(record, "second\n", attempt=2)
    assert read(reader, record) == "cut offsecond\n"
    assert read(LogReader(record, ["a"], all_attempts=True), record) == "first\ncut offsecond\n"


def test_following_what_was_handed_over_ends_when_the_job_does(alone, tmp_path):
    made = experiment({"a": [], "b": ["a"]}, backend="alone", target=str(tmp_path / "target"))
    wait_until_in_charge(made, start(made, hand_over=True))
    until(lambda: made.status().handed_over and not taken(made))
    follower = subprocess.Popen(
        [sys.executable, "-m", "nemo_run", "experiment", "logs", "-f", made.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: taken(made))
    (alone.folder / "hold").unlink()
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == 0, err
    assert sorted(line.split()[-1] for line in out.splitlines()) == ["a", "b"]
    assert "resume" not in err


def test_a_link_within_the_record_is_followed_and_one_out_of_it_is_not(alone, record, tmp_path):
    folder = record.job_dir("a") / "logs" / "1"
    folder.mkdir(parents=True)
    (folder / "real.log").write_text("inside\n")
    (folder / "rank-0.log").symlink_to("real.log")
    [file] = log_files(record, "a", 1)
    assert Path(file.path).read_text() == "inside\n"
    (tmp_path / "secret").write_text("outside\n")
    (folder / "rank-0.log").unlink()
    (folder / "rank-0.log").symlink_to(tmp_path / "secret")
    with pytest.raises(operations.NemoRunError, match="are not read"):
        log_files(record, "a", 1)
