"""How jobs end on the fake Slurm: cancelled, signalled, out of time, requeued, lost with a node."""

from __future__ import annotations

import os
import signal
import time

import pytest

TRAP = """#!/bin/bash
trap 'echo got TERM; exit 0' TERM
trap 'echo got USR1' USR1
echo ready $SLURM_RESTART_COUNT
for at in $(seq 300); do sleep 0.1 & wait; done
"""


def trapping(shell, options=""):
    (shell.directory / "trap.sh").write_text(TRAP)
    job = shell.submit(f"-o out.txt --open-mode=append {options} trap.sh")
    shell.until("out.txt")
    return job


def lines(shell):
    return (shell.directory / "out.txt").read_text().splitlines()


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_cancelled_job_may_tidy_up_and_is_cancelled_by_whoever_did_it(shell):
    job = trapping(shell)
    assert shell.out(f"scancel {job}") == ""
    assert shell.wait(job) == "CANCELLED"
    assert lines(shell)[0] == "ready"
    assert "got TERM" in lines(shell)
    assert f"*** JOB {job} ON n1 CANCELLED AT" in (shell.directory / "out.txt").read_text()
    rows = shell.out(f"sacct -n -P -j {job} -o jobid,state,exitcode").splitlines()
    by = os.getuid()
    assert rows == [f"{job}|CANCELLED by {by}|0:0", f"{job}.batch|CANCELLED|0:15"]
    assert shell.out("squeue -h") == ""


def test_a_job_that_ignores_sigterm_is_killed(cluster):
    shell = cluster(kill_wait=0.3)
    job = shell.submit("-o out.txt --wrap 'trap \"\" TERM; echo on; sleep 60; sleep 60'")
    shell.until("out.txt")
    pid = shell.slurm.job(job).pid
    shell.out(f"scancel {job}")
    assert shell.wait(job, seconds=10) == "CANCELLED"
    assert gone(pid)


def test_tasks_get_the_sigterm_of_a_cancel_once(shell):
    (shell.directory / "task.sh").write_text(
        "trap 'echo TERM $SLURM_PROCID; exit 0' TERM\n"
        "echo on; for i in $(seq 100); do sleep 0.1; done\n"
    )
    job = shell.submit("-n2 --wrap 'srun -o out.txt bash task.sh'")
    while not (shell.directory / "out.txt").exists() or lines(shell).count("on") < 2:
        time.sleep(0.02)
    shell.out(f"scancel {job}")
    assert shell.wait(job) == "CANCELLED"
    assert sorted(line for line in lines(shell) if "TERM" in line) == ["TERM 0", "TERM 1"]


def test_a_waiting_job_is_cancelled_at_once(shell):
    job = shell.submit("-H --wrap true")
    assert shell.out(f"squeue -h -o '%T %r' -j {job}") == "PENDING JobHeldUser"
    shell.out(f"scancel {job}")
    assert shell.slurm.job(job).state == "CANCELLED"
    assert shell.out(f"sacct -X -n -P -j {job} -o start,nodelist") == "None|None assigned"


def test_signals_reach_the_script_or_the_steps_as_asked(shell):
    job = trapping(shell)
    shell.out(f"scancel -b -s USR1 {job}")
    while "got USR1" not in lines(shell):
        time.sleep(0.02)
    assert shell.slurm.job(job).state == "RUNNING"
    shell.out(f"scancel -s USR1 {job}")
    time.sleep(0.3)
    assert lines(shell).count("got USR1") == 1, "without -b the batch script hears nothing"


def test_the_end_of_the_time_is_announced_and_comes(cluster):
    shell = cluster(time_scale=60)
    began = time.monotonic()
    job = trapping(shell, "--time=2 --signal=B:USR1@60")
    assert shell.wait(job) == "TIMEOUT"
    assert 1 < time.monotonic() - began < 10
    assert lines(shell).index("got USR1") < lines(shell).index("got TERM")
    assert "DUE TO TIME LIMIT ***" in (shell.directory / "out.txt").read_text()
    rows = shell.out(f"sacct -n -P -j {job} -o jobid,state,exitcode").splitlines()
    assert rows == [f"{job}|TIMEOUT|0:0", f"{job}.batch|CANCELLED|0:15"]


