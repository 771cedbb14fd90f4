"""Waiting for jobs that are not of the experiment."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

import nemo_run as run
from nemo_run.exceptions import NotFoundError, PlanError


@dataclass(kw_only=True)
class Waiting(run.LocalExecutor):
    """An executor whose engine can wait for its own ids."""

    dependencies: list[str] = field(default_factory=list)


def added(executor: run.Executor, *dependencies: str) -> run.Executor:
    experiment = run.Experiment("t")
    experiment.add(run.Script(inline="true"), executor, dependencies=list(dependencies))
    return experiment.jobs[0].executor


def test_ids_of_the_engine_go_to_the_executor() -> None:
    given = Waiting()
    executor = added(given, "4242", "afterany:slurm://me@host/17_3#/x", "afternotok:16+0")
    assert executor.dependencies == [
        "afterok:4242",
        "afterany:slurm://me@host/17_3#/x",
        "afternotok:16+0",
    ]
    assert given.dependencies == []


def test_an_engine_that_cannot_wait_says_so() -> None:
    with pytest.raises(PlanError, match=r"waits for '4242'.*LocalExecutor cannot wait"):
        added(run.LocalExecutor(), "4242")


def test_a_job_of_another_experiment_that_ended() -> None:
    first = run.Experiment("first", clean_mode=True)
    first.add(run.Script(inline="true"), name="good")
    first.add(run.Script(inline="exit 3"), name="bad")
    with pytest.raises(run.JobFailedError):
        first.run()
    assert added(Waiting(), f"{first.id}/good", f"afternotok:{first.id}/bad").dependencies == []
    with pytest.raises(PlanError, match=r"ended as FAILED \(exit code 3\)"):
        added(Waiting(), f"{first.id}/bad")
    with pytest.raises(NotFoundError, match="no job 'goood'"):
        added(Waiting(), f"{first.id}/goood")


def test_a_kind_that_is_none() -> None:
    with pytest.raises(PlanError, match="nobody' is no job"):
        added(Waiting(), "afterok:nobody")
