"""Homes that earlier versions have written are read as they are, and nothing in them changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

import nemo_run as run
from nemo_run.management import store
from nemo_run.management.capture import packages, provenance

STORED = sorted(Path(__file__).parent.joinpath("home_fixture").glob("home-*.tar.gz"))


@pytest.fixture(params=STORED, ids=lambda path: path.name)
def stored(request: pytest.FixtureRequest, home: Path) -> Path:
    """A stored home, unpacked as the home of this test."""
    with tarfile.open(request.param) as tar:
        # Our own file; members are plain files and folders.
        assert all(item.isreg() or item.isdir() for item in tar)
        tar.extractall(home)
    return home


def content(home: Path) -> dict[str, str]:
    """Return a digest of each file but for the index, which is a cache."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.startswith("index.db")
    }


def nemo_run(*words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "nemo_run", "experiment", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout


def documents(*words: str) -> Any:
    return json.loads(nemo_run(*words, "--json"))


def test_there_is_a_stored_home_of_the_first_format() -> None:
    assert "home-2026-11.tar.gz" in [path.name for path in STORED]


def test_every_command_that_looks_reads_it_and_changes_nothing(stored: Path) -> None:
    before = content(stored)
    listed = {one["title"]: one for one in documents("list")}
    assert {title: one["state"] for title, one in listed.items()} == {
        "rates": "FAILED", "train": "SUCCEEDED", "older": "SUCCEEDED",
    }  # fmt: skip
    assert listed["rates"]["jobs"] == {"total": 4, "succeeded": 3, "failed": 1}
    for title in listed:
        shown = nemo_run("show", title)
        assert "cannot be read" not in shown
        assert "ada@laptop" in shown
        assert documents("status", title)["doubt"] == ""
    assert "lr=5.0 is too high" in nemo_run("show", "rates").partition("Title")[0]
    shown = documents("show", "rates")
    assert [job["id"] for job in shown["jobs"]] == ["good", "bad", "report", "pair"]
    assert len(shown["jobs"][3]["tasks"]) == 2
    assert (shown["tags"], shown["note"]) == (["best", "paper"], "As in table 3.")
    assert shown["jobs"][0]["metrics"]["good"]["loss"]["step"] == 2
    assert [one["path"] for one in shown["jobs"][0]["artifacts"]] == ["model.txt"]
    assert "step 2, loss 0.167" in nemo_run("logs", "rates", "good")
    assert "hello ada" in nemo_run("logs", "older")
    assert [row["model.lr"] for row in documents("show", "train")["table"]] == [0.1, 0.3]
    assert content(stored) == before


def test_it_is_verified_and_explained(stored: Path) -> None:
    before = content(stored)
    for title in ("rates", "train", "older"):
        found = documents("verify", title)
        # The Python and the folder of then are on another machine.
        assert {c["what"]: c["verdict"] for c in found["checks"] if c["verdict"] == "red"} == {}
        verdicts = {check["what"]: check["verdict"] for check in found["checks"]}
        assert (verdicts["record"], verdicts["configuration"]) == ("green", "green")
        assert verdicts["code"] == "green"
    (told,) = documents("explain", "train", "lr=0.3", "model.lr")
    assert [(said["kind"], said["value"]) for said in told["chain"][-1:]] == [("command line", 0.3)]
    assert content(stored) == before


def test_results_and_packages_are_those_of_then(stored: Path) -> None:
    results = run.Experiment.from_title("rates").results()
    assert results["good"]["accuracy"] == pytest.approx(0.95)
    assert run.Experiment.from_title("older").results()["older"] == "ADA"
    for title in ("rates", "train", "older"):
        found = packages.of(store.find(title))
        assert found["click"].count(".") >= 1
        assert len(found) > 20
    # Before tables were stored once, each record had its own.
    assert isinstance(store.find("older").meta["packages"]["click"], str)
    source = provenance.of(store.find("rates"))
    assert (source.user, source.host, source.cwd) == ("ada", "laptop", "/home/ada/project")
    assert len(source.code["good"].commit) == 40


def test_its_jobs_are_planned_to_run_again_with_the_code_of_then(stored: Path) -> None:
    before = content(stored)
    program = """
import sys
import nemo_run as run

again = run.Experiment.from_title(sys.argv[1]).reset()
again.dryrun()
"""
    for title in ("rates", "older", "train"):
        done = subprocess.run(
            [sys.executable, "-c", program, title], capture_output=True, text=True, timeout=60,
            cwd=stored.parent, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Plan sha256:" in done.stdout + done.stderr
    tree = store.find("rates").job("good")["code"]["tree"]
    assert tree in [path.name for path in (stored / "code.git/refs/snapshots").iterdir()]
    assert content(stored) == before
