"""Conditions over parameters and results: what they mean, and what is said of wrong ones."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nemo_run.exceptions import PlanError
from nemo_run.execution.observation import Observation, State
from nemo_run.management import index, marks, store
from nemo_run.management.index import facts
from nemo_run.management.store import events
from nemo_run.management.store.record import Record


def task(arguments: dict[str, Any]) -> str:
    value = {"$": "partial", "target": "__main__:train", "arguments": arguments}
    return json.dumps({"format": "nemo-run/graph", "version": 1, "value": value})


def result(value: Any) -> str:
    return json.dumps({"format": "nemo-run/result", "version": 1, "value": value})


def made(title: str, jobs: dict[str, tuple[dict[str, Any], Any]]) -> Record:
    files = {}
    for job, (arguments, value) in jobs.items():
        files[f"jobs/{job}/task.json"] = task(arguments)
        if value is not None:
            files[f"jobs/{job}/result.json"] = result(value)
    listed = [{"id": job, "executor": "LocalExecutor"} for job in jobs]
    return store.create(title, meta={"jobs": listed, "user": "ann"}, files=files)


@pytest.fixture
def two() -> tuple[Record, Record]:
    model = {"$": "config", "target": "models:GPT", "arguments": {"lr": 0.1, "deep": True}}
    first = made("first", {"train": ({"model": model, "name": "x"}, {"accuracy": 0.95})})
    model = {"$": "config", "target": "models:Bert", "arguments": {"lr": 0.0001, "deep": False}}
    second = made(
        "second",
        {
            "train": ({"model": model, "name": None}, {"accuracy": 0.5}),
            "test": ({"model": model, "betas": {"$": "tuple", "items": [0.9, 0.95]}}, 7),
        },
    )
    return first, second


def titles(where: str) -> list[str]:
    return sorted(row.title for row in index.rows(where=where).rows)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("model.lr < 1e-3", ["second"]),
        ("model.lr<1e-3 and accuracy>0.9", []),
        ("model.lr<1e-3 or accuracy>0.9", ["first", "second"]),
        ("model.lr >= 0.1 and accuracy > 0.9", ["first"]),
        ("not accuracy > 0.9", ["second"]),
        ("model ~ gpt", ["first"]),
        ("model ~ 'models.*t'", ["first", "second"]),
        ("model !~ GPT", ["second"]),
        ("model.deep = true", ["first"]),
        ("model.deep", ["first"]),
        ("model.deep = false", ["second"]),
        ("model.deep = 1", []),
        ("name = x", ["first"]),
        ("name = 'x'", ["first"]),
        ("name != 'y'", ["first", "second"]),
        ("name in ('x', 'y')", ["first"]),
        ("name = null", ["second"]),
        ("name != null", ["first"]),
        ("result = 7", ["second"]),
        ("betas[1] > 0.9", ["second"]),
        ("test:result = 7 and train:accuracy = 0.5", ["second"]),
        ("result = 7 and accuracy = 0.5", []),
        ("test:accuracy > 0", []),
        ("job = test", ["second"]),
        ("title ~ 'f*' or title = second", ["first", "second"]),
        ("title in (first, third)", ["first"]),
        ("title not in (first, third)", ["second"]),
        ("state = created and user = ann and age < 1h", ["first", "second"]),
        ("created > '2020-01-01' and executor ~ local", ["first", "second"]),
        ("NOT (model.lr < 1 AND accuracy > 0)", ["second"]),
        ("jobs > 1", ["second"]),
        ("started = null", ["first", "second"]),
    ],
)
def test_what_conditions_mean(two: tuple[Record, Record], where: str, expected: list[str]) -> None:
    assert titles(where) == expected


@pytest.mark.parametrize(
    ("where", "at", "says"),
    [
        ("model.lrr < 1", 0, "Did you mean 'model.lr'?"),
        ("accuracy > 0 and lr < 1", 17, "Did you mean 'model.lr'?"),
        ("model.lr < ", 10, "a value is expected"),
        ("model.lr < 1 and", 16, "a name is expected"),
        ("(model.lr < 1", 0, "is not closed"),
        ("model.lr < 1)", 12, "not expected"),
        ("model.lr + 1 < 2", 9, "no arithmetic"),
        ("state = FAILD", 8, "Did you mean 'FAILED'?"),
        ("name = 'x", 7, "no closing"),
        ("a && b", 2, "Write `and`"),
        ("5 < model.lr", 0, "Write the name first"),
        ("model.lr < x", 11, "no order"),
        ("created > yesterday", 10, "no order"),
        ("created > 'yesterday'", 10, "is no date"),
        ("jobs = many", 7, "is a number"),
        ("name in 'x'", 8, "needs a list"),
        ("", 0, "is empty"),
        ("(" * 55 + "name" + ")" * 3, 50, "nested"),
    ],
)
def test_an_error_points_at_the_place(
    two: tuple[Record, Record], where: str, at: int, says: str
) -> None:
    with pytest.raises(PlanError) as caught:
        titles(where)
    sentence, line, caret = str(caught.value).rsplit("\n", 2)
    assert says in sentence
    assert line.strip() in where
    assert caret == " " * (at + 2) + "^"


def test_nothing_in_a_condition_is_run_or_reaches_the_database(two: tuple[Record, Record]) -> None:
    for where in ('title = "\'; DROP TABLE experiments; --"', "title = '\" OR 1=1'", "note ~ '%'"):
        assert titles(where) == []
    with pytest.raises(PlanError):
        titles("__import__('os').system('true')")
    assert len(index.rows().rows) == 2


def test_sorted_by_results_and_what_lacks_them_comes_last(two: tuple[Record, Record]) -> None:
    made("third", {"train": ({}, None)})
    down = index.rows(sort=["-accuracy"]).rows
    assert [row.title for row in down] == ["first", "second", "third"]
    up = index.rows(sort=["accuracy"]).rows
    assert [row.title for row in up] == ["second", "first", "third"]
    assert [row.title for row in index.rows(sort=["-title"]).rows] == ["third", "second", "first"]
    with pytest.raises(PlanError, match="Did you mean 'accuracy'"):
        index.rows(sort=["acuracy"])


def test_columns_are_of_the_jobs_that_fit(two: tuple[Record, Record]) -> None:
    asked = index.Question(columns=("accuracy", "model.deep"), where="model.lr < 1 and job = train")
    answer = index.ask(asked)
    found = dict(zip((row.title for row in answer.rows), answer.values, strict=True))
    assert found == {
        "first": {"accuracy": [0.95], "model.deep": [True]},
        "second": {"accuracy": [0.5], "model.deep": [False]},
    }
    assert index.ask(index.Question(columns=("accuracy",), limit=1)).values[0] == {
        "accuracy": [0.5]
    }


def test_secrets_are_masked_and_names_that_meet_are_all_there() -> None:
    record = made(
        "t",
        {
            "a": (
                {"api_key": "sk-12345", "loss": 1, "url": "s3://me:sesame@host/x", "n": 2**70},
                {"loss": 0.5},
            )
        },
    )
    (record.job_dir("a") / "metrics.jsonl").write_text(
        '{"step": 1, "loss": 9, "speed": 3}\n{"step": 2, "speed": 4.5}\nnonsense\n{"half'
    )
    found = facts.of(record)
    assert found["api_key"] == "***"
    assert "sesame" not in str(found)
    assert (found["loss"], found["param.loss"], found["speed"]) == (0.5, 1, 4.5)
    assert found["n"] == float(2**70)
    assert titles("speed > 4 and api_key = '***'") == ["t"]
    content = (store.layout.home() / "index.db").read_bytes()
    assert b"sk-12345" not in content
    assert b"sesame" not in content


@pytest.mark.parametrize("content", ["", "[]", '{"value": {"$": 5}}', '{"value": [[[[', "\x00"])
def test_odd_files_have_no_facts(content: str) -> None:
    record = made("t", {"a": ({"lr": 1}, 5)})
    (record.job_dir("a") / "task.json").write_text(content)
    assert facts.of(record) == {"result": 5}
    (record.job_dir("a") / "result.json").unlink()
    (record.job_dir("a") / "result.json").symlink_to("/etc/passwd")
    assert facts.of(record) == {}


def test_marks_and_late_results_are_seen_by_the_next_list() -> None:
    record = made("t", {"a": ({"lr": 1}, None)})
    seen = Observation(State.SUCCEEDED, started=1.0, ended=time.time())
    record.journal.append([events.experiment_started(), events.job_observed("a", seen)])
    assert index.rows(tags=["best"]).rows == []
    marks.change(record, ["best"])
    assert [row.tags for row in index.rows(tags=["best"]).rows] == [("best",)]
    marks.change(record, remove=["best"], note="hm")
    assert [(row.tags, row.note) for row in index.rows().rows] == [((), "hm")]
    (record.job_dir("a") / "result.json").write_text(result({"accuracy": 0.7}))
    assert titles("accuracy > 0.6") == ["t"]
    (record.job_dir("a") / "metrics.jsonl").write_text('{"speed": 1}\n')
    assert titles("speed = 1") == ["t"]
    with (record.job_dir("a") / "metrics.jsonl").open("a") as file:
        file.write('{"speed": 2}\n')
    assert titles("speed = 2") == ["t"]


def test_an_index_of_before_is_made_again(home: Path, two: tuple[Record, Record]) -> None:
    home.mkdir(exist_ok=True)
    database = sqlite3.connect(home / "index.db")
    database.executescript(
        "CREATE TABLE facts (x); CREATE TABLE experiments (x); PRAGMA user_version = 1;"
    )
    database.close()
    assert titles("accuracy > 0.9") == ["first"]


def test_it_may_be_deleted_while_others_list(home: Path, two: tuple[Record, Record]) -> None:
    text = (
        "from nemo_run.management import index\n"
        "for n in range(30): print(len(index.rows(where='accuracy > 0').rows))"
    )
    command = [sys.executable, "-c", text]
    several = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    while any(process.poll() is None for process in several):
        (home / "index.db").unlink(missing_ok=True)
        os.utime(two[0].journal.path)
        time.sleep(0.01)
    for process in several:
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert set(out.split()) == {"2"}
