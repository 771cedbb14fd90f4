"""``nemo-run experiment list``: everything there is, newest first."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from on_disk import DONE, FAILED, RUNNING


def ids(outcome) -> list[str]:
    return [row["id"] for row in outcome.json]


def test_an_empty_home_and_an_unknown_title_give_an_empty_list(nemo_run, made):
    nothing = nemo_run("list")
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "")
    made("digits")
    unknown = nemo_run("list", "letters", "--json")
    assert (unknown.code, unknown.json, unknown.err) == (0, [], "")


def test_the_newest_comes_first_with_its_state_and_its_jobs(nemo_run, made):
    first = made("digits", {"a": [], "b": []})
    first.observed("a", DONE)
    first.observed("b", FAILED)
    second = made("letters")
    second.observed("train", RUNNING)
    lines = nemo_run("list").out.splitlines()
    assert lines[0].split() == ["ID", "TITLE", "STATE", "JOBS", "AGE", "DURATION"]
    assert lines[1].split()[:5] == [second.id, "letters", "RUNNING", "0/1", "done"]
    assert lines[2].split()[:7] == [first.id, "digits", "FAILED", "1/2", "done,", "1", "failed"]
    assert len(lines) == 3


def test_json_has_every_field_of_its_documented_shape(nemo_run, made):
    experiment = made("digits", {"a": [], "b": []}, user="ada")
    experiment.observed("a", DONE)
    (row,) = nemo_run("list", "--json").json
    assert row.pop("created") == pytest.approx(experiment.record.created)
    assert row.pop("started") > 0
    assert row == {
        "id": experiment.id,
        "title": "digits",
        "state": "RUNNING",
        "jobs": {"total": 2, "succeeded": 1, "failed": 0},
        "ended": None,
        "user": "ada",
        "executors": ["local"],
        "tags": [],
        "note": "",
        "rerun_of": None,
        "path": str(experiment.record.path),
        "error": None,
    }


def test_filters_by_title_state_age_and_number_add_up(nemo_run, made):
    made("letters").observed("train", DONE)
    good = made("digits")
    good.observed("train", DONE)
    bad = made("digits")
    bad.observed("train", FAILED)
    assert ids(nemo_run("list", "digits", "--json")) == [bad.id, good.id]
    assert ids(nemo_run("list", "--title", "digits", "--json")) == [bad.id, good.id]
    assert ids(nemo_run("list", "digits", "--state", "succeeded", "--json")) == [good.id]
    assert len(ids(nemo_run("list", "--state", "FAILED,SUCCEEDED", "--json"))) == 3
    assert ids(nemo_run("list", "--limit", "1", "--json")) == [bad.id]
    assert len(ids(nemo_run("list", "--since", "1h", "--json"))) == 3
    assert ids(nemo_run("list", "--since", "2190-01-01", "--json")) == []


def test_one_damaged_experiment_is_one_warning_and_hides_no_other(nemo_run, made):
    good, bad = made("digits"), made("digits")
    (bad.record.path / "experiment.json").write_text("{ not json")
    outcome = nemo_run("list")
    assert outcome.code == 0
    assert outcome.err.count("warning:") == 1
    assert "nemo-run experiment delete" in outcome.err
    assert good.id in outcome.out
    assert "DAMAGED" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "case"),
    [
        (["list", "--state", "FALED"], "list: unknown state"),
        (["list", "--since", "yesterday"], "list: unknown time"),
        (["list", "--stat", "FAILED"], "cli: unknown option"),
        (["list", "a", "--title", "b"], "list: two titles"),
        (["lsit"], "cli: unknown command"),
        (["list", "--limit", "0"], "list: limit"),
        (["show"], "cli: missing argument"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_is_right(nemo_run, error_snapshot, arguments, case):
    outcome = nemo_run(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""
    error_snapshot(case, outcome.err)


def test_nothing_of_the_users_program_is_imported_to_list(made, nemo_run, tmp_path: Path):
    made("digits")
    (tmp_path / "train.py").write_text("raise SystemExit('imported')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    assert nemo_run("list", env={"PYTHONPATH": path}).code == 0


def test_rebuilding_the_index_finds_what_is_there(nemo_run, made, home: Path):
    made("digits")
    made("letters")
    nemo_run("list")
    (home / "index.db").write_bytes(b"this is no database")
    assert len(ids(nemo_run("list", "--json"))) == 2
    assert nemo_run("reindex").out == "Indexed 2 experiments.\n"
    assert nemo_run("reindex", "--json").json == {"experiments": 2, "damaged": 0}


def test_python_m_nemo_run_is_the_same_program(made):
    import subprocess

    experiment = made("digits")
    done = subprocess.run(
        [sys.executable, "-m", "nemo_run", "experiment", "list"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert experiment.id in done.stdout


def test_one_long_title_does_not_widen_the_list(nemo_run, made) -> None:
    made("x" * 3000)
    done = nemo_run("list")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) < 400
    assert nemo_run("list", "--json").json[0]["title"] == "x" * 3000
