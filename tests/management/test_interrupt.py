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


PRESS = """
import os, signal, threading, time
from pathlib import Path

def press() -> None:
    home = Path(os.environ["NEMORUN_HOME"])
    while not list(home.glob("experiments/*/*/jobs/*/attempts/1/claim")):
        time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
"""
"""Presses Ctrl-C as soon as a job runs."""


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


def test_the_first_leaves_with_code_130_and_the_experiment_goes_on(waiting):
    process, record = waiting
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)

    assert f"nemo-run experiment status {record.id}" in told
    assert f"nemo-run experiment cancel {record.id}" in told
    assert "Traceback" not in told
    assert told.splitlines()[-1].startswith("  cancel:")
    assert process.returncode == 130
    assert record.status().jobs["a"].state is State.RUNNING


def test_who_catches_it_decides_what_comes_next(home):
    program = (
        f"import nemo_run as run\n{PRESS}\n"
        "try:\n"
        "    run.run(run.Script(inline='sleep 60'), run.LocalExecutor(), name='caught')\n"
        "except KeyboardInterrupt as left:\n"
        "    print(left)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0
    experiment = run.Experiment.from_title("caught")
    assert done.stdout.strip() == f"left experiment {experiment.id}; it goes on"
    experiment.cancel()


def test_where_statements_are_typed_one_by_one_it_does_not_end_the_session(home):
    program = (
        f"import nemo_run as run, sys\nsys.ps1 = '>>> '\n{PRESS}\n"
        "try:\n"
        "    run.run(run.Script(inline='sleep 60'), run.LocalExecutor(), name='typed')\n"
        "except SystemExit:\n"
        "    print('the session would end')\n"
        "except KeyboardInterrupt as left:\n"
        "    print(*left._render_traceback_())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    experiment = run.Experiment.from_title("typed")
    assert done.stdout.strip() == f"left experiment {experiment.id}; it goes on"
    experiment.cancel()


def test_one_that_comes_while_it_is_begun_leaves_an_experiment_that_goes_on(home):
    # The folder is renamed into place once it is written and before anything is started.
    program = (
        "import os, signal, sys\n"
        "import nemo_run as run\n"
        "def interrupt(event, arguments):\n"
        "    if event == 'os.rename' and '.new' in str(arguments[0]):\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(interrupt)\n"
        "run.run(run.Script(inline='true'), run.LocalExecutor(), name='begun')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 130
    assert "goes on" in done.stderr
    assert "Traceback" not in done.stderr
    assert run.Experiment.from_title("begun").wait() is State.SUCCEEDED


STUBBORN = "trap '' TERM; while :; do sleep 1; done"


@pytest.mark.parametrize("presses", [2, 3])
def test_on_a_terminal_the_second_one_cancels_and_a_third_does_not_wait_for_that(presses):
    program = PROGRAM if presses == 2 else PROGRAM.replace("sleep 60", STUBBORN)
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", program],
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
        if presses == 2:
            screen(leader, f"Experiment {record.id}: CANCELLED")
        else:
            screen(leader, "Ctrl-C leaves at once.")
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        job = record.status().jobs["a"]
        assert job.cancel_requested
        assert job.state is (State.CANCELLED if presses == 2 else State.RUNNING)
    finally:
        process.kill()
        process.communicate()
        os.close(leader)


def screen(descriptor: int, text: str) -> None:
    seen = ""
    while text not in seen:
        seen += os.read(descriptor, 4096).decode("utf-8", "replace")
