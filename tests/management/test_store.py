"""Experiments on disk: made whole or not at all, found again from anywhere, deleted once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from as_nobody import as_nobody, open_folder

from nemo_run.exceptions import (
    AlreadyExistsError,
    AmbiguousError,
    CorruptRecordError,
    NotFoundError,
    PlanError,
    StoreError,
)
from nemo_run.execution.observation import Observation, State
from nemo_run.management import store
from nemo_run.management.store import events
from nemo_run.management.store.record import Record

JOBS = {"jobs": [{"id": "train"}, {"id": "test", "dependencies": ["train"]}]}


def start(record: Record, job: str = "train") -> None:
    record.journal.append([events.experiment_started(), events.job_submitted(job, 1, "local://x")])


def finish(record: Record) -> None:
    ended = Observation(State.SUCCEEDED)
    start(record)
    record.journal.append([events.job_observed(job["id"], ended) for job in record.jobs])


def program(text: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", text, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


# Making


def test_jobs_share_one_copy_of_a_large_file_and_have_small_ones_of_their_own(home: Path) -> None:
    with store.draft("t") as draft:
        for job in ("a", "b"):
            draft.write(f"jobs/{job}/worker.py", "w" * 50_000)
            draft.write(f"jobs/{job}/task.json", "{}")
        record = draft.publish({"jobs": [{"id": "a"}, {"id": "b"}]})
    first, second = (record.path / "jobs" / job for job in ("a", "b"))
    assert (first / "worker.py").samefile(second / "worker.py")
    assert not (first / "task.json").samefile(second / "task.json")
    assert (second / "worker.py").read_text() == "w" * 50_000


def test_an_experiment_lies_where_the_documentation_says(home: Path) -> None:
    record = store.create("digits", meta=JOBS, files={"jobs/train/spec.json": "{}"})

    assert record.path == home / "experiments" / "digits" / record.id
    assert record.id.startswith("digits_")
    assert sorted(p.name for p in record.path.iterdir()) == [
        "events.jsonl",
        "experiment.json",
        "jobs",
    ]
    assert record.job_dir("train") == record.path / "jobs" / "train"
    written = json.loads((record.path / "experiment.json").read_text())
    assert written["format"] == 1
    assert (written["title"], written["id"]) == ("digits", record.id)
    assert abs(record.created - time.time()) < 60
    assert [job["id"] for job in record.jobs] == ["train", "test"]
    assert list(record.status().jobs) == ["train", "test"]


def test_only_the_owner_can_look_into_it(home: Path) -> None:
    record = store.create("t", meta=JOBS, files={"jobs/train/run.sh": "exit"})
    for path in (home, *home.rglob("*")):
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected, path
    assert record.job_dir("train").is_dir()


def test_a_reader_sees_nothing_before_all_of_it_is_there(home: Path) -> None:
    with store.draft("t") as draft:
        draft.write(draft.job_dir("train") / "spec.json", "{}")
        draft.write("jobs/train/run.sh", b"exit 0", mode=0o700)
        assert store.catalog() == []
        assert list(store.records()) == []
        assert not draft.path.exists()
        record = draft.publish(JOBS)
    assert [r.path for r in store.records()] == [record.path] == [draft.path]
    assert (record.job_dir("train") / "spec.json").read_text() == "{}"
    assert stat.S_IMODE((record.job_dir("train") / "run.sh").stat().st_mode) == 0o700


def test_no_file_is_written_over_another_or_outside(home: Path) -> None:
    with store.draft("t") as draft:
        draft.write("jobs/a/spec.json", "first")
        with pytest.raises(StoreError, match="have one name, jobs"):
            draft.write(draft.job_dir("a") / "spec.json", "second")
        for path in ("../x", "jobs/../../x", "/etc/x"):
            with pytest.raises(ValueError):
                draft.write(path, "x")
        record = draft.publish({})
    assert (record.job_dir("a") / "spec.json").read_text() == "first"


def test_what_is_not_published_leaves_nothing(home: Path) -> None:
    with pytest.raises(ZeroDivisionError), store.draft("t") as draft:
        draft.write("file", "text")
        raise ZeroDivisionError
    assert [p for p in home.rglob("*") if p.is_file()] == []
    assert list(store.records()) == []


FROZEN = """
import sys
from nemo_run.management import store
for _ in range(125):
    with store.draft("t", clock=lambda: 1700000000000000000) as draft:
        print(draft.publish({}).id)
