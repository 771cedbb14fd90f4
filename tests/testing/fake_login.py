"""A login to a fake cluster, for the tests of this folder."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from nemo_run.testing import FakeSlurm


@dataclass
class Shell:
    """A login to a fake cluster."""

    slurm: FakeSlurm
    directory: Path

    def __call__(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            shell=True,
            cwd=self.directory,
            env={**os.environ, **self.slurm.environment(), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def out(self, command: str, **environment: str) -> str:
        done = self(command, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def submit(self, text: str) -> str:
        return self.out(f"sbatch --parsable {text}")

    def wait(self, job: str, *states: str, seconds: float = 20) -> str:
        wanted = states or ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")
        end = time.monotonic() + seconds
        while (state := self.slurm.job(job).state) not in wanted:
            assert time.monotonic() < end, f"job {job} is {state}, not {wanted}"
            time.sleep(0.02)
        return state

    def until(self, path: str, seconds: float = 20) -> str:
        end = time.monotonic() + seconds
        while not (self.directory / path).exists() or not (self.directory / path).read_text():
            assert time.monotonic() < end, f"{path} was not written"
            time.sleep(0.02)
        return (self.directory / path).read_text()
