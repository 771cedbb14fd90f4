"""Which logs a job has, and reading them while it runs: attempts, ranks, trouble, moved folders."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.exceptions import NotFoundError, PlanError, StoreError
from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.execution.observation import Observation, State
from nemo_run.management import store
from nemo_run.management.store import events
from nemo_run.management.store.record import Record
from nemo_run.management.watch.labels import Labels
from nemo_run.management.watch.logs import LogReader, Piece, follow, log_files, watch
from nemo_run.management.watch.ranks import Ranks


@pytest.fixture
def record() -> Record:
    """An experiment with one job of two processes, that is running."""
    record = store.create("digits", meta={"jobs": [{"id": "train"}]})
    write_spec(record)
    record.journal.append(
        [events.experiment_started(), events.job_observed("train", Observation(State.RUNNING))]
    )
    return record


def write_spec(record: Record, **changes: object) -> None:
    folder = record.job_dir("train")
    folder.mkdir(parents=True, exist_ok=True)
    member = Member("train", str(folder), ("true",), processes_per_node=2)
    spec = JobSpec(record.id, "train", "local", str(folder), (member,))
    spec = dataclasses.replace(spec, **changes)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))


def write(record: Record, text: str, rank: int = 0, attempt: int = 1) -> Path:
    path = record.job_dir("train") / "logs" / str(attempt) / f"rank-{rank}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as log:
        log.write(text)
    return path


def observe(record: Record, state: State, attempt: int = 1) -> None:
    record.journal.append([events.job_observed("train", Observation(state, attempt=attempt))])


def shown(pieces: Iterator[Piece]) -> list[tuple[int, int, str]]:
    return [(piece.attempt, piece.rank, piece.data.decode()) for piece in pieces]


def test_each_look_gives_what_is_new_of_every_rank(record: Record):
    reader = LogReader(record, ["train"])
    assert shown(reader.read(record.status())) == []
    write(record, "a\nhalf a ")
    write(record, "b\n", rank=1)
    assert shown(reader.read(record.status())) == [(1, 0, "a\n"), (1, 1, "b\n")]
    write(record, "line\n")
    assert shown(reader.read(record.status())) == [(1, 0, "half a line\n")]
    assert not reader.ended


def test_the_last_bytes_come_with_the_end_and_then_nothing_more(record: Record):
    reader = LogReader(record, ["train"])
    write(record, "a\nlast words")
    observe(record, State.SUCCEEDED)
    assert shown(reader.read(record.status())) == [(1, 0, "a\n"), (1, 0, "last words")]
    assert reader.ended
    write(record, "too late\n")
    assert shown(reader.read(record.status())) == []


def test_a_new_attempt_begins_where_the_old_one_has_ended(record: Record):
    reader = LogReader(record, ["train"])
    write(record, "first\n")
    assert shown(reader.read(record.status())) == [(1, 0, "first\n")]
    write(record, "end of first")
    record.journal.append(
        [
            events.job_observed("train", Observation(State.FAILED)),
            events.job_retried("train", 2),
        ]
    )
    write(record, "second\n", attempt=2)
    observe(record, State.RUNNING, attempt=2)
    assert shown(reader.read(record.status())) == [(1, 0, "end of first"), (2, 0, "second\n")]


def test_one_attempt_that_was_asked_for_ends_when_the_next_begins(record: Record):
    write(record, "first\n")
    write(record, "second\n", attempt=2)
    observe(record, State.RUNNING, attempt=2)
    reader = LogReader(record, ["train"], attempt=1)
    assert shown(reader.read(record.status())) == [(1, 0, "first\n")]
    assert reader.ended


def test_a_log_that_cannot_be_read_for_a_moment_is_read_in_the_next(record: Record):
    # A folder in its place refuses to be read as a network file system does on a bad day.
    path = write(record, "")
    path.unlink()
    path.mkdir()
    observe(record, State.SUCCEEDED)
    reader = LogReader(record, ["train"])
    for _ in range(5):
        assert shown(reader.read(record.status())) == []
        assert not reader.ended
    path.rmdir()
    write(record, "all is well\n")
    assert shown(reader.read(record.status())) == [(1, 0, "all is well\n")]
    assert reader.ended


def test_a_log_that_can_never_be_read_is_an_error_that_names_it(record: Record):
    path = write(record, "")
    path.unlink()
    path.mkdir()
    reader = LogReader(record, ["train"])
    assert shown(reader.read(record.status())) == []
    with pytest.raises(StoreError, match=r"rank-0\.log cannot be read: It is a pipe, a dev"):
        list(reader.flush())
    with pytest.raises(StoreError, match="a folder where a file should be"):
        for _ in range(20):
            list(reader.read(record.status()))


def test_following_ends_when_told_to_and_never_waits_long(record: Record):
    write(record, "a\n")
    looks, pauses = itertools.count(), []
    pieces = follow(
        LogReader(record, ["train"]),
        status=watch(record),
        stop=lambda: next(looks) > 20,
        wait=pauses.append,
    )
    assert shown(pieces) == [(1, 0, "a\n")]
    assert len(pauses) == 21
    assert max(pauses) <= 0.5


def test_watching_reads_only_what_is_new_and_knows_it_all(record: Record):
    now = watch(record)
    assert now().jobs["train"].state is State.RUNNING
    before = now()
    assert now() is before
    observe(record, State.FAILED)
    assert now() == record.status()


def test_a_moved_experiment_shows_its_logs(record: Record, tmp_path: Path):
    write(record, "a\n")
    observe(record, State.SUCCEEDED)
    moved = Record(shutil.move(record.path, tmp_path / record.id))
    assert shown(LogReader(moved, ["train"]).read(moved.status())) == [(1, 0, "a\n")]


def test_logs_of_a_backend_that_is_not_installed_are_found_in_the_folder(record: Record):
    write_spec(record, backend="moon")
    write(record, "b\n", rank=1)
    write(record, "a\n")
    files = log_files(record, "train", 1)
    assert [(file.member, file.rank) for file in files] == [("train", 0), ("train", 1)]
    assert shown(LogReader(record, ["train"]).read(record.status()))[0] == (1, 0, "a\n")


def test_a_damaged_spec_is_an_error_that_names_the_file(record: Record):
    (record.job_dir("train") / "spec.json").write_text("{")
    with pytest.raises(StoreError, match=r"spec\.json cannot be understood"):
        log_files(record, "train", 1)


def test_an_unknown_job_is_refused_at_once(record: Record):
    with pytest.raises(NotFoundError, match="'train'"):
        LogReader(record, ["trian"])


def test_a_label_names_as_much_as_tells_logs_apart(record: Record):
    names = Labels(record, ["train"])
    assert names.of(Piece("train", "train", 1, 1, b"")) == "[train:1]"
    write_spec(record, members=(Member("train", str(record.job_dir("train")), ("true",)),))
    assert Labels(record, ["train"]).of(Piece("train", "train", 1, 0, b"")) == ""
    assert Labels(record, ["train", "b"]).of(Piece("train", "train", 1, 0, b"")) == "[train]"
    folder = record.job_dir("train")
    group = tuple(Member(name, str(folder / name), ("true",)) for name in ("server", "client"))
    write_spec(record, members=group)
    server = Piece("train", "server", 1, 0, b"")
    assert Labels(record, ["train"]).of(server) == "[train/server]"


def test_a_line_that_has_no_end_can_be_looked_at(record: Record):
    reader = LogReader(record, ["train"])
    write(record, "a\n10%\r55%")
    assert shown(reader.read(record.status())) == [(1, 0, "a\n")]
    assert shown(iter(reader.unfinished())) == [(1, 0, "55%")]
    write(record, "\r100%\n")
    assert shown(reader.read(record.status())) == [(1, 0, "100%\n")]
    assert reader.unfinished() == []


@pytest.mark.parametrize(
    ("text", "ranks"),
    [("0", {0}), ("last", {7}), ("0,last", {0, 7}), ("2-4", {2, 3, 4}), ("all", set(range(8))),
     (" 1 , 3-3", {1, 3})],
)  # fmt: skip
def test_ranks_are_numbers_ranges_last_and_all(text: str, ranks: set[int]):
    assert Ranks(text).of(8) == ranks


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{1,9}-?[0-9]{0,9}", fullmatch=True))
def test_any_text_for_ranks_is_refused_when_given_or_names_ranks_that_are_there(text: str):
    try:
        ranks = Ranks(text)
    except PlanError:
        return
    assert ranks.of(4) <= {0, 1, 2, 3}


def test_the_refusal_of_ranks_says_what_is_understood():
    with pytest.raises(PlanError, match=r"'0,first' .* at 'first'.*0,last or 0-3 or all"):
        Ranks("0,first")


def test_a_job_whose_name_is_no_folder_is_no_group(home: Path, capfd) -> None:
    """Its folder has another name; nobody wants to read that before each line."""
    name = "a/b: ü"
    with run.Experiment("odd names", clean_mode=True) as experiment:
        script = run.Script(inline="echo rank $RANK; exit $RANK", entrypoint="sh")
        experiment.add(script, run.LocalExecutor(ntasks_per_node=3), name=name)
        with pytest.raises(run.exceptions.JobFailedError):
            experiment.run()
    record = Record(experiment._exp_dir)
    known = record.status().jobs[name]
    pieces = LogReader(record, [name], Ranks("failed")).read(record.status())
    assert {piece.rank for piece in pieces} & {1, 2}
    label = Labels(record, [name]).of(Piece(name, "any", known.attempt, 1, b""))
    assert label == f"[{name}:1]"
