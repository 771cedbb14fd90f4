"""A home that a later version has written in: refused where it must be, and left as it is."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import sqlite3
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.cli.app import main
from nemo_run.exceptions import LaterVersionError
from nemo_run.execution.observation import State
from nemo_run.management import operations, store
from nemo_run.management.store.record import Record


def made(title: str) -> Record:
    experiment = run.Experiment(title, clean_mode=True)
    experiment.add(run.Script(inline="true", entrypoint="sh"), run.LocalExecutor(), name="a")
    experiment.run()
    return store.find(experiment.id)


def written_later(record: Record, *, meta: int | None = None, journal: int | None = None) -> None:
    """Make a record what a later version may write, with more that we cannot know."""
    if meta is not None:
        path = record.path / "experiment.json"
        document = {**json.loads(path.read_text()), "format": meta, "jobs": {"a": {"new": True}}}
        path.write_text(json.dumps(document))
    if journal is not None:
        path = record.path / "events.jsonl"
        path.write_text(f'{{"format":{journal},"n":1,"what":"made"}}\n{{"n":2,"what":"x"}}\n')


def hashes(record: Record) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in record.path.rglob("*")
        if path.is_file()
    }


def said(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = main(["experiment", *words])
    return code, out.getvalue()


@pytest.fixture(params=[{"meta": 2}, {"journal": 2}, {"meta": 3, "journal": 2}])
def later(request) -> Record:
    record = made("later")
    written_later(record, **request.param)
    return Record(record.path)


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["show", "--json"],
        ["status"],
        ["logs"],
        ["cancel"],
        ["resume"],
        ["tag"],
        ["note", "text"],
        ["delete"],
        ["verify"],
    ],
    ids=" ".join,
)
def test_a_later_experiment_is_refused_and_not_written_to(later, words):
    name, *rest = words
    before = hashes(later)
    rest = rest if name != "tag" else ["x"]
    code, text = said(name, later.id, *rest)
    if "No command" in text:
        pytest.skip(f"there is no {name}")
    assert "Traceback" not in text
    assert code != 0
    assert "later version" in text
    assert "Upgrade" in text
    assert hashes(later) == before


def test_the_others_are_listed_beside_it(later):
    mine = made("mine")
    code, text = said("list", "--json")
    assert code == 0
    assert mine.id in text
    assert later.id in text
    assert said("list")[1].count("later version") == 1
    assert said("show", mine.id)[0] == 0


def test_nothing_is_appended_to_a_later_journal(later):
    with pytest.raises(LaterVersionError):
        operations.resume(later)
    with pytest.raises(LaterVersionError):
        operations.cancel(later)


def test_a_later_index_is_left_alone_and_the_list_is_right(home: Path):
    mine = made("mine")
    assert said("list")[0] == 0
    index = sqlite3.connect(home / "index.db")
    index.execute("PRAGMA user_version = 99")
    index.commit()
    index.close()
    before = (home / "index.db").read_bytes()
    code, text = said("list")
    assert code == 0
    assert mine.id in text
    assert "later version" in text
    assert (home / "index.db").read_bytes() == before


def test_states_and_events_of_a_later_version_are_passed_over():
    record = made("mine")
    events = [
        {"event": "job.observed", "job": "a", "attempt": 2, "state": "HIBERNATING"},
        {"event": "job.teleported", "job": "a", "attempt": 2, "to": ["mars"]},
        {"event": "job.observed", "job": "a", "attempt": 2, "state": "SUCCEEDED", "mood": {}},
    ]
    record.journal.append([{"event": "job.retried", "job": "a", "attempt": 2}, events[0]])
    job = record.status().jobs["a"]
    assert job.state is State.UNKNOWN
    assert "HIBERNATING" in job.message
    record.journal.append(events[1:])
    assert record.status().jobs["a"].state is State.SUCCEEDED
    assert said("show", record.id)[0] == 0
