"""What the engine's own script said, where the tasks could not say anything."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.testing import FakeSlurm


def test_a_batch_script_that_fails_itself_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with FakeSlurm(tmp_path / "slurm") as slurm:
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        executor = run.SlurmExecutor(setup_lines="if true; then", packager=run.Packager())
        experiment = run.Experiment("t", clean_mode=True)
        experiment.add(run.Script(inline="true"), executor, name="job")
        with pytest.raises(run.JobFailedError, match=r"syntax error[^\n]*\n +log: .*sbatch_job_1"):
            experiment.run()


def test_why_a_job_waits_is_said_while_it_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with FakeSlurm(tmp_path / "slurm") as slurm:
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        experiment = run.Experiment("t")
        for name, more in (("held", {"hold": True}), ("free", {})):
            executor = run.SlurmExecutor(additional_parameters=more, packager=run.Packager())
            experiment.add(run.Script(inline="sleep 8"), executor, name=name)
        freeing = threading.Timer(5.0, experiment.cancel, ["held"])
        freeing.start()
        with pytest.raises(run.JobFailedError, match="held"):
            experiment.run()
        freeing.join()
    assert "held: PENDING: " in capfd.readouterr().err
