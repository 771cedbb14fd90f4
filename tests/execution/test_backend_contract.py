"""The backends of this package keep the contract."""

from __future__ import annotations

import pytest

from nemo_run.execution.backend import Backend
from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.local.client import LocalBackend
from nemo_run.testing import BackendContract, FakeBackend, FakeEngine


class TestLocalBackend(BackendContract):
    def new_backend(self) -> Backend:
        return LocalBackend(grace=0.5)


class TestFakeBackend(BackendContract):
    @pytest.fixture(autouse=True)
    def _engine(self) -> None:
        self.engine = FakeEngine(queue=5)

    def new_backend(self) -> Backend:
        return FakeBackend(self.engine)

    def runs(self, spec: JobSpec) -> int:
        return len([job for token, job in self.engine.jobs.items() if token == spec.token])
