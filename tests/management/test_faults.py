"""Killed at any step, the launcher and the conductor lose nothing and do nothing twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from as_nobody import as_nobody, open_folder

import nemo_run as run
from nemo_run.execution.observation import State
from nemo_run.management import operations
from nemo_run.management.conductor.launch import not_started, start
from nemo_run.management.store import find, records
from nemo_run.management.store.record import Record

# Conducts the experiment in a folder, and kills itself with SIGKILL just before or just after
# the event of a given number reaches the disk.
CONDUCT_AND_DIE = textwrap.dedent(
    """
    import os, sys
    from nemo_run.management.conductor.process import conduct
    from nemo_run.management.store.journal import Journal
    from nemo_run.management.store.record import Record

    folder, number, moment = sys.argv[1], int(sys.argv[2]), sys.argv[3]

    class Deadly(Journal):
        def append(self, events):
            last = self.read()[0][-1]["seq"]
            if moment == "before" and last + len(events) >= number:
                os.kill(os.getpid(), 9)
            written = super().append(events)
            if moment == "after" and last + len(events) >= number:
                os.kill(os.getpid(), 9)
            return written

    class Watched(Record):
        @property
        def journal(self):
            return Deadly(self.path / "events.jsonl")

    conduct(Watched(folder))
    """
)


def counting(log: Path) -> run.Script:
    return run.Script(inline=f'echo "$NEMORUN_TOKEN" >> {log}', entrypoint="sh")


def written_down(log: Path, **executor) -> Record:
    """Make an experiment, a before b and c, that no conductor has touched."""
    experiment = run.Experiment("killed", clean_mode=True)
    here = run.LocalExecutor(**executor)
    first = experiment.add(counting(log), here, name="a")
    experiment.add(counting(log), here, name="b", dependencies=[first])
    experiment.add(counting(log), here, name="c", dependencies=[first])
    experiment.dryrun(log=False, delete_exp_dir=False)
    return find(experiment.id)


def wait_for_end(record: Record) -> None:
    run.Experiment.of_record(record).wait()


def ran(log: Path) -> list[str]:
    return sorted(log.read_text().split())


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(2, 17))
def test_a_conductor_killed_at_any_line_of_its_journal_is_replaced_without_loss(
    tmp_path, number, moment
):
    log = tmp_path / "ran"
    record = written_down(log)

    subprocess.run(
        [sys.executable, "-c", CONDUCT_AND_DIE, str(record.path), str(number), moment], check=False
    )
    if record.status().ended is None:
        operations.resume(record)
        wait_for_end(record)

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert ran(log) == [f"{record.id}/{job}/1" for job in "abc"]


def test_a_conductor_killed_while_a_job_runs_leaves_it_running_and_says_so(tmp_path):
    gate = tmp_path / "gate"
    experiment = run.Experiment("orphaned", clean_mode=True)
    wait = f"while [ ! -e {gate} ]; do sleep 0.02; done"
    experiment.add(run.Script(inline=wait, entrypoint="sh"), name="a")
    experiment.run(detach=True)
    record = find(experiment.id)
    until(lambda: record.status().jobs["a"].state is State.RUNNING)

    os.kill(record.status().conductor.pid, signal.SIGKILL)
    until(lambda: operations.notice(record, record.status()))

    assert operations.status(record).jobs["a"].state is State.RUNNING
    assert "resume" in operations.notice(record, record.status())
    gate.touch()
    # Nobody writes the journal any more; what is shown comes from the job itself.
    until(lambda: operations.status(record).jobs["a"].state is State.SUCCEEDED)
    assert record.status().jobs["a"].state is State.RUNNING
    operations.resume(record)
    assert experiment.wait() is State.SUCCEEDED


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.15, 0.25])
def test_a_launcher_killed_at_any_time_leaves_a_whole_experiment_or_none(tmp_path, home, delay):
    log = tmp_path / "ran"
    script = tmp_path / "launch.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import nemo_run as run
            with run.Experiment("launched") as experiment:
                print("ready", flush=True)
                for name in "abc":
                    experiment.add(
                        run.Script(inline='echo "$NEMORUN_TOKEN" >> {log}', entrypoint="sh"),
                        name=name,
                    )
                experiment.run()
            """
        )
    )
    launcher = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert launcher.stdout.readline() == b"ready\n"
    time.sleep(delay)
    launcher.kill()
    launcher.wait()
    launcher.stdout.close()

    for record in records():
        # The conductor may be at work, about to begin, or never have been started.
        with contextlib.suppress(run.exceptions.StoreError):
            operations.resume(record)
        wait_for_end(record)
        assert set(record.status().states.values()) == {State.SUCCEEDED}
        assert ran(log) == [f"{record.id}/{job}/1" for job in "abc"]


