"""Who detaches from an engine that does not answer is told why nothing happens."""

from __future__ import annotations

from pathlib import Path

from nemo_run.management import handing


class Record:
    def __init__(self, path: Path) -> None:
        self.path = path


def test_the_last_trouble_is_told_without_its_time(tmp_path: Path) -> None:
    record = Record(tmp_path)
    assert handing._last_trouble(record) == ""
    (tmp_path / "conductor.log").write_text("")
    assert handing._last_trouble(record) == "the engine has not answered."
    (tmp_path / "conductor.log").write_text(
        "2026-01-31 12:00:00 first\n2026-01-31 12:00:09 slurm: submit: no answer. Tried again.\n"
    )
    assert handing._last_trouble(record) == "slurm: submit: no answer. Tried again."
