"""What every backend does, of the Slurm backend on a cluster of small programs."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemo_run.execution.backend import Backend
from nemo_run.execution.jobspec import Handle, JobSpec, Member, Policy
from nemo_run.execution.slurm.client import SlurmBackend
from nemo_run.execution.slurm.executor import SlurmExecutor
from nemo_run.execution.slurm.handles import place_of
from nemo_run.testing import BackendContract
from nemo_run.testing.slurm import FakeSlurm


class TestSlurmBackend(BackendContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "home"))
        (tmp_path / "home").mkdir()
        with FakeSlurm(tmp_path / "slurm") as slurm:
            for name, value in slurm.environment().items():
                monkeypatch.setenv(name, value)
            yield

    def new_backend(self) -> Backend:
        return SlurmBackend()

    def restart(self, handle: Handle) -> None:
        place = place_of(handle)
        assert place is not None
        subprocess.run(["scontrol", "requeue", place.id], check=True)

    def _spec(self, name: str, members: tuple[Member, ...], policy: Policy = "all") -> JobSpec:
        spec = super()._spec(name, members, policy)
        options = SlurmExecutor(
            wait_time_for_group_job=0,
            monitor_group_job_wait_time=5,
            additional_parameters={"requeue": True},
        ).backend_options({})
        return dataclasses.replace(spec, options=options)
