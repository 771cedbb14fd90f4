"""Experiments that somebody else wrote, changed or copied: they reach nothing but themselves."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import CorruptRecordError, StoreError
from nemo_run.execution.observation import Observation, State
from nemo_run.execution.processes import boot_id, look
from nemo_run.management import operations, results, store
from nemo_run.management.plans import own_spec
from nemo_run.management.store import events
from nemo_run.management.store.record import Record
from nemo_run.management.watch.logs import LogReader, log_files

SLEEP = run.Script(inline="exec sleep 300", entrypoint="sh")


def started(title: str) -> Record:
    experiment = run.Experiment(title, clean_mode=True)
    experiment.add(SLEEP, run.LocalExecutor(), name="job")
    experiment.run(detach=True)
    record = store.find(experiment.id)
    until(lambda: record.status().jobs["job"].state is State.RUNNING)
    return record


def until(condition, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@pytest.fixture
def mine() -> Iterator[Record]:
    """An experiment of one's own whose job runs; a forged one must not reach it."""
    record = started("mine")
    yield record
    with contextlib.suppress(Exception):
        operations.cancel(record)
        run.Experiment.of_record(record).wait()


def forged(like: Record, *happened: dict, **plan) -> Record:
    """Return an experiment as a stranger would write it: one job, under way as they say."""
    with store.draft("theirs") as draft:
        spec = json.loads((like.job_dir("job") / "spec.json").read_text())
        folder = str(draft.job_dir("job"))
        spec = {**spec, "experiment": draft.id, "directory": folder, **plan}
        spec["members"][0]["directory"] = spec["directory"]
        draft.write(f"{folder}/spec.json", json.dumps(spec))
        record = draft.publish({"jobs": like.jobs})
    record.journal.append(
        [events.experiment_started(), events.job_intent("job", 1, f"{record.id}/job/1"), *happened]
    )
    return record


def running(handle: str, attempt: int = 1) -> list[dict]:
    return [
        events.job_submitted("job", attempt, handle),
        events.job_observed("job", Observation(State.RUNNING, attempt=attempt)),
    ]


def runs(record: Record) -> bool:
    """Whether the job is there, and nobody has asked for its end."""
    attempt = record.job_dir("job") / "attempts" / "1"
    leader = int((attempt / "claim").read_text().split()[0])
    return look(leader) is not None and not (attempt / "cancelled").exists()


def ended(record: Record) -> Observation:
    until(lambda: record.status().ended is not None)
    return record.status().jobs["job"].observation


def test_a_cancel_does_not_reach_the_job_that_a_foreign_journal_names(mine: Record) -> None:
    handle = mine.status().jobs["job"].handle
    theirs = forged(mine, *running(handle))

    operations.cancel(theirs)

    seen = ended(theirs)
    assert seen.state is State.CANCELLED
    assert handle in seen.message
    assert str(theirs.journal.path) in seen.message
    assert runs(mine)


def test_what_a_foreign_journal_calls_lost_is_not_ended_and_said(mine: Record) -> None:
    handle = mine.status().jobs["job"].handle
    lost = events.job_observed("job", Observation(State.LOST, attempt=1))
    theirs = forged(mine, *running(handle), lost)
    with pytest.raises(CorruptRecordError, match="none of this experiment"):
        operations.cancel(theirs)
    assert runs(mine)


def test_the_state_of_a_foreign_handle_is_not_told(mine: Record) -> None:
    theirs = forged(mine, *running(mine.status().jobs["job"].handle))
    seen = operations.status(theirs).jobs["job"]
    assert seen.state is State.UNKNOWN
    assert "none of this experiment" in seen.message


