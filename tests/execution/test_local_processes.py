"""Whole trees of processes end; those of others never do; nothing runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from local_jobs import PATIENCE, Place, until

from nemo_run.execution import processes
from nemo_run.execution.local.client import LocalBackend, handle_of
from nemo_run.execution.local.records import read_claim
from nemo_run.execution.observation import Reason, State

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def alive(pid: int) -> bool:
    return processes.look(pid) is not None


def written(folder: Path, names: list[str]) -> list[int]:
    """Wait for files that hold process ids, and return the ids."""
    for name in names:
        until(
            lambda name=name: (
                (folder / name).exists() and (folder / name).read_text().endswith("\n")
            )
        )
    return [int((folder / name).read_text()) for name in names]


TREE = """
import os, signal, subprocess, sys, time
def note(name):
    with open(name + ".part", "w") as file:
        file.write(f"{os.getpid()}\\n")
    os.rename(name + ".part", name)
if os.fork() == 0:
    os.setsid()                                   # a session of its own
    if os.fork() == 0:                            # and an orphan in it
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note("orphan")
        time.sleep(300)
    note("session")
    os._exit(0) if os.fork() else time.sleep(300)
script = "echo $$ >bare.part; mv bare.part bare; sleep 300; :"
bare = subprocess.Popen(["env", "-i", "sh", "-c", script])
note("top")
time.sleep(300)
"""


@linux
def test_cancel_ends_sessions_orphans_and_the_deaf(place: Place) -> None:
    """Also one that forgot its environment."""
    handle = place.start(place.spec("tree", sys.executable, "-c", TREE))
    pids = written(place.folder, ["top", "orphan", "bare"])
    place.backend.cancel([handle])
    assert place.end(handle).state is State.CANCELLED
    until(lambda: not any(map(alive, pids)))


def test_a_job_has_its_time_to_end_by_itself(place: Place) -> None:
    place.backend = LocalBackend(grace=30)
    """And what it starts for that may do its work."""
    script = "trap 'sleep 0.3 && echo saved; exit 0' TERM; echo ready; while :; do sleep 0.02; done"
    spec = place.spec("graceful", "sh", "-c", script)
    handle = place.start(spec)
    until(lambda: place.log(spec) == "ready\n")
    place.backend.cancel([handle])
    assert place.end(handle).state is State.CANCELLED
    assert place.log(spec).endswith("saved\n")


def test_a_job_that_does_not_want_to_end_is_ended_in_the_background(place: Place) -> None:
    """The one who cancels does not wait for it."""
    place.backend = LocalBackend(grace=1.5)
    spec = place.spec("stubborn", "sh", "-c", "trap '' TERM; echo ready; sleep 300; sleep 300")
    handle = place.start(spec)
    until(lambda: place.log(spec) == "ready\n")
    place.backend.cancel([handle])
    assert place.look(handle).state is State.RUNNING
    place.backend.cancel([handle])
    seen = place.end(handle)
    assert (seen.state, seen.exit_code) == (State.CANCELLED, 137)


@linux
def test_a_stopped_job_can_be_cancelled(place: Place) -> None:
    spec = place.spec("stopped", "sh", "-c", "echo $$; kill -STOP $$; sleep 300")
    handle = place.start(spec)
    until(lambda: place.log(spec).strip() != "")
    pid = int(place.log(spec))
    until(lambda: processes.look(pid).state == "T")
    place.backend.cancel([handle])
    assert place.end(handle).state is State.CANCELLED


def leader_of(place: Place, name: str) -> processes.Identity:
    folder = place.folder / name / "attempts/1"
    until(lambda: (claim := read_claim(folder)) is not None and claim.leader is not None)
    return read_claim(folder).leader


@linux
def test_without_its_shell_a_job_is_lost_and_its_processes_can_be_ended(place: Place) -> None:
    script = "echo $$ >pid.part; mv pid.part pid; sleep 300"
    handle = place.start(place.spec("headless", "sh", "-c", script))
    [pid] = written(place.folder, ["pid"])
    os.kill(leader_of(place, "headless").pid, signal.SIGKILL)
    seen = place.end(handle)
    assert (seen.state, seen.reason) == (State.LOST, Reason.PROCESS_LOST)
    assert "still run" in seen.message
    assert alive(pid)
    LocalBackend(grace=0.5).cancel([handle])
    until(lambda: not alive(pid))
    assert place.look(handle).state is State.LOST


@linux
def test_a_rank_that_nobody_saw_end_is_no_success(place: Place) -> None:
    """The shell that watched it was killed; the rank itself is ended."""
    script = "echo $PPID >p.$RANK; echo $$ >q.$RANK; [ $RANK = 1 ] || exec sleep 300; sleep 0.5"
    spec = place.spec("unseen", "sh", "-c", script, processes_per_node=2)
    handle = place.start(spec)
    watcher, rank = written(place.folder, ["p.0", "q.0"])
    os.kill(watcher, signal.SIGKILL)
    seen = place.end(handle)
    assert (seen.state, seen.exit_code) == (State.FAILED, 1)
    assert "nobody saw" in seen.message
    until(lambda: not alive(rank))


@linux
def test_the_next_attempt_ends_what_the_last_one_left(place: Place) -> None:
    """A lost job's processes would run beside those of its retry."""
    script = "[ $NEMORUN_ATTEMPT = 2 ] && exit 0; echo $$ >pid.part; mv pid.part pid; sleep 300"
    first = place.spec("heir", "sh", "-c", script, retries=1)
    handle = place.start(first)
    [pid] = written(place.folder, ["pid"])
    os.kill(leader_of(place, "heir").pid, signal.SIGKILL)
    assert place.end(handle).state is State.LOST
    second = place.start(first.next_attempt())
    assert not alive(pid)
    assert place.end(second).state is State.SUCCEEDED


