"""What is left behind by a run of the command line, and what is said at its end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from in_terminal import Terminal
from scripts import TRAIN, Done

import nemo_run as run
from nemo_run.execution.observation import State

STUDY = """
    import nemo_run as run
    from train import Model, train


    @run.cli.entrypoint(type="experiment")
    def study(ctx: run.cli.RunContext, layers: int = 1) -> None:
        with run.Experiment("study", executor=ctx.executor) as experiment:
            experiment.add(run.Partial(train, run.Config(Model, layers)))
            ctx.launch(experiment)
"""

Program = Callable[..., Done]


@pytest.fixture
def nemo(folder, program, home) -> Program:
    """Run ``nemo-run run train.py:train …`` without a terminal."""
    folder.write("train.py", TRAIN)
    folder.write("study.py", STUDY)
    return lambda target, *words, **env: folder.run(*program, "run", target, *words, **env)


@pytest.fixture
def script(folder, home) -> Program:
    """Run ``python train.py …`` without a terminal."""
    file = folder.write("train.py", TRAIN)
    return lambda *words: folder.python(str(file), "model.layers=3", *words)


@pytest.fixture
def terminal(folder, home) -> Iterator[Callable[..., Terminal]]:
    """Start a program in a terminal."""
    opened: list[Terminal] = []

    def start(*command: str) -> Terminal:
        opened.append(Terminal([*command], {"COLUMNS": "120", "PYTHONPATH": str(folder.path)}))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def only_one(title: str) -> SimpleNamespace:
    """Return id and state of the one experiment with a title."""
    (id,) = run.Experiment.catalog(title)
    return SimpleNamespace(id=id, state=run.Experiment.from_id(id).wait())


def test_a_function_that_is_run_by_name_is_recorded_and_its_end_says_how_to_go_on(nemo):
    done = nemo("train.py:train", "model.layers=3", "--yes")
    assert (done.code, done.out) == (0, "layers=3 width=8 lr=0.1 note=''\n")
    left = only_one("train")
    assert left.state is State.SUCCEEDED
    *_, name, look, logs, repeat, returned = done.err.splitlines()
    assert name == f"Experiment {left.id}"
    assert look.endswith(f"experiment status {left.id}")
    assert logs.endswith(f"experiment logs {left.id}")
    assert repeat.endswith(f"experiment rerun {left.id}")
    assert returned == "Returned: 24"


def test_directly_it_runs_here_and_says_what_came_back_only(nemo):
    done = nemo("train.py:train", "model.layers=3", "--direct")
    assert (done.code, done.err) == (0, "Returned: 24\n")
    assert run.Experiment.catalog() == []


def test_each_of_the_processes_of_a_launcher_does_the_work(nemo):
    done = nemo("train.py:train", "model.layers=3", WORLD_SIZE="2", RANK="1")
    assert (done.code, done.out) == (0, "layers=3 width=8 lr=0.1 note=''\n")
    assert run.Experiment.catalog() == []


def test_none_as_executor_keeps_it_in_the_process(nemo):
    assert nemo("train.py:train", "model.layers=3", "run.executor=none", "--yes").code == 0
    assert run.Experiment.catalog() == []


def test_a_script_runs_in_its_process_and_a_log_of_it_has_no_word_of_ours(script):
    done = script("--yes")
    assert (done.code, done.err) == (0, "")
    assert run.Experiment.catalog() == []


@pytest.mark.parametrize(
    ("words", "title"),
    [
        (["--no-direct"], "train"),
        (["--name", "mine"], "mine"),
        (["run.name=mine"], "mine"),
        (["--detach"], "train"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_script_is_recorded_where_something_asks_for_a_record(script, words, title):
    done = script("--yes", *words)
    assert done.code == 0, done.err
    assert only_one(title).state is State.SUCCEEDED


def test_at_a_terminal_one_line_says_that_there_is_no_record(folder, terminal):
    file = folder.write("train.py", TRAIN)
    screen = terminal(sys.executable, str(file), "model.layers=3", "--yes")
    assert screen.end() == 0
    assert screen.lines[-1].startswith("It ran in this process, and nothing of it was recorded.")
    assert screen.lines[-1].endswith("run.executor=local")
    screen = terminal(sys.executable, str(file), "model.layers=3", "--direct")
    assert screen.end() == 0
    assert screen.lines == ["layers=3 width=8 lr=0.1 note=''"]


@pytest.mark.parametrize(("target", "title"), [("train.py:train", "train"), ("study.py", "study")])
def test_a_quiet_detached_run_prints_its_id_and_nothing_else(nemo, target, title):
    words = ["model.layers=3"] if title == "train" else []
    done = nemo(target, *words, "--yes", "--quiet", "--detach")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{only_one(title).id}\n"


def test_a_long_value_is_one_short_line(nemo, folder):
    folder.write("long.py", "def work() -> list:\n    return ['a\\nb'] * 1000\n")
    last = nemo("long.py:work", "--yes").err.splitlines()[-1]
    assert last.startswith("Returned: ['a\\nb', ")
    assert len(last) < 250


def test_a_dry_run_finds_what_a_run_would_refuse_and_shows_the_plan_of_what_it_would_send(nemo):
    done = nemo("train.py:train", "--dryrun", "--direct")
    assert done.code == 2
    assert "train needs 'model'" in done.err
    assert "job train on LocalExecutor" in nemo("train.py:train", "model.layers=3", "--dryrun").out


def test_a_dry_run_of_a_script_that_lacks_a_value_is_refused(folder):
    file = folder.write("train.py", TRAIN)
    done = folder.python(str(file), "--dryrun")
    assert (done.code, done.out) == (2, "")
    assert "train needs 'model'" in done.err


def test_a_person_is_shown_what_was_set_and_no_means_that_nothing_was_started(
    nemo, program, terminal, folder
):
    where = ["run.executor=local", "run.executor.retries=2"]
    for words in (
        [f"{folder.path}/study.py", *where],
        [f"{folder.path}/train.py:train", "model.layers=choice(1,2)", "--sweep", *where],
    ):
        screen = terminal(*program, "run", *words)
        screen.until("[y/N]")
        screen.type("n\n")
        assert screen.end() == 130
        assert "on LocalExecutor(retries=2)" in screen.lines
        assert "ctx" not in screen.seen
        assert screen.lines[-1] == "Nothing was started."
    assert run.Experiment.catalog() == []
