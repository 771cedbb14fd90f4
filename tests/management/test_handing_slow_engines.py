"""Who detaches from an engine that does not answer is told why nothing happens."""

from __future__ import annotations

from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.management import handing
from nemo_run.testing import FakeSlurm


class Record:
    def __init__(self, path: Path) -> None:
        self.path = path


def test_the_last_trouble_is_told_without_its_time(tmp_path: Path) -> None:
    record = Record(tmp_path)
    assert handing.last_trouble(record) == ""
    (tmp_path / "conductor.log").write_text("")
    assert handing.last_trouble(record) == "the engine has not answered."
    (tmp_path / "conductor.log").write_text(
        "2026-01-31 12:00:00 first\n2026-01-31 12:00:09 slurm: submit: no answer. Tried again.\n"
    )
    assert handing.last_trouble(record) == "slurm: submit: no answer. Tried again."


def test_who_detaches_hears_of_jobs_that_were_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with FakeSlurm(tmp_path / "slurm") as slurm:
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        experiment = run.Experiment("t")
        for partition in ("nope", None):
            executor = run.SlurmExecutor(partition=partition, packager=run.Packager())
            experiment.add(run.Script(inline="true"), executor, name=f"on-{partition}")
        with pytest.raises(run.JobFailedError, match=r"(?s)1 of 2 jobs.*on-nope.*partition"):
            experiment.run(detach=True)
        experiment.wait()
        assert "submitted: on-None 1" in capsys.readouterr().err
