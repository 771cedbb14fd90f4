"""The one question before a run: who is asked, when, and what the answers do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest
from in_terminal import Terminal
from scripts import TRAIN


@pytest.fixture
def terminal(folder) -> Iterator[Callable[..., Terminal]]:
    """Start ``python train.py …`` in a terminal."""
    file = folder.write("train.py", TRAIN)
    opened: list[Terminal] = []

    def start(*words: str, **environment: str) -> Terminal:
        opened.append(Terminal([sys.executable, str(file), *words], environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def asked(screen: Terminal) -> int:
    return screen.seen.count("[y/N]")


@pytest.mark.parametrize(
    ("words", "question"),
    [
        (["model.layers=3"], "Run train in this process? [y/N]: "),
        (["model.layers=3", "run.executor=local"], "Run train on LocalExecutor? [y/N]: "),
    ],
)
def test_at_a_terminal_the_task_is_shown_and_one_question_asked(terminal, words, question):
    screen = terminal(*words)
    screen.until(question)
    assert "layers = 3" in screen.seen
    assert "width=8" not in screen.seen
    screen.type("y\n")
    assert screen.end() == 0
    assert "layers=3 width=8" in screen.seen
    assert asked(screen) == 1


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_another_answer_runs_nothing(terminal, answer):
    screen = terminal("model.layers=3")
    screen.until("[y/N]: ")
    screen.type(answer)
    assert screen.end() == 130
    assert "Nothing was started." in screen.seen
    assert "width=8" not in screen.seen


def test_ctrl_c_at_the_question_runs_nothing(terminal):
    screen = terminal("model.layers=3")
    screen.until("[y/N]: ")
    screen.interrupt()
    assert screen.end() == 130
    assert "width=8" not in screen.seen


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        (["--yes"], {}),
        (["-y"], {}),
        (["--no-confirm"], {}),
        (["run.skip_confirmation=true"], {}),
        ([], {"NEMORUN_SKIP_CONFIRMATION": "1"}),
        ([], {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}),
        (["--direct"], {}),
    ],
)
def test_who_has_answered_already_is_not_asked(terminal, words, environment):
    screen = terminal("model.layers=3", *words, **environment)
    assert screen.end() == 0
    assert "layers=3 width=8" in screen.seen
    assert asked(screen) == 0


def test_what_runs_nothing_asks_nothing(terminal):
    for words in (["--dryrun"], ["--cfg"], ["--explain", "lr"]):
        screen = terminal("model.layers=3", *words)
        assert screen.end() == 0
        assert asked(screen) == 0


def test_secrets_of_the_executor_are_covered_in_what_is_shown(terminal):
    words = ["run.executor=local", "run.executor.env_vars.HF_TOKEN=hf_123456", "model.layers=3"]
    screen = terminal(*words, "run.executor.env_vars.TEAM=red")
    screen.until("[y/N]: ")
    screen.type("n\n")
    screen.end()
    assert "'HF_TOKEN': '***', 'TEAM': 'red'" in screen.seen
    assert "hf_123456" not in screen.seen


def test_a_wrong_value_is_said_before_anybody_is_asked(terminal):
    for words in (["model.layer=3"], []):
        screen = terminal(*words)
        assert screen.end() == 2
        assert asked(screen) == 0


def test_the_program_may_say_that_nobody_is_asked(folder):
    folder.write("train.py", TRAIN.replace("main(train)", "main(train, skip_confirmation=True)"))
    assert folder.python("train.py", "model.layers=1").code == 0
    folder.write(
        "train.py", TRAIN.replace("main(train)", "main(train, require_confirmation=False)")
    )
    assert folder.python("train.py", "model.layers=1").code == 0
    skip = "main(train, cmd_defaults={'skip_confirmation': True})"
    folder.write("train.py", TRAIN.replace("main(train)", skip))
    assert folder.python("train.py", "model.layers=1").code == 0
    assert folder.python("train.py", "model.layers=1", "run.skip_confirmation=no").code == 2


def test_the_prompt_has_the_task_and_can_run_it(folder):
    folder.write("train.py", TRAIN)
    done = folder.python(
        "train.py",
        "model.layers=3",
        "--repl",
        text_in="task.lr = 7.5\ntask.model = run.Config(Model, 2, 4)\nprint('got', run_task())\n",
    )
    assert done.code == 0, done.err
    assert "width=4 lr=7.5" in done.out
    assert "got 8" in done.out
