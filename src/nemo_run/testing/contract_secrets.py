"""What backends do with the secrets of jobs.

Part of :class:`~nemo_run.testing.BackendContract`.
"""

from __future__ import annotations

import dataclasses
import subprocess
from typing import TYPE_CHECKING

from nemo_run.exceptions import SecretError
from nemo_run.execution.backend import Forgetting
from nemo_run.execution.observation import State

from .contract_words import ContractWords
from .traces import command_lines, traces

if TYPE_CHECKING:
    import pytest

    from nemo_run.execution.backend import Backend
    from nemo_run.execution.jobspec import Handle, JobSpec

_VALUE = "hf_Contract'\"$(exit 9)`exit 9`\\ \n é-0123456789"
_VARIABLE = "NEMO_CONTRACT_VALUE"


class SecretsContract(ContractWords):
    """The tests of what is secret."""

    def secret(self, name: str, script: str) -> JobSpec:
        """Return a job that finds a secret in ``$TOKEN``."""
        spec = self.job(name, script, secrets={"TOKEN": "KEY"})
        return dataclasses.replace(spec, secrets={"KEY": f"env:{_VARIABLE}"})

    def test_a_secret_reaches_the_job_byte_for_byte(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever a shell would make of it."""
        monkeypatch.setenv(_VARIABLE, _VALUE)
        raw = _VALUE.encode()
        said = subprocess.run(["cksum"], input=raw, capture_output=True, check=True)
        expected = said.stdout.decode().strip()
        spec = self.secret("bytes", f'test "$(printf %s "$TOKEN" | cksum)" = "{expected}"')
        [handle] = self.start(backend, spec)
        assert self.end(backend, handle).state is State.SUCCEEDED

    def test_a_secret_is_in_nothing_that_is_rendered(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is looked up for that: it is the same without the secret."""
        spec = self.secret("rendered", "true")
        without = backend.render(spec)
        monkeypatch.setenv(_VARIABLE, _VALUE)
        assert backend.render(spec) == without

    def test_a_secret_leaves_no_trace(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither among the processes while the job runs, nor in a file when it has ended."""
        monkeypatch.setenv(_VARIABLE, _VALUE)
        for name, script in (("well", "sleep 1"), ("badly", "sleep 1; exit 3")):
            spec = self.secret(name, script)
            [handle] = self.start(backend, spec)
            self.until(backend, handle, State.RUNNING, State.SUCCEEDED, State.FAILED)
            assert command_lines([_VALUE]) == []
            self.end(backend, handle)
            self._forget(backend, spec)
        assert traces([self.folder], [_VALUE]) == []

    def test_a_cancelled_job_leaves_no_secret(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever has seen its end has it removed."""
        monkeypatch.setenv(_VARIABLE, _VALUE)
        spec = self.secret("cancelled", f"sleep {self.long}")
        [handle] = self.start(backend, spec)
        backend.cancel([handle])
        assert self.end(backend, handle).state is State.CANCELLED
        self._forget(self.new_backend(), spec)
        self._forget(backend, spec)
        assert traces([self.folder], [_VALUE]) == []

    def test_a_job_whose_secret_is_missing_is_not_started(
        self, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The others of the call are; a later call starts it."""
        monkeypatch.delenv(_VARIABLE, raising=False)
        spec, other = self.secret("missing", "true"), self.job("other", "true")
        answers = backend.submit([self.rendered(backend, spec), self.rendered(backend, other)])
        refused = answers[spec.token]
        assert isinstance(refused, SecretError)
        assert _VARIABLE in str(refused)
        assert backend.find([spec]) == {}
        assert self.end(backend, self._handle_of(answers[other.token])).state is State.SUCCEEDED
        monkeypatch.setenv(_VARIABLE, _VALUE)
        [handle] = self.start(backend, spec)
        assert self.end(backend, handle).state is State.SUCCEEDED
        self._forget(backend, spec)

    @staticmethod
    def _forget(backend: Backend, spec: JobSpec) -> None:
        if isinstance(backend, Forgetting):
            backend.forget([spec])

    @staticmethod
    def _handle_of(answer: Handle | Exception) -> Handle:
        assert isinstance(answer, str), answer
        return answer
