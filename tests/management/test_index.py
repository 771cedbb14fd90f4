"""The list of experiments: what it shows is always what the folders say."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from as_nobody import as_nobody, open_folder

from nemo_run.exceptions import StoreError
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management import index, store
from nemo_run.management.store import events
from nemo_run.management.store.record import Record


def end(record: Record, state: State, attempt: int = 1) -> None:
    job = record.jobs[0]["id"]
    seen = Observation(state, Reason.EXIT_CODE, 1, attempt=attempt)
    submitted = events.job_submitted(job, attempt, "local://x")
    record.journal.append([events.experiment_started(), submitted, events.job_observed(job, seen)])


def make(title: str = "t", state: State | None = None) -> Record:
    record = store.create(title, meta={"jobs": [{"id": "a"}], "user": "ann"})
    if state:
        end(record, state)
    return record


def states() -> dict[str, State]:
    return {row.id: row.state for row in index.rows().rows}


def test_newest_first_with_what_one_wants_to_know() -> None:
    old, new = make("old", State.FAILED), make("new")
    listing = index.rows()
    assert listing.warnings == []
    assert [row.id for row in listing.rows] == [new.id, old.id]
    row = listing.rows[1]
    assert (row.title, row.path, row.state) == ("old", str(old.path), State.FAILED)
    assert (row.jobs, row.succeeded, row.failed, row.user) == (1, 0, 1, "ann")
    assert row.created == old.created
    assert row.started is not None


def test_choosing_by_state_title_and_number() -> None:
    failed, lost, running = (
        make("a/b", State.FAILED),
        make("t", State.LOST),
        make("t", State.RUNNING),
    )

    def ids(**wanted: object) -> list[str]:
        return [row.id for row in index.rows(**wanted).rows]  # type: ignore[arg-type]

    assert ids(state="FAILED") == [lost.id, failed.id]
    assert ids(state=[State.RUNNING, State.CANCELLED]) == [running.id]
    assert ids(state="NONSENSE") == []
    assert ids(title="a/b") == [failed.id]
    assert ids(title="t", state=State.FAILED, limit=1) == [lost.id]
    assert ids(limit=2) == [running.id, lost.id]


def test_everything_that_happens_is_seen_by_the_next_list(home: Path) -> None:
    first = make(state=State.RUNNING)
    assert states() == {first.id: State.RUNNING}
    end(first, State.FAILED)
    assert states() == {first.id: State.FAILED}
    end(first, State.RUNNING, attempt=2)
    assert states() == {first.id: State.RUNNING}
    second = make(state=State.SUCCEEDED)
    assert states() == {first.id: State.RUNNING, second.id: State.SUCCEEDED}
    store.delete(first, force=True)
    assert states() == {second.id: State.SUCCEEDED}
    store.delete(second)
    assert states() == {}
    third = make("other", State.CANCELLED)
    assert states() == {third.id: State.CANCELLED}
    shutil.rmtree(home / "experiments")
    assert states() == {}


def test_a_folder_that_looks_unchanged_is_not_read_again() -> None:
    kept = make(state=State.SUCCEEDED)
    settle(kept)
    assert states() == {kept.id: State.SUCCEEDED}
    hidden = kept.path.parent / "brought-in"
    shutil.copytree(kept.path, hidden)
    settle(kept)
    assert list(states()) == [kept.id]
    os.utime(kept.path.parent)
    assert sorted(states()) == sorted([kept.id, "brought-in"])


def settle(record: Record) -> None:
    """Let the title's folder look as if nothing happened in it for an hour."""
    os.utime(record.path.parent, (1_700_000_000, 1_700_000_000))


def test_experiments_elsewhere_are_listed(tmp_path: Path) -> None:
    there = store.create("t", base_dir=tmp_path / "there")
    assert list(states()) == [there.id]
    (tmp_path / "there").rename(tmp_path / "away")
    assert states() == {}
    (tmp_path / "away").rename(tmp_path / "there")
    assert list(states()) == [there.id]


def test_one_damaged_of_fifty_is_one_warning(home: Path) -> None:
    made = [make(f"t{n % 5}", State.SUCCEEDED) for n in range(50)]
    (made[20].path / "experiment.json").write_text('{"title"')
    (made[30].path / "events.jsonl").unlink()
    for _ in range(2):
        listing = index.rows()
        assert len(listing.rows) == 50
        assert len(listing.warnings) == 2
        assert [row.id for row in listing.rows if row.error] == [made[30].id, made[20].id]
        assert {row.state for row in listing.rows if row.error} == {State.UNKNOWN}
        assert str(made[20].path / "experiment.json") in " ".join(listing.warnings)


def test_a_damaged_record_that_was_mended_is_fine_at_once() -> None:
    record = make(state=State.SUCCEEDED)
    file = record.path / "experiment.json"
    whole = file.read_text()
    file.write_text("")
    settle(record)
    assert len(index.rows().warnings) == 1
    file.write_text(whole)
    assert states() == {record.id: State.SUCCEEDED}


def test_folders_that_are_no_experiments_are_left_out(home: Path) -> None:
    record = make()
    (record.path.parent / "t_123" / "configs").mkdir(parents=True)
    (record.path.parent / "t_123" / "_TASKS").write_text("[]")
    (home / "experiments" / "file").write_text("")
    (record.path.parent / "notes.txt").write_text("")
    listing = index.rows()
    assert [row.id for row in listing.rows] == [record.id]
    assert listing.warnings == []


