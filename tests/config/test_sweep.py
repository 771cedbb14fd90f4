"""Sweeps in Python: the points, their tasks and names, and what is refused before a run."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.config.sweeps import names as sweep_names
from nemo_run.config.sweeps.sweep import Sweep
from nemo_run.exceptions import ConfigError, SweepError
from nemo_run.management.store import names as store_names


class Schedule(enum.Enum):
    COSINE = 1
    LINEAR = 2


@dataclass
class Model:
    layers: int = 1
    width: int = 8


@dataclass
class Options:
    tags: list[str] = field(default_factory=list)


def train(
    model: Model,
    lr: float = 0.1,
    seed: int = 0,
    schedule: Schedule = Schedule.COSINE,
    extra: dict | None = None,
    mode: str = "a",
) -> float:
    return lr


@pytest.fixture
def task() -> run.Partial:
    return run.Partial(train, model=run.Config(Model), extra={"a": 1})


def test_a_grid_has_every_combination_the_last_field_changing_first(task):
    points = run.sweep(task, lr=[0.1, 0.2], seed=range(3))

    assert len(points) == 6
    assert [(p.task.lr, p.task.seed) for p in points][:4] == [
        (0.1, 0),
        (0.1, 1),
        (0.1, 2),
        (0.2, 0),
    ]
    assert points[0].values == {"lr": 0.1, "seed": 0}
    assert points[-1].name == "lr=0.2_seed=2"
    assert task.lr == 0.1, "the task that was given stays as it is"


def test_zip_takes_one_value_of_each_at_a_time(task):
    points = run.sweep(task, lr=[0.1, 0.2], seed=[7, 8], mode="zip")
    assert [(p.task.lr, p.task.seed) for p in points] == [(0.1, 7), (0.2, 8)]


def test_points_may_each_have_fields_of_their_own(task):
    points = run.sweep(task, points=[{"lr": 0.1, "seed": 1}, {"model.layers": 4}, {}])

    assert [p.name for p in points] == ["lr=0.1_seed=1", "layers=4", "base"]
    assert points[1].task.model.layers == 4
    assert points.fields == ("lr", "seed", "model.layers")


def test_fields_are_reached_by_paths_and_reserved_words_by_the_dict(task):
    points = run.sweep(task, {"model.layers": [2, 4], "extra.a": [5], "mode": ["x"]})

    assert [p.task.model.layers for p in points] == [2, 4]
    assert points[0].task.extra == {"a": 5}
    assert points[0].task.mode == "x"
    assert task.model.layers == 1


def test_values_may_be_anything_a_task_takes(task):
    points = run.sweep(
        task,
        model=[run.Config(Model, layers=2), run.Config(Model, layers=4)],
        schedule=list(Schedule),
    )
    assert [p.name for p in points][:2] == [
        "model=Model-layers=2_schedule=COSINE",
        "model=Model-layers=2_schedule=LINEAR",
    ]
    assert points[0].task.model == run.Config(Model, layers=2)


def test_numpy_arrays_give_pythons_own_numbers(task):
    numpy = pytest.importorskip("numpy")
    points = run.sweep(task, lr=numpy.array([0.25, 0.5]), seed=numpy.arange(1))
    assert [type(p.task.lr) for p in points] == [float, float]
    assert type(points[0].task.seed) is int


def test_no_two_points_share_a_value():
    def use(options: Options, n: int) -> None: ...

    shared = ["a"]
    task = run.Partial(use, options=run.Config(Options))
    points = run.sweep(task, {"options.tags": [shared], "n": [1, 2]})
    points[0].task.options.tags.append("b")
    assert points[1].task.options.tags == ["a"]
    assert shared == ["a"]


def test_a_script_is_swept_over_its_environment_and_arguments():
    script = run.Script(inline="echo", env={"LR": "1"})
    points = run.sweep(script, {"env.LR": ["0.1", "0.2"], "args": [["--fast"]]})

    assert [p.task.env["LR"] for p in points] == ["0.1", "0.2"]
    assert points[0].task.args == ["--fast"]
    assert script.env == {"LR": "1"}


def test_it_is_shown_as_a_table(task):
    shown = repr(run.sweep(task, {"model.layers": [2, 4]}, seed=range(30), max_parallel=3))

    assert shown.startswith("Sweep of test_sweep.train: 60 points, at most 3 at once\n")
    assert re.search(r"\n  point +model\.layers +seed\n  layers=2_seed=0 +2 +0\n", shown)
    assert "\n  … 36 more …\n" in shown
    assert shown.splitlines()[-1].split() == ["layers=4_seed=29", "4", "29"]


def test_it_is_a_sequence(task):
    points = run.sweep(task, seed=range(3))
    assert isinstance(points, Sweep)
    assert [p.name for p in points[1:]] == ["seed=1", "seed=2"]
    assert points[0] in points


def refused(error_snapshot, key: str, make) -> None:
    with pytest.raises((ConfigError, TypeError)) as caught:
        make()
    error_snapshot(key, str(caught.value).replace(str(Path(__file__).parent), "<tests>"))


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("an unknown field", lambda t: run.sweep(t, lrr=[1.0])),
        ("an unknown nested field", lambda t: run.sweep(t, {"model.layrs": [1]})),
        ("one value", lambda t: run.sweep(t, lr=0.1)),
        ("text as values", lambda t: run.sweep(t, mode="abc")),
        ("text as values of a field", lambda t: run.sweep(t, {"mode": "abc"})),
        ("no values", lambda t: run.sweep(t, lr=[])),
        ("a set", lambda t: run.sweep(t, lr={1.0})),
        ("nothing varies", lambda t: run.sweep(t)),
        ("zip of unequal lengths", lambda t: run.sweep(t, lr=[1.0], seed=[1, 2], mode="zip")),
        ("a misspelt mode", lambda t: run.sweep(t, lr=[1.0], mode="zipp")),
        ("points and fields", lambda t: run.sweep(t, lr=[1.0], points=[{"seed": 1}])),
        ("no points", lambda t: run.sweep(t, points=[])),
        ("a point that is none", lambda t: run.sweep(t, points=[{"lr": 0.1}, 3])),
        ("a field given twice", lambda t: run.sweep(t, {"lr": [1.0]}, lr=[1.0])),
        ("too many points", lambda t: run.sweep(t, lr=range(400), seed=range(400))),
        ("max_parallel of none", lambda t: run.sweep(t, lr=[1.0], max_parallel=0)),
        ("a plain function", lambda t: run.sweep(train, lr=[1.0])),
        ("a list of tasks", lambda t: run.sweep([t, t], lr=[1.0])),
        ("no task", lambda t: run.sweep(3, lr=[1.0])),
        ("an unknown field of a script", lambda t: run.sweep(run.Script("a.sh"), {"evn.A": ["1"]})),
    ],
)
def test_what_makes_no_sweep_is_refused_with_a_sentence(task, error_snapshot, key, make):
    refused(error_snapshot, f"sweep: {key}", lambda: make(task))


def test_every_wrong_value_is_told_once_before_anything_runs(task):
    with pytest.raises(ConfigError) as caught:
        run.sweep(task, lr=["fast", 0.1], seed=[1.5, 2, 3])
    message = str(caught.value)
    assert message.count("'fast' is given, float is expected") == 1
    assert message.count("1.5 is given, int is expected") == 1
    assert f"{__file__}:" in message


def test_an_endless_iterator_is_refused(task):
    from itertools import count

    with pytest.raises(SweepError, match="More than 100,000 points"):
        run.sweep(task, seed=count())


# Names


def named(points: list[dict[str, object]]) -> list[str]:
    labels = [{k: sweep_names.label(v) for k, v in point.items()} for point in points]
    exact = [repr([(k, type(v), v) for k, v in point.items()]) for point in points]
    return sweep_names.names(labels, exact)


def test_names_are_what_tells_fields_apart():
    assert sweep_names.short_keys(["model.layers", "lr"]) == {"model.layers": "layers", "lr": "lr"}
    assert sweep_names.short_keys(["model.lr", "optimizer.lr"]) == {
        "model.lr": "model.lr",
        "optimizer.lr": "optimizer.lr",
    }
    assert sweep_names.short_keys(["stages[0].size", "stages[1].size"]) == {
        "stages[0].size": "stages.0.size",
        "stages[1].size": "stages.1.size",
    }
    assert sweep_names.short_keys(["layers[0]"]) == {"layers[0]": "layers.0"}


def test_the_same_point_twice_and_points_that_look_alike_get_names_of_their_own():
    assert named([{"lr": 1}, {"lr": 1}]) == ["lr=1", "lr=1_2"]
    alike = named([{"lr": 1}, {"lr": "1"}, {"tag": "A"}, {"tag": "a"}])
    assert len({name.casefold() for name in alike}) == 4
    assert all(re.fullmatch(r"(lr=1|tag=[Aa])-[0-9a-f]{6}", name) for name in alike)


def test_a_long_value_is_shortened_to_the_same_name_in_every_process():
    long = "a very long prompt " * 20
    assert named([{"prompt": long}]) == named([{"prompt": long}])
    assert named([{"prompt": long}]) == ["prompt=a-very-long-prompt-a-3dfae2"]
    first, second = named([{"prompt": long}, {"prompt": long + "!"}])
    assert first != second


values = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=60),
    st.booleans(),
    st.none(),
    st.lists(st.integers(), max_size=30),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["lr", "a.b", "c[0]", "x.b"]), values), max_size=6))
def test_every_name_is_a_folder_as_it_stands_and_no_two_are_one(points):
    found = named(points)
    assert len({name.casefold() for name in found}) == len(points)
    assert [store_names.folder(name) for name in found] == found
