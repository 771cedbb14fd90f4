"""What people read when names, graphs and files are wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nemo_run.exceptions import NemoRunError
from nemo_run.management import store
from nemo_run.management.describe import dag
from nemo_run.management.describe.dag import Edge, Node
from nemo_run.management.store import events, names
from nemo_run.management.store.record import Record

Snapshot = Callable[..., None]


def said(act: Callable[[], object]) -> str:
    with pytest.raises(NemoRunError) as error:
        act()
    return str(error.value)


def test_names(error_snapshot: Snapshot) -> None:
    for case, name in {"empty": " ", "control character": "a\nb", "no text": 3}.items():
        error_snapshot(f"store: title: {case}", said(lambda: store.create(name)))  # type: ignore[arg-type]
    error_snapshot("store: job name: empty", said(lambda: names.folder("", "job name")))
    error_snapshot("store: id: no folder", said(lambda: store.create("t", "a/b")))
    store.create("t", "mine")
    error_snapshot("store: id: taken", said(lambda: store.create("other", "mine")))


def test_finding(error_snapshot: Snapshot) -> None:
    error_snapshot("store: find: nothing there", said(lambda: store.find("digits")))
    store.create("digits", "first-try", meta={"jobs": [{"id": "train"}, {"id": "test"}]})
    store.create("digits", "first-one")
    error_snapshot("store: find: nearly an id", said(lambda: store.find("first-tyr")))
    error_snapshot("store: find: nearly a title", said(lambda: store.find_title("digit")))
    error_snapshot("store: find: several", said(lambda: store.find("first")))
    error_snapshot("store: job: nearly one", said(lambda: store.find("first-try").job("tarin")))


def test_damage(error_snapshot: Snapshot) -> None:
    record = store.create("digits", "mine", meta={"jobs": [{"id": "train"}]})
    file = record.path / "experiment.json"
    whole = json.loads(file.read_text())
    cases = {
        "no JSON": "{",
        "no object": "[]",
        "no title": json.dumps({**whole, "title": None}),
        "no time": json.dumps({**whole, "created": "today"}),
        "job without id": json.dumps({**whole, "jobs": [{}]}),
    }
    for case, text in cases.items():
        file.write_text(text)
        error_snapshot(f"store: damaged: {case}", said(lambda: Record(record.path).meta))
    file.unlink()
    error_snapshot("store: damaged: missing", said(lambda: Record(record.path).meta))
    (record.path / "_TASKS").write_text("[]")
    error_snapshot("store: reference's record", said(lambda: Record(record.path).meta))


def test_writing(home: Path, tmp_path: Path, error_snapshot: Snapshot) -> None:
    record = store.create("digits", "mine", meta={"jobs": [{"id": "a"}, {"id": "b"}]})
    record.journal.append([events.experiment_started()])
    error_snapshot("store: delete: not over", said(lambda: store.delete(record)))
    with store.draft("t") as draft:
        draft.write("jobs/a/spec.json", "{}")
        seen = said(lambda: draft.write("jobs/a/spec.json", "{}"))
        error_snapshot("store: file: twice", seen)
    gone = Record(tmp_path / "gone").journal
    error_snapshot("journal: gone", said(lambda: gone.append([events.experiment_started()])))
    blocked = tmp_path / "file"
    blocked.write_text("")
    error_snapshot("store: home is a file", said(lambda: store.create("t", base_dir=blocked)))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "unmounted")
    seen = said(lambda: store.create("t", base_dir=link))
    error_snapshot("store: home is a link to nothing", seen)
    seen = said(lambda: store.create("t", base_dir="/proc/nope"))
    error_snapshot("store: home cannot be made", seen)


def test_a_home_that_cannot_be_made_is_told_once() -> None:
    with pytest.raises(NemoRunError) as error:
        store.create("t", base_dir="/proc/nope")
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__


def test_graphs(error_snapshot: Snapshot) -> None:
    graphs = {
        "two of one name": [Node("a"), Node("a")],
        "itself": [Node("a", (Edge("a"),))],
        "unknown name": [Node("train"), Node("test", (Edge("trian"),))],
        "unknown name alone": [Node("a", (Edge("x"),))],
        "unknown kind": [Node("a"), Node("b", (Edge("a", "afterOK"),))],  # type: ignore[arg-type]
        "circle": [dag.node("a", ["c"]), dag.node("b", ["a"]), dag.node("c", ["b"])],
    }
    for case, nodes in graphs.items():
        error_snapshot(f"dag: {case}", said(lambda: dag.validate(nodes)))
