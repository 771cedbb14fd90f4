"""Tasks by name: what is changed is kept, and carried out where the function is."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

import nemo_run as run
from nemo_run.cli.lazy.entrypoint import lazily
from nemo_run.config import build
from nemo_run.config.files import codec
from nemo_run.exceptions import ConfigError, OverrideError


@dataclass
class Model:
    width: int = 4
    sizes: list[int] = field(default_factory=lambda: [1, 2])


def train(model: Model, lr: float = 0.1, tags: dict[str, int] | None = None, name: str = "a"):
    return [model.width, model.sizes, lr, tags, name]


@run.autoconvert
def wide() -> Model:
    return Model(width=64)


HERE = f"{__name__}.train"


def test_what_is_set_is_carried_out_in_order_when_it_is_resolved():
    task = run.LazyEntrypoint(HERE)
    task.model.width = 3
    task.model.width *= 2
    task.model.width += 1
    task.model.sizes[-1] = 9
    task.lr = 1.0
    task.lr = task.lr / 2 - 0.25
    task.tags["a.b"] = 1
    task.name = "x=1"
    assert task.is_lazy
    made = task.resolve()
    assert type(made) is run.Partial
    assert made == run.Partial(
        train, run.Config(Model, width=7, sizes=[1, 9]), lr=0.25, tags={"a.b": 1}, name="x=1"
    )
    assert build(task)() == [7, [1, 9], 0.25, {"a.b": 1}, "x=1"]
    # Resolving twice gives two tasks.
    made.lr = 5
    assert task.resolve().lr == 0.25


def test_texts_are_read_with_the_types_of_the_function():
    task = run.LazyEntrypoint(HERE, overwrites=["model.width=3", "lr=1", "name=007", "lr*=2"])
    made = task.resolve()
    assert (made.model.width, made.lr, made.name) == (3, 2.0, "007")
    assert isinstance(made.lr, float)


def test_overwrites_are_texts_pairs_or_triples():
    for given in (
        {"model.width": 3},
        [("model.width", 3)],
        [("model.width", "-", 1)],
        ["model.width=3"],
    ):
        assert run.LazyEntrypoint(HERE, overwrites=given).resolve().model.width == 3
    with pytest.raises(OverrideError, match=r"3 changes nothing. Give a text such as 'lr=0\.1'"):
        run.LazyEntrypoint(HERE, overwrites=[3])


def test_graphs_and_objects_are_values_too():
    task = run.LazyEntrypoint(HERE)
    task.model = run.Config(Model, width=8)
    task.model.width += 1
    assert task.resolve().model == run.Config(Model, width=9)
    task.model = Model(width=2)
    assert build(task.resolve())()[0] == 2


def test_it_travels_and_is_made_in_another_process(tmp_path, monkeypatch):
    (tmp_path / "far_away.py").write_text(
        "def train(width: int, lr: float = 0.1):\n    print('ran', width, lr)\n    return width\n"
    )
    task = run.LazyEntrypoint("far_away.train", overwrites=["width=3"])
    task.lr = 0.5
    assert "far_away" not in sys.modules
    for same in (task, pickle.loads(pickle.dumps(task)), copy.deepcopy(task), task.clone()):
        assert type(same) is run.LazyEntrypoint
        assert codec.dumps(same) == codec.dumps(task)
    text = codec.dumps(task)
    assert json.loads(text)["value"]["target"] == "nemo_run.cli.lazy:call_lazily"
    (tmp_path / "task.json").write_text(text)
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from nemo_run.config import build\nfrom nemo_run.config.files import codec\n"
        "from pathlib import Path\n"
        "print(build(codec.loads(Path('task.json').read_text()))())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == ["ran", "3", "0.5", "3"], done.stderr


def test_an_experiment_runs_what_this_process_cannot_import(tmp_path, monkeypatch):
    library = tmp_path / "library"
    library.mkdir()
    (library / "far_away_2.py").write_text(
        "class Net:\n    def __init__(self, width):\n        self.width = width\n"
        "def train(net=None, width: int = 1):\n    return (net.width if net else 0) + width\n"
    )
    with run.lazy_imports():
        import far_away_2
    executor = run.LocalExecutor(env_vars={"PYTHONPATH": str(library)})
    lazy = run.LazyEntrypoint("far_away_2.train")
    lazy.width = 40
    lazy.width += 2
    assert run.run(lazy, executor, tail_logs=False) == 42
    task = run.Partial(far_away_2.train, net=run.Config(far_away_2.Net, 5), width=2)
    assert run.run(task, executor, tail_logs=False) == 7
    assert "far_away_2" not in sys.modules


def test_it_runs_here_when_it_is_run_directly():
    task = run.LazyEntrypoint(HERE, overwrites=["model.width=3"])
    assert run.run(task, direct=True)[0] == 3


def test_a_factory_begins_it():
    from nemo_run.config.factories import register

    def big() -> run.Partial[train]:
        return run.Partial(train, wide(), lr=7.0)

    register(big, train, name="big")
    task = run.LazyEntrypoint(train, factory="big")
    task.lr += 1
    assert task.resolve() == run.Partial(train, run.Config(Model, width=64), lr=8.0)
    assert lazily(train, ["big", "lr=1"]).resolve().model.width == 64
    with pytest.raises(OverrideError, match=r"has no factory 'bog'.*Did you mean 'big'"):
        run.LazyEntrypoint(train, factory="bog").resolve()


def test_files_are_read_at_once(tmp_path):
    (tmp_path / "c.yaml").write_text("model:\n  width: 11\nlr: 2\n")
    task = run.LazyEntrypoint(HERE, yaml=str(tmp_path / "c.yaml"), overwrites=["lr=3"])
    (tmp_path / "c.yaml").unlink()
    made = task.resolve()
    assert (made.model.width, made.lr) == (11, 3.0)


def test_a_script_is_named_by_its_file(tmp_path):
    script = tmp_path / "my_script.py"
    script.write_text("def train(n: int = 1):\n    return n\n")
    assert build(run.LazyEntrypoint(f"{script}:train", overwrites=["n=4"]))() == 4
    with pytest.raises(ConfigError, match=r"my_script\.py has no 'trian'.*Did you mean 'train'"):
        run.LazyEntrypoint(f"{script}:trian").resolve()


def test_wrong_use_is_a_sentence():
    task = run.LazyEntrypoint(HERE)
    with pytest.raises(OverrideError, match=r"lr cannot be computed from name before"):
        task.lr = task.name + "x"
    with pytest.raises(OverrideError, match=r"model\.width is not known before"):
        assert task.model.width == 3
    with pytest.raises(OverrideError, match=r"is not known before"):
        bool(task.lr)
    with pytest.raises(OverrideError, match=r"target of a LazyEntrypoint cannot be set"):
        task.target = "x"
    task.model.wdith = 3
    with pytest.raises(OverrideError, match=r"model\.wdith: .*Did you mean 'width'"):
        task.resolve()
    with pytest.raises(ConfigError, match="nowhere_at_all"):
        run.LazyEntrypoint("nowhere_at_all.train").resolve()
    with pytest.raises(ConfigError, match="names no function"):
        run.LazyEntrypoint("train").resolve()


def test_it_is_shown_by_the_name_of_its_function():
    from nemo_run.config.graph.node import target_name

    task = run.LazyEntrypoint("far.away:train", factory="big", overwrites=["a=1"])
    task.b.c = 2
    assert repr(task) == "LazyEntrypoint('far.away:train', factory='big', a=1, b.c = 2)"
    assert target_name(task) == "far.away.train"
    assert str(task)


SCRIPT = """\
import nemo_run as run

