"""A cluster and the way to it, as a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

import nemo_run as run

PROFILE = """
[executors.far]
executor = "slurm"
account = "research"
partition = "batch"

[executors.far.tunnel]
kind = "SSHTunnel"
host = "login.cluster"
user = "me"
job_dir = "/lustre/me/runs"

[executors.far.packager]
kind = "PatternPackager"
include_pattern = "*.py"
relative_path = "."

[executors.far.resume]
kind = "Resume"
max_attempts = 3
"""


def test_the_classes_of_a_cluster_go_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nemo-run.toml").write_text(PROFILE)
    executor = run.executor_profile("far", nodes=2)
    assert executor.tunnel == run.SSHTunnel("/lustre/me/runs", "login.cluster", "me")
    assert executor.packager == run.PatternPackager(include_pattern="*.py", relative_path=".")
    assert (executor.resume.max_attempts, executor.nodes) == (3, 2)
