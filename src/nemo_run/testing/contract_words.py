"""The words in which the tests of every backend are written."""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nemo_run.execution.backend import Rendered
from nemo_run.execution.jobspec import Handle, JobSpec, Member, Policy
from nemo_run.execution.observation import Observation, State

if TYPE_CHECKING:
    from nemo_run.execution.backend import After, Backend


class ContractWords:
    """What the tests say, of a backend that a subclass makes, on an engine that it knows."""

    patience = 60.0
    """Seconds that a job of this suite may take."""

    long = 300
    """Seconds that a job takes which has to be ended."""

    folder: Path
    experiment: str

    def new_backend(self) -> Backend:
        """Return a backend as a new process would make it; the engine is the same each time."""
        raise NotImplementedError

    def command(self, script: str) -> tuple[str, ...]:
        """Return the argument list that runs a line of shell."""
        return ("sh", "-c", script)

    def runs(self, spec: JobSpec) -> int:
        """Return how many times the job of :meth:`counted` ran."""
        file = Path(spec.directory, "count")
        return len(file.read_text().splitlines()) if file.exists() else 0

    def counted(self, name: str) -> JobSpec:
        """Return a job that leaves a trace each time it runs."""
        return self.job(name, f"echo once >> {self.folder / name / 'count'}; sleep 0.2")

    def leaving(self, name: str) -> JobSpec:
        """Return a job that prints ``hello`` and leaves ``{}`` as its result."""
        return self.job(name, 'echo hello; echo "{}" > "$NEMORUN_ATTEMPT_DIR/result.json"')

    def record_of(self, spec: JobSpec) -> Path:
        """Return the job's folder in the record; the one on the target, where that is the same."""
        return Path(spec.directory)

    def restart(self, handle: Handle) -> None:  # noqa: ARG002
        """Make the engine begin a running job anew, as after the loss of a machine."""
        pytest.skip("this engine cannot be made to begin a job anew")

    # The tests' own words

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        # Engines know jobs by their token, and suites may run side by side.
        self.experiment = f"contract_{zlib.crc32(str(tmp_path).encode())}"

    @pytest.fixture
    def backend(self) -> Backend:
        """The backend under test."""
        return self.new_backend()

    def member(self, name: str, script: str, directory: Path, **more: Any) -> Member:
        """Return a task that runs a line of shell."""
        return Member(
            name=name,
            directory=str(directory),
            command=self.command(script),
            working_directory=str(self.folder),
            **more,
        )

    def job(self, name: str, script: str, **more: Any) -> JobSpec:
        """Return a job of one task."""
        directory = self.folder / name
        member = self.member(name, script, directory, **more)
        return self._spec(name, (member,))

    def group(
        self, name: str, policy: Policy = "all", sidecar: str = "", **scripts: str
    ) -> JobSpec:
        """Return a group of tasks."""
        members = tuple(
            self.member(
                each,
                script,
                self.folder / name / each,
                role="sidecar" if each == sidecar else "main",
            )
            for each, script in scripts.items()
        )
        return self._spec(name, members, policy)

    def _spec(self, name: str, members: tuple[Member, ...], policy: Policy = "all") -> JobSpec:
        for member in members:
            Path(member.directory).mkdir(parents=True, exist_ok=True)
        directory = str(self.folder / name)
        return JobSpec(self.experiment, name, self.name, directory, members, policy=policy)

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.new_backend().name

    def start(self, backend: Backend, *specs: JobSpec) -> list[Handle]:
        """Submit jobs that can be started."""
        answers = backend.submit([self.rendered(backend, spec) for spec in specs])
        handles = [answers[spec.token] for spec in specs]
        assert all(isinstance(handle, str) for handle in handles), answers
        return handles  # type: ignore[return-value]

    def rendered(self, backend: Backend, spec: JobSpec, *after: After) -> Rendered:
        """Return a job as it is submitted."""
        return Rendered(spec, tuple(backend.render(spec)), after)

    def end(self, backend: Backend, handle: Handle) -> Observation:
        """Wait for the end of a job and return it."""
        return self.until(backend, handle, *(s for s in State if s.terminal))

    def until(self, backend: Backend, handle: Handle, *states: State) -> Observation:
        """Wait until a job is in one of some states."""
        deadline = time.monotonic() + self.patience
        while (seen := backend.poll([handle])[handle]).state not in states:
            assert time.monotonic() < deadline, f"still {seen}"
            assert not seen.state.terminal, f"ended as {seen}"
            backend.wait([handle], 1.0)
        return seen
