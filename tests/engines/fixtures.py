"""The engines as fixtures; tests/conftest.py loads them. What each gives: README.md."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from . import packages
from .processes import end
from .shared import Place
from .slurm import Slurm
from .slurm_conf import Shape
from .ssh import Login

_ENGINES = {"slurm", "login", "own_slurm", "own_login", "own_accounting", "shared_folder"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses an engine is marked so, whoever forgot to."""
    for item in items:
        if _ENGINES & set(getattr(item, "fixturenames", ())):
            item.add_marker("engine")


@pytest.fixture(scope="session")
def _shared_cluster() -> Iterator[Shape]:
    packages.need(packages.ALL)
    place = Place.of("shared")
    yield place.enter(lambda shape: _bring_up(place, shape, accounting=True))
    place.leave()


@pytest.fixture(scope="session")
def _own_cluster() -> Iterator[Slurm]:
    yield from _owned("own", accounting=False)


@pytest.fixture(scope="session")
def _own_accounting_cluster() -> Iterator[Slurm]:
    yield from _owned("own with accounting", accounting=True)


def _owned(name: str, *, accounting: bool) -> Iterator[Slurm]:
    packages.need(packages.ALL)
    place = Place.of(f"{name} {os.getpid()}")
    yield Slurm(place.enter(lambda shape: _bring_up(place, shape, accounting=accounting)))
    place.leave()


def _bring_up(place: Place, shape: Shape, *, accounting: bool) -> None:
    shape = replace(shape, accounting=accounting)
    Slurm(shape).up()
    Login(shape).up()
    place.ready(shape)


@pytest.fixture
def _conductors(home: Path) -> Iterator[None]:
    """Ends those conductors that a test which failed has left."""
    yield
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_text(errors="replace").split("\0")
            if any(word.startswith(f"{home}/") for word in words):
                end([int(entry.name)], signal.SIGKILL, 5)


def _use(monkeypatch: pytest.MonkeyPatch, shape: Shape) -> None:
    """The test and the programs that it starts talk to this cluster, by Slurm and by ssh."""
    monkeypatch.setenv("SLURM_CONF", str(Slurm(shape).conf))
    monkeypatch.setenv("PATH", str(Login(shape).bin), prepend=os.pathsep)


@pytest.fixture
def slurm(_shared_cluster: Shape, _conductors: None, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    """The session's cluster, with accounting; other tests use it at the same time."""
    _use(monkeypatch, _shared_cluster)
    return Slurm(_shared_cluster)


@pytest.fixture
def login(_shared_cluster: Shape, _conductors: None, monkeypatch: pytest.MonkeyPatch) -> Login:
    """The login host of the session's cluster; other tests use it at the same time."""
    _use(monkeypatch, _shared_cluster)
    return Login(_shared_cluster)


@pytest.fixture
def own_slurm(
    _own_cluster: Slurm, _conductors: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Slurm]:
    """A cluster that nobody else uses, without accounting: to be broken. It is healed after."""
    yield from _healed(_own_cluster, monkeypatch)


@pytest.fixture
def own_accounting(
    _own_accounting_cluster: Slurm, _conductors: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Slurm]:
    """Another one, with accounting."""
    yield from _healed(_own_accounting_cluster, monkeypatch)


def _healed(cluster: Slurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slurm]:
    _use(monkeypatch, cluster.shape)
    yield cluster
    cluster.heal()


@pytest.fixture
def own_login(own_slurm: Slurm) -> Iterator[Login]:
    """The login host of that cluster."""
    login = Login(own_slurm.shape)
    yield login
    login.unblock()


@pytest.fixture
def shared_folder(_shared_cluster: Shape, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that every user of the cluster may write to; nodes and login host see it."""
    name = tempfile.mkdtemp(dir=_shared_cluster.folder / "shared")
    os.chmod(name, 0o1777)
    yield Path(name)
    shutil.rmtree(name, ignore_errors=True)


@pytest.fixture
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Path]]:
    """Make a folder with a program that does ``before``, the real program, then ``after``."""
    made: list[str] = []

    def make(program: str, before: str = "", after: str = "") -> Path:
        folder = Path(tempfile.mkdtemp(prefix="nr-bin-"))
        made.append(str(folder))
        folder.chmod(0o755)
        real = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin")
        script = folder / program
        script.write_text(f'#!/bin/sh\n{before}\n{real} "$@"\nstatus=$?\n{after}\nexit $status\n')
        script.chmod(stat.S_IRWXU | 0o055)
        return folder

    yield make
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def slow_sbatch(wrapped: Callable[..., Path]) -> Callable[[float], Path]:
    """Make a folder for the front of PATH whose sbatch takes so many seconds more."""
    return lambda seconds: wrapped("sbatch", before=f"sleep {seconds}")
