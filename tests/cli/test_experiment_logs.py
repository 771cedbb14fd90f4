"""``nemo-run experiment logs``: from the right byte, to the last one."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from on_disk import DONE, FAILED, RUNNING

from nemo_run.execution.observation import Observation, State
from nemo_run.management.store import events


def test_one_log_comes_out_byte_for_byte(program, made):
    experiment = made()
    text = b"caf\xe9 \xff\xfe\x00 no text\nno end"
    experiment.log("train", text)
    experiment.observed("train", DONE)
    done = subprocess.run(
        [*program, "experiment", "logs", experiment.id], capture_output=True, check=True
    )
    assert done.stdout == text
    assert done.stderr == b""


def test_lines_of_several_jobs_and_ranks_say_who_wrote_them(nemo_run, made):
    experiment = made(jobs={"a": [], "b": []}, processes=3)
    for job in ("a", "b"):
        for rank in range(3):
            experiment.log(job, f"{job}{rank} one\n{job}{rank} two\n".encode(), rank=rank)
        experiment.observed(job, DONE)
    assert nemo_run("logs", experiment.id).out.splitlines() == [
        "[a:0] a0 one", "[a:0] a0 two", "[a:2] a2 one", "[a:2] a2 two",
        "[b:0] b0 one", "[b:0] b0 two", "[b:2] b2 one", "[b:2] b2 two",
    ]  # fmt: skip
    assert nemo_run("logs", experiment.id, "b", "--rank", "1").out == "b1 one\nb1 two\n"
    assert nemo_run("logs", experiment.id, "1", "--rank", "0-1").out.startswith("[b:0] b0 one\n")
    assert nemo_run("logs", experiment.id, "a", "--rank", "all").out.count("\n") == 6


def test_the_ranks_that_failed_are_shown_and_those_left_out_are_named(nemo_run, made):
    experiment = made(processes=8)
    for rank in range(8):
        experiment.log("train", b"hello\n", rank=rank)
    attempt = experiment.record.job_dir("train") / "attempts" / "1"
    attempt.mkdir(parents=True)
    (attempt / "error.3.json").write_text("{}")
    message = "rank 5 of train: exit code 3"
    experiment.observed("train", dataclasses.replace(FAILED, attempt=1, message=message))
    for options, code in (([], 0), (["-f"], 1)):
        outcome = nemo_run("logs", experiment.id, *options)
        shown = [line.split(" ")[0] for line in outcome.out.splitlines()]
        assert shown == ["[train:0]", "[train:3]", "[train:5]", "[train:7]"]
        assert "Not shown: ranks 1-2, 4, 6 of train. To see them: --rank all\n" in outcome.err
        assert outcome.code == code
    failed = nemo_run("logs", experiment.id, "--rank", "failed")
    assert (failed.out, failed.err) == ("[train:3] hello\n[train:5] hello\n", "")


def test_members_of_a_group_are_named(nemo_run, made):
    experiment = made(members=("server", "client"))
    experiment.log("train", b"listening\n", member="server")
    experiment.log("train", b"asking\n", member="client")
    experiment.observed("train", DONE)
    lines = nemo_run("logs", experiment.id, "train").out.splitlines()
    assert lines == ["[train/server] listening", "[train/client] asking"]


def test_the_last_attempt_is_shown_unless_another_is_asked_for(nemo_run, made):
    experiment = made()
    experiment.log("train", b"first try\n", attempt=1)
    experiment.log("train", b"second try\n", attempt=2)
    experiment.observed("train", FAILED)
    experiment.journal(events.job_retried("train", 2))
    experiment.observed("train", Observation(State.SUCCEEDED, attempt=2))
    assert nemo_run("logs", experiment.id).out == "second try\n"
    assert nemo_run("logs", experiment.id, "--attempt", "1").out == "first try\n"
    assert nemo_run("logs", experiment.id, "--attempt", "all").out.splitlines() == [
        "==> train, attempt 1 <==", "first try", "==> train, attempt 2 <==", "second try",
    ]  # fmt: skip


def test_tail_and_grep_choose_lines(nemo_run, made):
    experiment = made()
    experiment.log("train", b"".join(b"step %d loss %d\n" % (n, n % 3) for n in range(100)))
    experiment.observed("train", DONE)
    assert nemo_run("logs", experiment.id, "--tail", "2").out == "step 98 loss 2\nstep 99 loss 0\n"
    chosen = nemo_run("logs", experiment.id, "--grep", r"step \d loss 1$").out
    assert chosen == "step 1 loss 1\nstep 4 loss 1\nstep 7 loss 1\n"
    both = nemo_run("logs", experiment.id, "--tail", "10", "--grep", "loss 0").out
    assert both.count("\n") == 4


def test_of_a_progress_bar_a_marked_line_shows_the_last_state(nemo_run, made):
    experiment = made(processes=2)
    experiment.log("train", b"10%\r55%\r100%\ndone\r\n")
    experiment.observed("train", DONE)
    assert nemo_run("logs", experiment.id).out == "[train:0] 100%\n[train:0] done\n"


def test_json_is_one_document_a_line(nemo_run, made):
    experiment = made()
    experiment.log("train", b'say "hi"\n\xff\n')
    experiment.observed("train", DONE)
    lines = [
        json.loads(line) for line in nemo_run("logs", experiment.id, "--json").out.splitlines()
    ]
    common = {"job": "train", "member": "train", "attempt": 1, "rank": 0}
    assert lines == [{**common, "line": 'say "hi"'}, {**common, "line": "\ufffd"}]


def test_where_nothing_was_written_the_state_is_told(nemo_run, made):
    experiment = made(started=False)
    outcome = nemo_run("logs", experiment.id)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "Nothing was written: train is CREATED.\n"


@pytest.mark.parametrize(
    ("arguments", "code", "case"),
    [
        (["digits", "trian"], 1, "logs: unknown job"),
        (["letters"], 1, "cli: unknown experiment"),
        (["digits", "--rank", "first"], 2, "logs: unknown rank"),
        (["digits", "--grep", "("], 2, "logs: bad pattern"),
        (["digits", "--attempt", "0"], 2, "logs: bad attempt"),
        (["digits", "--attempt", "9"], 1, "logs: attempt that was not"),
        (["digits", "train", "--rank", "0,9"], 1, "logs: rank that is not there"),
    ],
)
def test_what_is_not_there_ends_with_1_and_wrong_use_with_2(
    nemo_run, made, error_snapshot, arguments, code, case
):
    made("digits")
    outcome = nemo_run("logs", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    error_snapshot(case, outcome.err)


def test_a_reader_that_goes_away_ends_the_program_quietly(program, made):
    experiment = made()
    experiment.log("train", b"a line of text\n" * 200_000)
    experiment.observed("train", DONE)
    logs = subprocess.Popen(
        [*program, "experiment", "logs", experiment.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert logs.stdout
    assert logs.stderr
    assert logs.stdout.readline() == b"a line of text\n"
    logs.stdout.close()
    assert logs.stderr.read() == b""
    assert logs.wait(30) == 141
    logs.stderr.close()


class Follower:
    """``logs -f`` in a process of its own, read line by line."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )

    def line(self) -> bytes:
        """The next line; empty at the end."""
        assert self.process.stdout
        return self.process.stdout.readline()

    def end(self) -> tuple[bytes, bytes, int]:
        """What is left of output and errors, and the exit code."""
        out, err = self.process.communicate(timeout=30)
        return out, err, self.process.returncode


