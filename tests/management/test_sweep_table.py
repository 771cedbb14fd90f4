"""The table of results: what varied beside what was returned, for people and for programs."""

from __future__ import annotations

import csv
import datetime as dt
import enum
import io
import json
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

import nemo_run as run
from nemo_run.execution.observation import Observation, State
from nemo_run.management import results, store
from nemo_run.management.store import events
from nemo_run.management.store.record import Record
from nemo_run.management.sweep_table import table_of

DONE = Observation(State.SUCCEEDED, exit_code=0, started=100.0, ended=101.5)


def on_disk(points: dict[str, dict], returned: dict[str, object], **sweep: object) -> Record:
    """Return an experiment whose points have ended: those with a result well, the others not."""
    documents = [
        {"id": job, "members": [{"name": job}], "sweep": {"name": "s", "values": values, **sweep}}
        for job, values in points.items()
    ]
    record = store.create("table", meta={"jobs": documents})
    for job in points:
        record.job_dir(job).mkdir(parents=True)
        if job in returned:
            results.write(record, job, returned[job])
    failed = Observation(State.FAILED, exit_code=1, started=100.0, ended=100.25)
    record.journal.append([events.experiment_started()])
    for job in points:
        seen = DONE if job in returned else failed
        record.journal.append(
            [events.job_submitted(job, 1, "local://x/1"), events.job_observed(job, seen)]
        )
    record.journal.append([events.experiment_ended(record.status().state)])
    return record


def rows(record: Record) -> list[dict]:
    return results.Results(record).table()


class Kind(enum.Enum):
    GOOD = 1


@dataclass
class Metrics:
    loss: float
    kind: Kind
    more: dict


class Pair(NamedTuple):
    loss: float
    steps: int


def test_a_dict_gives_a_column_a_field_and_what_is_missing_is_none():
    record = on_disk(
        {"a": {"lr": 0.1}, "b": {"lr": 0.2, "seed": 3}, "c": {"lr": 0.3}},
        {"a": {"loss": 1.0, "eval": {"top1": 0.5}}, "b": {"loss": 2.0, "extra": "x"}},
    )
    assert rows(record) == [
        {
            "job": "a", "lr": 0.1, "seed": None, "loss": 1.0, "eval.top1": 0.5, "extra": None,
            "state": "SUCCEEDED", "duration": 1.5,
        },
        {
            "job": "b", "lr": 0.2, "seed": 3, "loss": 2.0, "eval.top1": None, "extra": "x",
            "state": "SUCCEEDED", "duration": 1.5,
        },
        {
            "job": "c", "lr": 0.3, "seed": None, "loss": None, "eval.top1": None, "extra": None,
            "state": "FAILED", "duration": 0.25,
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        (0.5, {"result": 0.5}),
        (None, {}),
        ([1, 2], {"result": [1, 2]}),
        (Metrics(0.5, Kind.GOOD, {"a": {"b": 1}}), {"loss": 0.5, "kind": "GOOD", "more.a.b": 1}),
        (Pair(0.5, 3), {"loss": 0.5, "steps": 3}),
        ({"loss": float("nan")}, {"loss": "nan"}),
        ({"lr": 3, "state": "s", "job": 1}, {"result.lr": 3, "result.state": "s", "result.job": 1}),
        ({1: 2}, {"1": 2}),
        ({}, {"result": {}}),
        (
            {"when": dt.timedelta(minutes=1), "where": Path("/a")},
            {"when": "0:01:00", "where": "/a"},
        ),
    ],
    ids=str,
)
def test_what_was_returned_becomes_columns(value, columns):
    record = on_disk({"a": {"lr": 0.1}}, {"a": value})
    (row,) = table_of(record, record.status()).documents()
    own = {"job": "a", "lr": 0.1, "state": "SUCCEEDED", "duration": 1.5}
    assert row == {**own, **columns}


def test_fields_named_as_our_columns_are_told_apart():
    record = on_disk({"a": {"state": "x", "duration": 3}}, {"a": 1})
    (row,) = rows(record)
    assert row["task.state"] == "x"
    assert row["task.duration"] == 3
    assert row["state"] == "SUCCEEDED"


