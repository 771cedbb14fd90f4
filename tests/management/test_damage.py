"""Whatever lies in the files of one experiment: it is told, and the others are not affected."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from engine import experiment
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.exceptions import NotFoundError, StoreError
from nemo_run.execution.observation import State
from nemo_run.management import index, operations, store
from nemo_run.management.store import events, layout
from nemo_run.management.store.status import replay

EVENTS = [value for name, value in vars(events).items() if name.isupper() and "." in str(value)]
FIELDS = (
    *("job", "jobs", "attempt", "token", "handle", "state", "reason", "exit_code", "message"),
    *("started", "ended", "members", "because", "by", "pid", "host", "identity", "why", "title"),
    "only_cancels",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["a"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(FIELDS), inner),
    max_leaves=5,
)


def line_of(seq: int, event: dict) -> str:
    return json.dumps({"seq": seq, "time": 1.0, **event}) + "\n"


@given(
    st.lists(
        st.dictionaries(st.sampled_from(FIELDS), ANYTHING).flatmap(
            lambda fields: st.sampled_from(EVENTS).map(lambda name: {**fields, "event": name})
        )
    )
)
def test_any_values_in_any_fields_add_up_to_a_status(odd: list[dict]) -> None:
    numbered = [{**event, "seq": seq, "time": 1.0} for seq, event in enumerate(odd, 1)]
    status = replay(numbered)
    assert status.seq == len(odd)
    assert status.state in State
    assert all(isinstance(job, str) for job in status.jobs)


@pytest.mark.parametrize(
    "odd",
    [
        {"event": "experiment.created", "jobs": True},
        {"event": "experiment.created", "jobs": [[1], {}]},
        {"event": "job.observed", "job": "a", "attempt": 10**400, "state": [1]},
        {"event": "job.observed", "job": "a", "started": 1e300, "state": "RUNNING"},
        {"event": "conductor.started", "pid": {"a": 1}},
        {"event": "experiment.started", "time": 1e300},
    ],
)
def test_an_odd_line_in_one_journal_breaks_nothing(home: Path, odd: dict) -> None:
    good, bad = experiment({"a": []}), experiment({"a": []})
    with bad.journal.path.open("a") as file:
        file.write(line_of(50, odd))

    assert {row.id for row in index.reindex().rows} == {good.id, bad.id}
    status = operations.status(bad)
    assert operations.status_text(bad, status)
    assert list(status.jobs) == ["a"]
    operations.delete(bad, force=True)


def test_the_jobs_are_known_when_the_journal_is_not(home: Path) -> None:
    record = experiment({"a": [], "b": ["a"]})
    for rest in ("", "garbage\n"):
        record.journal.path.write_text(rest)
        assert record.status().states == {"a": State.CREATED, "b": State.CREATED}


@pytest.mark.parametrize("name", [layout.META, layout.JOURNAL])
def test_nobody_waits_for_a_pipe_in_the_place_of_a_file(home: Path, name: str) -> None:
    good, bad = experiment({"a": []}), experiment({"a": []})
    (bad.path / name).unlink()
    os.mkfifo(bad.path / name)

    errors = {row.id: row.error for row in index.rows().rows}
    assert not errors[good.id]
    assert "pipe" in errors[bad.id]
    with pytest.raises(StoreError, match="pipe"):
        bad.journal.append([events.experiment_started()])
        _ = bad.meta


def test_a_pipe_in_the_place_of_the_index_is_told_and_everything_listed(home: Path) -> None:
    record = experiment({"a": []})
    os.mkfifo(home / layout.INDEX)
    listing = index.rows()
    assert [row.id for row in listing.rows] == [record.id]
    assert "pipe" in listing.warnings[0]


def test_a_home_whose_path_is_no_utf_8_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = os.fsdecode(os.fsencode(tmp_path) + b"/h\xffme")
    monkeypatch.setenv("NEMORUN_HOME", home)
    record = experiment({"a": []})
    for _ in range(2):
        assert [row.path for row in index.rows().rows] == [str(record.path)]
    assert [row.id for row in index.rows(title="conducted").rows] == [record.id]
    operations.delete(record)
    assert index.rows().rows == []


def test_a_title_without_experiments_is_not_proposed(home: Path) -> None:
    (home / layout.EXPERIMENTS / "full").mkdir(parents=True)
    with pytest.raises(NotFoundError) as caught:
        store.find("full")
    assert "Did you mean" not in str(caught.value)
