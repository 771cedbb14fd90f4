"""What gc takes and what it leaves: nothing that a record names, or is about to name, goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nemo_run.execution.observation import State
from nemo_run.management import collecting, index, marks, store
from nemo_run.management.index.rows import Row
from nemo_run.management.store import events
from nemo_run.packaging.store import CodeStore

PROGRAM = """
import sys
from pathlib import Path
from nemo_run.management import store
from nemo_run.management.store.housekeeping import making
from nemo_run.packaging.store import CodeStore

home, tree, said, go = sys.argv[1:]
with making():
    CodeStore(Path(home, "code.git")).check(tree)
    Path(said).touch()
    while not Path(go).exists():
        pass
    store.create("made", meta={"jobs": [{"id": "a", "code": {"tree": tree}}]})
"""


def snapshot(home: Path, content: str, *, old: bool = True) -> str:
    """Keep a tree of one file as a run did, a long time ago or now."""
    code = CodeStore(home / "code.git")
    code.make()

    def git(*words: str, given: str = "") -> str:
        date = "2020-01-01T00:00:00Z" if old else ""
        who = {"GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x", "GIT_COMMITTER_NAME": "x"}
        dated = {"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date} if date else {}
        done = subprocess.run(
            ["git", "--git-dir", str(home / "code.git"), *words],
            input=given,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **who, **dated, "GIT_COMMITTER_EMAIL": "x"},
        )
        return done.stdout.strip()

    blob = git("hash-object", "-w", "--stdin", given=content)
    tree = git("mktree", given=f"100644 blob {blob}\ttrain.py\n")
    git("update-ref", f"refs/snapshots/{tree}", git("commit-tree", tree, given="kept"))
    if old:
        for path in (home / "code.git" / "objects").rglob("*"):
            if path.is_file():
                os.utime(path, (1_600_000_000, 1_600_000_000))
    return tree


def shared(home: Path, place: str, *, age: float = 2 * collecting.YOUNG) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (time.time() - age,) * 2)
    return path


def naming(tree: str, title: str = "t") -> store.Record:
    return store.create(title, meta={"jobs": [{"id": "a", "code": {"tree": tree}}]})


def test_what_no_record_names_goes_and_git_frees_it(home: Path) -> None:
    used, unused = snapshot(home, "used"), snapshot(home, "x" * 100_000)
    naming(used)
    table = "ab" * 32
    files = [shared(home, f"code/{unused}.tar"), shared(home, f"packages/{table}.json")]
    kept = [shared(home, f"code/{used}.tar"), shared(home, "packages/notes.txt")]
    code = CodeStore(home / "code.git")

    dry = collecting.forget(dry=True)
    assert (dry.trees, sorted(dry.files)) == ((unused,), sorted(files))
    assert code.has(unused)

    done = collecting.forget()
    assert done.trees == (unused,)
    assert done.freed > 0
    assert not any(path.exists() for path in files)
    assert all(path.exists() for path in kept)
    assert code.has(used)
    assert not code.has(unused)
    assert code.missing([unused]) == {unused}


def test_what_is_young_stays(home: Path) -> None:
    tree = snapshot(home, "new", old=False)
    table = shared(home, f"packages/{'cd' * 32}.json", age=60)
    assert collecting.forget().trees == ()
    assert CodeStore(home / "code.git").has(tree)
    assert table.exists()


def test_a_damaged_record_and_one_being_made_count_like_any_other(home: Path) -> None:
    first, second = snapshot(home, "1"), snapshot(home, "2")
    (naming(first).path / "experiment.json").write_text(f'{{"jobs": [{{"code": "{first}"')
    with store.draft("t") as draft:
        draft.write("experiment.json", f'{{"tree": "{second}"}}')
        assert collecting.forget().trees == ()


def test_where_nobody_can_tell_everything_stays(home: Path, tmp_path: Path) -> None:
    tree = snapshot(home, "1")
    there = tmp_path / "there"
    store.create("t", base_dir=there)
    there.rename(tmp_path / "unmounted")
    done = collecting.forget()
    assert done.trees == ()
    assert str(there) in done.kept
    (tmp_path / "unmounted").rename(there)
    record = naming("0" * 40)
    (record.path / "experiment.json").unlink()
    assert "has no experiment.json" in collecting.forget().kept
    store.delete(record, force=True)
    assert collecting.forget().trees == (tree,)


def test_it_waits_for_who_is_making_an_experiment(home: Path, tmp_path: Path) -> None:
    tree = snapshot(home, "old code that is used again")
    said, go = tmp_path / "said", tmp_path / "go"
    words = [sys.executable, "-c", PROGRAM, str(home), tree, str(said), str(go)]
    maker = subprocess.Popen(words)
    while not said.exists():
        assert maker.poll() is None
        time.sleep(0.01)
    text = "from nemo_run.management.collecting import forget; print(forget().trees)"
    collector = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
    time.sleep(1.0)
    assert collector.poll() is None
    go.touch()
    assert collector.communicate(timeout=30)[0] == "()\n"
    assert maker.wait(timeout=30) == 0
    assert CodeStore(home / "code.git").has(tree)


def test_a_maker_that_was_killed_holds_nobody_up(home: Path, tmp_path: Path) -> None:
    tree = snapshot(home, "old code")
    said = tmp_path / "said"
    words = [sys.executable, "-c", PROGRAM, str(home), tree, str(said), str(tmp_path / "never")]
    maker = subprocess.Popen(words)
    while not said.exists():
        time.sleep(0.01)
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    assert collecting.forget().trees == (tree,)


def row(name: str, created: float, state: State = State.SUCCEEDED, **more: object) -> Row:
    title = name.partition("-")[0]
    return Row(name, title, f"/x/{name}", created, state, **more)  # type: ignore[arg-type]


def test_the_rules() -> None:
    now = time.time()
    rows = [
        row("a-1", now - 500),
        row("a-2", now - 400),
        row("a-3", now - 10),
        row("b-1", now - 500, tags=("keep",)),
        row("b-2", now - 400, State.RUNNING),
        row("b-3", now - 300, user="eve"),
        row("b-4", now - 300, State.UNKNOWN, error="damaged"),
    ]

    def going(rules: collecting.Rules) -> list[str]:
        decided = collecting.sort_out(rows, rules, rows)
        return [one.id for one in decided if isinstance(one, Row)]

    assert going(collecting.Rules()) == ["a-1", "a-2", "a-3", "b-3"]
    assert going(collecting.Rules(younger=100)) == ["a-1", "a-2", "b-3"]
    assert going(collecting.Rules(last=2)) == ["a-1"]
    assert going(collecting.Rules(user="eve")) == ["b-3"]


def test_one_tagged_keep_meanwhile_and_one_that_runs_stay(home: Path) -> None:
    kept, running, over = store.create("k"), naming("0" * 40, "r"), store.create("o")
    marks.change(kept, [marks.KEEP])
    running.journal.append([events.experiment_started()])
    done = {one.id: bool(why) for one, _, why in collecting.delete_all([kept, running, over])}
    assert done == {kept.id: True, running.id: True, over.id: False}
    assert {one.id for one in index.rows().rows} == {kept.id, running.id}


def test_a_kill_in_the_middle_leaves_nothing_that_is_listed_in_part(home: Path) -> None:
    files = {f"jobs/a/logs/1/rank-{n}.log": "x" for n in range(300)}
    made = [store.create("t", files=files) for _ in range(8)]
    text = (
        "from nemo_run.management import collecting, store\n"
        "for _ in collecting.delete_all(list(store.records())): print('one', flush=True)"
    )
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    left = index.rows().rows
    assert len(left) < len(made)
    assert not any(one.error for one in left)
    for one in left:
        assert len(list(Path(one.path).rglob("rank-*.log"))) == len(files)


@pytest.mark.parametrize("base", ["home", "elsewhere"])
def test_experiments_in_other_places_count(home: Path, tmp_path: Path, base: str) -> None:
    tree = snapshot(home, "code")
    where = None if base == "home" else tmp_path / "elsewhere"
    store.create("t", base_dir=where, meta={"jobs": [{"id": "a", "code": {"tree": tree}}]})
    assert collecting.forget().trees == ()
