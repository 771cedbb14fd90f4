"""Ctrl-C while waiting: the first leaves and says how to come back, a second one cancels."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time

import pytest

import nemo_run as run
from nemo_run.execution.observation import State
from nemo_run.management.store import find

PROGRAM = """
import nemo_run as run
with run.Experiment("waited") as experiment:
    experiment.add(run.Script(inline="sleep 60", entrypoint="sh"), name="a")
    print(experiment.id, flush=True)
    experiment.run()
"""


@pytest.fixture
def waiting():
    """A program that waits for an experiment, and its record."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    id = process.stdout.readline().strip()
    record = running(id)
    yield process, record
    process.kill()
    process.communicate()
    run.Experiment.of_record(record).cancel()


def running(id: str):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            record = find(id)
        except run.exceptions.NotFoundError:
            record = None
        if record and record.status().jobs["a"].state is State.RUNNING:
            return record
        time.sleep(0.02)
    raise AssertionError("the experiment did not begin")


def read_until(stream, text: str) -> str:
    seen = ""
    while text not in seen:
        line = stream.readline()
        assert line, f"{text!r} never came; seen: {seen}"
        seen += line
    return seen


def test_the_first_leaves_and_the_experiment_goes_on(waiting):
    process, record = waiting
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)

    assert f"nemo-run experiment status {record.id}" in told
    assert f"nemo-run experiment cancel {record.id}" in told
    assert f"left experiment {record.id}; it goes on" in told
    assert process.returncode != 0
    assert record.status().jobs["a"].state is State.RUNNING


def test_a_second_one_cancels_where_nobody_can_be_asked(waiting):
    process, record = waiting
    process.send_signal(signal.SIGINT)
    read_until(process.stderr, "again")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert run.Experiment.of_record(record).wait() is State.CANCELLED


@pytest.mark.parametrize(("answer", "state"), [("n", State.RUNNING), ("y", State.CANCELLED)])
def test_on_a_terminal_the_second_one_asks(answer, state):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        text=True,
        start_new_session=True,
    )
    os.close(follower)
    record = running(process.stdout.readline().strip())
    try:
        process.send_signal(signal.SIGINT)
        screen(leader, "again")
        process.send_signal(signal.SIGINT)
        screen(leader, "[y/N]")
        os.write(leader, f"{answer}\n".encode())
        screen(leader, "KeyboardInterrupt")
        experiment = run.Experiment.of_record(record)
        if state is State.CANCELLED:
            assert experiment.wait() is state
        assert record.status().jobs["a"].state is state
        experiment.cancel()
    finally:
        process.kill()
        process.communicate()
        os.close(leader)


def screen(descriptor: int, text: str) -> None:
    seen = ""
    while text not in seen:
        seen += os.read(descriptor, 4096).decode("utf-8", "replace")
