"""Conditions, tags, notes, delete and gc, as they are typed."""

from __future__ import annotations

import csv
import io
import json
from getpass import getuser

import pytest
from on_disk import DONE, FAILED, RUNNING


def with_facts(experiment, lr: float, accuracy: float | None) -> None:
    folder = experiment.record.job_dir("train")
    folder.mkdir(parents=True, exist_ok=True)
    value = {"$": "partial", "target": "__main__:train", "arguments": {"lr": lr}}
    (folder / "task.json").write_text(json.dumps({"value": value}))
    if accuracy is not None:
        (folder / "result.json").write_text(json.dumps({"value": {"accuracy": accuracy}}))


@pytest.fixture
def three(made):
    found = [made(title, user=getuser()) for title in ("digits", "digits", "letters")]
    for experiment, lr, accuracy in zip(found, (0.1, 0.01, 0.001), (0.7, 0.9, None), strict=True):
        with_facts(experiment, lr, accuracy)
        experiment.observed("train", DONE if accuracy else FAILED)
    return found


def ids(outcome) -> list[str]:
    return [row["id"] for row in outcome.json]


def test_conditions_patterns_and_order(nemo_run, three):
    first, second, third = three
    where = "lr < 0.05 and accuracy > 0.8"
    assert ids(nemo_run("list", "--where", where, "--json")) == [second.id]
    assert ids(nemo_run("list", "di*", "--sort", "accuracy", "--json")) == [first.id, second.id]
    assert ids(nemo_run("list", "--sort", "-lr", "--json")) == [first.id, second.id, third.id]
    assert ids(nemo_run("list", "--until", "2001-01-01", "--json")) == []
    assert len(ids(nemo_run("list", "--until", "2190-01-01", "--json"))) == 3


def test_columns_as_table_json_and_csv(nemo_run, three):
    lines = nemo_run("list", "letters", "--columns", "lr,accuracy").out.splitlines()
    assert lines[0].split()[-2:] == ["lr", "accuracy"]
    assert lines[1].split()[-2:] == ["0.001", "-"]
    (row,) = nemo_run("list", "letters", "--columns", "lr,accuracy", "--json").json
    assert row["values"] == {"lr": 0.001, "accuracy": None}
    text = nemo_run("list", "--columns", "lr", "--csv", "--sort", "lr").out
    read = list(csv.DictReader(io.StringIO(text)))
    assert [one["lr"] for one in read] == ["0.001", "0.01", "0.1"]
    assert read[0]["title"] == "letters"


def test_a_wrong_condition_points_at_the_place(nemo_run, three):
    outcome = nemo_run("list", "--where", "lr > 0 and acuracy > 1")
    assert outcome.code == 1
    assert "Did you mean 'accuracy'?" in outcome.err
    line, caret = outcome.err.rstrip("\n").splitlines()[-2:]
    assert line[caret.index("^") :].startswith("acuracy")
    assert nemo_run("list", "--columns", "acuracy").code == 1
    assert nemo_run("list", "--csv", "--json").code == 2


def test_tags_and_notes(nemo_run, three):
    first, second, _ = three
    assert nemo_run("tag", first.id, "+best", "seen", "-draft").out == "best seen\n"
    assert nemo_run("tag", first.id, "--remove", "seen", "--json").json["tags"] == ["best"]
    assert nemo_run("note", second.id, "odd \x1b[31m").code == 0
    assert "\x1b" not in nemo_run("note", second.id).out
    assert ids(nemo_run("list", "--tag", "best", "--json")) == [first.id]
    assert ids(nemo_run("list", "--where", "note ~ ODD", "--json")) == [second.id]
    assert "best" in nemo_run("list").out
    assert nemo_run("show", first.id, "--json").json["tags"] == ["best"]
    assert nemo_run("tag", first.id, "two words").code == 1


def test_delete_by_condition(nemo_run, three):
    first, second, third = three
    assert nemo_run("delete").code == 2
    assert nemo_run("delete", first.id, "--where", "lr > 0").code == 2
    dry = nemo_run("delete", "--where", "accuracy > 0", "--dryrun", "--json").json
    assert {one["id"] for one in dry} == {first.id, second.id}
    assert nemo_run("delete", "--where", "accuracy > 0").code == 2
    assert nemo_run("delete", "--where", "accuracy > 0", "--yes").code == 0
    assert ids(nemo_run("list", "--json")) == [third.id]


def test_gc_by_rule(nemo_run, three, made):
    first, second, third = three
    running, other = made("digits", user=getuser()), made("digits", user="eve")
    other.observed("train", DONE)
    running.journal({"event": "experiment.started"})
    running.observed("train", RUNNING)
    nemo_run("tag", third.id, "keep")
    assert nemo_run("gc", "--json").json["deleted"] == []
    outcome = nemo_run("gc", "--until", "2190-01-01", "--dryrun", "--json").json
    kept = {one["id"]: one["why"] for one in outcome["kept"]}
    assert kept == {
        third.id: "tagged keep",
        other.id: "of eve",
        running.id: "not over: RUNNING",
    }
    assert set(outcome["deleted"]) == {first.id, second.id}
    assert nemo_run("gc", "--keep", "1h", "--yes", "--json").json["deleted"] == []
    assert len(ids(nemo_run("list", "--json"))) == 5
    assert nemo_run("gc", "--keep", "soon").code == 2
    done = nemo_run("gc", "--keep-last", "1", "--yes", "--json").json
    assert set(done["deleted"]) == {first.id, second.id}
    assert done["bytes"] > 0
    assert set(ids(nemo_run("list", "--json"))) == {third.id, other.id, running.id}
