"""What an experiment remembers of where it came from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nemo_run.management.capture import environment, packages


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in (
        "GIT_AUTHOR_NAME",
        "GIT_COMMITTER_NAME",
        "GIT_AUTHOR_EMAIL",
        "GIT_COMMITTER_EMAIL",
    ):
        monkeypatch.setenv(name, "someone")
    git(folder, "init", "-q", "-b", "topic/x")
    return folder


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(folder: Path) -> str:
    (folder / "file").write_text("one")
    git(folder, "add", "file")
    git(folder, "commit", "-q", "-m", "first")
    return git(folder, "rev-parse", "HEAD")


def test_commit_branch_and_changes_are_known(repository: Path) -> None:
    head = commit(repository)
    assert environment.git_state(str(repository)) == {
        "commit": head, "branch": "topic/x", "dirty": False,
    }  # fmt: skip
    (repository / "file").write_text("two")
    assert environment.git_state(str(repository))["dirty"] is True


def test_a_repository_without_commits_and_a_detached_head(repository: Path) -> None:
    assert environment.git_state(str(repository))["commit"] is None
    commit(repository)
    git(repository, "checkout", "-q", "--detach")
    assert environment.git_state(str(repository))["branch"] is None


def test_no_repository_and_no_git_are_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert environment.git_state(str(tmp_path)) is None
    assert environment.git_state(str(tmp_path / "missing")) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git_state(str(tmp_path)) is None


def test_a_git_that_hangs_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert environment.git_state(str(tmp_path), seconds=0.05) is None


def test_versions_of_packages_are_found_without_opening_them(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (
        first / "my_package-1.2.dist-info", first / "torch-2.13.0+cpu.dist-info",
        second / "My_Package-1.0.dist-info", second / "old-0.1-py3.11.egg-info",
        second / "_distutils_hack",
    ):  # fmt: skip
        folder.mkdir(parents=True)
    found = packages.installed([str(first), str(second), str(tmp_path / "missing"), ""])
    assert found["my-package"] == "1.2"
    assert found["torch"] == "2.13.0+cpu"
    assert found["old"] == "0.1"


def test_packages_agree_with_what_python_says() -> None:
    from importlib.metadata import version

    found = packages.installed(sys.path)
    assert found["pytest"] == version("pytest")


def test_only_telling_variables_are_kept_and_secrets_are_covered() -> None:
    given = {
        "HF_TOKEN": "hf_x",
        "HF_HOME": "/d",
        "SLURM_JOB_ID": "7",
        "MY_OWN": "x",
        "PATH": "/bin",
    }
    assert environment.chosen(given) == {
        "HF_HOME": "/d", "HF_TOKEN": "***", "PATH": "/bin", "SLURM_JOB_ID": "7",
    }  # fmt: skip


def test_the_description_is_json_and_says_who_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py", "--token=abc"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "train.py", "--token=abc"])
    described = json.loads(json.dumps(environment.describe()))
    assert described["cwd"] == str(tmp_path)
    assert described["argv"] == ["python", "train.py", "--token=***"]
    assert described["python"]["executable"] == sys.executable
    assert all(described[key] for key in ("user", "host", "platform", "nemo_run", "packages"))
    assert described["git"] is None


def test_a_folder_removed_under_our_feet_is_no_error(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = (
        "import os, sys; os.rmdir(os.getcwd())\n"
        "from nemo_run.management.capture.environment import describe\n"
        "print(repr(describe()['cwd']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=gone, capture_output=True, text=True, check=True
    )
    assert done.stdout == "''\n"
