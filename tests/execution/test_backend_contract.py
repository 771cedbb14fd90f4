"""The backends of this package keep the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from nemo_run.execution.backend import Backend, Capabilities
from nemo_run.execution.jobspec import Handle, JobSpec, Token
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

    def leaving(self, name: str) -> JobSpec:
        spec = self.job(name, "true")
        self.engine.leave(spec, "logs/1/rank-0.log", b"hello\n")
        self.engine.leave(spec, "attempts/1/result.json", b"{}\n")
        return spec

    def record_of(self, spec: JobSpec) -> Path:
        return self.folder / "record" / spec.job

    def runs(self, spec: JobSpec) -> int:
        return len([job for token, job in self.engine.jobs.items() if token == spec.token])


class TestFakeBackendThatFinishesAlone(TestFakeBackend):
    def new_backend(self) -> Backend:
        alone = Capabilities(dependencies=True, groups=True, detach=True, requeue=True, arrays=True)
        return FakeBackend(self.engine, alone)

    def restart(self, handle: Handle) -> None:
        self.engine.restart(Token(handle.removeprefix("fake://engine/")))
