"""The Slurm backend on a real cluster: what every backend does, from its login node."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import pytest

from engines.slurm import Slurm
from nemo_run.execution.backend import Backend
from nemo_run.execution.jobspec import Handle, JobSpec, Member, Policy
from nemo_run.execution.slurm.client import SlurmBackend
from nemo_run.execution.slurm.executor import SlurmExecutor
from nemo_run.execution.slurm.handles import place_of
from nemo_run.testing.contract import BackendContract


class TestSlurmBackend(BackendContract):
    patience = 120.0

    @pytest.fixture(autouse=True)
    def _cluster(self, slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()

    def new_backend(self) -> Backend:
        return SlurmBackend()

    def restart(self, handle: Handle) -> None:
        place = place_of(handle)
        assert place is not None
        subprocess.run(["scontrol", "requeue", place.id], check=True)

    def _spec(self, name: str, members: tuple[Member, ...], policy: Policy = "all") -> JobSpec:
        spec = super()._spec(name, members, policy)
        # Twelve processes at a time on two cores.
        options = SlurmExecutor(
            mem="10",
            wait_time_for_group_job=0,
            monitor_group_job_wait_time=5,
            additional_parameters={"requeue": True},
        ).backend_options({})
        return dataclasses.replace(spec, options=options)
