"""Experiments on a real cluster: what a user does on a good day."""

from __future__ import annotations

import operator
import os
import re
import subprocess
from pathlib import Path

import pytest

import nemo_run as run
from engines import images
from engines.processes import until
from engines.slurm import Slurm
from engines.ssh import Login
from engines.stories import (
    NEMO_RUN,
    Way,
    cli,
    counting,
    end_conductor,
    experiment,
    git,
    launched,
    shell,
    slurm_jobs,
    started,
    tokens,
    told,
    until_there,
    wait_for,
    wait_for_end,
)
from nemo_run.execution.observation import Reason, State
from nemo_run.management import operations
from nemo_run.management.store import find


@pytest.fixture(params=["here", "ssh"])
def way(request: pytest.FixtureRequest, slurm: Slurm, login: Login) -> Way:
    return Way(request.param, slurm, login)


@pytest.fixture
def ssh(slurm: Slurm, login: Login) -> Way:
    return Way("ssh", slurm, login)


@pytest.fixture
def here(slurm: Slurm, login: Login) -> Way:
    return Way("here", slurm, login)


def test_a_function_returns_its_value_and_a_script_its_output(way: Way) -> None:
    with experiment() as exp:
        exp.add(run.Partial(operator.add, 2, 3), way.executor(), name="sum")
        script = shell('echo "$1 $WORD"; echo worse >&2', args=["it's"], env={"WORD": "a  b$"})
        exp.add(script, way.executor(nodes=2, ntasks_per_node=2), name="words")
        results = exp.run()

    assert results["sum"] == 5, told(exp.id)
    assert results["words"] is None
    said = cli("experiment", "logs", exp.id, "words", "--rank", "all")
    assert said.count("it's a  b$") == said.count("worse") == 4, said
    assert len(slurm_jobs(way.slurm, exp.id)) == 2


def test_a_failure_says_what_happened_with_the_last_lines(ssh: Way) -> None:
    with experiment() as exp:
        exp.add(run.Partial(operator.truediv, 1, 0), ssh.executor(), name="divide")
        with pytest.raises(run.JobFailedError, match="ZeroDivisionError: division by zero"):
            exp.run()
    assert exp.job_status("divide").observation.exit_code == 1


def test_through_a_jump_host(slurm: Slurm, login: Login) -> None:
    tunnel = run.SSHTunnel(**login.tunnel(jump=True))
    with experiment() as exp:
        exp.add(run.Partial(operator.mul, 6, 7), run.SlurmExecutor(tunnel=tunnel), name="product")
        assert exp.run()["product"] == 42


def test_members_of_a_group_run_side_by_side(way: Way, shared_folder: Path) -> None:
    # Each waits for the other: one after the other they would not end.
    def meets(mine: str, other: str) -> run.Script:
        wait = f"while [ ! -e {shared_folder}/{other} ]; do sleep 0.1; done"
        return shell(f"touch {shared_folder}/{mine}; {wait}; echo {mine} met {other}")

    executor = way.executor(wait_time_for_group_job=0)
    with experiment() as exp:
        exp.add([meets("a", "b"), meets("b", "a")], executor, name="pair")
        exp.run()
    said = cli("experiment", "logs", exp.id, "pair")
    assert "a met b" in said
    assert "b met a" in said
    assert len(slurm_jobs(way.slurm, exp.id)) == 1


def test_slurm_itself_follows_the_dependencies(way: Way, shared_folder: Path) -> None:
    log = shared_folder / "order"

    def says(text: str, status: int = 0) -> run.Script:
        return shell(f"echo {text} >> {log}; exit {status}")

    executor = way.executor()
    with experiment() as exp:
        exp.add(says("bad", 3), executor, name="bad")
        exp.add(says("good"), executor, name="good", dependencies=["afternotok:bad"])
        exp.add(says("last"), executor, name="last", dependencies=["good", "afterany:bad"])
        exp.add(says("never"), executor, name="never", dependencies=["bad"])
        exp.run(detach=True)
    states = wait_for_end(exp.id)

    assert states == {
        "bad": State.FAILED,
        "good": State.SUCCEEDED,
        "last": State.SUCCEEDED,
        "never": State.SKIPPED,
    }, told(exp.id)
    assert log.read_text().split() == ["bad", "good", "last"]


