"""Many overrides: in their order, and with work that grows as their number does."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.config.overrides.apply import apply, put
from nemo_run.config.overrides.grammar import Override, parse_key, parse_override
from nemo_run.config.overrides.ordering import in_order, replaced


@dataclass
class Model:
    width: int = 1
    tags: list[int] = field(default_factory=list)


def train(
    model: Model,
    table: dict[str, int] = {},
    steps: list[int] = [],
    n: int = 1,
    loose: dict = {},
    **more: Any,
): ...


WORDS = {
    "an entry": lambda i: f"table.k{i}={i}",
    "an argument of an argument": lambda i: f"model.width={i}",
    "an item more": lambda i: f"steps+={i}",
    "an item more, inside": lambda i: f"model.tags+={i}",
    "one argument again and again": lambda i: f"n={i}",
    "an argument without a name of its own": lambda i: f"k{i}={i}",
    "an entry of what is made on the way": lambda i: f"loose.a.k{i}={i}",
    "entries merged": lambda i: f"table|={{k{i}: 1}}",
    "an item": lambda i: f"steps[0]={i}" if i else "steps=[1]",
}


def work(text: Any, count: int) -> int:
    """How many functions are called while overrides are applied."""
    task, calls = run.Partial(train), 0
    overrides = [parse_override(text(i)) for i in range(count)]

    def called(_frame: Any, event: str, _arg: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        apply(task, overrides)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("case", WORDS)
def test_twice_as_many_overrides_are_about_twice_the_work(case: str) -> None:
    work(WORDS[case], 2)  # what is loaded on first use

    assert work(WORDS[case], 200) < 2.2 * work(WORDS[case], 100)


KEYS = st.sampled_from(["a", "b", "a.x", "a.y", "a.x.p", "a.x.q", "b.x", "b[0]", "b[0].x"])
OVERRIDES = st.builds(
    lambda key, operator, file: Override(key, parse_key(key), operator, "1", file=file),
    KEYS,
    st.sampled_from(["=", "=", "+="]),
    st.sampled_from([None, "one.yaml", "two.yaml"]),
)


def is_inside(part: Override, whole: Override) -> bool:
    return part.steps[: len(whole.steps)] == whole.steps and len(part.steps) > len(whole.steps)


@given(st.lists(OVERRIDES, max_size=12))
def test_a_whole_goes_before_the_first_of_its_parts(overrides: list[Override]) -> None:
    expected: list[Override] = []
    for one in overrides:
        parts = [n for n, o in enumerate(expected) if is_inside(o, one) and o.source == one.source]
        at = parts[0] if parts and one.operator == "=" else len(expected)
        expected.insert(at, one)

    assert [*map(id, in_order(overrides))] == [*map(id, expected)]


@given(st.lists(OVERRIDES, max_size=12))
def test_a_part_is_replaced_by_the_next_whole_of_another_source(overrides: list[Override]) -> None:
    expected = []
    for n, part in enumerate(overrides):
        later = [o for o in overrides[n + 1 :] if o.operator == "=" and o.source != part.source]
        expected += [(part, whole) for whole in later if is_inside(part, whole)][:1]

    assert [(id(p), id(w)) for p, w in replaced(overrides)] == [(id(p), id(w)) for p, w in expected]


def test_what_a_container_gets_is_converted_as_an_argument_is() -> None:
    task = run.Partial(train, loose={"one": [Model(width=2)]})

    found = put(task, "loose.two", [Model(width=3)])

    assert found.loose == {
        "one": [run.Config(Model, width=2, tags=[])],
        "two": [run.Config(Model, width=3, tags=[])],
    }
