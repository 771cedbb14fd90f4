"""What the tests of local jobs share: making a job of a line of shell, and seeing it through."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

from nemo_run.execution.backend import Rendered
from nemo_run.execution.jobspec import Handle, JobSpec, Member
from nemo_run.execution.local.client import LocalBackend
from nemo_run.execution.observation import Observation

PATIENCE = 60.0


class Place:
    """A folder in which jobs run."""

    def __init__(self, folder: Path, backend: LocalBackend | None = None) -> None:
        self.folder = folder
        self.backend = backend or LocalBackend(grace=0.5)
        # Processes are found by their token, so tests that run side by side need their own.
        self.experiment = f"tales_{zlib.crc32(str(folder).encode())}"

    def spec(
        self, name: str, *command: str, environment: dict[str, str] | None = None, **more
    ) -> JobSpec:
        directory = str(self.folder / name)
        attempt, retries = more.pop("attempt", 1), more.pop("retries", 0)
        member = Member(
            name=name,
            directory=directory,
            command=command,
            environment=environment or {},
            working_directory=str(more.pop("cwd", self.folder)),
            **more,
        )
        return JobSpec(self.experiment, name, "local", directory, (member,), attempt, retries)

    def rendered(self, spec: JobSpec) -> Rendered:
        return Rendered(spec, tuple(self.backend.render(spec)))

    def start(self, spec: JobSpec) -> Handle:
        handle = self.backend.submit([self.rendered(spec)])[spec.token]
        assert isinstance(handle, str), handle
        return handle

    def look(self, handle: Handle) -> Observation:
        return self.backend.poll([handle])[handle]

    def end(self, handle: Handle) -> Observation:
        deadline = time.monotonic() + PATIENCE
        while not (seen := self.look(handle)).state.terminal:
            assert time.monotonic() < deadline, f"still {seen}"
            self.backend.wait([handle], 1.0)
        return seen

    def run(self, spec: JobSpec) -> Observation:
        return self.end(self.start(spec))

    def log(self, spec: JobSpec, rank: int = 0) -> str:
        return Path(self.backend.log_files(spec)[rank].path).read_text("utf-8", "surrogateescape")


def until(is_true) -> None:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
