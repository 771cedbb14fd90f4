"""An experiment that uses the code that another one sent, as programs do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from nemo_run.core.execution.slurm import get_packaging_job_key

import nemo_run as run
from nemo_run.testing import FakeSlurm


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data.txt").write_text("as it was\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    return folder


def log(cluster: Path, experiment: run.Experiment, job: str) -> str:
    return (cluster / "again" / experiment.id / f"jobs/{job}/logs/1/rank-0.log").read_text()


def test_the_code_of_an_earlier_experiment(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSlurm(tmp_path / "slurm") as slurm:
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        tunnel = run.LocalTunnel(job_dir=str(tmp_path / "cluster"))
        first = run.Experiment("first", clean_mode=True)
        first.add(run.Script(inline="true"), run.SlurmExecutor(tunnel=tunnel), name="nemo-run")
        first.run()
        (repository / "data.txt").write_text("as it is now\n")

        known = run.Experiment.from_title("first")
        key = get_packaging_job_key(known._id, "nemo-run")
        executor = run.SlurmExecutor(tunnel=tunnel)
        path = known.tunnels[tunnel.key].packaging_jobs[key].dst_path
        executor.packager.symlink_from_remote_dir = path
        again = run.Experiment("again", clean_mode=True)
        again.add(run.Script(inline="cat data.txt"), executor, name="a")
        folder = tmp_path / "cluster" / "kept"
        folder.mkdir()
        (folder / "data.txt").write_text("in a folder\n")
        linked = executor.clone()
        linked.packager.symlink_from_remote_dir = str(folder)
        again.add(run.Script(inline="cat data.txt"), linked, name="b")
        again.run()
        assert log(tmp_path / "cluster", again, "a") == "as it was\n"
        assert log(tmp_path / "cluster", again, "b") == "in a folder\n"
