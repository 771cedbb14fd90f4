"""What a user's own variables do to the commands of Slurm."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import pytest

from nemo_run.execution.slurm import agent

HIDING = ["SQUEUE_ACCOUNT", "SQUEUE_FORMAT", "SQUEUE_NAMES", "SACCT_FORMAT", "SCANCEL_NAME"]
CHANGING = ["SBATCH_WAIT", "SBATCH_ARRAY_INX", "SLURM_TIME_FORMAT"]


@pytest.mark.parametrize("name", HIDING + CHANGING)
def test_variables_that_would_hide_jobs_or_make_us_wait(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "x")
    assert name not in agent.environment()


@pytest.mark.parametrize("name", ["SBATCH_ACCOUNT", "SBATCH_PARTITION", "SLURM_CONF", "HOME"])
def test_defaults_of_the_user_stay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "x")
    assert agent.environment()[name] == "x"


def test_inside_of_a_job_nothing_of_that_job_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SLURM_JOB_ID", "SLURM_NNODES", "SLURM_CONF"):
        monkeypatch.setenv(name, "1")
    seen = agent.environment()
    assert "SLURM_CONF" in seen
    assert not {"SLURM_JOB_ID", "SLURM_NNODES"} & set(seen)


@pytest.mark.parametrize("kind", ["pipe", "link", "missing"])
def test_what_is_no_log_is_not_read(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "rank-0.log"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "secret").write_text("secret")
        path.symlink_to(tmp_path / "secret")
    sent: list[bytes] = []
    agent.tail([str(path), 0, 0], lambda event, data=b"": sent.append(data))
    assert sent == []


def test_a_place_for_code_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    trees = [["unused", "tree", str(tmp_path / "file" / "code" / "tree.tar")]]
    answer = agent.receive({"trees": trees, "script": ""}, BytesIO(), lambda event, data=b"": None)
    assert "cannot be made" in answer["refused"]
