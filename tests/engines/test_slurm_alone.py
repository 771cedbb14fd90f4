"""Experiments that were handed over to a real cluster: nobody is there, the truth is told."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
from pathlib import Path

import pytest

import nemo_run as run
from engines.processes import end, until
from engines.slurm import Slurm
from engines.ssh import Login
from engines.stories import Way, cli, experiment, shell, slurm_jobs, until_there, wait_for_end
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.results import Results
from nemo_run.management.store import find
from nemo_run.management.store.record import Record


@pytest.fixture(params=["here", "ssh"])
def way(request: pytest.FixtureRequest, own_slurm: Slurm, own_login: Login) -> Way:
    return Way(request.param, own_slurm, own_login)


@pytest.fixture
def ssh(own_slurm: Slurm, own_login: Login) -> Way:
    return Way("ssh", own_slurm, own_login)


@pytest.fixture
def folder(own_slurm: Slurm) -> Path:
    folder = own_slurm.folder / "shared" / os.urandom(4).hex()
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def handed_over(exp: run.Experiment) -> Record:
    record = find(exp.id)
    until(lambda: record.status().handed_over, 60, "the conductor stays")
    return record


def test_results_and_failures_come_without_any_process_of_ours(way: Way, folder: Path) -> None:
    gate = folder / "gate"
    with experiment() as exp:
        exp.add(shell(until_there(gate)), way.executor(), name="first")
        exp.add(run.Partial(operator.add, 2, 3), way.executor(), name="sum", dependencies=["first"])
        bad = run.Partial(operator.truediv, 1, 0)
        exp.add(bad, way.executor(), name="divide", dependencies=["first"])
        exp.add(shell("true"), way.executor(), name="never", dependencies=["divide"])
        exp.run(detach=True)
    record = handed_over(exp)
    assert len(slurm_jobs(way.slurm, exp.id)) == 4
    gate.touch()
    until(lambda: operations.status(record).ended is not None, 90, "it does not end")

    status = record.status()
    assert status.states == {
        "first": State.SUCCEEDED,
        "sum": State.SUCCEEDED,
        "divide": State.FAILED,
        "never": State.SKIPPED,
    }
    assert status.jobs["never"].message == "divide FAILED (exit code 1)"
    assert not operations.taken(record)
    assert Results(record)["sum"] == 5
    with pytest.raises(run.JobFailedError, match="ZeroDivisionError"):
        Results(record)["divide"]


def test_a_place_that_is_away_is_said_with_what_was_last_known(ssh: Way, folder: Path) -> None:
    gate = folder / "gate"
    with experiment() as exp:
        exp.add(shell(f"{until_there(gate)}; echo done"), ssh.executor(), name="a")
        exp.run(detach=True)
    record = handed_over(exp)
    until(lambda: operations.status(record).jobs["a"].state is State.RUNNING, 60, "it is not run")
    sessions = ssh.login.sessions()
    ssh.login.block()
    end(sessions, signal.SIGKILL, 5)
    try:
        gate.touch()
        until(lambda: operations.status(record).doubt, 60, "nobody doubts")
        known = operations.status(record)
        assert known.jobs["a"].state is State.RUNNING
        assert " since 2" in known.doubt
        assert known.doubt in cli("experiment", "status", exp.id)
    finally:
        ssh.login.unblock()
    assert {*wait_for_end(exp.id).values()} == {State.SUCCEEDED}
    assert operations.status(record).doubt == ""
    assert cli("experiment", "logs", exp.id, "a").strip() == "done"


def test_an_attempt_that_slurm_begins_is_the_next_one(way: Way, folder: Path) -> None:
    gate = folder / "gate"
    line = f"echo this is $NEMORUN_ATTEMPT; touch {folder}/began; {until_there(gate)}"
    options = {"additional_parameters": {"requeue": True}}
    with experiment() as exp:
        exp.add(shell(line), way.executor(**options), name="a")
        exp.run(detach=True)
    record = handed_over(exp)
    until((folder / "began").exists, 60, "it is not run")
    operations.status(record)
    [job] = slurm_jobs(way.slurm, exp.id)
    subprocess.run(["scontrol", "requeue", job], check=True)
    until(lambda: operations.status(record).jobs["a"].attempt == 2, 60, "it is not begun anew")
    gate.touch()
    until(lambda: operations.status(record).ended is not None, 90, "it does not end")

    known = record.status().jobs["a"]
    assert (known.state, known.attempt, known.submitted_attempt) == (State.SUCCEEDED, 2, 1)
    assert [seen.attempt for seen in known.previous] == [1]
    assert slurm_jobs(way.slurm, exp.id) == [job]
    first = cli("experiment", "logs", exp.id, "a", "--attempt", "1")
    assert first.splitlines()[0] == "this is 1"
    assert cli("experiment", "logs", exp.id, "a", "--attempt", "2").strip() == "this is 2"
