"""The live display: what it draws, and that the terminal works afterwards."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import textwrap

import pytest

from nemo_run.console.live import LiveDisplay, block
from nemo_run.console.terminal import Look
from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management.store import events
from nemo_run.management.store.status import ExperimentStatus, replay


def status_of(*observations: tuple[str, Observation], jobs: list[str]) -> ExperimentStatus:
    """The status of an experiment in which these observations were made."""
    journal = [events.experiment_created("digits", jobs)]
    journal += [events.job_observed(job, seen) for job, seen in observations]
    return replay({"seq": n, "time": 100.0, **event} for n, event in enumerate(journal, 1))


RUNNING = Observation(State.RUNNING, started=90.0)
FAILED = Observation(State.FAILED, Reason.EXIT_CODE, 3, started=90.0, ended=95.0)
DONE = Observation(State.SUCCEEDED, exit_code=0, started=90.0, ended=92.5)


def test_each_job_has_a_line_with_its_state_and_its_time():
    status = status_of(("a", DONE), ("bb", FAILED), ("c", RUNNING), jobs=["a", "bb", "c", "d"])
    lines = block(status, Look(width=60), title="digits_1", now=100.0, elapsed=12.0)
    assert lines == [
        "✓ a   SUCCEEDED  2.5s",
        "✗ bb  FAILED (exit code 3)  5s",
        "⠋ c   RUNNING  10s",
        "· d   CREATED",
        "digits_1: 1/4 done, 1 failed, 12s",
    ]


def test_where_jobs_are_many_the_running_and_failed_ones_are_shown():
    jobs = [f"job{n}" for n in range(100)]
    status = status_of(("job70", RUNNING), ("job90", FAILED), ("job3", DONE), jobs=jobs)
    lines = block(status, Look(width=60), title="t", now=100.0, elapsed=1.0, most=4)
    assert len(lines) == 5
    assert "job70" in lines[2]
    assert "job90" in lines[3]
    assert lines[-1] == "t: 1/100 done, 1 failed, 96 not shown, 1s"


@pytest.mark.parametrize("width", [20, 33, 200])
def test_no_line_is_wide_enough_to_be_folded(width: int):
    status = status_of(("a" * 90, FAILED), jobs=["a" * 90, "数" * 50])
    for line in block(status, Look(width=width), title="t" * 300, now=1.0, elapsed=1.0):
        assert len(line.encode("utf-16-le")) // 2 <= width


def test_a_stream_without_these_characters_gets_others():
    raw = io.BytesIO()
    err = io.TextIOWrapper(raw, encoding="ascii")
    display = LiveDisplay("digits_1", out=io.StringIO(), err=err)
    display.tick(status_of(("a", DONE), ("b", RUNNING), jobs=["a", "b"]))
    display.close()
    err.flush()
    assert b"+ a  SUCCEEDED" in raw.getvalue()


def test_done_means_succeeded_and_other_ends_are_counted_for_themselves():
    skipped = Observation(State.SKIPPED)
    status = status_of(("a", DONE), ("b", FAILED), ("c", skipped), jobs=["a", "b", "c", "d"])
    lines = block(status, Look(width=60), title="t", now=100.0, elapsed=1.0)
    assert lines[-1] == "t: 1/4 done, 1 failed, 1 skipped, 1s"


def test_a_line_without_an_end_is_shown_in_the_block_as_it_looks_now():
    err, clock = io.StringIO(), iter(range(100)).__next__
    display = LiveDisplay("digits_1", out=io.StringIO(), err=err, clock=clock)
    status = status_of(("a", RUNNING), jobs=["a"])
    for state in (b" 10%|#   |", b" 55%|\x1b[32m##\x1b[0m  |"):
        display.unfinished([("[a:0]", state), ("[a:1]", b"")])
        display.tick(status)
        assert screen(err.getvalue())[0] == "[a:0] " + state.decode().replace(
            "\x1b[32m", ""
        ).replace("\x1b[0m", "")
    display.close()
    assert "55%" not in "".join(screen(err.getvalue()))


PROGRAM = textwrap.dedent(
    """
    import sys, time
    from types import SimpleNamespace
    from nemo_run.console.live import make_display
    from nemo_run.execution.observation import Observation, State
    from nemo_run.management.store import events
    from nemo_run.management.watch.logs import Piece
    from nemo_run.management.store.status import replay

    journal = [events.experiment_created("t", ["a", "b"]),
               events.job_observed("a", Observation(State.RUNNING, started=time.time()))]
    status = replay({"seq": n, "time": 1.0, **e} for n, e in enumerate(journal, 1))
    display = make_display(SimpleNamespace(id="t_1"))
    display.tick(status)
    display.log(Piece("a", "a", 1, 0, b"epoch 1\\n"), "")
    display.tick(status)
    if "prints" in sys.argv:
        import threading
        def speak():
            for n in range(200):
                print("line", n)
                print("error", n, file=sys.stderr, flush=True)
            print("bar 1%", end="\\r", flush=True)
            print("bar 99%", end="", flush=True)
        thread = threading.Thread(target=speak)
        thread.start()
        while thread.is_alive():
            time.sleep(0.11)
            display.tick(status)
        display.close()
        print()
        raise SystemExit
    display.log(Piece("a", "a", 1, 0, b"no end yet"), "")
    time.sleep(0.11)
    display.tick(status)
    display.message("a sentence")
    if "die" in sys.argv:
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    display.close()
    display.close()
    print("after")
    """
)


def in_a_terminal(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run the program above in a terminal and return all that reached it."""
    main, side = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdin=side, stdout=side, stderr=side, close_fds=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "60", **(environment or {})},
    )  # fmt: skip
    os.close(side)
    seen = b""
    while select.select([main], [], [], 30)[0]:
        try:
            data = os.read(main, 4096)
        except OSError:
            break
        if not data:
            break
        seen += data
    program.wait(30)
    os.close(main)
    return seen.decode()


