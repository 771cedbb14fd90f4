"""``nemo-run profile``: what there is, where each value comes from, and that nothing runs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from profile_places import Places, make_places


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return make_places(tmp_path, monkeypatch)


@pytest.fixture
def profile(program: list[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, "profile", *arguments], capture_output=True, text=True, timeout=60
        )

    return run


THREE = """
    default_executor = "h100"

    [executors.base]
    executor = "local"
    env_vars = { HF_TOKEN = "secret", A = "1" }

    [executors.h100]
    extends = "base"
    nodes = "${oc.env:NODES,2}"

    [executors.damaged]
    nodes = 2
"""


def test_list_shows_every_profile_and_every_file(places: Places, profile) -> None:
    user, project = places.user(THREE), places.of_project("[executors.h100]\nretries = 1\n")
    done = profile("list")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    rows = {line.split()[0]: line.split() for line in lines[1:4]}
    assert rows["base"][1:] == ["local", "user", f"{user}:4"]
    assert rows["h100"][1:] == [
        "*", "local", "base", "user", f"{user}:8,", "project", f"{project}:1",
    ]  # fmt: skip
    assert rows["damaged"][1] == "DAMAGED"
    assert f"  project {project}" in lines
    document = json.loads(profile("list", "--json").stdout)
    assert document["default_executor"] == "h100"
    assert [one["name"] for one in document["profiles"]] == ["base", "damaged", "h100"]
    assert "does not say which executor" in document["profiles"][1]["error"]
    assert document["files"][2] == {"layer": "project", "path": str(project), "read": True}


def test_list_without_profiles_says_where_they_are_looked_for(places: Places, profile) -> None:
    done = profile("list")
    assert done.returncode == 0
    assert done.stdout.startswith("No profiles.")
    assert f"{places.root}/home/ada/.config/nemo-run/nemo-run.toml (not there)" in done.stdout


def test_a_default_that_is_no_profile_is_told(places: Places, profile) -> None:
    places.of_project('default_executor = "gone"\n')
    assert "Default: gone, which is no profile" in profile("list").stdout
    places.of_project('default_executor = "local"\n')
    assert "Default: local\n" in profile("list").stdout


def test_show_tells_where_each_value_was_written(places: Places, profile) -> None:
    user = places.user(THREE)
    project = places.of_project("[executors.h100]\nretries = 1\n")
    done = profile("show", "h100")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["nodes", "${oc.env:NODES,2}", f"{user}:10"] in rows
    assert ["retries", "1", f"{project}:2"] in rows
    assert ["env_vars.HF_TOKEN", "***", f"{user}:6"] in rows
    assert "secret" not in done.stdout + profile("show", "h100", "--json").stdout
    document = json.loads(profile("show", "h100", "--json").stdout)
    assert (document["executor"], document["extends"], document["error"]) == (
        "local", ["base"], None,
    )  # fmt: skip
    assert document["fields"][-1] == {
        "path": ["retries"], "value": 1, "file": str(project), "line": 2,
    }  # fmt: skip


def test_show_checks_the_values(places: Places, profile) -> None:
    file = places.of_project('[executors.h100]\nexecutor = "local"\nnodes = "two"\n')
    done = profile("show", "h100")
    assert done.returncode == 1
    assert f"{file}:3: h100.nodes: 'two' is no int" in done.stderr
    assert "two" in done.stdout


def test_a_kind_that_there_is_not_is_marked_and_refused(places: Places, profile) -> None:
    file = places.of_project("""
        [executors.e]
        executor = "slrum"
        [executors.l]
        executor = "LocalExecutor"
    """)
    done = profile("show", "e")
    assert done.returncode == 1
    assert f"{file}:3: profile 'e': 'slrum' is no kind of executor." in done.stderr
    assert profile("show", "l").returncode == 0
    rows = {line.split()[0]: line.split() for line in profile("list").stdout.splitlines()[1:3]}
    assert (rows["e"][1], rows["l"][1]) == ("DAMAGED", "LocalExecutor")
    (damaged, fine) = json.loads(profile("list", "--json").stdout)["profiles"]
    assert damaged["executor"] == "slrum"
    assert "'slrum' is no kind of executor" in damaged["error"]
    assert fine["error"] is None


def test_looking_at_profiles_runs_no_code_of_the_project(places: Places, profile) -> None:
    """Of a project that one just cloned, for example."""
    (places.project / "trap.py").write_text("open('ran', 'w').close()\n")
    places.of_project("""
        [executors.one]
        executor = "trap:Executor"
        launcher = { kind = "trap.Launcher" }
        env_vars = { A = "${oc.env:PATH}" }

        [executors.two]
        executor = "local"
        launcher = { kind = "trap.Launcher" }
    """)
    shown = subprocess.run(
        ["python", "-m", "nemo_run", "profile", "show", "one"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert "Not checked: trap:Executor is imported when the profile is used." in shown.stderr
    assert os.environ["PATH"] not in shown.stdout
    assert "Not checked: trap.Launcher is imported" in profile("show", "two").stderr
    assert profile("list").returncode == 0
    assert not (places.project / "ran").exists()


def test_an_unknown_profile_is_answered_with_the_nearest(
    places: Places, profile, error_snapshot
) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\n')
    done = profile("show", "h10")
    assert (done.returncode, done.stdout) == (1, "")
    error_snapshot("profile show: unknown", done.stderr, {str(places.root): "<root>"})


def test_a_file_that_cannot_be_read_is_an_error(places: Places, profile) -> None:
    file = places.of_project("[executors.h100\n")
    done = profile("list")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"error: {file}:1: It is no TOML" in done.stderr
