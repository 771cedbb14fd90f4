"""Where a value came from, told from its default to what holds now."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.config.graph.history import setting
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.explaining import chain
from nemo_run.config.overrides.grammar import Override, parse_key, parse_override
from nemo_run.exceptions import OverrideError


@dataclass
class Model:
    size: int = 1
    tags: list[str] = field(default_factory=list)


def train(
    model: Model | None = None,
    n: int = 1,
    table: dict[str, int] = {},
    steps: list[int] = [1, 2],
    *rest: int,
): ...


@run.cli.factory(name="explained")
def make() -> run.Config[Model]:
    model = run.Config(Model, size=2)
    model.size = 3
    return model


def told(task, key: str):
    return [(said.key, said.kind, str(said.value)) for said in chain(task, key)]


def line_of(function, text: str) -> int:
    lines, first = inspect.getsourcelines(function)
    return first + next(i for i, line in enumerate(lines) if text in line)


def of_file(key: str, data, line: int) -> Override:
    return Override(key, parse_key(key), data=data, kind="file", file="run.yaml", line=line)


def test_every_layer_is_told():
    task = apply(
        run.Partial(train),
        [
            parse_override("model=explained"),
            of_file("model.size", 4, 7),
            parse_override("model.size*=2"),
        ],
    )
    with setting("plugin", "plugin.py", 12):
        task.model.size = 99
    said = chain(task, "model.size")
    assert [(one.key, one.kind, str(one.value), one.place, one.function) for one in said] == [
        ("model", "default", "None", f"{__file__}:{line_of(train, 'def train')}", "train"),
        ("model", "command line", "explained", "", None),
        ("model.size", "default", "1", f"{__file__}:{line_of(Model, '@dataclass')}", "Model"),
        ("model.size", "factory", "2", f"{__file__}:{line_of(make, 'size=2')}", "make"),
        ("model.size", "factory", "3", f"{__file__}:{line_of(make, 'size = 3')}", "make"),
        ("model.size", "file", "4", "run.yaml:7", None),
        ("model.size", "command line", "8", "", None),
        ("model.size", "plugin", "99", "plugin.py:12", None),
    ]


def test_a_default_alone_is_told_with_its_function():
    (said,) = chain(run.Partial(train), "n")
    assert (said.kind, said.value, said.function) == ("default", 1, "train")
    assert said.place == f"{__file__}:{line_of(train, 'def train')}"


def test_what_is_made_on_the_way_is_told():
    task = apply(run.Partial(train), [parse_override("model.size=3")])
    assert told(task, "model.size") == [
        ("model", "default", "None"),
        ("model", "command line", "Config(Model)"),
        ("model.size", "default", "1"),
        ("model.size", "command line", "3"),
    ]


def test_a_default_that_is_made_is_told_as_it_is_written():
    assert told(run.Partial(train), "model.tags")[-1] == ("model.tags", "default", "list()")


def with_default(model: Model = run.Config(Model, size=5), n: int = 0): ...


def test_a_default_that_is_a_configuration_stays_a_default():
    task = apply(run.Partial(with_default), [parse_override("model.tags+=a")])
    assert told(task, "model.size") == [
        ("model", "default", "Config(Model)"),
        ("model.size", "default", "1"),
        ("model.size", "python", "5"),
    ]
    assert told(task, "model.tags")[-1] == ("model.tags", "command line", "['a']")


class Color(Enum):
    RED = 1


def with_values(
    home: Path = Path("/data"), color: Color = Color.RED, when: date = date(2026, 1, 1)
): ...


def test_values_are_told_as_people_read_them():
    task = apply(run.Partial(with_values), [parse_override("home/=x"), parse_override("when+=1d")])
    assert [one[2] for one in told(task, "home")] == [str(Path("/data")), str(Path("/data/x"))]
    assert [one[2] for one in told(task, "when")] == ["2026-01-01", "2026-01-02"]
    assert [one[2] for one in told(task, "color")] == ["Color.RED"]
    long = apply(run.Partial(train), [parse_override(f"steps=[{'1,' * 999}1]")])
    assert len(told(long, "steps")[-1][2]) == 200


def test_what_is_written_on_the_command_line_is_from_no_file():
    task = apply(run.Partial(train), [parse_override("model=Model(size=4)")])
    said = chain(task, "model.size")[-1]
    assert (said.kind, said.value, said.place) == ("command line", 4, "")


def test_parts_of_an_argument_are_told_with_their_key():
    task = apply(
        run.Partial(train),
        [parse_override(text) for text in ("table.a=1", "table.b=2", "steps[0]=7", "steps+=[3]")],
    )
    assert told(task, "table.a") == [
        ("table", "default", "{}"),
        ("table", "command line", "['a'] = 1"),
    ]
    assert told(task, "table")[1:] == [
        ("table", "command line", "['a'] = 1"),
        ("table", "command line", "['b'] = 2"),
    ]
    assert told(task, "steps[1]") == [
        ("steps", "default", "[1, 2]"),
        ("steps", "command line", "[7, 2, 3]"),
    ]
    assert told(task, "steps[0]")[1] == ("steps", "command line", "[0] = 7")


def test_a_value_of_python_is_told_with_its_line():
    task = run.Partial(train, n=2)
    del task.n
    said = chain(task, "n")
    assert [one.kind for one in said] == ["default", "python", "deleted"]
    here = test_a_value_of_python_is_told_with_its_line
    assert said[1].place == f"{__file__}:{line_of(here, 'n=2')}"


def test_explaining_changes_nothing_and_calls_no_factory():
    @run.cli.factory(target=train, target_arg="model", is_target_default=True)
    def never() -> run.Config[Model]:
        raise AssertionError

    task = run.Partial(train, steps=[1])
    assert told(task, "model.size")[-1] == ("model.size", "default", "1")
    assert task == run.Partial(train, steps=[1])
    assert set(task.__argument_history__) == {"__fn_or_cls__", "steps"}


def test_a_list_of_nodes_is_gone_through():
    task = run.Partial(train, table={"m": run.Config(Model, size=5)})
    assert told(task, "table.m.size")[-1] == ("table.m.size", "python", "5")


@pytest.mark.parametrize("key", ["modle", "model.siz", "steps[9]", "n.x", "a..b"])
def test_a_key_that_leads_nowhere_is_refused(key):
    with pytest.raises(OverrideError):
        chain(run.Partial(train), key)