"""


def test_a_thousand_ids_of_eight_processes_with_a_stopped_clock_differ(home: Path) -> None:
    makers = [program(FROZEN) for _ in range(8)]
    made = [line for maker in makers for line in maker.communicate()[0].split()]
    assert len(made) == len(set(made)) == 1000
    assert sorted(store.catalog("t")) == sorted(made)


def test_an_id_thought_of_before_is_kept_if_it_is_free() -> None:
    thought = store.new_id("t")
    assert store.create("t", thought).id == thought
    assert store.create("t", thought).id != thought


def test_an_id_of_ones_own_is_taken_once() -> None:
    first = store.create("one", "custom")
    assert first.id == "custom"
    for title in ("one", "two"):
        with pytest.raises(AlreadyExistsError, match="'custom' already") as error:
            store.create(title, "custom")
        assert str(first.path) in str(error.value)


def test_of_two_who_make_the_same_id_one_gets_it() -> None:
    with store.draft("t", "mine") as first, store.draft("t", "mine") as second:
        second.publish({"by": "second"})
        with pytest.raises(AlreadyExistsError):
            first.publish({"by": "first"})
    assert store.find("mine").meta["by"] == "second"


@pytest.mark.parametrize("bad", ["../x", "a/b", ".hidden", "-x", "a:b", "CON", "", "x" * 300])
def test_an_id_that_is_no_folder_is_refused_before_anything_is_made(home: Path, bad: str) -> None:
    with pytest.raises(PlanError):
        store.create("t", bad)
    assert not home.exists()


def test_values_that_are_no_unicode_do_not_make_a_damaged_record(home: Path) -> None:
    record = store.create("naïve", meta={"argv": ["\udcff", "ok"]})
    assert store.find(record.id).meta["argv"] == ["\udcff", "ok"]


# Finding


AWKWARD = [
    "../x",
    "~nobody/x",
    "a/b",
    "a:b",
    "CON",
    "end.",
    " x ",
    "🔥",
    "日本",
    "x" * 300,
    "--all",
    "a_b",
    "*",
]


def test_every_title_is_found_again_and_shown_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    made = {title: store.create(title).id for title in AWKWARD}
    monkeypatch.chdir(tmp_path)
    for title, made_id in made.items():
        assert store.find(title).id == made_id
        assert store.find_id(made_id).title == title
        assert store.find_title(title).id == made_id
        assert store.catalog(title) == [made_id]
    assert store.catalog() == sorted(AWKWARD)
    assert {p.parent.parent for p in home.glob("experiments/*/*")} == {home / "experiments"}


def test_titles_that_are_mended_alike_are_different_titles() -> None:
    slash, colon = store.create("a/b"), store.create("a:b")
    assert store.find("a/b").path == slash.path
    assert store.find("a:b").path == colon.path


def test_the_newest_is_the_last_made_not_the_last_touched() -> None:
    old, new = store.create("t"), store.create("t")
    time.sleep(0.01)
    (old.path / "experiment.json").touch()
    (old.path / "note").write_text("x")
    assert store.find("t").id == new.id
    assert store.catalog("t") == [old.id, new.id]


def test_ids_of_ones_own_take_their_place_by_the_time_they_were_made() -> None:
    made = [
        store.create("t"),
        store.create("t", "aaa"),
        store.create("t"),
        store.create("t", "zzz"),
    ]
    assert store.catalog("t") == [record.id for record in made]
    assert store.find("t").id == "zzz"


def test_the_start_of_an_id_is_enough_if_only_one_has_it() -> None:
    store.create("t", "alpha-1")
    store.create("t", "alpha-2")
    store.create("u", "beta")
    assert store.find("b").id == "beta"
    with pytest.raises(AmbiguousError) as error:
        store.find("alp")
    assert str(error.value).splitlines()[1:] == ["  alpha-1", "  alpha-2"]
    with pytest.raises(NotFoundError):
        store.find_id("b")


def test_a_whole_id_wins_over_the_start_of_another_and_a_title_over_both() -> None:
    store.create("t", "run")
    store.create("t", "run2")
    titled = store.create("ru")
    assert store.find("run").id == "run"
    assert store.find("ru").id == titled.id


def test_what_is_not_there_is_said_with_the_nearest_and_where_was_looked(home: Path) -> None:
    store.create("digits", "first-try")
    with pytest.raises(NotFoundError) as error:
        store.find("first-tyr")
    assert "Did you mean 'first-try'?" in str(error.value)
    assert str(home / "experiments") in str(error.value)
    with pytest.raises(LookupError, match="Did you mean 'digits'"):
        store.find_title("digit")
    with pytest.raises(FileNotFoundError):
        store.find("")


@pytest.mark.parametrize(
    "text", ["", "..", ".", "/", "a\x00b", "../..", "x" * 5000, "*", "~nobody/x", "\udc80"]
)
def test_nonsense_finds_nothing(text: str) -> None:
    store.create("t")
    with pytest.raises(NotFoundError):
        store.find(text)


def test_an_empty_home_holds_nothing_and_stays_unmade(home: Path) -> None:
    assert store.catalog() == []
    assert store.catalog("t") == []
    with pytest.raises(NotFoundError):
        store.find("t")
    assert not home.exists()


def test_experiments_elsewhere_are_found_from_everywhere(tmp_path: Path, home: Path) -> None:
    here, there = store.create("t"), store.create("t", base_dir=tmp_path / "there")
    store.create("t", "own", tmp_path / "there")
    assert there.path.parent == tmp_path / "there" / "experiments" / "t"
    assert store.find(there.id).path == there.path
    assert store.find("own").id == "own"
    assert store.catalog("t") == [here.id, there.id, "own"]
    assert store.catalog("t", base_dir=tmp_path / "there") == [there.id, "own"]
    assert (home / "locations").read_text() == f"{tmp_path / 'there'}\n"

    (tmp_path / "there").rename(tmp_path / "moved")
    assert store.catalog("t") == [here.id]
    assert store.find("own", base_dir=tmp_path / "moved").id == "own"


def test_a_base_given_from_the_present_folder_is_found_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = store.create("t", base_dir="relative")
    monkeypatch.chdir("/")
    assert store.find(made.id).path == tmp_path / "relative" / "experiments" / "t" / made.id


def test_a_list_of_places_with_a_torn_line_is_still_read(tmp_path: Path, home: Path) -> None:
    store.create("a", base_dir=tmp_path / "one")
    with (home / "locations").open("a") as file:
        file.write("/half/a/pa")
    store.create("b", base_dir=tmp_path / "two")
    assert store.catalog() == ["a", "b"]


def test_another_home_is_used_as_soon_as_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = store.create("t")
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "other"))
    with pytest.raises(NotFoundError):
        store.find(made.id)
    assert store.create("t").path.is_relative_to(tmp_path / "other")


def test_an_experiment_is_opened_by_its_folder(tmp_path: Path) -> None:
    made = store.create("t", "x")
    copy = tmp_path / "copy"
    made.path.rename(copy)
    assert store.find(str(copy)).title == "t"


def test_a_job_that_is_not_there_is_said_with_the_nearest() -> None:
    record = store.create("t", meta=JOBS)
    assert record.job("test")["dependencies"] == ["train"]
    with pytest.raises(NotFoundError, match=r"Did you mean 'train'\? Its jobs are: train, test\."):
        record.job("trian")


# Damage


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ('{"title": ', "is not JSON"),
        ("[]", "holds a list instead of an object"),
        ('{"created": 1}', "has no 'title'"),
        ('{"title": "t"}', "no time of creation"),
        ('{"title": "t", "created": 1, "jobs": ["a"]}', "jobs without an 'id'"),
        (None, "is missing"),
    ],
)
def test_a_damaged_record_is_said_with_its_file_and_harms_no_other(
    content: str | None, said: str
) -> None:
    good = [store.create("t") for _ in range(3)]
    damaged = good[1].path / "experiment.json"
    if content is None:
        damaged.unlink()
    else:
        damaged.write_text(content)

    with pytest.raises(CorruptRecordError, match=said) as error:
        _ = store.find(good[1].id).meta

    assert str(damaged) in str(error.value)
    assert f"nemo-run experiment delete {good[1].id}" in str(error.value)
    assert store.find("t").id == good[2].id
    assert store.catalog("t") == [record.id for record in good]
    assert store.catalog() == ["t"]
    store.delete(store.find(good[1].id))
    assert store.catalog("t") == [good[0].id, good[2].id]


def test_a_record_of_the_reference_implementation_is_said_to_be_one(home: Path) -> None:
    older = home / "experiments" / "t" / "t_1700000000000000000"
    older.mkdir(parents=True)
    (older / "_TASKS").write_text("[]")
    with pytest.raises(CorruptRecordError, match="was written by the reference implementation"):
        _ = store.find(older.name).meta


def test_fields_of_a_later_version_are_kept() -> None:
    record = store.create("t", meta={"weather": "fine"})
    assert store.find(record.id).meta["weather"] == "fine"


# Deleting


def test_a_deleted_experiment_is_gone_with_its_title(home: Path) -> None:
    record = store.create("t", meta=JOBS, files={"jobs/train/x": "x"})
    finish(record)
    store.delete(record)
    assert list(home.rglob("*")) == [home / "experiments"]
    store.delete(record)


def test_an_experiment_that_is_not_over_is_not_deleted_by_accident() -> None:
    record = store.create("t", meta=JOBS)
    start(record)
    with pytest.raises(StoreError, match=f"nemo-run experiment cancel {record.id}"):
        store.delete(record)
    assert store.find("t").id == record.id
    store.delete(record, force=True)
    assert store.catalog() == []


def test_two_who_delete_at_once_do_no_harm() -> None:
    files = {f"jobs/{n}/x": "x" for n in range(50)}
    record, kept = store.create("t", files=files), store.create("t")
    problems: list[BaseException] = []

    def delete() -> None:
        try:
            store.delete(record)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=delete) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store.catalog("t") == [kept.id]


def test_making_and_deleting_under_one_title_do_not_disturb_each_other() -> None:
    text = (
        "from nemo_run.management import store\nfor _ in range(40): store.delete(store.create('t'))"
    )
    both = [program(text) for _ in range(2)]
    assert [(p.communicate()[1], p.returncode) for p in both] == [("", 0), ("", 0)]
    assert store.catalog() == []


def test_what_killed_processes_left_is_swept_up_after_a_day(home: Path) -> None:
    draft = store.draft("t")
    draft.write("file", "x")
    kept = store.create("t")
    assert store.sweep() == 0
    assert store.sweep(now=time.time() + 25 * 3600) == 1
    assert [p.name for p in (home / "experiments" / "t").iterdir()] == [kept.id]


# A home that cannot be used


def test_a_home_that_cannot_be_written_is_a_sentence() -> None:
    with open_folder() as folder:
        folder.chmod(0o555)

        def make() -> str:
            os.environ["NEMORUN_HOME"] = str(folder / "home")
            try:
                store.create("t")
            except StoreError as error:
                return f"{error}"
            return "made"

        before = os.environ["NEMORUN_HOME"]
        said = as_nobody(make)
        os.environ["NEMORUN_HOME"] = before
    assert "Permission denied. Ask its owner for access, or set NEMORUN_HOME" in said


def test_a_file_where_the_home_should_be_is_a_sentence(home: Path) -> None:
    home.write_text("")
    assert store.catalog() == []
    with pytest.raises(StoreError, match="A file lies where a folder should be"):
        store.create("t")


@pytest.mark.parametrize("home_is", ["a link to nothing", "where nothing can be made"])
def test_a_home_that_cannot_be_made_is_a_sentence(
    home: Path, home_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home_is == "a link to nothing":
        home.symlink_to(home.parent / "missing" / "far")
    else:
        monkeypatch.setenv("NEMORUN_HOME", "/dev/null/home")
    for own_id in (None, "mine"):
        with pytest.raises(StoreError, match="Could not make the experiment folder"):
            store.create("t", own_id)


FULL = """
import resource, sys
from nemo_run.exceptions import StoreError
from nemo_run.management import store
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    store.create("t", files={"jobs/a/small": "x", "jobs/a/big": "x" * 50_000})
except StoreError as error:
    print(error)
"""


def test_a_full_disk_leaves_nothing_behind(home: Path) -> None:
    said, errors = program(FULL).communicate()
    assert errors == ""
    assert "big: File too large." in said
    assert [p for p in home.rglob("*") if p.is_file()] == []


def test_an_experiment_elsewhere_works_though_the_home_cannot_be_written(
    home: Path, tmp_path: Path
) -> None:
    home.write_text("")
    with pytest.warns(UserWarning, match="base_dir="):
        made = store.create("t", base_dir=tmp_path / "there")
    assert store.find("t", base_dir=tmp_path / "there").id == made.id
