"""What people read when an experiment is wrong or fails, kept to be reviewed."""

from __future__ import annotations

import math
import operator
import time
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import JobFailedError, NemoRunError
from nemo_run.management import operations
from nemo_run.management.store import find


def script(text: str) -> run.Script:
    return run.Script(inline=text, entrypoint="sh")


def with_job(name: str = "train") -> run.Experiment:
    experiment = run.Experiment("digits", clean_mode=True)
    experiment.add(script("true"), name=name)
    return experiment


MISTAKES = {
    "plain function": lambda: with_job().add(math.prod),
    "lambda": lambda: with_job().add(lambda: 1),
    "class": lambda: with_job().add(Path),
    "command line": lambda: with_job().add("python train.py"),
    "no task": lambda: with_job().add(None),
    "executor class": lambda: with_job().add(script("true"), run.LocalExecutor),
    "executor name": lambda: with_job().add(script("true"), "local"),
    "unknown dependency": lambda: with_job().add(script("true"), dependencies=["trian"]),
    "dependency of the first job": lambda: run.Experiment("digits").add(
        script("true"), dependencies=["train"]
    ),
    "dependencies as text": lambda: with_job().add(script("true"), dependencies="train"),
    "empty group": lambda: with_job().add([]),
    "executors of a group": lambda: with_job().add([script("true")] * 3, [run.LocalExecutor()] * 2),
    "unknown role": lambda: with_job().add([script("true")], roles=["sidecart"]),
    "unknown policy": lambda: with_job().add([script("true")], policy="any"),
    "name with a line break": lambda: with_job("a\nb"),
    "nothing to run": lambda: run.Experiment("digits").run(),
    "not started": lambda: with_job().status(),
    "unknown job": lambda: with_job().job_status("trian"),
    "sequential with dependencies": lambda: dependent().run(sequential=True),
    "direct group": lambda: grouped().run(direct=True),
}


def dependent() -> run.Experiment:
    experiment = with_job()
    experiment.add(script("true"), name="report", dependencies=["train"])
    return experiment


def grouped() -> run.Experiment:
    experiment = with_job()
    experiment.add([script("true"), script("true")], name="pair")
    return experiment


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_explained(case, error_snapshot):
    with pytest.raises((NemoRunError, TypeError)) as raised:
        MISTAKES[case]()
    error_snapshot(f"experiment: {case}", str(raised.value))


def test_failures_are_told_with_their_causes_and_what_to_type(error_snapshot):
    experiment = run.Experiment("digits", clean_mode=True)
    experiment.add(run.Partial(operator.truediv, 1, 0), name="train")
    experiment.add(script("echo first; echo last words; exit 7"), name="prepare")
    experiment.add(script("true"), name="report", dependencies=["train"])
    with pytest.raises(JobFailedError) as raised:
        experiment.run()
    error_snapshot("experiment: jobs failed", str(raised.value))


def test_what_cannot_be_resumed_is_explained(error_snapshot):
    experiment = with_job()
    experiment.run()
    record = find(experiment.id)
    while operations.taken(record):
        # Its last act was to say that all is done; it is about to leave.
        time.sleep(0.01)
    with pytest.raises(NemoRunError) as raised:
        operations.resume(record)
    error_snapshot("experiment: nothing to resume", str(raised.value))


def test_starting_twice_is_explained(error_snapshot):
    experiment = with_job()
    experiment.run()
    with pytest.raises(NemoRunError) as raised:
        experiment.run()
    error_snapshot("experiment: started twice", str(raised.value))
    with pytest.raises(NemoRunError) as raised:
        experiment.add(script("true"))
    error_snapshot("experiment: adding after the start", str(raised.value))


def test_an_unknown_result_is_explained(error_snapshot):
    experiment = with_job()
    results = experiment.run()
    with pytest.raises(NemoRunError) as raised:
        results["trian"]
    error_snapshot("experiment: unknown result", str(raised.value))
