"""Whatever lies in a file that somebody else may have written, reading it is safe.

Each reader ends with a sentence or a default: no traceback, none of the experiment's code is run,
nothing waits, and memory is bounded. `make fuzz` does the same for longer.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import sqlite3
import sys
from pathlib import Path

import fuzz
import pytest
from fuzz import ended, mutated, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.slurm import polling
from nemo_run.execution.slurm.polling import Cluster
from nemo_run.remote.calling import _Conversation

_FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
_MANY = settings(_FEW, max_examples=300)
_CHANCE = st.integers(0, 2**32).map(random.Random)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> fuzz.Fuzzed:
    root = tmp_path_factory.mktemp("fuzz")
    sys.path.insert(0, str(root))
    yield fuzz.Fuzzed(root)
    sys.path.remove(str(root))


@pytest.fixture(autouse=True)
def kept_home(home):
    """Reading changes where the home is."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def test_the_commands_that_read_know_the_experiment(fuzzed, tmp_path):
    os.environ["NEMORUN_HOME"] = str(fuzzed.whole)
    for words in fuzz.READING:
        names = {"id": fuzzed.id, "other": "fuzzed_whole", "out": tmp_path / "out"}
        wrong, code = ended([word.format(**names) for word in words])
        assert not wrong
        assert code in (0, 1, None), f"{words} is used wrongly"


@_FEW
@given(_CHANCE)
def test_a_damaged_experiment_is_read_without_a_crash(fuzzed, chance):
    home, named = fuzzed.damaged(chance)
    assert fuzzed.read_all(home, chance.sample(fuzz.NAMES, 5)) == [], named


@_FEW
@given(chance=_CHANCE)
def test_a_damaged_index_and_list_of_places_are_done_without(fuzzed, tmp_path_factory, chance):
    home = tmp_path_factory.mktemp("index")
    (home / "experiments").symlink_to(fuzzed.whole / "experiments")
    os.environ["NEMORUN_HOME"] = str(home)
    assert not read(["list"])
    index = home / "index.db"
    index.write_bytes(mutated(index.read_bytes(), chance))
    (home / "locations").write_bytes(mutated(b"/nowhere\n/tmp\n", chance))
    for words in (["list"], ["list", "--json"], ["reindex"], ["show", fuzzed.id]):
        assert not read(words)
    wrong, code = ended(["list"])
    assert (wrong, code) == ("", 0)


def test_a_value_of_another_type_in_the_index_is_done_without(fuzzed, tmp_path):
    (tmp_path / "experiments").symlink_to(fuzzed.whole / "experiments")
    os.environ["NEMORUN_HOME"] = str(tmp_path)
    assert not read(["list"])
    with contextlib.closing(sqlite3.connect(tmp_path / "index.db")) as index, index:
        columns = [row[1] for row in index.execute("PRAGMA table_info(experiments)")]
        for column in set(columns) - {"path", "folder", "journal_size", "journal_mtime"}:
            with contextlib.suppress(sqlite3.IntegrityError):
                index.execute(f"UPDATE experiments SET {column} = x'ff00'")
    assert not read(["list"])
    assert not read(["list", "--json"])


@_FEW
@given(chance=_CHANCE)
def test_profiles_that_somebody_else_wrote_are_a_sentence(tmp_path_factory, chance):
    folder = tmp_path_factory.mktemp("profiles")
    good = b'[profiles.one]\nkind = "local"\nntasks_per_node = 2\nenv_vars = {A = "b"}\n'
    path = folder / "nemo-run.toml"
    path.write_bytes(mutated(good, chance))
    os.environ.update(NEMORUN_SITE_CONFIG=str(path))
    for words in (["profile", "list"], ["profile", "list", "--json"], ["profile", "show", "one"]):
        assert not fuzz.ended(words, group=())[0]


@_MANY
@given(chance=_CHANCE)
def test_what_another_machine_answers_is_heard_or_is_noise(chance):
    lines = [{"hello": 1}, {"event": {"folder": 0}, "bytes": 3}, {"result": {"queue": []}}]
    said = b"".join(
        b"mark " + mutated(json.dumps(line).encode(), chance).replace(b"\n", b" ") + b"\nabc"
        for line in lines
    )
    talk = _Conversation(b"mark ", None)
    talk.take(io.BufferedReader(io.BytesIO(said)))
    assert talk.heard.is_set()
    if talk.last is not None:
        assert "result" in talk.last or {"type", "message"} <= talk.last["error"].keys()


@_MANY
@given(chance=_CHANCE)
def test_what_is_remembered_of_a_cluster_holds_nobody_up(tmp_path_factory, chance):
    home = tmp_path_factory.mktemp("cluster")
    os.environ["NEMORUN_HOME"] = str(home)
    seen = {
        "state": "RUNNING", "reason": "", "exit_code": None, "attempt": 1, "message": "",
        "started": 5.0, "ended": None, "members": [],
    }  # fmt: skip
    handle = "slurm://here/1#/x"
    document = {"time": 1.0, "due": 9e99, "interval": 3.0, "queries": 2}
    document["jobs"] = {handle: {"seen": seen, "asked": 2.0, "token": "t"}}
    cluster = Cluster("here")
    cluster._path.parent.mkdir(parents=True, exist_ok=True)
    cluster._path.write_bytes(mutated(json.dumps(document).encode(), chance))
    assert 0.0 <= cluster.due() <= polling.LONGEST
    assert cluster.queries == int(cluster.queries)
    assert cluster.verified({handle: "t"}) <= {"t"}
    cluster.moved()
    cluster.note({handle: "u"})


@_FEW
@given(chance=_CHANCE)
def test_an_archive_that_somebody_else_made_is_imported_whole_or_not_at_all(
    fuzzed, tmp_path_factory, chance
):
    root = tmp_path_factory.mktemp("import")
    whole = fuzzed.archive()
    if whole is None:
        pytest.skip("experiments cannot be exported yet")
    (root / "x.tar").write_bytes(mutated(whole, chance))
    os.environ["NEMORUN_HOME"] = str(root / "home")
    wrong, code = ended(["import", str(root / "x.tar")])
    assert not wrong
    assert {path.name for path in root.iterdir()} <= {"x.tar", "home"}
    listed, _ = ended(["list"])
    assert not listed
    if code != 0:
        assert [*Path(root, "home").glob("experiments/*/[!.]*")] == []


def test_a_task_is_shown_without_importing_what_it_names(fuzzed):
    home, _ = fuzzed.damaged(random.Random(0))
    task = home / "experiments" / "fuzzed" / fuzzed.id / "jobs/good/task.json"
    for path in (fuzzed.whole / "experiments/fuzzed" / fuzzed.id).rglob("task.json"):
        text = path.read_text().replace("fuzz_work", "fuzz_canary")
        target = task.parents[2] / path.relative_to(path.parents[path.parts[::-1].index("jobs")])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    assert fuzzed.read_all(home) == []
    assert "fuzz_canary" not in sys.modules


def test_a_damaged_plan_of_a_run_is_an_error_of_ours(fuzzed):
    chance = random.Random(7)
    from nemo_run.management.plans import own_spec
    from nemo_run.management.store.record import Record

    for _ in range(25):
        home, _ = fuzzed.damaged(chance)
        record = Record(home / "experiments" / "fuzzed" / fuzzed.id)
        with contextlib.suppress(NemoRunError):
            own_spec(record, "good", 1)
