"""What goes wrong on a real cluster: one job for each intent, and a true state, all the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import nemo_run as run
from engines.processes import start_time, until
from engines.slurm import Slurm
from engines.ssh import Login
from engines.stories import (
    NEMO_RUN,
    SOON,
    Way,
    counting,
    end_conductor,
    experiment,
    launcher,
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


@pytest.fixture
def here(own_slurm: Slurm, own_login: Login) -> Way:
    return Way("here", own_slurm, own_login)


@pytest.fixture
def ssh(own_slurm: Slurm, own_login: Login) -> Way:
    return Way("ssh", own_slurm, own_login)


@pytest.fixture
def folder(own_slurm: Slurm) -> Path:
    """A folder of this cluster that all its users may write to."""
    folder = own_slurm.folder / "shared" / os.urandom(4).hex()
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def looked_after(exp: run.Experiment, log: Path) -> None:
    """Add a job that runs here after ``a``, so that somebody of ours stays and looks."""
    exp.add(counting(log), run.LocalExecutor(), name="here", dependencies=["a"])


# Once, kill the process of sshd that serves the connection which asked for this sbatch.
_CUT = """
if mkdir {mark} 2>/dev/null; then
    pid=$$
    while [ "$pid" -gt 1 ] && [ "$(cat /proc/$pid/comm)" != sshd ]; do
        pid=$(awk '/^PPid:/ {{ print $2 }}' /proc/$pid/status)
    done
    kill -9 "$pid"