def test_no_home_no_experiments_and_nothing_made(home: Path) -> None:
    assert index.rows() == ([], [])
    assert not home.exists()


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 5000, b""]
)
def test_a_damaged_index_is_made_again(home: Path, content: bytes) -> None:
    record = make(state=State.FAILED)
    index.rows()
    (home / "index.db").write_bytes(content)
    listing = index.rows()
    assert [row.id for row in listing.rows] == [record.id]
    assert listing.warnings == []
    assert states() == {record.id: State.FAILED}


def test_an_index_damaged_in_its_middle_is_made_again(home: Path) -> None:
    made = [make(f"t{n}") for n in range(60)]
    index.rows()
    data = bytearray((home / "index.db").read_bytes())
    data[4096:] = b"\xa5" * len(data[4096:])
    (home / "index.db").write_bytes(data)
    assert len(index.rows().rows) == len(made)


def test_an_index_of_another_version_is_made_again(home: Path) -> None:
    record = make()
    database = sqlite3.connect(home / "index.db")
    database.executescript("CREATE TABLE experiments (x); PRAGMA user_version = 99;")
    database.close()
    assert list(states()) == [record.id]


def test_an_index_in_use_by_another_program_is_done_without(home: Path) -> None:
    first = make()
    index.rows()
    holder = sqlite3.connect(home / "index.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    second = make()
    listing = index.rows()
    holder.close()
    assert [row.id for row in listing.rows] == [second.id, first.id]
    assert len(listing.warnings) == 1
    assert str(home / "index.db") in listing.warnings[0]


def test_an_index_that_cannot_be_written_is_done_without() -> None:
    before = os.environ["NEMORUN_HOME"]
    with open_folder() as folder:
        os.environ["NEMORUN_HOME"] = str(folder)
        first = make()
        index.rows()
        second = make()
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        said = as_nobody(lambda: " ".join(row.id for row in index.rows().rows))
        (folder / "index.db").unlink() if os.geteuid() == 0 else None
        without = as_nobody(lambda: f"{len(index.rows().rows)} {len(index.rows().warnings)}")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
    os.environ["NEMORUN_HOME"] = before
    assert said == f"{second.id} {first.id}"
    assert without.startswith("2 ")


@pytest.mark.parametrize("closed", ["experiments", "experiments/secret"])
def test_a_folder_closed_to_us_is_a_warning_and_the_others_are_listed(
    closed: str, tmp_path: Path
) -> None:
    before = os.environ["NEMORUN_HOME"]
    with open_folder() as folder:
        os.environ["NEMORUN_HOME"] = str(folder)
        make("secret")
        elsewhere = store.create("open", base_dir=folder / "elsewhere")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)
        (folder / closed).chmod(0o000)

        def look() -> str:
            rows, warnings = index.rows()
            return "\n".join([*(row.id for row in rows), *warnings])

        found, *warnings = as_nobody(look).splitlines()
        (folder / closed).chmod(0o755)
    os.environ["NEMORUN_HOME"] = before
    assert found == elsewhere.id
    said = f"Could not list the experiments in {folder / closed}: Permission denied."
    assert any(warning.startswith(said) for warning in warnings)


def test_only_the_owner_can_read_it(home: Path) -> None:
    make()
    index.rows()
    assert stat.S_IMODE((home / "index.db").stat().st_mode) == 0o600


def test_many_processes_listing_and_making_at_once_agree(home: Path) -> None:
    text = (
        "from nemo_run.management import index, store\n"
        "for n in range(10): store.create(f't{n}'); rows, warnings = index.rows()\n"
        "print(len(rows), warnings)"
    )
    command = [sys.executable, "-c", text]
    several = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in several:
        process.communicate()
        assert process.returncode == 0
    assert len(index.rows().rows) == 30


def test_reindexing_reads_everything_again(home: Path) -> None:
    record = make(state=State.SUCCEEDED)
    index.rows()
    (record.path / "experiment.json").write_text("damaged")
    assert index.rows().warnings == []
    assert len(index.reindex().warnings) == 1


def test_reindexing_a_home_that_cannot_be_written_is_a_sentence() -> None:
    before = os.environ["NEMORUN_HOME"]
    with open_folder() as folder:
        os.environ["NEMORUN_HOME"] = str(folder)
        make()
        index.rows()

        def reindex() -> str:
            try:
                return str(index.reindex())
            except StoreError as error:
                return str(error)

        folder.chmod(0o555)
        said = as_nobody(reindex)
        folder.chmod(0o755)
    os.environ["NEMORUN_HOME"] = before
    assert said.startswith(f"Could not remove the index {folder / 'index.db'}: Permission denied.")


def test_made_up_experiments_are_listed_like_real_ones(home: Path) -> None:
    path = Path(__file__).parents[2] / "bench" / "make_experiments.py"
    spec = importlib.util.spec_from_file_location("make_experiments", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    module.make_experiments(home, 40, titles=4)

    listing = index.rows()
    assert listing.warnings == []
    assert len(listing.rows) == 40
    assert len(index.rows(state="RUNNING").rows) == 5
    assert store.find("title-00003").status().state is State.RUNNING