def foreign_claim(place: Place, name: str, pid: int, start: str) -> Path:
    """Make the files of a job whose process id belongs to somebody else by now."""
    spec = place.spec(name, "true")
    folder = place.folder / name / "attempts/1"
    folder.mkdir(parents=True)
    lines = [str(pid), start, processes.boot_id(), spec.token]
    (folder / "claim").write_text("\n".join(lines) + "\n")
    (folder / "exit").write_text("running\n")
    return folder


def test_a_process_id_that_was_used_again_is_not_our_job(place: Place) -> None:
    """Nor is it signalled, and neither is its session."""
    with subprocess.Popen(["sleep", "300"], start_new_session=True) as stranger:
        try:
            folder = foreign_claim(place, "reused", stranger.pid, "12345")
            handle = handle_of(folder)
            assert place.look(handle).state is State.LOST
            place.backend.cancel([handle])
            time.sleep(0.2)
            assert stranger.poll() is None
            assert place.look(handle).state is State.LOST
        finally:
            stranger.kill()


def test_a_signal_meant_for_one_process_never_reaches_another() -> None:
    with subprocess.Popen(["sleep", "300"]) as stranger:
        try:
            known = processes.look(stranger.pid)
            processes.send(known._replace(start="1"), signal.SIGKILL)
            time.sleep(0.1)
            assert stranger.poll() is None
            processes.send(known, signal.SIGKILL)
            assert stranger.wait(PATIENCE) == -signal.SIGKILL
        finally:
            stranger.kill()


SUBMIT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from local_jobs import Place
place = Place(Path({folder!r}))
spec = place.spec("once", "sh", "-c", "echo ran >>ran; sleep 0.2; exit 3")
rendered = place.rendered(spec)
print("ready", flush=True)
while time.time() < {when}:
    pass
handle = place.backend.submit([rendered])[spec.token]
print(handle, place.end(handle).exit_code, flush=True)
"""


def test_two_processes_that_submit_one_token_run_it_once(place: Place) -> None:
    program = SUBMIT.format(
        tests=str(Path(__file__).parent), folder=str(place.folder), when=time.time() + 1.0
    )
    racers = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [racer.communicate(timeout=PATIENCE)[0].splitlines()[-1] for racer in racers]
    assert len(set(said)) == 1
    assert said[0].endswith(" 3")
    assert (place.folder / "ran").read_text() == "ran\n"


LAUNCH_AND_LEAVE = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from local_jobs import Place
place = Place(Path({folder!r}))
print(place.start(place.spec("left", "sh", "-c", "sleep 0.5; echo done; exit 6")), flush=True)
"""


def test_a_job_goes_on_without_the_process_that_started_it(place: Place) -> None:
    program = LAUNCH_AND_LEAVE.format(tests=str(Path(__file__).parent), folder=str(place.folder))
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    assert place.end(done.stdout.strip()).exit_code == 6
    assert place.log(place.spec("left", "true")) == "done\n"


@linux
def test_a_shell_that_has_not_claimed_its_job_yet_is_found(place: Place) -> None:
    """Whoever asks in that moment would start it again otherwise, or think it never began."""
    spec = place.spec("slow", "true")
    folder = place.folder / "slow/attempts/1"
    folder.mkdir(parents=True)
    (folder / "launch.sh").write_text("exec sleep 300\n")
    marks = {"NEMORUN_LEADER": spec.token, "NEMORUN_ATTEMPT_DIR": str(folder)}
    environment = {**os.environ, **marks}
    with subprocess.Popen(["sh", folder / "launch.sh"], env=environment) as shell:
        try:
            until(lambda: place.backend.find([spec]) == {spec.token: handle_of(folder)})
        finally:
            shell.kill()
    assert place.backend.find([spec]) == {}


def test_waiting_ends_with_the_job_and_not_with_the_clock(place: Place) -> None:
    handle = place.start(place.spec("short", "sleep", "0.3"))
    until(lambda: place.look(handle).state is State.RUNNING)
    place.look(handle)
    place.backend.wait([handle], 3600)
    assert place.end(handle).state is State.SUCCEEDED


def test_the_program_says_how_to_use_it() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", processes.__file__], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_a_process_is_known_by_its_token_from_its_first_moment() -> None:
    """While it becomes a program, the kernel shows it without any variables."""
    for number in range(100):
        token = f"first-moment/{os.getpid()}/{number}"
        environment = {**os.environ, "NEMORUN_TOKEN": token}
        process = subprocess.Popen(
            ["/bin/sh", "-c", "exec sleep 60"], env=environment, start_new_session=True
        )
        try:
            assert processes.carriers([token]) == {token: {process.pid}}
        finally:
            process.kill()
            process.wait()
