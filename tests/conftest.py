"""What every test shares: a home of its own, and nothing of the real one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest_plugins = ["engines.fixtures"]

# A run started in the background (`make test &`, some continuous integration) ignores SIGINT, and
# so would every program that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh NEMORUN_HOME for each test."""
    folder = tmp_path / "nemo_run_home"
    monkeypatch.setenv("NEMORUN_HOME", str(folder))
    # As in an activated environment: commands are shown by their names.
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    for name in [
        n for n in os.environ if n.startswith(("NEMORUN_", "SLURM_")) and n != "NEMORUN_HOME"
    ]:
        monkeypatch.delenv(name)
    # The profiles of this machine and of whoever runs the tests are not theirs.
    monkeypatch.setenv("NEMORUN_SITE_CONFIG", "")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return folder


@pytest.fixture(autouse=True)
def own_factories(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test meets the factories of its own file, not those of other tests."""
    from nemo_run.config import factories

    registry = factories._registry
    known, waiting = registry.known, registry.waiting

    def is_mine(factory: factories.Factory) -> bool:
        file = Path(factory.file or "")
        return file == request.path or not file.name.startswith("test_")

    registry.known = {
        space: {name: [*filter(is_mine, found)] for name, found in names.items()}
        for space, names in known.items()
    }
    registry.waiting = [*filter(is_mine, waiting)]
    yield
    registry.known, registry.waiting = known, waiting


@pytest.fixture
def error_snapshot() -> Callable[..., None]:
    """Compare a text with the file of error messages; see tests/snapshot.py."""
    from snapshot import compare

    return compare
