"""What the tests of the command line share: the real program, and experiments to look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from on_disk import Made
from scripts import Folder

from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.management import store
from nemo_run.management.store import events

_INSTALLED = Path(sys.executable).with_name("nemo-run")
PROGRAM = [str(_INSTALLED)] if _INSTALLED.exists() else [sys.executable, "-m", "nemo_run"]


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        assert self.out, self.err
        return json.loads(self.out)


@pytest.fixture
def program() -> list[str]:
    """The command line of the program itself."""
    return PROGRAM


@pytest.fixture
def nemo_run() -> Callable[..., Outcome]:
    """Run ``nemo-run experiment …`` in a process of its own, without a terminal."""

    def run(*arguments: str, env: dict[str, str] | None = None, text_in: str = "") -> Outcome:
        done = subprocess.run(
            [*PROGRAM, "experiment", *arguments],
            env={**os.environ, **(env or {})}, input=text_in, capture_output=True, text=True,
            encoding="utf-8", errors="surrogateescape", timeout=60,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder for the scripts of a user."""
    (tmp_path / "work").mkdir()
    return Folder(tmp_path / "work")


@pytest.fixture
def made() -> Callable[..., Made]:
    """Make an experiment: its jobs by name, with their dependencies or None, and what was seen."""

    def make(
        title: str = "digits",
        jobs: dict[str, list[str]] | None = None,
        *,
        processes: int = 1,
        members: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        started: bool = True,
        **meta: object,
    ) -> Made:
        graph = jobs or {"train": []}
        documents = [
            {
                "id": job,
                "group": bool(members),
                "members": [{"name": m, "task": "train.main"} for m in members or (job,)],
                "executor": "local",
                "dependencies": [{"job": before, "kind": "afterok"} for before in after],
            }
            for job, after in graph.items()
        ]
        record = store.create(title, meta={"jobs": documents, **meta})
        for job in graph:
            folder = record.job_dir(job)
            spec = JobSpec(
                record.id, job, "local", str(folder),
                tuple(
                    Member(
                        m, str(folder / m if members else folder), ("python", "train.py"),
                        environment=environment or {}, processes_per_node=processes,
                    )
                    for m in members or (job,)
                ),
            )  # fmt: skip
            folder.mkdir(parents=True, mode=0o700)
            (folder / "spec.json").write_text(json.dumps(spec.to_json()))
        if started:
            record.journal.append([events.experiment_started()])
        return Made(record)

    return make