def test_csv_has_every_digit_and_is_read_back_by_any_reader(tmp_path):
    awkward = 'a "quoted", text\nof two lines'
    record = on_disk(
        {"a": {"lr": 0.1 + 0.2, "tag": awkward}, "b": {"lr": 1e-300}},
        {"a": {"loss": 1 / 3, "parts": [1, 2]}},
    )
    path = tmp_path / "table.csv"
    results.Results(record).to_csv(path)

    data = path.read_bytes()
    assert data.startswith(b"job,lr,tag,loss,parts,state,duration\r\n")
    first, second = csv.DictReader(io.StringIO(data.decode(), newline=""))
    assert float(first["lr"]) == 0.1 + 0.2
    assert float(first["loss"]) == 1 / 3
    assert first["tag"] == awkward
    assert json.loads(first["parts"]) == [1, 2]
    assert second["tag"] == second["loss"] == second["parts"] == ""
    assert float(second["lr"]) == 1e-300


def test_the_text_is_for_people():
    record = on_disk({"a": {"lr": 0.1}, "b": {"lr": 0.2}}, {"a": {"loss": 2 / 3}})
    assert str(results.Results(record)) == (
        "job   lr      loss  state      duration\n"
        "a    0.1  0.666667  SUCCEEDED      1.5s\n"
        "b    0.2            FAILED         0.2s"
    )


def test_text_that_would_move_the_cursor_is_not_obeyed():
    record = on_disk({"a": {"tag": "\x1b[2Jx", "\x1b[1A": 1}}, {"a": "two\nlines\x07"})
    text = str(results.Results(record))
    assert "\x1b" not in text
    assert "\ufffd[2Jx" in text
    assert "two lines\ufffd" in text


def test_many_rows_and_columns_are_cut_in_the_text_alone():
    points = {f"p{i}": {"i": i} for i in range(200)}
    record = on_disk(points, {"p0": {f"metric{i}": i for i in range(20)}})
    text = str(results.Results(record))
    assert "… 160 more …" in text
    assert "… and 12 columns more" in text
    assert len(rows(record)) == 200
    assert "metric19" in rows(record)[0]


def test_a_result_that_cannot_be_read_leaves_the_other_points():
    record = on_disk({"a": {"lr": 1}, "b": {"lr": 2}}, {"a": 1.5, "b": 2.5})
    (record.job_dir("a") / "result.json").write_text("{broken")
    first, second = rows(record)
    assert "cannot be read" in first["result"]
    assert second["result"] == 2.5


def test_the_table_of_an_experiment_without_a_sweep_has_all_its_jobs():
    exp = run.Experiment("plain", clean_mode=True)
    exp.add(run.Partial(dict, loss=1.5), name="a")
    exp.add([run.Partial(dict, n=1), run.Partial(dict, n=2)], name="g")
    table = exp.run().table()
    assert [row["job"] for row in table] == ["a", "g"]
    assert table[0]["loss"] == 1.5
    assert {key: value for key, value in table[1].items() if key.endswith(".n")} == {
        "builtins.dict.n": 1,
        "builtins.dict_1.n": 2,
    }


def test_two_sweeps_share_a_table_and_other_jobs_have_no_row():
    exp = run.Experiment("two", clean_mode=True)
    exp.add_sweep(run.sweep(run.Partial(dict), {"a": [1, 2]}), name="x")
    exp.add_sweep(run.sweep(run.Partial(dict), {"b": [3]}), name="y")
    exp.add(run.Script(inline="true"), name="report")
    table = exp.run().table()
    assert [(row["sweep"], row["a"], row["b"]) for row in table] == [
        ("x", 1, None),
        ("x", 2, None),
        ("y", None, 3),
    ]


def test_the_users_code_is_not_needed_to_look_at_the_table(tmp_path, home):
    program = tmp_path / "gone.py"
    program.write_text(
        textwrap.dedent(
            """
            from dataclasses import dataclass
            import nemo_run as run

            @dataclass
            class Score:
                loss: float

            def fit(lr: float) -> Score:
                return Score(lr * 2)

            if __name__ == "__main__":
                run.run(run.sweep(run.Partial(fit), lr=[0.5]), name="gone", log_level="ERROR")
            """
        )
    )
    subprocess.run([sys.executable, program], check=True, cwd=tmp_path)
    program.unlink()
    (row,) = run.Experiment.from_title("gone").results().table()
    assert row["loss"] == 1.0


def test_a_thousand_points_are_one_table_in_their_order():
    points = {f"lr={i}": {"lr": i} for i in range(1000)}
    record = on_disk(points, {job: {"loss": i} for i, job in enumerate(points)})
    table = rows(record)
    assert [row["loss"] for row in table] == list(range(1000))
