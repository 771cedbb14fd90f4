"""Workspace files: whose are used, what they bring, and that it is said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKSPACE = """\
from dataclasses import dataclass
import nemo_run as run

@run.cli.entrypoint(namespace="here")
def greet(name: str = "you"):
    \"\"\"Greet somebody.\"\"\"
    print("hello", name)

@run.cli.factory(namespace="train.width")
def wide() -> int:
    return 640

print("workspace of", __file__.rpartition("/")[2], "ran")
"""

SCRIPT = """\
import nemo_run as run

def train(width: int = 4):
    print("width", width)

if __name__ == "__main__":
    run.cli.main(train)
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with a folder below it, in which one works."""
    home = tmp_path / "home"
    project = home / "project"
    (project / "deep" / "deeper").mkdir(parents=True)
    (project / "pyproject.toml").touch()
    (project / "train.py").write_text(SCRIPT)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("INCLUDE_WORKSPACE_FILE", raising=False)
    monkeypatch.chdir(project / "deep" / "deeper")
    return project


@pytest.fixture
def nemo(program):
    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *words], capture_output=True, text=True, env={**os.environ, **environment}
        )

    return run


def test_a_project_has_commands_of_its_own_and_it_is_said_once(project, nemo):
    (project / "workspace.py").write_text(WORKSPACE)
    done = nemo("here", "greet", "name=me", "--direct", "--yes")
    assert done.returncode == 0, done.stderr
    assert "hello me" in done.stdout
    said = f"Using {project / 'workspace.py'} (NEMORUN_WORKSPACE=off leaves it out)"
    assert done.stderr.count(said) == 1
    assert done.stdout.count("workspace of workspace.py ran") == 1
    listed = nemo("--help")
    assert "here" in listed.stdout
    assert listed.stderr.count(said) == 1


def test_commands_that_have_no_use_for_it_do_not_run_it(project, nemo):
    (project / "workspace.py").write_text("raise RuntimeError('ran')")
    for words in (["experiment", "list"], ["--version"], ["profile", "list"]):
        done = nemo(*words)
        assert (done.returncode, "ran" in done.stderr) == (0, False), words


def test_the_private_one_goes_first(project, nemo):
    (project / "workspace.py").write_text("raise RuntimeError")
    (project / "workspace_private.py").write_text(WORKSPACE)
    assert "hello you" in nemo("here", "greet", "--direct", "--yes").stdout


def test_nothing_above_or_beside_the_project_is_used(project, nemo, tmp_path):
    for folder in (project.parent, tmp_path, project / "deep", project / "deep" / "deeper"):
        (folder / "workspace.py").write_text("raise RuntimeError('ran')")
    done = nemo("run", f"{project}/train.py:train", "--direct", "--yes")
    assert "width 4" in done.stdout
    assert "workspace" not in done.stderr


def test_without_a_project_around_it_none_is_used(project, nemo):
    (project / "pyproject.toml").unlink()
    (project / "workspace.py").write_text("raise RuntimeError('ran')")
    done = nemo("run", f"{project}/train.py:train", "--direct", "--yes")
    assert (done.returncode, "workspace" in done.stderr) == (0, False)


@pytest.mark.parametrize(
    "environment", [{"NEMORUN_WORKSPACE": "off"}, {"INCLUDE_WORKSPACE_FILE": "false"}], ids=str
)
def test_it_can_be_left_out(project, nemo, environment):
    (project / "workspace.py").write_text("raise RuntimeError('ran')")
    done = nemo("run", f"{project}/train.py:train", "--direct", "--yes", **environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_can_be_named_or_asked_for_anywhere(project, nemo, tmp_path, home, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (elsewhere / "workspace.py").write_text(WORKSPACE)
    mine = tmp_path / "my_own.py"
    mine.write_text(WORKSPACE)
    words = ["here", "greet", "--direct", "--yes"]
    assert nemo(*words).returncode == 2
    assert "hello you" in nemo(*words, NEMORUN_WORKSPACE=str(mine)).stdout
    assert "hello you" in nemo(*words, NEMORUN_WORKSPACE=str(elsewhere)).stdout
    assert "hello you" in nemo(*words, INCLUDE_WORKSPACE_FILE="true").stdout
    (elsewhere / "workspace.py").unlink()
    home.mkdir()
    (home / "workspace.py").write_text(WORKSPACE)
    assert "hello you" in nemo(*words, INCLUDE_WORKSPACE_FILE="true").stdout
    gone = nemo(*words, NEMORUN_WORKSPACE=str(elsewhere))
    assert gone.returncode == 2
    assert (
        f"$NEMORUN_WORKSPACE names {elsewhere}, and there is no workspace.py in it" in gone.stderr
    )


def test_what_others_can_write_is_not_used_and_that_is_said(project, nemo):
    (project / "workspace.py").write_text("raise RuntimeError('ran')")
    (project / "workspace.py").chmod(0o666)
    done = nemo("run", f"{project}/train.py:train", "--direct", "--yes")
    assert done.returncode == 0
    assert f"{project}/workspace.py is not used: everybody may write to" in done.stderr


def test_a_link_is_as_good_as_the_file_that_it_leads_to(project, nemo, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "workspace.py").write_text("raise RuntimeError('ran')")
    (project / "workspace.py").symlink_to(shared / "workspace.py")
    shared.chmod(0o777)
    done = nemo("run", f"{project}/train.py:train", "--direct", "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{project}/workspace.py is not used: everybody may write to {shared}" in done.stderr


def test_scripts_of_the_project_have_it_and_those_of_others_do_not(project, tmp_path):
    (project / "workspace.py").write_text(WORKSPACE)
    stranger = tmp_path / "stranger.py"
    stranger.write_text(SCRIPT)

    def start(script: Path) -> str:
        done = subprocess.run(
            [sys.executable, script, "--yes", "--direct"], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stderr

    assert "workspace.py" in start(project / "train.py")
    assert start(stranger) == ""


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\nraise ValueError('torn')\n", "ValueError: torn"),
        ("def f(:\n", "SyntaxError: "),
        ("import no_such_module_9\n", "ModuleNotFoundError: No module named 'no_such_module_9'"),
        ("raise SystemExit(0)\n", "SystemExit: 0"),
    ],
    ids=["raises", "no Python", "missing module", "exits"],
)
def test_an_error_in_it_is_shown_with_its_line_and_stops_the_command(project, nemo, text, error):
    file = project / "workspace.py"
    file.write_text(text)
    done = nemo("run", f"{project}/train.py:train", "--direct", "--yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert f'File "{file}", line ' in done.stderr
    assert f"{file} cannot be run: {error}" in done.stderr
    assert "importlib" not in done.stderr
    assert "NEMORUN_WORKSPACE=off" in done.stderr.splitlines()[-1]


def test_the_launches_in_it_are_not_started(project, nemo):
    (project / "workspace.py").write_text(
        f"{SCRIPT.rpartition('if __name__')[0]}run.cli.main(train)"
    )
    done = nemo("run", f"{project}/train.py:train", "width=7", "--direct", "--yes")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "width 7\n"


def test_the_tab_key_runs_only_what_was_named(project, nemo):
    (project / "workspace.py").write_text(WORKSPACE)
    asked = {"_NEMO_RUN_COMPLETE": "zsh_complete", "COMP_WORDS": "nemo-run\x1fhe"}
    assert nemo(**asked).stdout == ""
    named = nemo(**asked, NEMORUN_WORKSPACE=str(project))
    assert named.stdout.split("\t")[:2] == ["word", "here"]


def test_in_a_repository_of_packages_that_of_the_package_goes_first(project, nemo, monkeypatch):
    package = project / "packages" / "one"
    package.mkdir(parents=True)
    (project / ".git").mkdir()
    (package / "pyproject.toml").touch()
    (project / "workspace.py").write_text(WORKSPACE)
    (project / "nemo-run.toml").write_text('[executors.pair]\nexecutor = "local"\n')
    monkeypatch.chdir(package)
    done = nemo("here", "greet", "--yes", "run.executor=pair")
    assert done.returncode == 0, done.stderr
    assert f"Using {project / 'workspace.py'}" in done.stderr
    assert "executor: profile pair (local)" in done.stderr
    (package / "workspace.py").write_text(WORKSPACE)
    done = nemo("here", "greet", "--direct", "--yes")
    assert f"Using {package / 'workspace.py'}" in done.stderr


def test_the_home_of_somebody_is_no_project(project, nemo, monkeypatch):
    (project.parent / ".git").mkdir()
    (project.parent / "workspace.py").write_text("raise RuntimeError('ran')")
    (project / "pyproject.toml").unlink()
    for folder in (project, project.parent):
        monkeypatch.chdir(folder)
        done = nemo("run", f"{project}/train.py:train", "--direct", "--yes")
        assert (done.returncode, "workspace" in done.stderr) == (0, False)