fi
"""


def test_the_connection_is_cut_between_the_answer_of_sbatch_and_our_journal(
    ssh: Way, folder: Path, wrapped: Callable[..., Path]
) -> None:
    log, mark = folder / "ran", folder / "cut"
    programs = wrapped("sbatch", after=_CUT.format(mark=mark))
    executor = ssh.executor(pre_command=f"export PATH={programs}:$PATH")
    with experiment() as exp:
        exp.add(counting(log), executor, name="a")
        exp.run()

    assert mark.exists()
    assert tokens(log) == [f"{exp.id}/a/1"], told(exp.id)
    assert len(slurm_jobs(ssh.slurm, exp.id)) == 1


def test_the_connection_is_cut_while_we_poll_and_follow(ssh: Way, folder: Path) -> None:
    log, gate = folder / "ran", folder / "gate"
    with experiment() as exp:
        exp.add(counting(log, until_there(gate)), ssh.executor(), name="a")
        looked_after(exp, log)
        record = started(exp, "a")
    assert ssh.login.cut()
    ssh.login.block()
    assert operations.status(record).jobs["a"].state in (State.RUNNING, State.UNKNOWN)
    ssh.login.unblock()
    gate.touch()
    assert {*wait_for_end(exp.id).values()} == {State.SUCCEEDED}
    assert tokens(log) == [f"{exp.id}/a/1", f"{exp.id}/here/1"], told(exp.id)


def test_a_log_is_followed_over_cut_connections_without_a_gap_or_a_repeat(ssh: Way) -> None:
    count = "i=0; while [ $i -lt 60 ]; do i=$((i + 1)); echo line $i; sleep 0.1; done"
    with experiment() as exp:
        exp.add(shell(count), ssh.executor(), name="counts")
        exp.run(detach=True)
    argv = [str(NEMO_RUN), "experiment", "logs", "-f", exp.id, "counts"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        lines = [reader.stdout.readline()]
        for _ in range(3):
            lines += [reader.stdout.readline() for _ in range(10)]
            until(ssh.login.cut, SOON, "nobody is connected")
        lines += reader.stdout.readlines()
        assert reader.wait(60) == 0
    assert lines == [f"line {number}\n" for number in range(1, 61)]


def test_the_controller_restarts_while_we_poll(here: Way, folder: Path) -> None:
    log, gate = folder / "ran", folder / "gate"
    with experiment() as exp:
        exp.add(counting(log, until_there(gate)), here.executor(), name="a")
        looked_after(exp, log)
        record = started(exp, "a")
    here.slurm.stop_controller()
    state = operations.status(record).jobs["a"].state
    assert state in (State.RUNNING, State.UNKNOWN)
    gate.touch()
    here.slurm.start_controller()

    assert {*wait_for_end(exp.id).values()} == {State.SUCCEEDED}
    assert tokens(log) == [f"{exp.id}/a/1", f"{exp.id}/here/1"], told(exp.id)
    assert len(slurm_jobs(here.slurm, exp.id)) == 1


def test_a_controller_that_is_away_gets_the_job_when_it_is_back(here: Way, folder: Path) -> None:
    log = folder / "ran"
    here.slurm.stop_controller()
    back = threading.Timer(12, here.slurm.start_controller)
    back.start()
    with experiment() as exp:
        exp.add(counting(log), here.executor(), name="a")
        exp.run()
    back.join()

    assert wait_for_end(exp.id) == {"a": State.SUCCEEDED}
    assert tokens(log) == [f"{exp.id}/a/1"], told(exp.id)
    assert len(slurm_jobs(here.slurm, exp.id)) == 1


def test_a_node_dies_and_the_job_goes_on_elsewhere_or_says_why(here: Way, folder: Path) -> None:
    log = folder / "ran"
    again = "[ $NEMORUN_ATTEMPT = 2 ] || sleep 300"
    resume = run.Resume(max_attempts=2)
    n2 = {"nodelist": "n2"}
    with experiment() as exp:
        options = {"exclude": "n2"}
        exp.add(
            counting(log, again),
            here.executor(resume=resume, additional_parameters=n2),
            name="resumed",
        )
        exp.add(shell("sleep 300"), here.executor(additional_parameters=n2), name="plain")
        exp.add(shell("true"), here.executor(**options), name="other")
        started(exp, "resumed", "plain")
    here.slurm.kill_node("n2")
    until(lambda: "n2" not in here.slurm.idle_nodes(), 120, "n2 is not down")
    wait_for(exp.id, "plain", State.FAILED)
    until(here.slurm.has_told_nodes, 120, "the controller still tells n2 to end its jobs")
    here.slurm.boot_node("n2")
    states = wait_for_end(exp.id)

    assert states == {
        "resumed": State.SUCCEEDED,
        "plain": State.FAILED,
        "other": State.SUCCEEDED,
    }, told(exp.id)
    jobs = operations.status(find(exp.id)).jobs
    assert jobs["plain"].observation.reason is Reason.NODE_FAILURE
    assert jobs["resumed"].observation.attempt == 2
    assert tokens(log)[0] == f"{exp.id}/resumed/1"
    assert len(tokens(log)) == 2


def test_somebody_else_cancels_the_job(ssh: Way) -> None:
    with experiment() as exp:
        exp.add(shell("sleep 300"), ssh.executor(retries=2), name="a")
        record = started(exp, "a")
    [job] = slurm_jobs(ssh.slurm, exp.id)
    ssh.slurm.run("scancel", job)
    wait_for_end(exp.id)
    seen = operations.status(record).jobs["a"].observation
    assert (seen.state, seen.reason) == (State.CANCELLED, Reason.CANCELLED), told(exp.id)
    assert len(slurm_jobs(ssh.slurm, exp.id)) == 1


def test_the_home_is_deleted_under_the_conductor(ssh: Way, folder: Path, home: Path) -> None:
    log, gate = folder / "ran", folder / "gate"
    with experiment() as exp:
        exp.add(counting(log, until_there(gate)), ssh.executor(), name="a")
        looked_after(exp, log)
        record = started(exp, "a")
    conductor = record.status().conductor
    assert conductor is not None
    shutil.rmtree(home)
    until(lambda: not start_time(conductor.pid), SOON, "the conductor stays")
    gate.touch()

    [job] = slurm_jobs(ssh.slurm, exp.id)
    assert ssh.slurm.wait(job) == "COMPLETED"
    assert tokens(log) == [f"{exp.id}/a/1"]
    assert not (home / "experiments").exists()


def test_sbatch_takes_longer_than_its_conductor_lives(
    ssh: Way, folder: Path, slow_sbatch: Callable[[float], Path]
) -> None:
    log = folder / "ran"
    executor = ssh.executor(pre_command=f"export PATH={slow_sbatch(15)}:$PATH")
    with experiment() as exp:
        exp.add(counting(log), executor, name="a")
        launching = threading.Thread(target=lambda: exp.run(detach=True))
        launching.start()
        claim = ssh.login.home / f"runs/story/{exp.id}/jobs/a/attempts/1/submitting"
        until(claim.exists, SOON, "nothing is submitted")
    end_conductor(find(exp.id))
    launching.join()
    assert not slurm_jobs(ssh.slurm, exp.id)
    operations.resume(find(exp.id))

    assert wait_for_end(exp.id) == {"a": State.SUCCEEDED}
    assert tokens(log) == [f"{exp.id}/a/1"], told(exp.id)
    assert len(slurm_jobs(ssh.slurm, exp.id)) == 1


_FIFTY = """
import json
import nemo_run as run

