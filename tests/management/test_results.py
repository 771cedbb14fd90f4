"""Results come back as they were returned, or the reason why they cannot."""

from __future__ import annotations

import datetime as dt
import enum
import operator
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import JobFailedError, NemoRunError


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        float("inf"),
        {"accuracy": 0.98, "steps": [1, 2], (1, 2): {3}},
        b"\x00\xff",
        Path("/a/b"),
        dt.timedelta(seconds=3),
        Fraction(1, 3),
        10**5000,
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_and_those_of_the_standard_library_come_back(value):
    assert run.run(run.Partial(returned, value), run.LocalExecutor(), log_level="ERROR") == value


class Colour(enum.Enum):
    RED = 1


@dataclass
class Metrics:
    accuracy: float
    colour: Colour


def returned(value):
    return value


def test_values_of_the_users_own_classes_come_back():
    value = Metrics(0.5, Colour.RED)
    assert run.run(run.Partial(metrics), run.LocalExecutor(), log_level="ERROR") == value


def metrics() -> Metrics:
    return Metrics(0.5, Colour.RED)


def test_a_value_that_cannot_be_kept_is_an_error_only_for_who_asks_for_it():
    experiment = run.Experiment("lock", clean_mode=True)
    experiment.add(run.Partial(threading.Lock), name="lock")
    experiment.add(run.Partial(operator.add, 1, 2), name="sum")
    results = experiment.run()

    assert results["sum"] == 3
    with pytest.raises(NemoRunError, match="lock"):
        results["lock"]


def test_a_result_that_is_not_there_yet_says_so(tmp_path):
    gate = tmp_path / "gate"
    experiment = run.Experiment("early", clean_mode=True)
    wait = f"while [ ! -e {gate} ]; do sleep 0.02; done"
    experiment.add(run.Script(inline=wait, entrypoint="sh"), name="a")
    results = experiment.run(detach=True)
    with pytest.raises(NemoRunError, match="no result yet"):
        results["a"]
    gate.touch()
    experiment.wait()
    assert results["a"] is None


def test_the_first_of_several_processes_that_failed_is_the_one_that_is_shown(tmp_path):
    experiment = run.Experiment("ranks", clean_mode=True)
    experiment.add(run.Partial(fail_by_rank), run.LocalExecutor(ntasks_per_node=2), name="a")
    with pytest.raises(JobFailedError, match="RuntimeError: rank 1 fell over") as raised:
        experiment.run()
    assert raised.value.experiment_id == experiment.id


def fail_by_rank() -> None:
    import os
    import time

    if os.environ["RANK"] == "1":
        raise RuntimeError("rank 1 fell over")
    time.sleep(60)
