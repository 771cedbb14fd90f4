"""A fake cluster and a login to it, for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_login import Shell

from nemo_run.testing import FakeSlurm


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    work = tmp_path / "work"
    work.mkdir()
    with FakeSlurm(tmp_path / "slurm") as slurm:
        yield Shell(slurm, work)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Callable[..., Shell]]:
    """Make a fake cluster with settings of its own."""
    made: list[FakeSlurm] = []

    def make(**settings: Any) -> Shell:
        work = tmp_path / f"work{len(made)}"
        work.mkdir()
        made.append(FakeSlurm(tmp_path / f"slurm{len(made)}", **settings).start())
        return Shell(made[-1], work)

    yield make
    for slurm in made:
        slurm.stop()
