"""The commands on experiments that really run: followed, cancelled, resumed, run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nemo_run.execution.observation import State
from nemo_run.management import store
from nemo_run.management.operations import status

PROGRAM = textwrap.dedent(
    """
    import sys
    import nemo_run as run

    with run.Experiment("digits") as exp:
        for name, text in zip(sys.argv[1::2], sys.argv[2::2]):
            exp.add(run.Script(inline=text), name=name)
        exp.run(detach=True)
    """
)


@pytest.fixture
def launched(tmp_path: Path) -> Callable[..., str]:
    """Start an experiment of shell scripts that nobody waits for, and return its id."""

    def launch(**scripts: str) -> str:
        program = tmp_path / "launch.py"
        program.write_text(PROGRAM)
        words = [word for pair in scripts.items() for word in pair]
        subprocess.run(
            [sys.executable, str(program), *words], check=True, capture_output=True, cwd=tmp_path
        )
        return store.find("digits").id

    return launch


def wait_until(true: Callable[[], object], what: str) -> None:
    """Return when it is true; a minute is more than anything here needs."""
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or ") Z " not in Path(
        f"/proc/{pid}/stat"
    ).read_text("utf-8", "replace")


def test_a_job_is_followed_to_its_end_and_its_failure_is_the_exit_code(launched, nemo_run):
    launched(train="echo begin; sleep 0.5; echo end; exit 3")
    outcome = nemo_run("logs", "-f", "digits")
    assert (outcome.code, outcome.out) == (1, "begin\nend\n")
    assert outcome.err == "train: FAILED (exit code 3)\n"


def test_cancel_ends_the_whole_tree_and_stays_cancelled_in_the_next_process(
    launched, nemo_run, tmp_path: Path
):
    pids = tmp_path / "pids"
    id = launched(
        train=f"sleep 300 & echo $! $$ > {pids}.new; mv {pids}.new {pids}; wait",
        other="sleep 300",
    )
    wait_until(pids.exists, "the job never began")
    processes = [int(pid) for pid in pids.read_text().split()]
    one = nemo_run("cancel", id, "train")
    assert (one.code, one.out) == (0, "train: CANCELLED\n")
    wait_until(lambda: not any(map(is_alive, processes)), "a process of the job was left")
    assert nemo_run("status", id, "other", "--json").json["jobs"][0]["state"] == "RUNNING"
    rest = nemo_run("cancel", id, "--json")
    assert {job["id"]: (job["was"], job["state"]) for job in rest.json["jobs"]} == {
        "train": ("CANCELLED", "CANCELLED"),
        "other": ("RUNNING", "CANCELLED"),
    }
    again = nemo_run("cancel", id)
    assert (again.code, again.out.count("had ended already, CANCELLED")) == (0, 2)
    assert nemo_run("status", id, "--json").json["state"] == "CANCELLED"


def test_cancel_says_at_once_what_is_asked_and_tells_of_each_job_as_it_ends(launched, program):
    id = launched(quick="sleep 300", stubborn="trap '' TERM; while :; do sleep 0.1; done")
    record = store.find(id)
    wait_until(
        lambda: all(job.state is State.RUNNING for job in record.status().jobs.values()),
        "the jobs never began",
    )
    cancel = subprocess.Popen(
        [*program, "experiment", "cancel", id, "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert cancel.stdout
    assert cancel.stderr
    said = cancel.stderr.readline()
    assert said.startswith("Asked to end: quick, stubborn.")
    assert "ended by force" in said
    assert cancel.stdout.readline() == "quick: CANCELLED\n"
    # The other one is still in its time of grace.
    assert cancel.poll() is None
    out, err = cancel.communicate(timeout=60)
    assert (out, err, cancel.returncode) == ("stubborn: CANCELLED\n", "", 0)


def test_after_the_conductor_was_killed_resume_goes_on(launched, nemo_run, tmp_path: Path):
    go = tmp_path / "go"
    id = launched(train=f"echo once >> {tmp_path}/runs; until [ -e {go} ]; do sleep 0.05; done")
    record = store.find(id)
    wait_until((tmp_path / "runs").exists, "the job never began")
    conductor = record.status().conductor
    assert conductor
    os.kill(conductor.pid, signal.SIGKILL)
    wait_until(
        lambda: "is gone" in nemo_run("status", id).out, "the conductor's end was not noticed"
    )
    assert nemo_run("resume", id).code == 0
    assert "goes on already" in nemo_run("resume", id).err
    go.touch()
    assert nemo_run("logs", "-f", id).code == 0
    assert status(record).jobs["train"].state is State.SUCCEEDED
    assert (tmp_path / "runs").read_text() == "once\n"


def test_logs_of_a_job_without_conductor_end_when_the_job_does(launched, tmp_path: Path, program):
    go = tmp_path / "go"
    id = launched(train=f"echo begun; until [ -e {go} ]; do sleep 0.05; done; echo over")
    record = store.find(id)
    logs = subprocess.Popen(
        [*program, "experiment", "logs", "-f", id], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert logs.stdout
    assert logs.stderr
    assert logs.stdout.readline() == b"begun\n"
    conductor = record.status().conductor
    assert conductor
    os.kill(conductor.pid, signal.SIGKILL)
    assert b"is gone" in logs.stderr.readline()
    go.touch()
    out, _ = logs.communicate(timeout=60)
    assert (out, logs.returncode) == (b"over\n", 0)


def test_rerun_prints_the_new_id_and_runs_the_stored_task(launched, nemo_run, tmp_path: Path):
    id = launched(train=f"echo once >> {tmp_path}/runs")
    assert nemo_run("logs", "-f", id).code == 0
    (tmp_path / "launch.py").unlink()
    again = nemo_run("rerun", id)
    assert again.code == 0, again.err
    new = again.out.strip()
    assert new != id
    assert nemo_run("logs", "-f", new).code == 0
    assert (tmp_path / "runs").read_text() == "once\nonce\n"
    assert [row["state"] for row in nemo_run("list", "digits", "--json").json] == ["SUCCEEDED"] * 2
    third = nemo_run("rerun", id, "--json").json
    assert third["of"] == id
    assert nemo_run("logs", "-f", third["id"]).code == 0


def test_delete_refuses_what_runs_and_takes_what_has_ended(launched, nemo_run):
    id = launched(train="sleep 300")
    assert nemo_run("delete", id, "--yes").code == 1
    assert nemo_run("cancel", id).code == 0
    wait_until(lambda: store.find(id).status().ended is not None, "the experiment did not end")
    assert nemo_run("delete", id, "--yes").code == 0
    assert nemo_run("status", id).code == 1
