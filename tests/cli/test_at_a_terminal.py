"""The command line as a person at a terminal meets it: width, colours, questions."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator

import pytest
from in_terminal import Terminal
from on_disk import DONE, FAILED, RUNNING

from nemo_run.console.terminal import cells


@pytest.fixture
def terminal(program) -> Iterator[Callable[..., Terminal]]:
    """Start ``nemo-run experiment …`` in a terminal of 60 columns."""
    opened: list[Terminal] = []

    def start(*arguments: str, **environment: str) -> Terminal:
        opened.append(Terminal([*program, "experiment", *arguments], environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_the_list_fits_the_terminal_and_states_have_colours(made, terminal):
    for title in ("digits", "a title that is a good deal longer than others", "数字" * 12):
        made(title).observed("train", DONE)
    screen = terminal("list")
    assert screen.end() == 0
    assert len(screen.lines) == 4
    assert all(cells(line) <= 60 for line in screen.lines)
    assert screen.lines[0].split() == ["ID", "STATE", "JOBS", "AGE"]
    assert screen.seen.count("\x1b[32mSUCCEEDED\x1b[0m") == 3
    wide = terminal("list", COLUMNS="140")
    assert wide.end() == 0
    assert wide.lines[0].split() == ["ID", "TITLE", "STATE", "JOBS", "AGE", "DURATION"]


@pytest.mark.parametrize("columns", ["60", "30"])
def test_tables_fit_a_small_terminal(made, terminal, columns):
    experiment = made(jobs={"a job with a long name": [], "b": []})
    experiment.observed("a job with a long name", FAILED)
    listed = terminal("list", COLUMNS=columns)
    assert listed.end() == 0
    assert "FAILED" in listed.seen or "RUNNING" in listed.seen
    shown = terminal("status", experiment.id, COLUMNS=columns)
    assert shown.end() == 0
    table = shown.lines[shown.lines.index("") + 1 :][:3]
    assert table[0].split()[:2] == ["JOB", "STATE"]
    assert "FAILED" in table[1]
    for line in [*listed.lines, *table]:
        assert cells(line) <= int(columns)


@pytest.mark.parametrize(
    ("options", "environment"), [(["--no-color"], {}), ([], {"NO_COLOR": "1"})]
)
def test_colours_can_be_turned_off(made, terminal, options, environment):
    made().observed("train", DONE)
    screen = terminal("list", *options, **environment)
    assert screen.end() == 0
    assert "\x1b" not in screen.seen
    assert "SUCCEEDED" in screen.seen


def test_no_color_is_understood_before_the_command_too(made, program):
    made().observed("train", DONE)
    arguments = ["--no-color", "--verbose", "experiment", "--no-color", "list"]
    screen = Terminal([*program, *arguments], {})
    try:
        assert screen.end() == 0
        assert "\x1b" not in screen.seen
    finally:
        screen.close()


OWN = """
import nemo_run as run

def train(lr: float = 0.1) -> None:
    print("trained", lr)

run.cli.main(train, default_executor=run.Config(run.LocalExecutor))
"""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--yes", "--no-color"], 0, "SUCCEEDED"),
        (["--help", "--no-color"], 0, "lr"),
        (["lr=high", "--no-color"], 2, "error:"),
    ],
    ids=["what waits", "help", "errors"],
)
def test_no_color_holds_for_everything_that_a_command_prints(tmp_path, words, code, said):
    (tmp_path / "own.py").write_text(OWN)
    screen = Terminal([sys.executable, str(tmp_path / "own.py"), *words], {})
    try:
        assert screen.end() == code
    finally:
        screen.close()
    assert said in screen.seen
    assert not re.search(r"\x1b\[[0-9;]*m", screen.seen)


def test_an_empty_list_says_so_to_a_person(terminal):
    screen = terminal("list")
    assert screen.end() == 0
    assert screen.lines == ["No experiments."]


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 130, True), ("y\n", 0, False)])
def test_delete_asks_once_and_does_what_was_answered(made, terminal, answer, code, left):
    experiment = made(started=False)
    screen = terminal("delete", experiment.id)
    screen.until("[y/N]")
    screen.type(answer)
    assert screen.end() == code
    assert screen.seen.count("[y/N]") == 1
    assert experiment.record.path.exists() is left


@pytest.mark.parametrize("moment", ["Delete", "files", "[y/N]"])
def test_ctrl_c_at_the_question_or_while_it_is_printed_changes_nothing(made, terminal, moment):
    experiment = made(started=False)
    screen = terminal("delete", experiment.id)
    screen.until(moment)
    screen.interrupt()
    assert screen.end() == 130
    assert "Traceback" not in screen.seen
    assert "Nothing was changed." in screen.seen
    assert experiment.record.path.exists()


def test_delete_of_what_may_run_is_refused_before_anything_is_asked(made, terminal):
    experiment = made()
    experiment.observed("train", RUNNING)
    screen = terminal("delete", experiment.id)
    assert screen.end() == 1
    assert "[y/N]" not in screen.seen
    assert "is not over: train" in screen.seen.replace("\r\n", "")


def test_cancelling_several_jobs_is_asked_and_no_means_no(made, terminal):
    experiment = made(jobs={"a": [], "b": []})
    for job in "ab":
        experiment.observed(job, RUNNING)
    before = experiment.record.journal.path.read_bytes()
    screen = terminal("cancel", experiment.id)
    screen.until("[y/N]")
    screen.type("n\n")
    assert screen.end() == 130
    assert experiment.record.journal.path.read_bytes() == before


def test_a_log_that_is_no_text_is_shown_with_signs_in_its_place(made, terminal):
    experiment = made()
    experiment.log("train", "né\n".encode() + b"\xff\xfe\n" + b"\x1b[31mred\x1b[0m\n")
    experiment.observed("train", DONE)
    screen = terminal("logs", experiment.id)
    assert screen.end() == 0
    assert screen.lines == ["né", "\ufffd\ufffd", "red"]
    assert "\x1b[31mred" in screen.seen


def test_a_person_is_told_of_ranks_and_attempts_that_are_not_shown(made, terminal):
    experiment = made(processes=4)
    experiment.log("train", b"hello\n", rank=3)
    experiment.observed("train", DONE)
    screen = terminal("logs", experiment.id)
    assert screen.end() == 0
    assert screen.lines == [
        "[train:3] hello", "Not shown: ranks 1-2 of train. To see them: --rank all",
    ]  # fmt: skip


def test_an_escape_sequence_in_a_title_is_written_out(made, terminal):
    experiment = made()
    meta = experiment.record.path / "experiment.json"
    meta.write_text(meta.read_text().replace('"digits"', '"di\\u001b]0;owned\\u0007gits"'))
    screen = terminal("show", experiment.id)
    assert screen.end() == 0
    assert "\x1b]" not in screen.seen
    assert "\\x1b]0;owned" in screen.seen


WAITING = """
import nemo_run as run