@pytest.fixture
def following(program) -> Iterator:
    """Start followers, and end those that are left."""
    started = []

    def start(*arguments: str) -> Follower:
        started.append(Follower([*program, "experiment", "logs", "-f", *arguments]))
        return started[-1]

    yield start
    for follower in started:
        if follower.process.poll() is None:
            follower.process.kill()
        follower.process.communicate()


@contextmanager
def conducted(experiment) -> Iterator[None]:
    """Hold the lock that says that somebody drives the experiment."""
    from nemo_run.management.conductor.charge import charge

    with charge(experiment.record):
        yield


def test_following_waits_for_a_job_that_has_not_begun_and_shows_lines_as_they_come(made, following):
    experiment = made(started=False)
    follower = following(experiment.id)
    experiment.journal(events.experiment_started(), events.job_submitted("train", 1, "local://1"))
    with conducted(experiment):
        experiment.observed("train", RUNNING)
        for n in range(3):
            experiment.log("train", b"line %d\n" % n)
            assert follower.line() == b"line %d\n" % n
        experiment.log("train", b"the last words")
        experiment.observed("train", DONE)
    assert follower.end() == (b"the last words", b"", 0)


def test_following_goes_on_over_attempts_and_tells_a_failure(made, following):
    experiment = made()
    experiment.observed("train", RUNNING)
    with conducted(experiment):
        follower = following(experiment.id)
        experiment.log("train", b"first\n")
        assert follower.line() == b"first\n"
        experiment.log("train", b"end of first\n")
        experiment.journal(
            events.job_observed("train", FAILED), events.job_retried("train", 2, "exit code 3")
        )
        assert follower.line() == b"end of first\n"
        experiment.log("train", b"second\n", attempt=2)
        experiment.observed("train", Observation(State.RUNNING, attempt=2))
        assert follower.line() == b"==> train, attempt 2 <==\n"
        assert follower.line() == b"second\n"
        experiment.observed("train", Observation(State.FAILED, exit_code=1, attempt=2))
    assert follower.end() == (b"", b"train: FAILED\n", 1)


