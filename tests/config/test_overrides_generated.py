"""Whatever is typed: it works, or it is told; and what was given stays as it was."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.config.overrides.apply import apply, hint_at
from nemo_run.config.overrides.explaining import chain
from nemo_run.config.overrides.grammar import OPERATORS, is_override, parse_override
from nemo_run.exceptions import OverrideError


class Options(TypedDict, total=False):
    depth: int


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Model:
    size: int = 1
    inner: Model | None = None
    tags: list[str] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)


def train(
    model: Model | None = None,
    n: int = 1,
    lr: float = 0.5,
    name: str = "x",
    steps: list[int] = [1, 2],
    models: list[Model] = [],
    shape: tuple[int, ...] = (1, 2),
    point: Point = Point(1),
    seen: set[int] = {1},
    options: Options | None = None,
    home: Path | str | None = None,
    loose=None,
    wide: Any = 3,
    made: Model = run.Config(Model, size=3),
    *rest: int,
    **more: Model,
): ...


@run.cli.factory
def generated(size: int = 2) -> run.Config[Model]:
    return run.Config(Model, size=size)


NAMES = [
    *("model", "n", "lr", "name", "steps", "models", "shape", "point", "seen", "options", "home"),
    *("loose", "wide", "made", "rest", "more", "other", "size", "inner", "tags", "limits", "x"),
    *("depth", "a-b", "0", "é"),
]
ITEMS = ["[0]", "[1]", "[-1]", "[9]", "[k]", "['k']", '["a b"]', "[a-b]"]
VALUES = [
    *("1", "-1", "1.5", "1e3", "007", "", "abc", "none", "true", "[1,2]", "[]", "(1,)", "{a: 1}"),
    *("{1: 2}", "{size: 3}", "generated", "generated(size=4)", "generated(5)", "generated(x=1)"),
    *("[generated,generated(1)]", "Model(size=3)", "Model(inner=generated)", "{", "f(", "'q'", "'"),
    *("@/nowhere.yaml", "a.b", "os.system(x)", "inf", "5m", "a=b", "*", "1,2", "9" * 400),
]
keys = st.builds(
    lambda first, rest: first + "".join(rest),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from([f".{name}" for name in NAMES] + ITEMS), max_size=3),
)
overrides = st.builds(
    lambda key, operator, value: f"{key}{operator}{value}",
    keys,
    st.sampled_from(OPERATORS),
    st.sampled_from(VALUES),
)
DEFAULTS = copy.deepcopy(train.__defaults__)


def begin() -> Any:
    return run.Partial(
        train, run.Config(Model, tags=["a"]), loose={"k": [1]}, models=[run.Config(Model)]
    )


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(overrides.filter(is_override), min_size=1, max_size=3))
def test_it_works_or_it_is_told(texts):
    task = begin()
    read = [parse_override(text) for text in texts]
    try:
        found = apply(task, read)
    except OverrideError:
        found = None
    assert task == begin()
    assert train.__defaults__ == DEFAULTS
    if found is not None:
        assert apply(task, read) == found
        assert chain(found, read[-1].key)


@settings(max_examples=200)
@given(keys)
def test_the_annotation_of_a_place_is_known_or_the_key_is_refused(key):
    if not is_override(f"{key}="):
        return
    task = begin()
    try:
        hint_at(task, parse_override(f"{key}=").steps)
    except OverrideError:
        with pytest.raises(OverrideError):
            apply(task, [parse_override(f"{key}=")])
    assert task == begin()