if __name__ == "__main__":
    executor = run.SlurmExecutor(tunnel={tunnel}, packager=run.Packager())
    with run.Experiment("fifty", clean_mode=True) as exp:
        for number in range(50):
            script = run.Script(inline='echo "$NEMORUN_TOKEN" >> {log}', entrypoint="sh")
            exp.add(script, executor, name=f"j{{number}}")
        exp.run()
    print(json.dumps(exp.id))
"""


def test_two_launchers_submit_fifty_jobs_each_at_once(
    ssh: Way, folder: Path, tmp_path: Path
) -> None:
    logs = [folder / "one", folder / "two"]
    launchers = [
        launcher(tmp_path / log.name, _FIFTY.format(tunnel=ssh.source(), log=log)) for log in logs
    ]
    for log, process in zip(logs, launchers, strict=True):
        out, err = process.communicate(timeout=400)
        assert process.returncode == 0, f"{out}\n{err}"
        exp_id = json.loads(out.splitlines()[-1])
        assert tokens(log) == sorted(f"{exp_id}/j{number}/1" for number in range(50))
        assert len(slurm_jobs(ssh.slurm, exp_id)) == 50
        assert {*find(exp_id).status().states.values()} == {State.SUCCEEDED}


def test_sacct_answers_late(own_accounting: Slurm) -> None:
    # Ended jobs leave squeue at once, and nothing tells of them while slurmdbd is away.
    way = Way("here", own_accounting, Login(own_accounting.shape))
    own_accounting.configure(MinJobAge="2")
    own_accounting.stop_accounting()
    with experiment() as exp:
        exp.add(shell("exit 3"), way.executor(), name="fails")
        exp.add(shell("exit 0"), way.executor(), name="works")
        exp.run(detach=True)
    states = wait_for_end(exp.id, 180)
    assert states == {"fails": State.FAILED, "works": State.SUCCEEDED}, told(exp.id)

    # What ended without a word of its own is known to accounting alone.
    with experiment() as exp:
        exp.add(shell("sleep 300"), way.executor(), name="stopped")
        record = started(exp, "stopped")
    [job] = slurm_jobs(own_accounting, exp.id)
    own_accounting.run("scancel", "--signal=KILL", "--full", job)
    until(lambda: not own_accounting.state(job), 180, "squeue does not forget")
    assert operations.status(record).jobs["stopped"].state is not State.SUCCEEDED
    own_accounting.start_accounting()
    assert wait_for_end(exp.id)["stopped"] in (State.FAILED, State.CANCELLED), told(exp.id)
