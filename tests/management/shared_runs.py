"""Experiments to be shared: one that ran with code, and ones that are quickly made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nemo_run as run
from nemo_run.management import store
from nemo_run.management.capture import packages
from nemo_run.management.store import events
from nemo_run.management.store.record import Record


def ran(folder: Path, monkeypatch) -> Record:
    """Return an experiment that has run with the code of a repository."""
    project = folder / "project"
    if not project.exists():
        project.mkdir()
        (project / "hello.sh").write_text("cat data.txt; echo out > $NEMORUN_OUTPUT_DIR/out.txt\n")
        (project / "data.txt").write_text("from the code\n" * 1000)
        git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
            subprocess.run([*git, *words], check=True)
    monkeypatch.chdir(project)
    with run.Experiment("digits") as experiment:
        executor = run.LocalExecutor(packager=run.GitArchivePackager())
        experiment.add(run.Script(path="hello.sh", entrypoint="sh"), executor, name="a")
        experiment.run()
    return store.find(experiment.id)


def made(
    title: str, id: str | None = None, *, log: bytes = b"hello\n", over: bool = True
) -> Record:
    """Return an experiment as if it had run."""
    meta = {"jobs": [{"id": "a", "dependencies": []}], "packages": packages.kept({"x": title})}
    files = {"jobs/a/task.json": "{}", "jobs/a/logs/1/rank-0.log": log}
    record = store.create(title, id, meta=meta, files=files)
    seen = "SUCCEEDED" if over else "RUNNING"
    record.journal.append([
        {"event": events.EXPERIMENT_STARTED},
        {"event": events.JOB_INTENT, "job": "a", "attempt": 1, "token": "t"},
        {"event": events.JOB_SUBMITTED, "job": "a", "attempt": 1, "handle": "slurm://there/77"},
        {"event": events.JOB_OBSERVED, "job": "a", "attempt": 1, "state": seen},
        *([{"event": events.EXPERIMENT_ENDED, "state": seen}] if over else []),
    ])  # fmt: skip
    return record
