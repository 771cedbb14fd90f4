"""Cancelling, resuming and repeating experiments on disk, whoever started them."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import CorruptRecordError, JobFailedError, NotFoundError, StoreError
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.conductor.charge import charge, taken
from nemo_run.management.store import find
from nemo_run.management.store.record import Record


def script(text: str) -> run.Script:
    return run.Script(inline=text, entrypoint="sh")


def started(*jobs: tuple[str, run.Script, list[str]], **executor) -> Record:
    experiment = run.Experiment("operated", clean_mode=True)
    for name, task, after in jobs:
        experiment.add(task, run.LocalExecutor(**executor), name=name, dependencies=after)
    experiment.run(detach=True)
    return find(experiment.id)


def ended(record: Record) -> dict[str, State]:
    run.Experiment.of_record(record).wait()
    return record.status().states


def kill_conductor(record: Record) -> None:
    os.kill(record.status().conductor.pid, signal.SIGKILL)
    until(lambda: not operations.taken(record))


def until(condition, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(") ")[2][0] != "Z"


# Cancelling


def test_cancel_ends_the_whole_process_tree(tmp_path):
    pids = tmp_path / "pids"
    tree = f"setsid sleep 100 & echo $! >> {pids}; (sleep 100 & echo $! >> {pids}; wait) & wait"
    record = started(("a", script(tree), []))
    until(lambda: pids.exists() and len(pids.read_text().split()) == 2)

    operations.cancel(record, "a")

    assert ended(record) == {"a": State.CANCELLED}
    until(lambda: not any(is_alive(int(pid)) for pid in pids.read_text().split()))


def test_cancel_works_without_a_conductor_and_is_remembered(tmp_path):
    record = started(("a", script("sleep 100"), []), ("b", script("true"), ["a"]))
    until(lambda: record.status().jobs["a"].state is State.RUNNING)
    kill_conductor(record)

    operations.cancel(record)
    operations.cancel(record)

    until(lambda: record.status().ended is not None)
    assert record.status().states == {"a": State.CANCELLED, "b": State.CANCELLED}
    assert [e["event"] for e in record.journal.read()[0]].count("job.cancel_requested") == 1


def test_cancelling_one_job_without_a_conductor_starts_no_other(tmp_path):
    log, gate = tmp_path / "ran", tmp_path / "gate"
    record = started(
        ("a", script("sleep 100"), []),
        ("b", script("true"), ["a"]),
        ("c", script(f"while [ ! -e {gate} ]; do sleep 0.02; done"), []),
        ("d", script(f"echo d >> {log}"), ["c"]),
    )
    until(lambda: record.status().jobs["c"].state is State.RUNNING)
    kill_conductor(record)
    gate.touch()
    until(lambda: operations.status(record).jobs["c"].state is State.SUCCEEDED)

    operations.cancel(record, "a")

    until(lambda: record.status().jobs["b"].state is State.SKIPPED)
    until(lambda: not taken(record))
    states = record.status().states
    assert states["a"] is State.CANCELLED
    assert states["d"] is State.CREATED
    assert not log.exists()
    operations.resume(record)
    assert ended(record)["d"] is State.SUCCEEDED


def test_what_has_ended_is_not_cancelled():
    record = started(("a", script("true"), []))
    ended(record)
    operations.cancel(record)
    assert record.status().states == {"a": State.SUCCEEDED}
    with pytest.raises(NotFoundError):
        operations.cancel(record, "b")


# Resuming


def test_resume_tries_again_what_did_not_succeed_and_only_that(tmp_path):
    log, mended = tmp_path / "ran", tmp_path / "mended"
    record = started(
        ("good", script(f"echo good >> {log}"), []),
        ("bad", script(f"echo bad >> {log}; test -e {mended}"), []),
        ("after", script(f"echo after >> {log}"), ["bad"]),
    )
    assert ended(record) == {
        "good": State.SUCCEEDED,
        "bad": State.FAILED,
        "after": State.SKIPPED,
    }

    mended.touch()
    operations.resume(record)

    assert set(ended(record).values()) == {State.SUCCEEDED}
    assert sorted(log.read_text().split()) == ["after", "bad", "bad", "good"]


def test_a_job_that_never_ran_has_no_attempts_however_often_it_is_resumed():
    record = started(("bad", script("exit 3"), []), ("after", script("true"), ["bad"]))
    ended(record)
    operations.resume(record)
    assert ended(record) == {"bad": State.FAILED, "after": State.SKIPPED}
    assert record.status().jobs["bad"].attempt == 2
    assert record.status().jobs["after"].attempt == 0


def test_what_has_just_ended_is_resumed_though_its_conductor_is_still_there():
    """Whoever waited for the end hears of it a moment before that process has left."""
    record = started(("bad", script("exit 3"), []))
    ended(record)
    until(lambda: not taken(record))
    with charge(record):
        leaving = threading.Timer(0.3, lambda: None)
        leaving.start()
        resumed = threading.Thread(target=operations.resume, args=(record,))
        resumed.start()
        leaving.join()
    resumed.join()
    assert ended(record) == {"bad": State.FAILED}
    assert record.status().jobs["bad"].attempt == 2


def test_resume_has_nothing_to_do_where_all_succeeded_or_somebody_is_at_it(tmp_path):
    gate = tmp_path / "gate"
    record = started(("a", script(f"while [ ! -e {gate} ]; do sleep 0.02; done"), []))
    with pytest.raises(StoreError, match="goes on already"):
        operations.resume(record)
    gate.touch()
    ended(record)
    until(lambda: not operations.taken(record))
    with pytest.raises(StoreError, match="rerun"):
        operations.resume(record)


def test_a_cancelled_experiment_can_be_resumed(tmp_path):
    log = tmp_path / "ran"
    record = started(
        ("a", script(f"echo $NEMORUN_ATTEMPT >> {log}; test -s {log}.go || sleep 100"), [])
    )
    until(log.exists)
    operations.cancel(record)
    assert ended(record) == {"a": State.CANCELLED}
    until(lambda: not operations.taken(record))

    Path(f"{log}.go").write_text("go")
    operations.resume(record)

    assert ended(record) == {"a": State.SUCCEEDED}
    assert log.read_text().split() == ["1", "2"]


# Repeating


def test_a_rerun_runs_where_and_as_the_first_run_did(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "helper.py").write_text("FACTOR = 3\n")
    (project / "launch.py").write_text(
        "import os, nemo_run as run\n"
        "from helper import FACTOR\n"
        "def work(a):\n"
        "    return [os.getcwd(), a * FACTOR]\n"
        "if __name__ == '__main__':\n"
        "    experiment = run.Experiment('first', clean_mode=True)\n"
        "    experiment.add(run.Partial(work, 5), name='work')\n"
        "    experiment.run()\n"
    )
    subprocess.run([sys.executable, "launch.py"], cwd=project, check=True)
    record = find("first")

    again = operations.rerun(record)

    assert again.id != record.id
    assert again.wait() is State.SUCCEEDED
    assert again.results()["work"] == [str(project), 15]


def test_a_rerun_warns_where_the_code_may_have_changed(tmp_path, capfd):
    """Modules are not stored; git tells whether they are those of then."""
    (tmp_path / "model.py").write_text("def train():\n    return 1\n")
    (tmp_path / "launch.py").write_text(
        "import nemo_run as run, model\n"
        "experiment = run.Experiment('versioned', clean_mode=True)\n"
        "experiment.add(run.Partial(model.train), name='train')\n"
        "experiment.run()\n"
    )
    rerun = (
        "from nemo_run.management import operations\n"
        "from nemo_run.management.store import find\n"
        "again = operations.rerun(find('versioned'))\n"
        "again.wait(); print(again.id)\n"
    )

    def python(*arguments):
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    git("add", "model.py")
    git("commit", "-m", "first")
    python("launch.py")
    original = find("versioned")

    done = python("-c", rerun)
    assert "warning" not in done.stderr
    assert find(done.stdout.strip()).meta["rerun_of"] == original.id

    (tmp_path / "model.py").write_text("def train():\n    return 2\n")
    assert "files differ from commit" in python("-c", rerun).stderr
    git("commit", "-am", "second")
    assert "then git was at" in python("-c", rerun.replace("'versioned'", repr(original.id))).stderr


def test_a_rerun_of_a_failure_tells_of_its_own(tmp_path):
    record = started(("a", script("exit 4"), []))
    ended(record)
    again = operations.rerun(record)
    assert again.wait() is State.FAILED
    with pytest.raises(JobFailedError, match="exit code 4"):
        again.results()["a"]


# Deleting


def test_what_runs_is_not_deleted_and_what_has_ended_is():
    record = started(("a", script("sleep 100"), []))
    with pytest.raises(StoreError, match="not over"):
        operations.delete(record)
    operations.cancel(record)
    ended(record)
    until(lambda: not operations.taken(record))
    operations.delete(record)
    assert not record.path.exists()
    with pytest.raises(NotFoundError):
        find(record.id)


def test_the_conductor_of_an_experiment_that_was_deleted_by_force_leaves(tmp_path):
    gate = tmp_path / "gate"
    record = started(("a", script(f"while [ ! -e {gate} ]; do sleep 0.02; done"), []))
    until(lambda: record.status().jobs["a"].state is State.RUNNING)
    conductor = record.status().conductor.pid
    operations.delete(record, force=True)
    gate.touch()
    until(lambda: not is_alive(conductor))
    assert not record.path.exists()


def test_jobs_run_on_while_nobody_looks():
    experiment = run.Experiment("alone", clean_mode=True)
    experiment.add(run.Partial(operator.add, 1, 1), name="a")
    experiment.run(detach=True)
    record = find(experiment.id)
    until(lambda: record.status().ended is not None)
    assert record.status().states == {"a": State.SUCCEEDED}


def test_cancel_ends_what_a_lost_job_left_running(tmp_path: Path) -> None:
    mark = tmp_path / "child"
    inline = f'sleep 300 & echo "$!" > {mark}; wait'
    with run.Experiment("lost", executor=run.LocalExecutor()) as experiment:
        experiment.add(run.Script(inline=inline), name="job")
        experiment.run(detach=True)
    until(lambda: mark.exists() and mark.read_text().strip())
    leader = int((Path(experiment._exp_dir) / "jobs/job/attempts/1/claim").read_text().split()[0])
    os.kill(leader, signal.SIGKILL)
    assert experiment.wait("job") is State.LOST
    experiment.cancel("job")
    until(lambda: not _is_running(int(mark.read_text())))


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_resume_during_a_cancel_without_conductor_goes_on_with_the_rest(tmp_path) -> None:
    """A cancel that takes its time must not swallow the wish to go on."""
    record = started(
        ("deaf", script("trap '' TERM; while :; do sleep 0.1; done"), []),
        ("b", script("sleep 1"), []),
        ("c", script("true"), ["b"]),
    )
    until(lambda: record.status().jobs["deaf"].state is State.RUNNING)
    kill_conductor(record)
    operations.cancel(record, "deaf")
    operations.resume(record)
    assert ended(record) == {
        "deaf": State.CANCELLED,
        "b": State.SUCCEEDED,
        "c": State.SUCCEEDED,
    }


def test_a_stopped_conductor_is_named_when_it_does_not_hear(tmp_path) -> None:
    record = started(("a", script("sleep 100"), []))
    until(lambda: record.status().jobs["a"].state is State.RUNNING)
    pid = record.status().conductor.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        with pytest.raises(StoreError, match=f"kill -CONT {pid}"):
            operations.cancel(record)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert ended(record) == {"a": State.CANCELLED}


def test_what_cannot_be_read_is_not_resumed_and_nothing_is_written(tmp_path) -> None:
    record = started(("bad", script("exit 1"), []))
    ended(record)
    meta, journal = record.path / "experiment.json", record.path / "events.jsonl"
    kept = meta.read_bytes()
    meta.write_bytes(b"")
    before = journal.read_bytes()
    with pytest.raises(CorruptRecordError, match="is not JSON"):
        operations.resume(Record(record.path))
    assert journal.read_bytes() == before
    meta.write_bytes(kept)
    assert operations.status(find(record.id)).ended is not None


@pytest.mark.parametrize(
    ("handle", "shown"),
    [
        ("slurm://me@host:22/4242_7#/lustre/t/t_1/jobs/a/attempts/1", "4242_7"),
        ("slurm://host/4242;big#/x", "4242"),
        ("local://host/home/me/jobs/a/attempts/1", "/home/me/jobs/a/attempts/1"),
        ("", ""),
    ],
)
def test_what_an_engine_calls_a_job(handle: str, shown: str) -> None:
    from nemo_run.management.operations import engine_id
    from nemo_run.management.store.status import JobStatus

    assert engine_id(JobStatus("a", handle=handle)) == shown