def test_a_sweep_is_one_array_with_a_limit(way: Way) -> None:
    with experiment() as exp:
        points = run.sweep(run.Partial(round, 7.25), ndigits=[0, 1, 2, 3])
        names = exp.add_sweep(points, way.executor(), name="rounded", max_parallel=2)
        results = exp.run()
    assert [results[name] for name in names] == [7.0, 7.2, 7.25, 7.25], told(exp.id)
    arrays = {job.partition("_")[0] for job in slurm_jobs(way.slurm, exp.id)}
    assert len(arrays) == 1


def test_in_a_container_the_job_folder_is_nemo_run(ssh: Way) -> None:
    executor = ssh.executor(container_image=images.PYTHON)
    bare = ssh.executor(container_image=images.BUSYBOX)
    with experiment() as exp:
        exp.add(run.Partial(os.path.isfile, "/nemo_run/task.json"), executor, name="python")
        exp.add(shell("pwd; test ! -e /usr && echo bare"), bare, name="shell")
        results = exp.run()
    assert results["python"] is True, told(exp.id)
    said = cli("experiment", "logs", exp.id, "shell").splitlines()
    assert any("/nemo_run/code" in line for line in said), said
    assert any("bare" in line for line in said), said


_PROJECT = """
import json, sys
import nemo_run as run
from mylib import work

if __name__ == "__main__":
    executor = run.SlurmExecutor(
        tunnel={tunnel},
        packager=run.GitArchivePackager(),
        additional_parameters={{"begin": "now+6"}},
    )
    with run.Experiment("travels", clean_mode=True) as exp:
        exp.add(run.Partial(work.version), executor, name="version")
        exp.run(detach=True)
    print(json.dumps(exp.id))
"""


def test_an_edit_after_the_submission_does_not_reach_the_job(way: Way, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "mylib").mkdir(parents=True)
    (project / "mylib" / "__init__.py").touch()
    work = project / "mylib" / "work.py"
    work.write_text("def version():\n    return 'committed'\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-qm", "first")
    work.write_text("def version():\n    return 'submitted'\n")

    exp_id = launched(project, _PROJECT.format(tunnel=way.source()))
    work.write_text("def version():\n    return 'edited'\n")
    wait_for_end(exp_id)

    assert run.Experiment.from_id(exp_id).results()["version"] == "submitted", told(exp_id)
    assert "edited" in work.read_text()