@pytest.mark.parametrize("how", ["scontrol requeue {}", "preempt", "fail_node"])
def test_a_requeued_job_starts_again_and_counts(shell, how):
    job = trapping(shell)
    first = shell.slurm.job(job)
    if how == "preempt":
        shell.slurm.preempt(job)
    elif how == "fail_node":
        shell.slurm.fail_node(first.nodes[0])
    else:
        shell.out(how.format(job))
    while "ready 1" not in lines(shell):
        time.sleep(0.02)
    again = shell.slurm.job(job)
    assert (again.state, again.restarts) == ("RUNNING", 1)
    assert (again.nodes == first.nodes) == (how != "fail_node")
    states = shell.out(f"sacct -D -X -n -P -j {job} -o state").splitlines()
    lost = {"preempt": "PREEMPTED", "fail_node": "NODE_FAIL"}.get(how, "REQUEUED")
    assert states == [lost, "RUNNING"]
    assert shell.out(f"sacct -X -n -P -j {job} -o state") == "RUNNING"


@pytest.mark.parametrize(("how", "state"), [("preempt", "PREEMPTED"), ("fail_node", "NODE_FAIL")])
def test_a_job_that_may_not_be_requeued_is_over(shell, how, state):
    job = trapping(shell, "--no-requeue")
    getattr(shell.slurm, how)(job if how == "preempt" else "n1")
    assert shell.wait(job) == state
    assert shell.slurm.job(job).restarts == 0


def test_a_job_requeues_itself(shell):
    (shell.directory / "self.sh").write_text(
        "#!/bin/sh\necho run ${SLURM_RESTART_COUNT:-0}\n"
        "[ ${SLURM_RESTART_COUNT:-0} -lt 2 ] && scontrol requeue $SLURM_JOB_ID && sleep 30\n"
        "exit 0\n"
    )
    job = shell.submit("-o out.txt --open-mode=append self.sh")
    assert shell.wait(job) == "COMPLETED"
    assert [line for line in lines(shell) if line.startswith("run")] == ["run 0", "run 1", "run 2"]


def test_what_a_job_left_running_goes_with_it(shell):
    job = shell.submit("-o out.txt --wrap 'sleep 300 & echo $!'")
    assert shell.wait(job) == "COMPLETED"
    pid = int(shell.until("out.txt"))
    end = time.monotonic() + 5
    while not gone(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_exit_statuses_are_those_that_slurm_shows(shell):
    told = {}
    for text in ("exit 3", "exit 137", "exit 200", "kill -9 $$"):
        job = shell.submit(f"-o /dev/null --wrap '{text}'")
        shell.wait(job)
        told[text] = shell.out(f"sacct -X -n -P -j {job} -o state,exitcode")
    assert told == {
        "exit 3": "FAILED|3:0",
        "exit 137": "FAILED|9:0",
        "exit 200": "FAILED|72:0",
        "kill -9 $$": "FAILED|0:9",
    }


def test_an_output_that_cannot_be_opened_is_a_failed_launch(shell):
    job = shell.submit("-o /nonexistent/a --wrap true")
    assert shell.wait(job) == "FAILED"
    assert shell.slurm.job(job).reason == "JobLaunchFailure"
    assert shell.out(f"sacct -X -n -P -j {job} -o exitcode") == "0:53"


def test_nothing_is_left_when_whoever_started_it_is_killed(shell, tmp_path):
    script = (
        "import subprocess, sys, os\n"
        "from nemo_run.testing import FakeSlurm\n"
        f"slurm = FakeSlurm({str(tmp_path / 'other')!r}).start()\n"
        "env = {**os.environ, **slurm.environment()}\n"
        "words = ['sbatch', '-o', 'pid.txt', '--wrap', 'echo $$; setsid sleep 300']\n"
        "subprocess.run(words, env=env)\n"
        "print('up', flush=True)\n"
        "sys.stdin.read()\n"
    )
    import subprocess
    import sys

    owner = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=shell.directory,
    )
    assert owner.stdin
    assert owner.stdout
    assert b"Submitted" in owner.stdout.readline()
    pid = int(shell.until("pid.txt"))
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    end = time.monotonic() + 10
    while not gone(pid):
        assert time.monotonic() < end
        time.sleep(0.02)
