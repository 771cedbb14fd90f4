"""Sweeps as experiments: a job a point, so many at once, results of the good ones, and again."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from engine import Engine, experiment

import nemo_run as run
from nemo_run.exceptions import JobFailedError, PlanError, StoreError, SweepError
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.conductor.conducting import Conducting
from nemo_run.management.conductor.limits import Limits
from nemo_run.management.store import events, find


def train(lr: float = 0.1, seed: int = 0) -> dict:
    if lr > 0.3:
        raise ValueError(f"diverged at {lr}")
    return {"loss": lr * 2, "seed": {"used": seed}}


def swept(**how) -> run.Sweep:
    return run.sweep(run.Partial(train), lr=[0.1, 0.4], seed=[1, 2], **how)


def of_shell(text: str, count: int, **how) -> run.Sweep:
    script = run.Script(inline=text, entrypoint="sh")
    return run.sweep(script, {"env.I": [str(i) for i in range(count)]}, **how)


def quiet(title: str = "swept") -> run.Experiment:
    return run.Experiment(title, clean_mode=True)


# Adding


def test_a_sweep_is_a_job_a_point_named_by_what_varies():
    with quiet() as exp:
        before = exp.add(run.Script(inline="true"), name="data")
        ids = exp.add_sweep(swept(max_parallel=3), dependencies=[before])
        after = exp.add(run.Script(inline="true"), name="report", dependencies=ids)
        plan = exp.dryrun(log=False)

    assert ids == ["lr=0.1_seed=1", "lr=0.1_seed=2", "lr=0.4_seed=1", "lr=0.4_seed=2"]
    assert after == "report"
    documents = {job.document["id"]: job.document for job in plan.jobs}
    assert documents[ids[1]]["sweep"] == {
        "name": "test_sweeps.train",
        "values": {"lr": 0.1, "seed": 2},
        "max_parallel": 3,
    }
    assert [edge["job"] for edge in documents[ids[0]]["dependencies"]] == ["data"]
    assert "sweep" not in documents["data"]


def test_two_sweeps_are_told_apart_by_their_names():
    exp = quiet()
    first = exp.add_sweep(swept(), name="a")
    second = exp.add_sweep(swept(), name="b", max_parallel=1)
    third = exp.add_sweep(swept())
    fourth = exp.add_sweep(swept())

    assert first[0] == "a_lr=0.1_seed=1"
    assert second[0] == "b_lr=0.1_seed=1"
    assert third[0] == "lr=0.1_seed=1"
    assert fourth[0] == "lr=0.1_seed=1_1"
    sweeps = [job.varied.sweep for job in exp.jobs]
    assert len(set(sweeps)) == 4


def test_what_is_no_sweep_is_refused_and_a_sweep_is_no_task(error_snapshot):
    exp = quiet()
    with pytest.raises(TypeError) as caught:
        exp.add(swept())
    error_snapshot("sweep of an experiment: added as a task", str(caught.value))
    with pytest.raises(TypeError) as caught:
        exp.add_sweep(run.Partial(train))
    error_snapshot("sweep of an experiment: a task added as a sweep", str(caught.value))
    with pytest.raises(SweepError):
        exp.add_sweep(swept(), max_parallel=0)
    assert exp.jobs == []


def test_the_plan_shows_the_points_and_one_of_them_whole(capsys):
    exp = quiet()
    exp.add_sweep(of_shell("echo one", 60, max_parallel=5))
    exp.dryrun()
    shown = capsys.readouterr().out

    assert "Sweep of echo-one: 60 points, at most 5 at once\n" in shown
    assert "… 36 more …" in shown
    assert shown.count("== job ") == 1
    exp.add_sweep(swept())
    assert exp.dryrun(log=False).text(full=True).count("== job ") == 64


# Running


def test_points_that_fail_leave_the_others_and_the_error_has_the_table():
    with pytest.raises(JobFailedError) as caught:
        run.run(swept(), executor=run.LocalExecutor(), log_level="ERROR")

    message = str(caught.value)
    assert message.startswith("2 of 4 jobs of experiment ")
    assert "lr=0.4_seed=1, lr=0.4_seed=2: ValueError: diverged at 0.4" in message
    assert "Traceback" not in message
    assert "rerun " in message
    assert "--failed" in message
    results = caught.value.results
    assert results["lr=0.1_seed=2"] == {"loss": 0.2, "seed": {"used": 2}}
    assert [row["state"] for row in results.table()] == ["SUCCEEDED"] * 2 + ["FAILED"] * 2
    assert set(caught.value.failures) == {"lr=0.4_seed=1", "lr=0.4_seed=2"}


def test_a_sweep_in_this_process_goes_on_after_a_point_that_fails(capfd):
    with pytest.raises(JobFailedError) as caught:
        run.run(swept(), direct=True)

    assert isinstance(caught.value.__cause__, ValueError)
    states = [row["state"] for row in caught.value.results.table()]
    assert states == ["SUCCEEDED", "SUCCEEDED", "FAILED", "FAILED"]


def test_without_an_executor_points_run_on_this_machine_and_the_table_is_shown(capfd):
    results = run.run(run.sweep(run.Partial(train), seed=[1, 2], max_parallel=1))

    assert dict(results) == {
        "seed=1": {"loss": 0.2, "seed": {"used": 1}},
        "seed=2": {"loss": 0.2, "seed": {"used": 2}},
    }
    shown = capfd.readouterr().err
    assert "job     seed  loss  seed.used  state" in shown
    assert str(results).splitlines()[1].split()[:4] == ["seed=1", "1", "0.2", "1"]


def test_a_sweep_that_is_left_alone_gives_its_results_when_they_are_asked_for():
    results = run.run(swept(), executor=run.LocalExecutor(), detach=True, log_level="ERROR")
    opened = run.Experiment.from_title("test_sweeps.train")
    opened.wait()
    assert results["lr=0.1_seed=1"]["loss"] == 0.2


def test_a_dry_run_of_a_sweep_writes_nothing(home, capsys):
    assert run.run(swept(), dryrun=True) is None
    assert "4 points" in capsys.readouterr().out
    assert not (home / "experiments").exists()


# So many at once


def limited(tmp_path: Path, count: int, limit: int, **others: int):
    """Return an experiment of a sweep with a limit, and an engine of jobs of three looks."""
    jobs = {f"a{i}": [] for i in range(count)}
    for name, number in others.items():
        jobs.update({f"{name}{i}": [] for i in range(number)})
    record = experiment(jobs)
    meta = json.loads((record.path / "experiment.json").read_text())
    for job in meta["jobs"]:
        if job["id"].startswith("a"):
            job["sweep"] = {"name": "a", "values": {"i": 1}, "max_parallel": limit}
    (record.path / "experiment.json").write_text(json.dumps(meta))
    engine = Engine(tmp_path / "engine")
    engine.outcome = lambda _token, looks: State.SUCCEEDED if looks >= 3 else State.RUNNING
    return find(record.id), engine


def test_no_more_points_run_at_once_than_the_sweep_allows(tmp_path):
    record, engine = limited(tmp_path, 10, 3)
    Conducting(record, lambda _: engine).run()

    assert engine.most_running == 3
    assert set(record.status().states.values()) == {State.SUCCEEDED}


def test_the_limit_of_a_sweep_holds_nobody_else_back(tmp_path):
    record, engine = limited(tmp_path, 6, 1, other=5)
    Conducting(record, lambda _: engine).run()
    assert engine.most_running == 6


def test_whoever_waits_for_room_starts_in_the_step_in_which_there_is_some(tmp_path):
    record, engine = limited(tmp_path, 3, 1)
    engine.outcome = lambda _token, _looks: State.SUCCEEDED
    Conducting(record, lambda _: engine).step()
    assert engine.tokens() == [f"{record.id}/a0/1", f"{record.id}/a1/1"]


def test_a_new_conductor_counts_what_the_last_one_started(tmp_path):
    record, engine = limited(tmp_path, 6, 2)
    first = Conducting(record, lambda _: engine)
    first.step()
    assert len(engine.running()) == 2

    second = Conducting(record, lambda _: engine)
    second.run()
    assert engine.most_running == 2
    assert len(engine.tokens()) == 6


def test_a_point_that_is_tried_again_takes_its_turn(tmp_path):
    record, engine = limited(tmp_path, 4, 2)
    Conducting(record, lambda _: engine).run()
    record.journal.append(
        [
            events.experiment_resumed("me"),
            *(events.job_retried(f"a{i}", 2, because="resumed") for i in range(4)),
        ]
    )
    Conducting(record, lambda _: engine).run()
    assert engine.most_running == 2
    assert {job.attempt for job in record.status().jobs.values()} == {2}


def test_damaged_words_about_a_sweep_are_no_limit():
    odd = [None, 3, "x", {}, {"name": 3}, {"name": "a", "max_parallel": "two"}, {"max_parallel": 1}]
    limits = Limits([{"id": str(i), "sweep": one} for i, one in enumerate(odd)])
    assert limits.admitted(["0", "1", "2", "3", "4", "5", "6"]) == list("0123456")


def test_max_parallel_is_kept_on_disk_for_whoever_goes_on(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()
    text = f"n=$(ls {marks} | wc -l); touch {marks}/$I; sleep 0.05; rm {marks}/$I; test $n -lt 2"
    results = run.run(
        of_shell(text, 8, max_parallel=2), executor=run.LocalExecutor(), log_level="ERROR"
    )
    assert len(results) == 8
    record = find(run.Experiment.catalog(run.Experiment.catalog()[0])[0])
    assert {job["sweep"]["max_parallel"] for job in record.jobs} == {2}


# Again


def ended(exp: run.Experiment) -> dict[str, str]:
    exp.wait()
    return {job: str(state) for job, state in find(exp.id).status().states.items()}


def failing(tmp_path: Path) -> run.Experiment:
    """An experiment of a good job, a bad one, and such as wait for the one or the other."""
    exp = quiet("again")

    def add(name: str, text: str, *after: str) -> None:
        task = run.Script(inline=f"echo {name} >> {tmp_path}/ran; {text}", entrypoint="sh")
        exp.add(task, run.LocalExecutor(), name=name, dependencies=after)

    add("good", "true")
    add("bad", f"test -e {tmp_path}/mended", "good")
    add("after", "true", "good", "bad")
    add("rescue", "true", "afternotok:good")
    add("beyond", "true", "rescue")
    with pytest.raises(JobFailedError):
        exp.run()
    return exp


def test_rerun_of_what_failed_is_a_new_experiment_of_only_that(tmp_path):
    exp = failing(tmp_path)
    (tmp_path / "mended").touch()
    (tmp_path / "ran").unlink()

    new = operations.rerun(find(exp.id), failed=True)

    assert ended(new) == {"bad": "SUCCEEDED", "after": "SUCCEEDED"}
    assert (tmp_path / "ran").read_text().split() == ["bad", "after"]
    record = find(new.id)
    assert record.meta["rerun_of"] == exp.id
    assert [edge["job"] for edge in record.job("after")["dependencies"]] == ["bad"]
    assert record.job("bad")["dependencies"] == []
    assert find(exp.id).status().states["good"] is State.SUCCEEDED


def test_failed_points_of_a_sweep_run_again_with_their_limit_and_values():
    with pytest.raises(JobFailedError) as caught:
        run.run(swept(max_parallel=1), executor=run.LocalExecutor(), log_level="ERROR")

    new = run.Experiment.from_id(caught.value.experiment_id).reset(failed=True)
    assert [job.id for job in new.jobs] == ["lr=0.4_seed=1", "lr=0.4_seed=2"]
    assert {job.varied.max_parallel for job in new.jobs} == {1}
    assert new.jobs[1].varied.values == {"lr": 0.4, "seed": 2}
    for job in new.jobs:
        job.task.lr = 0.2
    new.run()
    assert [row["loss"] for row in new.results().table()] == [0.4, 0.4]


def test_there_is_nothing_to_run_again_where_all_succeeded_or_nobody_knows_yet(error_snapshot):
    exp = quiet("fine")
    exp.add(run.Script(inline="true"), name="a")
    exp.run()
    with pytest.raises(StoreError) as caught:
        operations.rerun(find(exp.id), failed=True)
    error_snapshot("sweep: rerun --failed of what succeeded", str(caught.value))

    going = quiet("going")
    going.add(run.Script(inline="sleep 100"), name="a")
    going.run(detach=True)
    try:
        with pytest.raises(StoreError) as caught:
            operations.rerun(find(going.id), failed=True)
        error_snapshot("sweep: rerun --failed of what goes on", str(caught.value))
    finally:
        going.cancel()
        going.wait()
    with pytest.raises(PlanError):
        quiet("never").reset(failed=True)


def test_a_program_whose_sweep_failed_ends_with_the_table_and_a_failure(tmp_path, home):
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import nemo_run as run

            def fit(lr: float) -> float:
                if lr > 1:
                    raise ValueError("too much")
                return lr * 2

            if __name__ == "__main__":
                run.run(run.sweep(run.Partial(fit), lr=[0.5, 2.0]))
            """
        )
    )
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "lr=0.5  0.5       1  SUCCEEDED" in done.stderr
    assert "lr=2.0: ValueError: too much" in done.stderr
    assert (tmp_path / "nemo_run_home").exists()
