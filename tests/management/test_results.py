"""Results come back as they were returned, or the reason why they cannot."""

from __future__ import annotations

import datetime as dt
import enum
import operator
import subprocess
import sys
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


def test_a_value_that_cannot_be_kept_is_a_placeholder_that_says_so():
    experiment = run.Experiment("lock", clean_mode=True)
    experiment.add(run.Partial(threading.Lock), name="lock")
    experiment.add(run.Partial(operator.add, 1, 2), name="sum")
    results = experiment.run()

    assert results["sum"] == 3
    assert "unavailable: <unlocked _thread.lock" in repr(results["lock"])


def test_one_task_whose_value_cannot_be_kept_warns_and_goes_on():
    task = run.Partial(threading.Lock)
    with pytest.warns(UserWarning, match="is not kept: <unlocked _thread.lock") as warned:
        value = run.run(task, run.LocalExecutor(), name="lock", log_level="ERROR")
    assert "unavailable" in repr(value)
    assert warned[0].filename == __file__


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


def test_the_failed_process_is_named_with_its_log_and_how_to_see_it():
    """The log of rank 2 of 4 is not among those that `logs` shows by itself."""
    for task in (
        run.Partial(fail_as_rank_2),
        run.Script(inline='test "$RANK" = 2 && exit 7; sleep 60', entrypoint="sh"),
    ):
        experiment = run.Experiment("many ranks", clean_mode=True)
        experiment.add(task, run.LocalExecutor(ntasks_per_node=4), name="the job")
        with pytest.raises(JobFailedError) as raised:
            experiment.run()
        assert "/logs/1/rank-2.log" in str(raised.value)
        assert f"logs '{experiment.id}' 'the job' --rank 2" in str(raised.value)


def test_a_traceback_that_was_shown_is_not_shown_again(capfd):
    experiment = run.Experiment("twice")
    experiment.add(run.Partial(divide), name="a")
    with pytest.raises(JobFailedError) as raised:
        experiment.run(tail_logs=True)

    assert "Traceback (most recent call last)" in capfd.readouterr().out
    assert "ZeroDivisionError: division by zero" in str(raised.value)
    assert "Traceback" not in str(raised.value)
    assert "Traceback (most recent call last)" in raised.value.failures["a"]


def test_what_a_job_wrote_comes_before_the_line_that_says_how_it_ended():
    program = (
        "import nemo_run as run\n"
        "with run.Experiment('order') as experiment:\n"
        "    executor = run.LocalExecutor(retries=1)\n"
        "    experiment.add(run.Script(inline='echo wrote; exit 1'), executor, name='a')\n"
        "    experiment.run(tail_logs=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seen = [line for line in done.stdout.splitlines() if line.startswith(("wrote", "a: FAILED"))]
    assert [line.split(":")[0] for line in seen[:3]] == ["wrote", "wrote", "a"] or [
        line.split(":")[0] for line in seen[:4]
    ] == ["wrote", "a", "wrote", "a"], done.stdout


def divide() -> float:
    return 1 / 0


def fail_as_rank_2() -> None:
    import os
    import time

    if os.environ["RANK"] == "2":
        raise RuntimeError("rank 2 fell over")
    time.sleep(60)


def fail_by_rank() -> None:
    import os
    import time

    if os.environ["RANK"] == "1":
        raise RuntimeError("rank 1 fell over")
    time.sleep(60)
