"""Overrides applied to configurations, as a person types them."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, NamedTuple, Optional, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.config import build
from nemo_run.config.overrides.apply import apply, hint_at, put
from nemo_run.config.overrides.grammar import Override, parse_key, parse_override
from nemo_run.exceptions import OverrideError


class Color(Enum):
    RED = 1
    BLUE = 2


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict, total=False):
    depth: int
    names: list[str]


@dataclass
class Optimizer:
    lr: float = 0.1
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])


@dataclass
class Model:
    size: int = 1
    optimizer: Optimizer | None = None
    tags: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)


class Tower:
    def __init__(self, base: Model, height: int = 2):
        self.base, self.height = base, height


def train(
    model: Model,
    n: int = 1,
    lr: float = 0.5,
    name: str = "x",
    flag: bool = False,
    steps: list[int] = [1, 2],
    models: list[Model] = [],
    table: dict[str, dict[str, int]] = {},
    by_number: dict[int, str] = {},
    shape: tuple[int, int] = (1, 2),
    point: Point = Point(1),
    seen: set[int] = frozenset(),  # type: ignore[assignment]
    options: Options | None = None,
    home: Path = Path("/data"),
    start: dt.date = dt.date(2026, 1, 1),
    wait: dt.timedelta = dt.timedelta(minutes=5),
    price: Decimal = Decimal(1),
    loose=None,
    many: dict = {},
    color: Color = Color.RED,
    mode: Literal["a", 2] = "a",
    made: Model = Model(size=5),
    needed: int | None = None,
):
    """Take what a command may set."""


def changed(*texts: str, task: Any = None) -> Any:
    return apply(run.Partial(train) if task is None else task, [parse_override(t) for t in texts])


# Sets.


@pytest.mark.parametrize(
    ("texts", "read", "expected"),
    [
        (["n=3"], lambda t: t.n, 3),
        (["name=a=b%|#\\ 'é'\n"], lambda t: t.name, "a=b%|#\\ 'é'\n"),
        (["name="], lambda t: t.name, ""),
        (["model.size=3"], lambda t: t.model.size, 3),
        (["model.optimizer.lr=3"], lambda t: t.model.optimizer.lr, 3.0),
        (["model.limits.a=3"], lambda t: t.model.limits, {"a": 3}),
        (["model.limits[a-b]=3"], lambda t: t.model.limits, {"a-b": 3}),
        (["model.limits={a: 1}", "model.limits.b=2"], lambda t: t.model.limits, {"a": 1, "b": 2}),
        (["steps[0]=5"], lambda t: t.steps, [5, 2]),
        (["steps[-1]=5"], lambda t: t.steps, [1, 5]),
        (["steps.1=5"], lambda t: t.steps, [1, 5]),
        (["shape[1]=5"], lambda t: t.shape, (1, 5)),
        (["point.y=5"], lambda t: t.point, Point(1, 5.0)),
        (["point[0]=5"], lambda t: t.point, Point(5, 0.0)),
        (["options.depth=5"], lambda t: t.options, {"depth": 5}),
        (["options.names=[a]", "options.names[0]=b"], lambda t: t.options, {"names": ["b"]}),
        (["table.a.b=5"], lambda t: t.table, {"a": {"b": 5}}),
        (["by_number[1]=x"], lambda t: t.by_number, {1: "x"}),
        (["by_number.1=x"], lambda t: t.by_number, {1: "x"}),
        (["many.a.b=5", "many.a.c=x"], lambda t: t.many, {"a": {"b": 5, "c": "x"}}),
        (["many={1: 2}", "many[1]=3"], lambda t: t.many, {1: 3}),
        (["made.size=6"], lambda t: t.made, run.Config(Model, size=6)),
        (["loose={a: {b: 1}}", "loose.a.b=2"], lambda t: t.loose, {"a": {"b": 2}}),
        (["color=blue"], lambda t: t.color, Color.BLUE),
        (["mode=2"], lambda t: t.mode, 2),
        (["needed=none"], lambda t: t.needed, None),
    ],
)
def test_values_are_set_where_the_key_says(texts, read, expected):
    found = read(changed(*texts))
    assert found == expected
    assert type(found) is type(expected)


def test_the_first_segment_takes_an_index():
    task = run.Partial(train, models=[run.Config(Model), run.Config(Model)])
    assert [m.size for m in changed("models[0].size=4", "models[-1].size=5", task=task).models] == [
        4,
        5,
    ]


def test_what_is_set_is_what_the_call_receives():
    def call(a=1, b=True, c="x", d=[1], e=1.0):
        return a, b, c, d, e

    task = apply(
        run.Config(call), [parse_override(t) for t in ("a=0", "b=false", "c=", "d=[]", "e=0.0")]
    )
    assert build(task) == (0, False, "", [], 0.0)


# Operators.


@pytest.mark.parametrize(
    ("texts", "name", "expected"),
    [
        (["n+=1", "n+=2"], "n", 4),
        (["n=5", "n-=2", "n*=4", "n/=6"], "n", 2),
        (["n|=6"], "n", 7),
        (["n=6", "n&=3"], "n", 2),
        (["n=4", "n*=0.5"], "n", 2),
        (["lr*=3"], "lr", 1.5),
        (["lr-=0.25"], "lr", 0.25),
        (["name+=yz"], "name", "xyz"),
        (["name*=3"], "name", "xxx"),
        (["flag|=true"], "flag", True),
        (["steps+=[3]"], "steps", [1, 2, 3]),
        (["steps+=3"], "steps", [1, 2, 3]),
        (["steps+=3,4"], "steps", [1, 2, 3, 4]),
        (["steps*=2"], "steps", [1, 2, 1, 2]),
        (["steps[0]+=3"], "steps", [4, 2]),
        (["seen|={1,2}", "seen-={1}"], "seen", frozenset({2})),
        (["seen=1,2", "seen|=3", "seen-=1"], "seen", {2, 3}),
        (["seen=1,2", "seen&={2, 3}"], "seen", {2}),
        (["table={a: {x: 1}}", "table|={b: {y: 2}}"], "table", {"a": {"x": 1}, "b": {"y": 2}}),
        (["table.a={x: 1}", "table.a|={y: 2}"], "table", {"a": {"x": 1, "y": 2}}),
        (["table.a.x=1", "table.a.x+=1"], "table", {"a": {"x": 2}}),
        (["shape[0]*=7"], "shape", (7, 2)),
        (["home/=sub"], "home", Path("/data/sub")),
        (["start+=2d"], "start", dt.date(2026, 1, 3)),
        (["wait*=2"], "wait", dt.timedelta(minutes=10)),
        (["wait+=30s"], "wait", dt.timedelta(minutes=5, seconds=30)),
        (["price*=1.10"], "price", Decimal("1.10")),
        (["loose=3", "loose+=1"], "loose", 4),
        (["loose=[1]", "loose+=[a]"], "loose", [1, "a"]),
        (["made.size*=3"], "made", run.Config(Model, size=15)),
        (["model.size+=3", "model.size+=3"], "model", run.Config(Model, size=7)),
        (["model.tags+=[a]", "model.tags+=b"], "model", run.Config(Model, tags=["a", "b"])),
    ],
)
def test_operators_take_the_current_value_or_the_default(texts, name, expected):
    found = getattr(changed(*texts), name)
    assert found == expected
    assert type(found) is type(expected)


def test_no_default_is_ever_changed():
    before = copy.deepcopy(train.__defaults__)
    for _ in range(2):
        task = changed(
            *("steps+=[3]", "steps[0]=9", "table.a.b=1", "many.k=1", "models+=[Model(size=2)]"),
            *("made.size=9", "made.tags+=[a]", "seen|={4}", "model.optimizer.betas+=[1]"),
        )
        assert task.steps == [9, 2, 3]
        assert task.model.optimizer.betas == [0.9, 0.99, 1.0]
    assert train.__defaults__ == before
    assert Optimizer().betas == [0.9, 0.99]
    assert run.Partial(train).made.size == 5


def test_the_default_that_is_a_configuration_stays_as_it_is():
    default = run.Config(Model, size=3, tags=["a"])

    def fit(model: Model = default):  # type: ignore[assignment]
        return model

    first = apply(
        run.Config(fit), [parse_override("model.size=4"), parse_override("model.tags+=b")]
    )
    assert first.model == run.Config(Model, size=4, tags=["a", "b"])
    assert default == run.Config(Model, size=3, tags=["a"])
    assert "command line" not in {
        entry.kind for past in default.__argument_history__.values() for entry in past
    }


# Order.


def test_overrides_are_applied_in_the_order_given():
    assert changed("n=5", "n*=2", "n=3", "n+=1").n == 4
    assert changed("steps+=[3]", "steps=[7]", "steps+=[8]").steps == [7, 8]
    assert changed("model.size=2", "n+=1", "model.size*=2").model.size == 4


def test_a_whole_value_does_not_undo_its_parts():
    for texts in (
        ["model.size=3", "model=Model(tags=[a])"],
        ["model=Model(tags=[a])", "model.size=3"],
    ):
        assert changed(*texts).model == run.Config(Model, size=3, tags=["a"])
    assert changed("steps[0]=7", "steps=[1,2,3]").steps == [7, 2, 3]
    assert changed("model.size=3", "n=4", "model=Model(size=9)").model.size == 3


def test_a_later_source_replaces_the_parts_of_an_earlier_one():
    of_file = [
        Override("model.size", parse_key("model.size"), data=3, kind="file", file="a.yaml", line=2)
    ]
    task = apply(run.Partial(train), [*of_file, parse_override("model=Model(tags=[a])")])
    assert task.model == run.Config(Model, tags=["a"])


# Sharing.


def test_shared_nodes_stay_shared():
    shared = run.Config(Model)
    task = run.Partial(train, model=shared, models=[shared, run.Config(Model)], loose={"m": shared})
    found = changed("models[0].size=8", task=task)
    assert found.model is found.models[0] is found.loose["m"]
    assert found.model.size == 8
    assert shared.size == 1


def test_the_task_that_was_given_stays_as_it_is():
    task = run.Partial(train, model=run.Config(Model, tags=["a"]), steps=[1], table={"a": {"b": 1}})
    before = copy.deepcopy(task)
    changed("model.tags+=b", "steps[0]=2", "table.a.b=3", "n=3", "model.size=3", task=task)
    assert task == before
    assert {k: len(v) for k, v in task.__argument_history__.items()} == {
        k: len(v) for k, v in before.__argument_history__.items()
    }


def nested(
    layers: tuple[Model, ...] = (run.Config(Model), run.Config(Model)),  # type: ignore[assignment]
    models: list[Model] = [run.Config(Model)],  # type: ignore[list-item]
    names: list[str] | None = None,
    seen: Optional[set[int]] = None,  # noqa: UP045
    table: dict[str, int] | None = None,
    pair: tuple[int, ...] | None = None,
    colors: dict[Color, int] = {},
): ...


def test_nodes_in_defaults_are_changed_in_a_copy():
    task = changed("layers[1].size=3", "models[0].size=4", task=run.Config(nested))
    assert [model.size for model in task.layers] == [1, 3]
    assert [model.size for model in task.models] == [4]
    assert task.layers[0] is not nested.__defaults__[0][0]
    assert [model.size for model in nested.__defaults__[0]] == [1, 1]
    # Only the nodes say what was set.
    assert set(task.__argument_history__) == {"__fn_or_cls__"}
    assert task.layers[1].__argument_history__["size"][-1].kind == "command line"


def test_none_is_an_empty_container_where_one_may_stand():
    texts = ("names+=[a]", "names+=b", "seen|={1}", "table|={a: 1}", "pair+=1,2")
    task = changed(*texts, task=run.Config(nested))
    assert (task.names, task.seen, task.table) == (["a", "b"], {1}, {"a": 1})
    assert task.pair == (1, 2)


def test_the_keys_of_a_dict_are_read_by_their_annotation():
    task = changed("colors.red=1", "colors[BLUE]=2", task=run.Config(nested))
    assert task.colors == {Color.RED: 1, Color.BLUE: 2}
    with pytest.raises(OverrideError, match=r"^colors\.green: 'green' is no Color"):
        changed("colors.green=1", task=run.Config(nested))


# Positions and variable arguments.


def with_positions(a: int, b: int = 2, /, c: int = 3, *rest: float, d: str = "d", **more: Path):
    return a, b, c, rest, d, more


@pytest.mark.parametrize(
    ("texts", "called"),
    [
        (["[0]=1"], (1, 2, 3, (), "d", {})),
        (["[0]=1", "[1]=7"], (1, 7, 3, (), "d", {})),
        (["[0]=1", "[1]=7", "[2]=8"], (1, 7, 8, (), "d", {})),
        (["[0]=1", "rest=[5,6]"], (1, 2, 3, (5.0, 6.0), "d", {})),
        (["[0]=1", "rest=5,6", "rest[0]=7", "rest[-1]+=2"], (1, 2, 3, (7.0, 8.0), "d", {})),
        (["[0]=1", "rest+=[5]", "rest+=6"], (1, 2, 3, (5.0, 6.0), "d", {})),
        (["[0]=1", "rest=[5,6]", "rest=[4]"], (1, 2, 3, (4.0,), "d", {})),
        (["[0]=1", "c=9", "d=e", "out=/x"], (1, 2, 9, (), "e", {"out": Path("/x")})),
    ],
)
def test_arguments_by_position(texts, called):
    assert build(apply(run.Config(with_positions), [parse_override(t) for t in texts])) == called


def test_a_positional_only_parameter_is_set_by_its_name():
    def only(a: int, b: int = 2, /):
        return a, b

    assert build(apply(run.Config(only), [parse_override("a=1"), parse_override("b+=1")])) == (1, 3)


def test_any_key_is_taken_by_a_function_that_takes_any():
    def anything(**options: int):
        return options

    task = apply(run.Config(anything), [parse_override("a=1"), parse_override("b_c=2")])
    assert build(task) == {"a": 1, "b_c": 2}


# What is made.


def test_what_is_unset_is_made_by_its_annotation():
    def fit(
        model: Model | None = None,
        tower: Tower | None = None,
        step: run.Partial[train] | None = None,
        table: dict[str, Model] | None = None,
        either: int | Model | None = None,
    ): ...

    task = apply(
        run.Config(fit),
        [
            parse_override(text)
            for text in (
                *("model.optimizer.lr=3", "tower.base.size=2", "step.n=7", "table.a.size=3"),
                "either.size=3",
            )
        ],
    )
    assert task.model == run.Config(Model, optimizer=run.Config(Optimizer, lr=3.0))
    assert task.tower == run.Config(Tower, base=run.Config(Model, size=2))
    assert task.step == run.Partial(train, n=7)
    assert task.table == {"a": run.Config(Model, size=3)}
    assert task.either == run.Config(Model, size=3)


def test_the_annotation_of_every_place_is_known():
    task = run.Partial(train, models=[run.Config(Model)])
    for key, hint in {
        "n": int,
        "model": Model,
        "model.size": int,
        "model.optimizer.betas": list[float],
        "model.optimizer.betas[0]": float,
        "model.limits.a": int,
        "models[0].tags": list[str],
        "point.y": float,
        "shape[1]": int,
        "options.names": list[str],
        "by_number.1": str,
        "table.a.b": int,
        "many.a": Any,
        "loose": Any,
    }.items():
        assert hint_at(task, parse_key(key)) == hint, key
    assert hint_at(run.Config(with_positions), parse_key("rest")) == list[float]
    assert hint_at(run.Config(with_positions), parse_key("more")) == Path


def test_a_list_of_configurations_is_changed_too():
    found = apply(
        [run.Config(Model)],
        [parse_override("[0].size=3"), Override("all", (), "+=", "Model(size=4)")],
        list[Model],
    )
    assert [model.size for model in found] == [3, 4]


def test_a_value_of_python_is_put_as_it_is():
    task = run.Partial(train)
    model = run.Config(Model)
    assert put(task, "model", model).model is model
    assert put(task, "name", "1").name == "1"
    assert put(task, "steps", [3], "+=").steps == [1, 2, 3]
    assert put(put(task, "model", model), "model.size", 2, "*=").model.size == 2
    assert task == run.Partial(train)
    with pytest.raises(OverrideError, match=r"no parameter 'modell'.* 'model'"):
        put(task, "modell", 1)


# Data of files.


def test_the_data_of_a_file_is_converted_by_the_annotation():
    def of(key: str, data: Any, operator: str = "=") -> Override:
        return Override(
            key, parse_key(key), operator, data=data, kind="file", file="c.yaml", line=4
        )

    task = apply(
        run.Partial(train),
        [
            of("n", 3),
            of("lr", 1),
            of("name", "none"),
            of("home", "/x"),
            of("steps", [4, 5]),
            of("steps", [6], "+="),
            of("model.limits.a", 3),
            of("wait", "2m"),
            of("needed", None),
            of("shape", [3, 4]),
        ],
    )
    assert (task.n, task.lr, task.name, task.home) == (3, 1.0, "none", Path("/x"))
    assert type(task.lr) is float
    assert task.steps == [4, 5, 6]
    assert task.shape == (3, 4)
    assert task.wait == dt.timedelta(minutes=2)
    entry = task.__argument_history__["n"][-1]
    assert (entry.kind, entry.file, entry.line) == ("file", "c.yaml", 4)
    with pytest.raises(OverrideError, match=r"c\.yaml:4: n: 'x' is no int"):
        apply(task, [of("n", "x")])


# Properties.

VALUES = {
    "n": st.integers(),
    "lr": st.floats(allow_nan=False, allow_infinity=False),
    "name": st.text(),
    "model.size": st.integers(),
    "model.limits.a": st.integers(),
    "made.size": st.integers(),
}
assignments = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.tuples(st.just(key), st.sampled_from(["=", "+="]), VALUES[key])
)


@given(st.lists(assignments, max_size=6))
def test_what_comes_out_is_what_python_would_make_of_it(changes):
    current = {"n": 1, "lr": 0.5, "name": "x", "model.size": 1, "made.size": 5}
    texts, expected = [], dict(current)
    for key, operator, value in changes:
        if operator == "+=" and key not in expected:
            operator = "="
        expected[key] = expected[key] + value if operator == "+=" else value
        texts.append(f"{key}{operator}{value}")
    task = run.Partial(train, model=run.Config(Model))
    before = copy.deepcopy(task)
    found = changed(*texts, task=task)
    assert task == before
    values = {
        "n": found.n,
        "lr": found.lr,
        "name": found.name,
        "model.size": found.model.size,
        "made.size": found.made.size,
        **({"model.limits.a": found.model.limits["a"]} if "model.limits.a" in expected else {}),
    }
    assert values == expected


def test_an_override_that_fails_leaves_nothing_behind():
    task = run.Partial(train)
    with pytest.raises(OverrideError):
        changed("steps+=[3]", "n=abc", task=task)
    assert task == run.Partial(train)
    assert run.Partial(train).steps == [1, 2]
