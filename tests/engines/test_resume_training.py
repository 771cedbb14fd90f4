"""A training on a real cluster: its time limit comes, a node dies, and the loss is the same."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import nemo_run as run
from engines.processes import until
from engines.slurm import Slurm
from engines.stories import experiment, shell, told
from nemo_run.execution.observation import Reason, State
from nemo_run.management import operations
from nemo_run.management.store import find

EXAMPLE = Path(__file__).parents[2] / "examples" / "resume"
STEPS = "300"


def executor(**fields: object) -> run.SlurmExecutor:
    """Two nodes with two processes each, as in the example, with the shortest limit there is."""
    options = {"nodes": 2, "ntasks_per_node": 2, "launcher": "torchrun", "time": "00:01:00"}
    return run.SlurmExecutor(**{**options, "packager": code(), **fields})  # type: ignore[arg-type]


def code() -> run.Packager:
    return run.PatternPackager(include_pattern="train.py", relative_path=str(EXAMPLE))


def training(pace: str) -> run.Script:
    """The training; at this pace it needs more than the time it gets at once."""
    return run.Script("train.py", args=["--steps", STEPS, "--pace", pace], entrypoint="python")


def undisturbed(folder: Path) -> str:
    """Return the loss of the same training with the same processes, on one node, in one go."""
    folder.mkdir()
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4"]
    plain = {n: v for n, v in os.environ.items() if not n.startswith(("NEMORUN_", "SLURM_"))}
    done = subprocess.run(
        [*argv, str(EXAMPLE / "train.py"), "--steps", STEPS],
        cwd=folder,
        env={**plain, "NEMORUN_JOB_DIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return (folder / "loss.txt").read_text()


@pytest.mark.torch
@pytest.mark.slow
def test_a_training_goes_on_after_its_time_limit_and_a_dead_node_to_the_same_loss(
    own_slurm: Slurm, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    policy = run.Resume(max_attempts=6, signal_before=15, progress="checkpoints/*.pt")
    with experiment("training") as exp:
        exp.add(training("0.15"), executor(resume=policy), name="train")
        exp.run(detach=True)
    folder = find(exp.id).path / "jobs" / "train"

    expected: list[str] = []
    other = threading.Thread(target=lambda: expected.append(undisturbed(tmp_path / "whole")))
    other.start()
    # The next end shall be that of a node, however slow this machine is.
    until((folder / "attempts/2/started").exists, 240, lambda: told(exp.id))
    (job_id,) = own_slurm.jobs_of(f"/{exp.id}/")
    own_slurm.run("scontrol", "update", f"jobid={job_id}", "timelimit=30")
    until(lambda: "starts at step" in said(folder, 2), 240, lambda: told(exp.id))
    _kill_the_last_node(own_slurm)
    wait_until_ended(exp.id)
    other.join()

    job = operations.status(find(exp.id)).jobs["train"]
    assert job.state is State.SUCCEEDED, told(exp.id)
    assert [one.reason for one in job.previous][:2] == [Reason.TIME_LIMIT, Reason.NODE_FAILURE]
    assert "asked to stop: step " in said(folder, 1)
    assert "after time limit" in said(folder, 2)
    assert "after node failure" in said(folder, 3)
    assert (folder / "loss.txt").read_text() == expected[0]


def _kill_the_last_node(slurm: Slurm) -> None:
    (nodes,) = slurm.squeue("%N", "-t", "RUNNING")
    slurm.kill_node(slurm.run("scontrol", "show", "hostnames", nodes).split()[-1])


def said(folder: Path, attempt: int) -> str:
    """Return what all ranks of an attempt have printed so far."""
    files = sorted((folder / "logs" / str(attempt)).glob("rank-*.log"))
    return "".join(file.read_text(errors="replace") for file in files)


def wait_until_ended(experiment_id: str) -> None:
    def ended() -> bool:
        return all(s.terminal for s in operations.status(find(experiment_id)).states.values())

    until(ended, 240, lambda: told(experiment_id))


def ends(folder: Path) -> list[str]:
    """Return the exit records of a job's attempts."""
    files = sorted(folder.glob("attempts/*/exit"), key=lambda file: int(file.parent.name))
    return [file.read_text().strip() for file in files]


_UNTIL_ASKED = """
echo "$NEMORUN_ATTEMPT after '$NEMORUN_PREVIOUS_END'"
[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0
trap 'echo asked; exit 0' USR1 TERM
while :; do sleep 0.2; done
"""


@pytest.mark.slow
def test_a_chained_attempt_is_a_job_of_its_own(own_slurm: Slurm) -> None:
    policy = run.Resume(how="chain", signal_before=30)
    with experiment("chained") as exp:
        exp.add(
            shell(_UNTIL_ASKED),
            run.SlurmExecutor(time="00:01:00", resume=policy, packager=run.Packager()),
            name="a",
        )
        exp.run(detach=True)
    wait_until_ended(exp.id)

    folder = find(exp.id).path / "jobs" / "a"
    assert ends(folder) == ["exit 75 by time limit", "exit 0 by a"], told(exp.id)
    assert len(own_slurm.jobs_of(f"/{exp.id}/")) == 2
    assert "2 after 'time limit'" in said(folder, 2)


def test_a_requeue_by_hand_is_followed_and_a_cancel_is_the_end(own_slurm: Slurm) -> None:
    text = "trap 'exit 0' TERM; echo up; while :; do sleep 0.2; done"
    where = run.SlurmExecutor(resume=run.Resume(), retries=3, packager=run.Packager())
    with experiment("cancelled") as exp:
        exp.add(shell(text), where, name="a")
        exp.run(detach=True)
    folder = find(exp.id).path / "jobs" / "a"
    until(lambda: "up" in said(folder, 1), 60, lambda: told(exp.id))
    (job,) = own_slurm.jobs_of(f"/{exp.id}/")
    own_slurm.run("scontrol", "requeue", job)
    until(lambda: "up" in said(folder, 2), 60, lambda: told(exp.id))
    own_slurm.run("scancel", job)
    wait_until_ended(exp.id)

    assert operations.status(find(exp.id)).jobs["a"].state is State.CANCELLED
    assert ends(folder) == ["exit 75 by unknown, requeued", "exit 75 by cancelled"]
