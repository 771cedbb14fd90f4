"""What a user's own variables do to the commands of Slurm."""

from __future__ import annotations

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