def test_no_claim_is_written_elsewhere(mine: Record, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "1"
    elsewhere.mkdir(parents=True)
    theirs = forged(mine, *running(f"local://{os.uname().nodename}{elsewhere}"))
    operations.cancel(theirs)
    assert ended(theirs).state is State.CANCELLED
    assert list(elsewhere.iterdir()) == []


def test_links_out_of_a_record_lead_nowhere(mine: Record) -> None:
    theirs = forged(mine)
    attempts = theirs.job_dir("job") / "attempts"
    attempts.symlink_to(mine.job_dir("job") / "attempts")
    theirs.journal.append(running(f"local://{os.uname().nodename}{attempts}/1"))

    operations.cancel(theirs)

    assert ended(theirs).state is State.CANCELLED
    assert runs(mine)


def test_a_forged_claim_ends_neither_another_job_nor_a_process_of_ours(mine: Record) -> None:
    theirs = forged(mine)
    attempt = theirs.job_dir("job") / "attempts" / "1"
    attempt.mkdir(parents=True)
    shutil.copy(mine.job_dir("job") / "attempts" / "1" / "claim", attempt / "claim")
    theirs.journal.append(running(f"local://{os.uname().nodename}{attempt}"))
    operations.cancel(theirs)
    assert ended(theirs).state is State.CANCELLED
    assert runs(mine)

    bystander = subprocess.Popen(["sleep", "300"], start_new_session=True)
    try:
        again = forged(mine)
        attempt = again.job_dir("job") / "attempts" / "1"
        attempt.mkdir(parents=True)
        start = look(bystander.pid).start
        lines = [str(bystander.pid), start, boot_id(), f"{again.id}/job/1", ""]
        (attempt / "claim").write_text("\n".join(lines) + "\n")
        again.journal.append(running(f"local://{os.uname().nodename}{attempt}"))
        operations.cancel(again)
        time.sleep(0.5)
        assert bystander.poll() is None
    finally:
        os.kill(again.status().conductor.pid, signal.SIGKILL)
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("field", ["directory", "experiment", "job"])
def test_a_foreign_plan_starts_nothing_in_the_folder_of_another(mine: Record, field: str) -> None:
    own = json.loads((mine.job_dir("job") / "spec.json").read_text())
    theirs = forged(mine, **{field: own[field] if field != "job" else "another"})
    before = sorted(mine.path.rglob("*"))

    operations.resume(theirs)

    assert "spec.json" in ended_or_told(theirs)
    assert sorted(mine.path.rglob("*")) == before
    assert runs(mine)


def ended_or_told(record: Record) -> str:
    """Return what is said of the job; a try that may have begun has no certain end."""
    until(lambda: record.status().jobs["job"].message)
    operations.cancel(record)
    return ended(record).message


@pytest.mark.parametrize("name", ["../../../mine", "..", ""])
def test_a_member_has_its_folder_in_that_of_its_job(mine: Record, name: str) -> None:
    theirs = forged(mine)
    path = theirs.job_dir("job") / "spec.json"
    spec = json.loads(path.read_text())
    spec["members"][0].update(name=name, directory=f"{spec['directory']}/{name}")
    path.write_text(json.dumps(spec))
    with pytest.raises(CorruptRecordError, match="has a member in"):
        own_spec(theirs, "job", 1)


def test_the_rest_of_a_cancel_goes_on(mine: Record) -> None:
    experiment = run.Experiment("two", clean_mode=True)
    for name in ("job", "other"):
        experiment.add(SLEEP, run.LocalExecutor(), name=name)
    experiment.run(detach=True)
    record = store.find(experiment.id)
    until(lambda: all(s is State.RUNNING for s in record.status().states.values()))
    pid = record.status().conductor.pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: not operations.taken(record))
    claim = record.job_dir("job") / "attempts" / "1" / "claim"
    leader = int(claim.read_text().split()[0])
    record.journal.append(running(mine.status().jobs["job"].handle))

    operations.cancel(record)

    until(lambda: record.status().ended is not None)
    assert record.status().states == {"job": State.CANCELLED, "other": State.CANCELLED}
    assert "none of this experiment" in record.status().jobs["job"].message
    assert runs(mine)
    # Nobody knows it by its name any more; it is this test's to end.
    os.killpg(leader, signal.SIGKILL)


