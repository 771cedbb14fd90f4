"""The example that can be stopped: what it saves is all that it needs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[2] / "examples" / "resume"


def train(folder: Path, **variables: str) -> str:
    """Run the training with two processes in a folder and return what it printed."""
    folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    plain = {n: v for n, v in os.environ.items() if not n.startswith(("NEMORUN_", "SLURM_"))}
    done = subprocess.run(
        [*argv, str(EXAMPLE / "train.py"), "--steps", "30", "--every", "7"],
        env={**plain, "NEMORUN_JOB_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_training_that_was_stopped_ends_with_the_same_loss(tmp_path: Path) -> None:
    train(tmp_path / "whole")
    stop, parts = tmp_path / "stop", tmp_path / "parts"
    stop.touch()
    said = train(parts, NEMORUN_STOP_FILE=str(stop))
    assert "asked to stop: step 1 is saved" in said
    assert not (parts / "loss.txt").exists()
    said = train(
        parts,
        NEMORUN_ATTEMPT="2",
        NEMORUN_PREVIOUS_END="time limit",
        NEMORUN_FINISHED_FILE=str(tmp_path / "finished"),
    )
    assert "attempt 2: starts at step 1 after time limit" in said
    assert (parts / "loss.txt").read_text() == (tmp_path / "whole" / "loss.txt").read_text()
    assert (tmp_path / "finished").exists()
    assert not list(parts.rglob("*.part"))


def test_its_launcher_runs_it_here(tmp_path: Path, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE / "launch.py"), "--steps", "5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "done: step 5, loss" in done.stdout
    assert len(list(home.rglob("loss.txt"))) == 1