def test_an_experiment_whose_launcher_died_before_the_conductor_began_can_be_resumed(tmp_path):
    log = tmp_path / "ran"
    record = written_down(log)

    assert operations.status(record).state is State.CREATED
    operations.resume(record)
    wait_for_end(record)

    assert ran(log) == [f"{record.id}/{job}/1" for job in "abc"]


def test_after_a_reboot_a_job_that_was_running_is_lost_and_tried_again(tmp_path):
    log = tmp_path / "ran"
    experiment = run.Experiment("rebooted", clean_mode=True)
    work = f'echo "$NEMORUN_TOKEN" >> {log}; [ "$NEMORUN_ATTEMPT" = 2 ] || sleep 100'
    experiment.add(run.Script(inline=work, entrypoint="sh"), run.LocalExecutor(retries=1), name="a")
    experiment.run(detach=True)
    record = find(experiment.id)
    until(lambda: log.exists() and log.read_text())

    # What a reboot does: everything is gone at once, and the next boot has another id.
    os.kill(record.status().conductor.pid, signal.SIGKILL)
    claim = record.job_dir("a") / "attempts" / "1" / "claim"
    lines = claim.read_text().splitlines()
    os.killpg(int(lines[0]), signal.SIGKILL)
    claim.write_text("\n".join([*lines[:2], "another boot", *lines[3:]]) + "\n")
    until(lambda: not operations.taken(record))

    assert operations.status(record).jobs["a"].state is State.LOST
    operations.resume(record)
    assert experiment.wait() is State.SUCCEEDED
    job = record.status().jobs["a"]
    assert job.attempt == 2
    assert job.previous[0].state is State.LOST
    assert ran(log) == [f"{record.id}/a/1", f"{record.id}/a/2"]


def test_a_disk_that_takes_nothing_more_stops_submissions_and_loses_nothing(tmp_path):
    resource = pytest.importorskip("resource")
    if not hasattr(resource, "prlimit"):
        pytest.skip("needs prlimit(2)")
    log = tmp_path / "ran"
    record = written_down(log)
    # The journal may not grow: what a full disk does, for this one process.
    size = (record.path / "events.jsonl").stat().st_size
    command = [sys.executable, "-c", _CONDUCT_WITH_LIMIT, str(record.path), str(size)]
    conductor = subprocess.Popen(command, stderr=subprocess.PIPE)
    try:
        assert b"journal" in conductor.stderr.readline()
        assert not log.exists()
        assert conductor.poll() is None

        free = resource.RLIM_INFINITY
        resource.prlimit(conductor.pid, resource.RLIMIT_FSIZE, (free, free))
        assert conductor.wait(30) == 0
    finally:
        conductor.kill()
        conductor.stderr.close()

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert ran(log) == [f"{record.id}/{job}/1" for job in "abc"]


_CONDUCT_WITH_LIMIT = textwrap.dedent(
    """
    import resource, sys
    from nemo_run.management.conductor.process import main
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
    sys.exit(main(sys.argv[1:2]))
    """
)


def test_two_launchers_with_one_title_at_once_make_two_experiments(tmp_path):
    program = textwrap.dedent(
        """
        import nemo_run as run
        experiment = run.Experiment("twins", clean_mode=True)
        experiment.add(run.Script(inline="true", entrypoint="sh"), name="a")
        experiment.run()
        print(experiment.id)
        """
    )
    launchers = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    ids = {launcher.communicate()[0].strip() for launcher in launchers}

    assert len(ids) == 3
    assert all(find(one).status().state is State.SUCCEEDED for one in ids)