class Model:
    def __init__(self, width: int = 1):
        self.width = width

@run.cli.factory
@run.autoconvert
def small() -> Model:
    print("the factory ran")
    return Model(width=7)

def train(model: Model, lr: float = 0.1):
    print("trained", model.width, lr)

print("read")
run.cli.main(train)
"""


@pytest.mark.parametrize("unguarded", [True, False])
def test_a_script_with_lazy_reads_its_words_in_the_job(tmp_path, home, unguarded):
    script = tmp_path / "job.py"
    guarded = SCRIPT.replace("run.cli.main", 'if __name__ == "__main__":\n    run.cli.main')
    script.write_text(SCRIPT if unguarded else guarded)
    words = ["model=small", "lr=1e-2", "--lazy", "--yes", "--tail-logs", "run.executor=local"]
    done = subprocess.run(
        [sys.executable, script, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (log,) = home.glob("experiments/*/*/jobs/*/logs/1/rank-0.log")
    # Once, in the job: the factory is asked there, and nothing is launched again.
    assert log.read_text() == "read\nthe factory ran\ntrained 7 0.01\n"
    assert log.parent.parent.parent.name == "train"
    assert done.stdout.count("the factory ran") == 1


def test_a_wrong_word_of_a_lazy_script_fails_in_the_job_and_says_why(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(SCRIPT)
    words = ["model=small", "lr=fast", "--lazy", "--yes", "run.executor=local"]
    done = subprocess.run(
        [sys.executable, script, *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "lr: 'fast' is no float" in done.stderr


def test_a_command_is_named_by_its_words():
    @run.cli.entrypoint(namespace="lazy.words")
    def pretrain(n: int = 1):
        return n

    task = run.LazyEntrypoint("lazy words pretrain", overwrites=["n=4"])
    assert task.resolve() == run.Partial(pretrain, n=4)
    assert run.LazyTarget("lazy words pretrain").target is pretrain
    with pytest.raises(ConfigError, match=r"no command 'lazy words pertrain'.*Did you mean"):
        run.LazyEntrypoint("lazy words pertrain").resolve()
    # A job needs a name, and words are none.
    with pytest.raises(ConfigError, match=r"Give run\.LazyEntrypoint"):
        codec.dumps(run.Partial(run.LazyTarget("lazy words pretrain")))
