"""The fiddle tests, again, with each supported version that is not the installed one."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

# 0.3.1 needs Python 3.11.
SUPPORTED = ("0.3.0", "0.3.1") if sys.version_info >= (3, 11) else ("0.3.0",)
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
TESTS = Path(__file__).resolve().parents[1]

fdl = pytest.importorskip("fiddle")


def other_versions() -> list[str]:
    return [version for version in SUPPORTED if version != metadata.version("fiddle")]


@pytest.fixture
def folder_of(request: pytest.FixtureRequest):
    """Where a version of fiddle alone is installed, kept from one run to the next."""
    cache = Path(request.config.cache.mkdir("fiddle"))

    def install(version: str) -> Path:
        folder = cache / version
        if not folder.is_dir():
            # Another worker may be at it too; the first to rename wins.
            fresh = cache / f"{version}.{os.getpid()}"
            done = subprocess.run(
                [*PIP, "--target", str(fresh), f"fiddle=={version}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                reason = f"pip cannot fetch fiddle {version}: {done.stderr.strip()[-300:]}"
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
            try:
                fresh.rename(folder)
            except OSError:
                assert folder.is_dir()
        return folder

    return install


@pytest.mark.slow
@pytest.mark.skipif("NEMO_RUN_FIDDLE_VERSION" in os.environ, reason="this is that other run")
@pytest.mark.parametrize("version", other_versions())
def test_everything_about_fiddle_holds_with_the_other_version_too(version, folder_of, tmp_path):
    files = [*TESTS.glob("config/test_fiddle_*.py"), TESTS / "test_programs_recipes.py"]
    inherited = os.environ.get("PYTHONPATH", "")
    done = subprocess.run(
        [*PYTEST, f"--basetemp={tmp_path / 'inner'}", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        cwd=TESTS.parent,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
            "NEMO_RUN_FIDDLE_VERSION": version,
            "PYTHONPATH": f"{folder_of(version)}{os.pathsep}{inherited}".rstrip(os.pathsep),
        },
    )
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.skipif(
    "NEMO_RUN_FIDDLE_VERSION" not in os.environ, reason="the installed version runs"
)
def test_the_other_version_is_the_one_that_runs():
    assert fdl.__version__ == os.environ["NEMO_RUN_FIDDLE_VERSION"]


def test_the_installed_version_is_a_supported_one():
    assert metadata.version("fiddle") in SUPPORTED
