"""``nemo-run top``: what it shows, what keys do, and a real terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import replace

import pyte
import pytest

import nemo_run as run
from nemo_run.cli.top.frame import frame
from nemo_run.cli.top.keys import keys_of
from nemo_run.cli.top.view import Experiment, Job, View, pressed, rows, with_experiments
from nemo_run.console.terminal import Look, cells
from nemo_run.execution.observation import State
from nemo_run.management import operations, store


def one(number, jobs=("a", "b"), state="RUNNING", **more):
    name = f"exp_{number}"
    listed = tuple(
        Job(name, job, state, state, 1, 100.0, line=f"line of {job}", metrics={"loss": 0.5})
        for job in jobs
    )
    return Experiment(name, "exp", state, listed, len(listed), started=100.0, **more)


TWO = with_experiments(View(), (one(1), one(2)))


def press(view, *keys):
    action = ""
    for key in keys:
        view, action = pressed(view, key)
    return view, action


@pytest.mark.parametrize(
    ("keys", "selected"),
    [
        ([], ("exp_1", "")),
        (["down"], ("exp_1", "a")),
        (["j", "j", "k"], ("exp_1", "a")),
        (["up"], ("exp_1", "")),
        (["end"], ("exp_2", "b")),
        (["G", "down"], ("exp_2", "b")),
        (["pagedown", "home"], ("exp_1", "")),
        (["/", "e", "x", "p", "_", "2", "enter"], ("exp_2", "")),
    ],
)
def test_keys_move_the_mark(keys, selected):
    assert press(TWO, *keys)[0].selected == selected


def test_the_mark_stays_when_others_come_and_go():
    view, _ = press(TWO, "down", "down")
    assert view.selected == ("exp_1", "b")
    assert with_experiments(view, (one(3), one(1), one(2))).selected == ("exp_1", "b")
    assert with_experiments(view, (one(2),)).selected == ("exp_2", "b")
    assert with_experiments(view, ()).selected is None


def test_a_filter_shows_what_fits_and_goes_with_escape():
    view, _ = press(TWO, "/", "2", "x", "backspace")
    assert (view.filter, len(rows(view)), view.mode) == ("2", 3, "filter")
    view, _ = press(view, "escape")
    assert (view.filter, len(rows(view)), view.mode) == ("", 6, "list")
    # In a filter, letters are letters.
    assert press(TWO, "/", "q", "c")[0].filter == "qc"


def test_cancelling_is_asked_for():
    view, action = press(TWO, "down", "c")
    assert (view.mode, view.message, action) == ("confirm", "Cancel a of exp_1?", "")
    assert press(view, "y")[1] == "cancel"
    no, action = press(view, "enter")
    assert (no.mode, no.message, action) == ("list", "Nothing was cancelled.", "")
    assert press(TWO, "c")[0].message == "Cancel all jobs of exp_1?"
    ended = with_experiments(View(), (one(1, ended=200.0),))
    assert "has ended" in press(ended, "c")[0].message


def test_q_leaves_the_log_first():
    view, _ = press(TWO, "down", "enter")
    assert view.mode == "log"
    assert press(view, "j")[0].selected == ("exp_1", "b")
    view, action = press(view, "q")
    assert (view.mode, action) == ("list", "")
    assert press(view, "q")[1] == "quit"


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("height", [3, 5, 24])
@pytest.mark.parametrize("mode", ["list", "log", "filter", "confirm"])
def test_a_frame_fits_its_terminal(width, height, mode):
    many = tuple(one(n, jobs=("a", "长" * 30, "x\x1b[31m" * 9)) for n in range(30))
    view = replace(
        with_experiments(View(), many), mode=mode, log=("l" * 300,) * 60, message="m" * 99
    )
    for keys in ([], ["end"]):
        lines = frame(press(view, *keys)[0], Look(True, False, width), height, 200.0)
        assert len(lines) == height
        # Below that, the columns that are never left out need their room.
        assert all(cells(line) <= max(width, 40) for line in lines), lines
        assert not any("\x1b" in line for line in lines)


def test_the_mark_is_in_sight_of_a_long_list():
    view, _ = press(with_experiments(View(), tuple(one(n) for n in range(50))), *["down"] * 77)
    lines = frame(view, Look(True, False, 80), 20, 200.0)
    assert [line for line in lines if line.startswith("> ")] == [
        line for line in lines if line.startswith(">   b" if view.selected[1] == "b" else "> ")
    ]


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"jk", ["j", "k"]),
        (b"\x1b[A\x1b[B", ["up", "down"]),
        (b"\x1bOA\x1b[5~\x1b[6~", ["up", "pageup", "pagedown"]),
        (b"\x1b", ["escape"]),
        (b"\r\x7f", ["enter", "backspace"]),
        ("é长".encode(), ["é", "长"]),
        (b"\xff\x1b[99;5zq", ["q"]),
        (b"\x1b[", []),
        (b"\x1bO", []),
    ],
)
def test_keys_of_a_terminal(data, keys):
    assert keys_of(data) == keys


class Window:
    """A terminal with a program in it, and what it shows."""

    def __init__(self, *words, columns=100, lines=30):
        self.main, side = pty.openpty()
        self.size(columns, lines)
        self.screen = pyte.Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = b""
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        argv = [sys.executable, "-m", "nemo_run", "top", *words]
        self.process = subprocess.Popen(
            argv, stdin=side, stdout=side, stderr=side, start_new_session=True,
            env={**environment, "TERM": "xterm"},
        )  # fmt: skip
        self.modes = termios.tcgetattr(side)
        self.side = side

    def size(self, columns, lines):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def press(self, keys):
        os.write(self.main, keys.encode())

    def text(self):
        return "\n".join(self.screen.display)

    def until(self, text, limit=30, *, gone=False):
        end = time.monotonic() + limit
        while (text in self.text()) == gone:
            assert time.monotonic() < end, f"{text!r}: {self.text()}"
            self.read()

    def read(self, seconds=0.1):
        if select.select([self.main], [], [], seconds)[0]:
            data = os.read(self.main, 65536)
            self.bytes += data
            self.stream.feed(data)

    def ended(self, limit=30):
        end = time.monotonic() + limit
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text()
            self.read()
        self.read(0)
        assert self.bytes.rstrip().endswith(b"\x1b[?25h\x1b[?1049l")
        assert termios.tcgetattr(self.side) == self.modes
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(30)
        os.close(self.side)
        os.close(self.main)


@pytest.fixture
def window():
    opened = []

    def new(*words, **size):
        opened.append(Window(*words, **size))
        return opened[-1]

    yield new
    for each in opened:
        each.close()


@pytest.fixture
def running():
    with run.Experiment("sweeping", clean_mode=True) as exp:
        text = "i=0; while :; do i=$((i+1)); echo epoch $i of {0}; sleep 0.2; done"
        for job in ("first", "second"):
            exp.add(run.Script(inline=text.format(job)), name=job)
        exp.run(detach=True)
    record = store.find(exp.id)
    logs = [record.path / f"jobs/{job}/logs/1/rank-0.log" for job in ("first", "second")]
    end = time.monotonic() + 30
    while not all(log.exists() and log.stat().st_size for log in logs):
        assert time.monotonic() < end
        time.sleep(0.05)
    yield record
    if record.path.exists():
        operations.cancel(record)


def test_what_runs_is_shown_and_cancelled_from_the_keyboard(running, window):
    shown = window()
    shown.until("of first")
    assert "1 experiment, 2 jobs running" in shown.text()
    shown.press("jj")
    shown.until(">   second")
    shown.press("c")
    shown.until("Cancel second of sweeping")
    shown.press("y")
    shown.until("Asked for the end of second")
    shown.until("CANCELLED")
    states = {job.id: job.state for job in running.status().jobs.values()}
    assert states == {"first": State.RUNNING, "second": State.CANCELLED}
    shown.press("q")
    assert shown.ended() == 0
    assert running.status().jobs["first"].state is State.RUNNING


def test_enter_shows_the_log_as_it_grows(running, window):
    shown = window()
    shown.until("first")
    shown.press("j\r")
    shown.until("of first")
    shown.read(1)
    count = shown.text().count("epoch")
    time.sleep(1.5)
    shown.until("q back")
    shown.read(1)
    assert shown.text().count("epoch") > count
    assert "of second" not in shown.text()
    shown.press("q/seco\r")
    shown.until("filter seco")
    assert ">   first" not in shown.text()
    shown.press("q")
    assert shown.ended() == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 0)]
)
def test_every_way_out_puts_the_terminal_back(running, window, number, code):
    shown = window()
    shown.until("epoch")
    shown.process.send_signal(number)
    assert shown.ended() == code
    assert running.status().jobs["first"].state is State.RUNNING


def test_a_terminal_that_changes_its_size(running, window):
    shown = window()
    shown.until("LAST LINE")
    shown.size(44, 10)
    shown.screen.resize(10, 44)
    shown.process.send_signal(signal.SIGWINCH)
    shown.until("LAST LINE", gone=True)
    shown.until("sweeping")
    shown.press("q")
    assert shown.ended() == 0


def test_an_experiment_that_is_deleted_goes(running, window):
    shown = window()
    shown.until("epoch")
    operations.cancel(running)
    shown.until("CANCELLED")
    store.delete(running, force=True)
    shown.until("Nothing is running.")
    shown.press("q")
    assert shown.ended() == 0


def printed(*words):
    argv = [sys.executable, "-m", "nemo_run", "top", *words]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_a_terminal_there_is_one_picture(running):
    text = printed()
    assert "sweeping" in text
    assert "\x1b" not in text
    assert "sweeping" not in printed("nothing like that")


def test_json(running):
    document = json.loads(printed("--json"))
    (experiment,) = document["experiments"]
    assert experiment["id"] == running.id
    assert [job["id"] for job in experiment["jobs"]] == ["first", "second"]
    (only,) = json.loads(printed("--json", "second"))["experiments"]
    assert [job["id"] for job in only["jobs"]] == ["second"]
    assert json.loads(printed("--json", "nothing like that"))["experiments"] == []


def test_damaged_and_hostile_records_do_not_end_it(running):
    with open(running.path / "jobs/first/logs/1/rank-0.log", "ab") as file:
        file.write(b"\x1b]0;evil\x07\xff\xfe last\n")
    other = running.path.parent / "sweeping_1"
    other.mkdir()
    (other / "events.jsonl").write_text("no json\n")
    (other / "experiment.json").write_text("{")
    text = printed("--once")
    assert "first" in text
    assert "\x1b" not in text