def screen(text: str) -> list[str]:
    """What stands on a terminal of 60 columns after ``text``: enough of one for the block."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
        if part == "\n":
            row += 1
            if row == len(lines):
                lines.append("")
        elif part == "\r":
            column = 0
        elif part.endswith("A") and part.startswith("\x1b"):
            row -= int(part[2:-1])
        elif part == "\x1b[J":
            lines[row] = lines[row][:column]
            del lines[row + 1 :]
        elif not part.startswith("\x1b"):
            lines[row] = lines[row][:column].ljust(column) + part
            column += len(part)
    return lines


def test_output_runs_above_the_block_and_the_last_block_stays():
    shown = screen(in_a_terminal())
    assert shown[:3] == ["epoch 1", "no end yet", "a sentence"]
    assert re.fullmatch(r". a  RUNNING  0\.\ds", shown[3])
    assert shown[4] == "· b  CREATED"
    assert shown[5].startswith("t_1: 0/2 done")
    assert shown[6] == "after"
    assert len(shown) == 8


def test_what_the_program_prints_meanwhile_goes_above_the_block_in_whole_lines():
    shown = screen(in_a_terminal("prints"))
    assert shown[0] == "epoch 1"
    expected = [f"{word} {n}" for n in range(200) for word in ("line", "error")]
    assert shown[1:401] == expected
    assert re.fullmatch(r". a  RUNNING  0(\.\d)?s", shown[401])
    assert shown[403].startswith("t_1: 0/2 done")
    assert shown[404:] == ["bar 99%", ""]


def test_a_killed_program_leaves_no_mode_of_the_terminal_changed():
    text = in_a_terminal("die")
    sequences = set(re.findall(r"\x1b\[[?0-9;]*[A-Za-z]", text))
    assert sequences
    assert all(re.fullmatch(r"\x1b\[(\d+A|J|\d+m)", one) for one in sequences), sequences
    assert text.endswith("\r\n")


def test_no_color_takes_the_colours_away_and_nothing_else():
    text = in_a_terminal(environment={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[0-9;]*m", text)
    assert screen(text)[0] == "epoch 1"


def test_a_dumb_terminal_gets_plain_lines():
    text = in_a_terminal(environment={"TERM": "dumb"})
    assert "\x1b" not in text
    assert "a sentence" in text
