"""What every test shares: a home of its own, and nothing of the real one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh NEMORUN_HOME for each test."""
    folder = tmp_path / "nemo_run_home"
    monkeypatch.setenv("NEMORUN_HOME", str(folder))
    for name in [
        n for n in os.environ if n.startswith(("NEMORUN_", "SLURM_")) and n != "NEMORUN_HOME"
    ]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture
def error_snapshot() -> Callable[..., None]:
    """Compare a text with the file of error messages; see tests/snapshot.py."""
    from snapshot import compare

    return compare