def test_a_read_only_home_is_an_error_that_says_what_to_do_and_leaves_nothing(monkeypatch):
    def launch() -> str:
        experiment = run.Experiment("nowhere", clean_mode=True)
        experiment.add(run.Script(inline="true"), name="a")
        with pytest.raises(run.exceptions.StoreError) as raised:
            experiment.run()
        return str(raised.value)

    with open_folder() as folder:
        folder.chmod(0o555)
        monkeypatch.setenv("NEMORUN_HOME", str(folder / "home"))
        told = as_nobody(launch)
        assert "set NEMORUN_HOME" in told
        assert list(folder.iterdir()) == []


def test_a_disk_that_is_full_when_an_experiment_is_made_leaves_nothing(home):
    pytest.importorskip("resource")
    program = (
        "import resource, nemo_run as run\n"
        "experiment = run.Experiment('full', clean_mode=True)\n"
        "experiment.add(run.Script(inline='true' + '#' * 100_000), name='a')\n"
        "hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))\n"
        "experiment.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "StoreError" in done.stderr
    assert "NEMORUN_HOME" in done.stderr
    # But for the lock that keeps gc away meanwhile, which is empty.
    left = [path for path in home.rglob("*") if path.is_file()]
    assert [(path.name, path.stat().st_size) for path in left] == [("gc.lock", 0)]


def test_a_conductor_that_cannot_work_is_told_of_with_the_end_of_its_log(tmp_path):
    record = written_down(tmp_path / "ran")
    (record.path / "experiment.json").write_text("{")

    started = start(record)
    until(lambda: started.gone)

    with pytest.raises(run.exceptions.StoreError, match=r"experiment\.json") as raised:
        raise not_started(record)
    assert "nemo-run experiment resume" in str(raised.value)


def test_a_journal_with_damaged_lines_is_gone_on_with(tmp_path):
    log = tmp_path / "ran"
    record = written_down(log)
    journal = record.path / "events.jsonl"
    journal.write_bytes(b"\x00\xff garbage\n" + b'{"half": \n')

    operations.resume(record)
    wait_for_end(record)

    assert set(record.status().states.values()) == {State.SUCCEEDED}
    assert ran(log) == [f"{record.id}/{job}/1" for job in "abc"]


def test_one_damaged_plan_fails_its_job_and_no_other(tmp_path):
    log = tmp_path / "ran"
    record = written_down(log)
    (record.job_dir("b") / "spec.json").write_text("{")

    operations.resume(record)
    wait_for_end(record)

    assert record.status().states == {
        "a": State.SUCCEEDED,
        "b": State.FAILED,
        "c": State.SUCCEEDED,
    }
    assert "spec.json" in record.status().jobs["b"].message
    assert ran(log) == [f"{record.id}/a/1", f"{record.id}/c/1"]


def test_a_conductor_that_is_killed_while_somebody_waits_is_replaced(tmp_path):
    gate, log = tmp_path / "gate", tmp_path / "ran"
    work = f'echo "$NEMORUN_TOKEN" >> {log}; while [ ! -e {gate} ]; do sleep 0.02; done'
    program = (
        "import nemo_run as run\n"
        "with run.Experiment('watched') as experiment:\n"
        f"    experiment.add(run.Script(inline={work!r}, entrypoint='sh'), name='a')\n"
        "    experiment.run()\n"
    )
    launcher = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    until(log.exists)
    record = find("watched")
    first = record.status().conductor.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: record.status().conductor.pid != first)
    gate.touch()

    assert launcher.wait(20) == 0
    assert record.status().state is State.SUCCEEDED
    assert ran(log) == [f"{record.id}/a/1"]


def until(condition, seconds: float = 20.0) -> None:
    """Wait for a condition; how long it takes proves nothing."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