def test_a_copy_of_an_experiment_does_not_cancel_the_original(mine: Record, tmp_path: Path) -> None:
    copy = Record(shutil.copytree(mine.path, tmp_path / "copies" / mine.id))
    (copy.path / "conductor.lock").unlink()
    operations.cancel(copy)
    assert ended(copy).state is State.CANCELLED
    assert runs(mine)


def test_a_record_with_the_id_of_another_does_not_end_its_processes(
    mine: Record, tmp_path: Path
) -> None:
    """Ids are no secrets: a stranger may call an experiment like one of ours, to the last file."""
    theirs = Record(shutil.copytree(mine.path, tmp_path / "theirs" / mine.id))
    (theirs.path / "conductor.lock").unlink()
    there, here = str(mine.path), str(theirs.path)
    for path in (theirs.journal.path, theirs.job_dir("job") / "spec.json"):
        path.write_text(path.read_text().replace(there, here))
    claim = theirs.job_dir("job") / "attempts" / "1" / "claim"
    assert f"{mine.id}/job/1" in claim.read_text()

    operations.cancel(theirs)

    assert ended(theirs).state in {State.CANCELLED, State.LOST}
    assert runs(mine)
    work = int(subprocess.check_output(["pgrep", "-f", "-n", "sleep 300"]).split()[0])
    assert look(work) is not None


def test_a_home_behind_a_link_is_ones_own(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir(exist_ok=True)
    link = tmp_path / "link"
    link.symlink_to(home)
    monkeypatch.setenv("NEMORUN_HOME", str(link))
    record = started("linked")
    directly = Record(os.path.realpath(record.path))
    operations.cancel(directly)
    assert ended(record).state is State.CANCELLED
    assert ended(record).message == "cancelled"


@pytest.mark.parametrize("link", ["logs/1", "logs/1/rank-0.log"])
def test_a_log_is_not_read_through_a_link_out_of_its_record(
    mine: Record, tmp_path: Path, link: str
) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "rank-0.log").write_text("password\n")
    theirs = forged(mine, *running("local://elsewhere/1"))
    place = theirs.job_dir("job") / link
    place.parent.mkdir(parents=True)
    place.symlink_to(secret if link == "logs/1" else secret / "rank-0.log")

    with pytest.raises(CorruptRecordError, match="not read") as caught:
        log_files(theirs, "job", 1)
    assert str(secret) in str(caught.value)
    with pytest.raises(CorruptRecordError):
        list(LogReader(theirs, ["job"]).read(theirs.status()))


def test_logs_are_read_where_the_record_lies_whatever_its_plan_says(mine: Record) -> None:
    theirs = forged(mine, directory=str(mine.job_dir("job")))
    files = log_files(theirs, "job", 1)
    assert [file.path for file in files] == [str(theirs.job_dir("job") / "logs/1/rank-0.log")]


@pytest.mark.parametrize("name", ["events.jsonl", "conductor.lock", "conductor.log"])
def test_nothing_is_written_through_a_link(mine: Record, tmp_path: Path, name: str) -> None:
    """Whoever cancels an experiment of a stranger adds no line to a file of their own."""
    own = tmp_path / "profile"
    own.write_text("export A=1\n")
    theirs = forged(mine, *running("local://elsewhere/1"))
    (theirs.path / name).unlink(missing_ok=True)
    (theirs.path / name).symlink_to(own)
    with pytest.raises(StoreError, match="link"):
        operations.cancel(theirs)
    assert own.read_text() == "export A=1\n"


def test_no_result_is_kept_through_a_link(mine: Record, tmp_path: Path) -> None:
    own, theirs = tmp_path / "own", forged(mine)
    own.mkdir()
    attempt = theirs.job_dir("job") / "attempts" / "1"
    (attempt / "member").mkdir(parents=True)
    (attempt / "member" / "result.json").write_text("{}")
    (theirs.job_dir("job") / "member").symlink_to(own)
    results.keep(theirs, "job", 1)
    assert list(own.iterdir()) == []
