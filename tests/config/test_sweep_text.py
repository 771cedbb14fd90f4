"""Sweeps as text: choice(…), range(…), and files with a point a row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.config.sweeps.rows import rows_of
from nemo_run.config.sweeps.text import points_of, points_of_rows, refuse_unasked
from nemo_run.exceptions import ConfigError, OverrideError, SweepError


@dataclass
class Encoder:
    layers: int = 1
    width: int = 8


@run.cli.factory
def thin() -> run.Config[Encoder]:
    return run.Config(Encoder, layers=1)


@run.cli.factory
def thick(layers: int = 10) -> run.Config[Encoder]:
    return run.Config(Encoder, layers=layers)


def fit(model: Encoder, lr: float = 0.1, seed: int = 0, tag: str = "", n: int = 1) -> None: ...


@pytest.fixture
def task() -> run.Partial:
    return run.Partial(fit, model=run.Config(Encoder))


def overrides(*words: str):
    return [parse_override(word) for word in words]


def swept(task, *words: str, **how):
    return points_of(task, overrides(*words), **how)


def test_choices_are_read_by_the_annotation_and_combined(task):
    points = swept(task, "lr=choice(1e-4,3e-4)", "seed=range(3)", "tag=x")

    assert len(points) == 6
    assert [p.name for p in points][:2] == ["lr=0.0001_seed=0", "lr=0.0001_seed=1"]
    assert points[5].values == {"lr": 3e-4, "seed": 2}
    assert {p.task.tag for p in points} == {"x"}


def test_choices_of_factories_are_called_as_they_were_asked_for(task):
    points = swept(task, "model=choice(thin,thick(layers=3))", "model.width=choice(4)")

    assert [p.name for p in points] == ["model=thin_width=4", "model=thick-layers=3_width=4"]
    assert [(p.task.model.layers, p.task.model.width) for p in points] == [(1, 4), (3, 4)]


def test_quotes_hold_what_a_choice_would_take_apart(task):
    points = swept(task, "tag=choice('a,b',\"c)\",d)")
    assert [p.task.tag for p in points] == ["a,b", "c)", "d"]


def test_other_operators_vary_what_is_there(task):
    task.n = 10
    points = swept(task, "n*=choice(2,3)")
    assert [p.task.n for p in points] == [20, 30]
    assert [p.name for p in points] == ["n=20", "n=30"]


def test_they_are_applied_in_their_order(task):
    points = swept(task, "n+=1", "n*=choice(2,3)", "n+=1")
    assert [p.task.n for p in points] == [5, 7]


def test_the_history_says_that_the_command_line_set_it(task):
    point = swept(task, "lr=choice(0.5)")[0]
    assert point.task.__argument_history__["lr"][-1].kind == "command line"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("range(3)", [0, 1, 2]),
        ("range(2,5)", [2, 3, 4]),
        ("range(5, 0, -2)", [5, 3, 1]),
        ("range(0,0.5,0.1)", [0, 0.1, 0.2, 0.3, 0.4]),
        ("range(1_000,3_000,1e3)", [1000, 2000]),
    ],
)
def test_a_range_is_that_of_python_and_exact_for_decimals(task, text, values):
    points = swept(task, f"lr={text}")
    assert [p.task.lr for p in points] == values


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("nothing varies", ["lr=0.1"]),
        ("a choice inside of a call", ["model=thick(layers=choice(1,2))"]),
        ("a choice that is not closed", ["lr=choice(1,2"]),
        ("an empty choice", ["lr=choice()"]),
        ("an empty range", ["seed=range(0)"]),
        ("a range without a step", ["seed=range(1,2,0)"]),
        ("a range of words", ["seed=range(a)"]),
        ("a range of four", ["seed=range(1,2,3,4)"]),
        ("a choice with names", ["seed=choice(a=1)"]),
        ("a value that does not fit", ["seed=choice(1,fast)"]),
        ("an unknown key", ["sede=choice(1,2)"]),
        ("an unknown factory", ["model=choice(thin,thik)"]),
        ("set again", ["seed=choice(1,2)", "seed=3"]),
        ("a word like choice", ["lr=choise(1,2)"]),
        ("varied twice", ["seed=choice(1,2)", "seed=choice(3,4)"]),
    ],
)
def test_what_makes_no_sweep_is_refused_with_a_sentence(task, error_snapshot, key, words):
    with pytest.raises(ConfigError) as caught:
        swept(task, *words)
    error_snapshot(f"sweep text: {key}", str(caught.value))


def test_zip_needs_as_many_values_of_each(task):
    points = swept(task, "lr=choice(1,2)", "seed=range(2)", mode="zip")
    assert [(p.task.lr, p.task.seed) for p in points] == [(1, 0), (2, 1)]
    with pytest.raises(SweepError, match="lr has 2, seed has 3"):
        swept(task, "lr=choice(1,2)", "seed=range(3)", mode="zip")


def test_without_a_sweep_several_values_are_refused_but_for_a_text(task):
    for word in ("lr=choice(1,2)", "seed=range(5)", "model=choice(thin,thick)"):
        with pytest.raises(OverrideError, match="Add --sweep to run each of them"):
            refuse_unasked(task, overrides(word))
    kept = refuse_unasked(task, overrides("tag=choice(a,b)", "lr=0.1", "sede=choice(1)"))
    assert kept == ["tag=choice(a,b)"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_every_number_comes_back_from_a_choice(values):
    points = swept(run.Partial(fit), f"lr=choice({','.join(map(repr, values))})", "model=thin")
    assert [p.task.lr for p in points] == values


# Files

POINTS = {
    "points.csv": "lr,seed,model.layers\n0.1,1,2\n\n0.2,,4\n",
    "points.tsv": "lr\tseed\tmodel.layers\n0.1\t1\t2\n\n0.2\t\t4\n",
    "points.yaml": "- {lr: 0.1, seed: 1, model: {layers: 2}}\n- lr: 0.2\n  model:\n    layers: 4\n",
    "points.json": (
        '[{"lr": 0.1, "seed": 1, "model.layers": 2}, {"lr": 0.2, "model": {"layers": 4}}]'
    ),
    "points.toml": (
        "[[points]]\nlr = 0.1\nseed = 1\nmodel.layers = 2\n[[points]]\nlr = 0.2\nmodel.layers = 4\n"
    ),
}


@pytest.mark.parametrize("name", POINTS)
def test_a_file_has_a_point_a_row(task, tmp_path, name):
    path = tmp_path / name
    path.write_text(POINTS[name])

    points = points_of_rows(task, overrides("tag=x"), rows_of(str(path)))

    assert [(p.task.lr, p.task.seed, p.task.model.layers) for p in points] == [
        (0.1, 1, 2),
        (0.2, 0, 4),
    ]
    assert {p.task.tag for p in points} == {"x"}
    assert points[1].values == {"lr": 0.2, "model.layers": 4}
    entry = points[0].task.__argument_history__["lr"][-1]
    assert (entry.kind, entry.file) == ("file", str(path))


def test_a_csv_of_a_spreadsheet_is_read_with_its_quotes_and_factories(task, tmp_path):
    path = tmp_path / "p.csv"
    path.write_bytes('\ufeffmodel,tag\r\n"thick(layers=3)","a,""b""\r\nc"\r\n'.encode())
    point = points_of_rows(task, [], rows_of(str(path)))[0]
    assert point.task.model.layers == 3
    assert point.task.tag == 'a,"b"\r\nc'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cells.csv", "lr,seed\n0.1\n"),
        ("value.csv", "lr,seed\n0.1,1\n0.2,x\n"),
        ("key.csv", "lr,se ed\n0.1,1\n"),
        ("twice.csv", "lr,lr\n0.1,1\n"),
        ("empty.csv", "lr\n"),
        ("points.txt", "lr\n1\n"),
        ("key.yaml", "- lr: 0.1\n- lr: 0.2\n  sede: 1\n"),
        ("value.toml", "[[points]]\nlr = 0.1\n[[points]]\nseed = 'x'\n"),
        ("mapping.yaml", "point:\n- lr: 0.1\n"),
        ("scalar.json", "[3]"),
    ],
)
def test_a_wrong_row_is_named_by_file_and_line(task, tmp_path, error_snapshot, name, text):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(OverrideError) as caught:
        points_of_rows(task, [], rows_of(str(path)))
    assert str(caught.value).startswith(str(path))
    error_snapshot(f"sweep file: {name}", str(caught.value).replace(str(tmp_path), "<folder>"))


def test_a_missing_file_is_named():
    for name in ("none.csv", "none.yaml"):
        with pytest.raises(OverrideError, match=name):
            rows_of(str(Path(name)))