def test_logs_are_followed_while_the_job_runs(ssh: Way, shared_folder: Path) -> None:
    gate = shared_folder / "gate"
    task = shell(f"echo first; while [ ! -e {gate} ]; do sleep 0.1; done; echo last")
    with experiment() as exp:
        exp.add(task, ssh.executor(), name="talks")
        started(exp, "talks")
    argv = [NEMO_RUN, "experiment", "logs", "-f", exp.id, "talks"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert "first" in reader.stdout.readline()
        gate.touch()
        rest = reader.stdout.read()
        assert reader.wait(60) == 0
    assert "last" in rest
    assert "first" not in rest


def test_a_cancelled_job_ends_in_slurm_and_its_dependants_do_not_start(way: Way) -> None:
    with experiment() as exp:
        exp.add(shell("sleep 300"), way.executor(), name="long")
        exp.add(shell("true"), way.executor(), name="after", dependencies=["long"])
        started(exp, "long")
    exp.cancel()
    states = wait_for_end(exp.id)
    assert states["long"] is State.CANCELLED
    assert states["after"] in (State.CANCELLED, State.SKIPPED)
    jobs = slurm_jobs(way.slurm, exp.id)
    until(lambda: all(way.slurm.state(job) == "CANCELLED" for job in jobs), 60, "not cancelled")


def test_an_experiment_whose_conductor_was_killed_goes_on(way: Way, shared_folder: Path) -> None:
    log, gate = shared_folder / "ran", shared_folder / "gate"
    with experiment() as exp:
        exp.add(counting(log, until_there(gate)), way.executor(), name="a")
        # What runs here keeps a conductor.
        exp.add(counting(log), run.LocalExecutor(), name="b", dependencies=["a"])
        record = started(exp, "a")
    end_conductor(record)
    gate.touch()
    cli("experiment", "resume", exp.id)
    wait_for_end(exp.id)

    assert tokens(log) == [f"{exp.id}/a/1", f"{exp.id}/b/1"], told(exp.id)
    assert set(find(exp.id).status().states.values()) == {State.SUCCEEDED}
    assert len(slurm_jobs(way.slurm, exp.id)) == 1


def test_a_failure_is_tried_again_by_slurm_itself(way: Way, shared_folder: Path) -> None:
    log = shared_folder / "ran"
    with experiment() as exp:
        exp.add(counting(log, "[ $NEMORUN_ATTEMPT = 2 ]"), way.executor(retries=2), name="a")
        exp.run()
    assert tokens(log) == [f"{exp.id}/a/1", f"{exp.id}/a/2"], told(exp.id)
    assert exp.job_status("a").attempt == 2
    assert len(slurm_jobs(way.slurm, exp.id)) == 1


def test_nobody_of_ours_stays_for_a_graph_that_slurm_can_finish(way: Way) -> None:
    with experiment() as exp:
        exp.add(shell("sleep 4"), way.executor(), name="a")
        exp.add(shell("true"), way.executor(), name="b", dependencies=["a"])
        exp.run(detach=True)
    record = find(exp.id)
    until(lambda: not operations.taken(record), 30, "the conductor stays")
    assert wait_for_end(exp.id) == {"a": State.SUCCEEDED, "b": State.SUCCEEDED}


def test_the_record_shows_the_exit_code_and_the_id_of_slurm(ssh: Way) -> None:
    with experiment() as exp:
        exp.add(shell("exit 9"), ssh.executor(), name="nine")
        exp.run(detach=True)
    wait_for(exp.id, "nine", State.FAILED)
    job = operations.status(find(exp.id)).jobs["nine"]
    assert job.observation.reason is Reason.EXIT_CODE
    assert job.observation.exit_code == 9
    shown = cli("experiment", "status", exp.id, "--json", check=False)
    assert f"slurm://ada@{ssh.login.host}/{slurm_jobs(ssh.slurm, exp.id)[0]}#" in shown


_TORCH = """
import json
import nemo_run as run

REDUCE = '''
import torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.ones(1) * (dist.get_rank() + 1)
dist.all_reduce(total)
print("rank", dist.get_rank(), "of", dist.get_world_size(), "sum", int(total.item()))
dist.destroy_process_group()
'''

if __name__ == "__main__":
    executor = run.SlurmExecutor(nodes=2, ntasks_per_node=2, launcher="torchrun")
    open("reduce.py", "w").write(REDUCE)
    with run.Experiment("torch", clean_mode=True) as exp:
        for name in ("one", "two"):
            script = run.Script("reduce.py", entrypoint="python")
            exp.add(script, executor, name=name)
        exp.run()
    print(json.dumps(exp.id))
"""


@pytest.mark.torch
@pytest.mark.slow
def test_torchrun_meets_on_two_nodes_twice_at_once(here: Way, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    exp_id = launched(tmp_path / "project", _TORCH)
    for name in ("one", "two"):
        logs = find(exp_id).path / "jobs" / name / "logs"
        said = "".join(file.read_text() for file in logs.rglob("rank-*.log"))
        ranks = sorted(re.findall(r"rank (\d) of 4 sum 10", said))
        assert ranks == ["0", "1", "2", "3"], told(exp_id)