def test_two_jobs_that_write_in_turns_both_appear_live(made, following):
    experiment = made(jobs={"a": [], "b": []})
    with conducted(experiment):
        for job in "ab":
            experiment.observed(job, RUNNING)
        follower = following(experiment.id)
        for turn in range(3):
            for job in "ab":
                experiment.log(job, b"turn %d\n" % turn)
                assert follower.line() == b"[%s] turn %d\n" % (job.encode(), turn)
        for job in "ab":
            experiment.observed(job, DONE)
    assert follower.end() == (b"", b"", 0)


def test_ctrl_c_ends_the_following_and_nothing_else(made, following):
    experiment = made()
    experiment.observed("train", RUNNING)
    experiment.log("train", b"one\n")
    with conducted(experiment):
        follower = following(experiment.id)
        assert follower.line() == b"one\n"
        follower.process.send_signal(signal.SIGINT)
        out, err, code = follower.end()
    assert (out, code) == (b"", 130)
    assert b"Traceback" not in err
    assert f"nemo-run experiment logs -f {experiment.id}".encode() in err
    assert experiment.record.status().jobs["train"].state is State.RUNNING


def test_when_nobody_drives_the_experiment_it_is_said_once(made, following):
    experiment = made()
    experiment.journal(events.conductor_started(2**22 + 1, "node7", ""))
    experiment.observed("train", RUNNING)
    experiment.log("train", b"one\n")
    follower = following(experiment.id)
    assert follower.line() == b"one\n"
    assert follower.process.stderr
    told = follower.process.stderr.readline()
    assert b"(process 4194305 on node7) is gone" in told
    assert f"nemo-run experiment resume {experiment.id}".encode() in told
    experiment.observed("train", DONE)
    assert follower.end() == (b"", b"", 0)


def test_what_a_stray_process_writes_after_the_end_keeps_nobody_waiting(made, following):
    experiment = made()
    path = experiment.log("train", b"begin\n")
    experiment.observed("train", DONE)
    over = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as log:
            while not over.is_set():
                log.write(b"x" * 65_536 + b"\n")
                time.sleep(0.001)

    stray = threading.Thread(target=write)
    stray.start()
    try:
        out, _, code = following(experiment.id).end()
    finally:
        over.set()
        stray.join()
    assert code == 0
    assert out.startswith(b"begin\n")


def test_a_log_of_a_gigabyte_is_followed_in_little_memory(made, program):
    experiment = made()
    path = experiment.log("train", b"")
    with path.open("wb") as log:
        log.truncate(1 << 30)
    experiment.observed("train", DONE)
    # Measured from a small process: a child of ours would count the memory of this one.
    measure = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
        "_, status, usage = os.wait4(child.pid, 0)\n"
        "print(status, usage.ru_maxrss)"
    )
    command = [*program, "experiment", "logs", "-f", experiment.id]
    done = subprocess.run(
        [sys.executable, "-c", measure, *command], capture_output=True, text=True, check=True
    )
    status, most = map(int, done.stdout.split())
    assert status == 0
    assert most * (1 if sys.platform == "darwin" else 1024) < 50 << 20
