"""Real git repositories, and a look at all that is in a folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from files_of import on_disk

from nemo_run.packaging import CodePlace, CodeStore, Packager, Snapshot


@pytest.fixture(autouse=True)
def own_git(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """git with a configuration of its own, and no other repository than those of the test."""
    configuration = tmp_path_factory.mktemp("git") / "gitconfig"
    configuration.write_text(
        "[user]\nname = A\nemail = a@example.com\n[init]\ndefaultBranch = main\n"
        '[protocol "file"]\nallow = always\n'
    )
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(configuration))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@dataclass(frozen=True)
class Repository:
    """A git repository of a user."""

    path: Path

    def git(self, *arguments: str | bytes) -> str:
        done = subprocess.run(
            ["git", "-C", str(self.path), *arguments], capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return os.fsdecode(done.stdout)

    def write(self, files: dict[str, str | bytes]) -> None:
        for name, content in files.items():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes] | None = None) -> str:
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a commit")
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def new_repository(tmp_path: Path) -> Callable[..., Repository]:
    """Make a repository in a folder of the test."""

    def make(name: str = "repo", files: dict[str, str | bytes] | None = None) -> Repository:
        repository = Repository(tmp_path / name)
        repository.path.mkdir(parents=True)
        repository.git("init", "--quiet")
        if files is not None:
            repository.commit(files)
        return repository

    return make


@pytest.fixture
def take(tmp_path: Path) -> Callable[..., Snapshot]:
    """Take a snapshot from a folder."""

    def snapshot(packager: Packager, folder: Path) -> Snapshot:
        found = packager.snapshot(CodePlace(str(folder), str(tmp_path / "home" / "code.git")))
        assert found is not None
        return found

    return snapshot


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    """The store that :func:`take` uses."""
    return CodeStore(tmp_path / "home" / "code.git")


@pytest.fixture
def unpacked(tmp_path: Path, store: CodeStore) -> Callable[[Snapshot], dict[bytes, object]]:
    """Keep a snapshot, unpack it with the system's tar and return what is then on disk."""

    def unpack(snapshot: Snapshot) -> dict[bytes, object]:
        snapshot.keep()
        archive, folder = tmp_path / f"{snapshot.tree}.tar", tmp_path / f"code-{snapshot.tree}"
        store.write_tar(snapshot.tree, archive)
        folder.mkdir(exist_ok=True)
        subprocess.run(["tar", "-xmf", str(archive), "-C", str(folder)], check=True)
        return on_disk(folder)

    return unpack