with run.Experiment("digits") as exp:
    exp.add(run.Script(inline="for n in 1 2 3; do echo step $n; sleep 0.2; done"), name="good",
            tail_logs=True)
    exp.add(run.Script(inline="exit 3"), name="bad")
    exp.run()
"""


def test_who_waits_sees_jobs_in_place_their_output_above_and_gets_the_terminal_back(tmp_path):
    program = tmp_path / "launch.py"
    program.write_text(WAITING)
    screen = Terminal([sys.executable, str(program)], {"COLUMNS": "100"})
    try:
        assert screen.end() == 1
    finally:
        screen.close()
    lines = re.sub(r"\r|\x1b\[[0-9;]*[A-Za-z]", "", screen.seen).splitlines()
    for step in (1, 2, 3):
        assert lines.count(f"step {step}") == 1
    last = "\n".join(lines[-40:])
    assert re.search(r"^✓ good  SUCCEEDED  \d", last, re.MULTILINE)
    assert re.search(r"^✗ bad   FAILED \(exit code 3\)", last, re.MULTILINE)
    assert "1/2 done, 1 failed" in last
    assert set(re.findall(r"\x1b\[[?>]", screen.seen)) == set()


def test_a_display_whose_output_goes_through_a_pipe_to_the_same_terminal_is_not_in_place(tmp_path):
    program = tmp_path / "launch.py"
    program.write_text(WAITING)
    pipe = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))} | tee {tmp_path}/log"
    # From Python 3.13 on, tracebacks of the program have colours of their own.
    screen = Terminal(["sh", "-c", pipe], {"COLUMNS": "100", "PYTHON_COLORS": "0"})
    try:
        screen.end()
    finally:
        screen.close()
    assert "\x1b" not in screen.seen
    for line in ("step 1", "step 2", "step 3", "good: SUCCEEDED"):
        assert screen.lines.count(line) == 1
    assert (tmp_path / "log").read_text().splitlines() == ["step 1", "step 2", "step 3"]


PROGRESS = """
import nemo_run as run

bar = "for n in 10 55 99; do printf '\\r%s%%|##' $n; sleep 0.4; done; printf '\\r100%%|##\\n'"
run.run(run.Script(inline=bar), executor=run.LocalExecutor())
"""


def test_a_progress_bar_is_seen_while_it_moves_and_its_end_stays(tmp_path):
    program = tmp_path / "launch.py"
    program.write_text(PROGRESS)
    screen = Terminal([sys.executable, str(program)], {"COLUMNS": "100"})
    try:
        assert screen.end() == 0
    finally:
        screen.close()
    lines = screen.seen.splitlines()
    assert any("55%|##" in line for line in lines)
    assert sum("100%|##" in line for line in lines) == 1


def test_following_marked_logs_shows_a_bar_in_place(made, terminal):
    experiment = made(processes=2)
    experiment.observed("train", RUNNING)
    experiment.log("train", b"\r10%")
    screen = terminal("logs", "-f", experiment.id)
    screen.until("[train:0] 10%")
    experiment.log("train", b"\r55%")
    screen.until("\r\x1b[K[train:0] 55%")
    experiment.log("train", b"\r100%\n")
    experiment.observed("train", DONE)
    screen.until("\r\x1b[K[train:0] 100%\r\n")
    assert screen.end() == 0
