"""A key or value that cannot be used is told in a sentence that helps."""

from __future__ import annotations

import abc
import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypedDict

import pytest

import nemo_run as run
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import Override, parse_key, parse_override
from nemo_run.exceptions import OverrideError


class Options(TypedDict):
    depth: int
    width: int


class Point(NamedTuple):
    x: int
    y: int


class Schedule(abc.ABC):
    @abc.abstractmethod
    def rate(self) -> float: ...


@dataclass
class Model:
    hidden: int = 1
    layers: list[int] = field(default_factory=lambda: [1, 2])


def train(
    model: Model | None = None,
    learning_rate: float = 0.1,
    n: int = 1,
    steps: list[int] = [1, 2],
    shape: tuple[int, int] = (1, 2),
    point: Point = Point(1, 2),
    options: Options | None = None,
    schedule: Schedule | None = None,
    when: dt.date = dt.date(2026, 1, 1),
    mode: Literal["fast", "slow"] = "fast",
    name: str = "x",
    needed: int = ...,  # type: ignore[assignment]
    loose: Any = None,
    limit: int | None = None,
    seen: set[int] = {1},
    *rest: int,
): ...


def required(n: int, /, items: list[int], *, flag: bool): ...


CASES = {
    "unknown key": "lerning_rate=1",
    "unknown key, nothing near": "zzz=1",
    "unknown key inside": "model.hiden=3",
    "unknown key that is elsewhere": "hidden=3",
    "unknown key of a TypedDict": "options.dept=3",
    "no part of a number": "n.x=3",
    "no part of a text": "name[0]=3",
    "unset and abstract": "schedule.rate=3",
    "unset and untyped": "loose.x=3",
    "unset and a number": "limit.x=3",
    "index past the end": "steps[2]=3",
    "index far past the end": "steps[7]=3",
    "index before the start": "steps[-3]=3",
    "index of an empty one": "rest[0]=1",
    "index that is a name": "steps.x=3",
    "field of a named tuple": "point.z=3",
    "position past the end": "[20]=3",
    "operator on None": "limit+=1",
    "operator that does not fit": "name-=x",
    "operator that adds to a set": "seen+=3",
    "operator that puts a list into a set": "loose|=[[1]]",
    "operator on a date": "when+=3",
    "operator on nothing to divide by": "n/=0",
    "operator whose result does not fit": "n*=0.3",
    "operator on a tuple too long": "shape+=[3]",
    "operator on a node": "model|={hidden: 3}",
    "missing file": "options=@/nowhere/at/all.yaml",
}


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_used_is_told(case, error_snapshot):
    task = run.Partial(train)
    if "node" in case:
        task.model = run.Config(Model)
    if "into a set" in case:
        task.loose = {1}
    with pytest.raises(OverrideError) as caught:
        apply(task, [parse_override(CASES[case])])
    error_snapshot(f"override: {case}", str(caught.value))


def takes_more(model: Model | None = None, **options: Any): ...


def test_a_typo_beside_other_names_is_told_where_it_has_parts():
    task = run.Partial(takes_more)
    with pytest.raises(OverrideError, match=r"modell\.hidden: .* Did you mean 'model'\?$"):
        apply(task, [parse_override("modell.hidden=3")])
    with pytest.raises(OverrideError, match=r"Set it as a whole\.$"):
        apply(task, [parse_override("entirely.other=3")])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("n=abc", "n: 'abc' is no int"),
        ("n=", "n: '' is no int"),
        ("learning_rate=fast", "learning_rate: 'fast' is no float"),
        ("mode=quick", "mode: 'quick' is not one of 'fast', 'slow'"),
        ("when=soon", "when: 'soon' is no date"),
        ("steps=[1,a]", "steps: [1]: 'a' is no int"),
        ("steps[0]=a", "steps[0]: 'a' is no int"),
        ("steps+=[1,a]", "steps: [1]: 'a' is no int"),
        ("model.hidden=a", "model.hidden: 'a' is no int"),
        ("rest=a", "rest: 'a' is no list[int]"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_is_expected(text, says):
    with pytest.raises(OverrideError) as caught:
        apply(run.Partial(train), [parse_override(text)])
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("text", ["n+=1", "items+=[1]", "flag|=true", "items[0]=1"])
def test_an_operator_needs_a_value_to_begin_with(text, error_snapshot):
    with pytest.raises(OverrideError) as caught:
        apply(run.Partial(required), [parse_override(text)])
    error_snapshot(f"override: unset {text}", str(caught.value))


def test_a_value_of_a_file_is_told_with_its_line(error_snapshot):
    key = "model.hiden"
    with pytest.raises(OverrideError) as caught:
        apply(
            run.Partial(train),
            [Override(key, parse_key(key), data=3, kind="file", file="big.yaml", line=9)],
        )
    error_snapshot("override: unknown key of a file", str(caught.value))


def test_the_key_is_told_as_it_was_written():
    override = Override("run.executor.nodes", ("nn",), "=", "1")
    with pytest.raises(OverrideError, match=r"^run\.executor\.nodes: train has no parameter 'nn'"):
        apply(run.Partial(train), [override])


@pytest.mark.parametrize("words", [["name=ab", "name*=10000000000"], ["items=[1]", "items*=1e10"]])
def test_what_no_memory_holds_is_refused(words: list[str]) -> None:
    def train(name: str = "", items: list[int] = []): ...

    with pytest.raises(OverrideError, match=r"would have \d+ items, and 10_000_000 are the most"):
        apply(run.Partial(train), [parse_override(word) for word in words])
