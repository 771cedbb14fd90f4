"""What a person reads whose value cannot be used."""

from __future__ import annotations

import datetime as dt
import enum
import re
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypedDict

import pytest

from nemo_run.config.values.format import format_value
from nemo_run.config.values.parse import convert, parse
from nemo_run.exceptions import OverrideError


class Precision(enum.Enum):
    BF16 = "bf16"
    FP8 = "fp8"


class Box(NamedTuple):
    width: int
    height: int


class Options(TypedDict):
    lr: float
    steps: int


@dataclass
class Adam:
    lr: float = 0.1
    decay: float = 0.0


class Model:
    def __init__(self, hidden: int, optim: Adam) -> None: ...


CASES: dict[str, tuple[Any, Any]] = {
    "int: a word": ("abc", int),
    "int: leading zeros": ("007", int),
    "int: a float": ("5.0", int),
    "int: true": ("True", int),
    "int: empty": ("", int),
    "float": ("fast", float),
    "bool": ("maybe", bool),
    "Decimal": ("1,5", Decimal),
    "timedelta": ("5 fortnights", dt.timedelta),
    "date": ("31.1.2026", dt.date),
    "an optional int": ("abc", int | None),
    "a union": ("abc", int | bool | list[int]),
    "a union: inside": ("[1, x]", dict[str, int] | list[int]),
    "a path: empty": ("", Path),
    "a literal": ("adm", Literal["adam", "sgd", 3]),
    "an enum": ("bf6", Precision),
    "a list: one item": ("5", list[str]),
    "a list: no item": ("", list[float]),
    "a list: neither it nor an item": ("a", list[float]),
    "a tuple: one item": ("1", tuple[int, int]),
    "a tuple: one item of three": ("1", tuple[int, int, str]),
    "a list: an item": ("[1, 2, x]", list[int]),
    "a list: deep": ("{a: [1, x]}", dict[str, list[int]]),
    "a list: not closed": ("[1, 2", list[int]),
    "a list: closed twice": ("1, 2]", list[int]),
    "a list: a quote": ("['a, b]", list[str]),
    "a list: nothing between commas": ("[1,,2]", list[int]),
    "a list: too deep": ("[" * 10_000 + "]" * 10_000, list),
    "a set of lists": ("{[1], [2]}", set[list[int]]),
    "a tuple: too few": ("(1,)", tuple[int, int]),
    "a dict: no pair": ("{a}", dict[str, int]),
    "a dict: a key twice": ("{a: 1, a: 2}", dict[str, int]),
    "a dict: a value": ("{a: x}", dict[str, int]),
    "a TypedDict: unknown key": ("{lrr: 1, steps: 2}", Options),
    "a TypedDict: missing key": ("{lr: 1}", Options),
    "a named tuple: too many": ("(1, 2, 3)", Box),
    "a named tuple: too few": ("(1,)", Box),
    "a dataclass: unknown field": ("{lrr: 1}", Adam),
    "a dataclass: a field": ("{lr: fast}", Adam),
    "a class: a word": ("big", Model),
    "a class: its name": ("Model", Model),
    "a class: unknown argument": ("Model(hiden=3)", Model),
    "a class: a nested value": ("Model(hidden=3, optim.lr=x)", Model),
    "a class: beside a text": ("Model(hiden=3)", Model | str),
    "a class: a function": ("os.getcwd()", Model),
    "a class: a constant of another": ("math.pi", Model),
    "a class: too many arguments": ("Adam(1, 2, 3)", Adam),
    "a callable: no such name": ("pirnt", Callable),
    "a callable: no such module": ("no_such_module.f", Callable),
    "a callable: no such member": ("os.path.jion", Callable),
    "a callable: a constant": ("math.pi", Callable),
    "a class by name: another": ("int", type[Model]),
    "a class by name: nearly": ("Modle", type[Model]),
    "a class by name: a function": ("os.getcwd", type[Model]),
    "a long text": ("x" * 10_000, int),
    "a duration: no unit at its end": ("1h30", dt.timedelta),
    "a duration: too long": ("1e400", dt.timedelta),
    "a class: of the standard library": ("a+", re.Pattern),
}

DATA: dict[str, tuple[Any, Any]] = {
    "a number for a text": (1.1, str),
    "null for a text": (None, str),
    "true for an int": (True, int),
    "a float for an int": (5.0, int),
    "a list for an int": ([1], int),
    "a text for a list": ("abc", list[str]),
    "a dict for a list": ({"a": 1}, list[int]),
    "an object": (Decimal(1), Model),
}


@pytest.mark.parametrize("case", CASES)
def test_a_text_that_cannot_be_used(case: str, error_snapshot: Callable[..., None]) -> None:
    with pytest.raises(OverrideError) as seen:
        parse(*CASES[case])

    error_snapshot(f"value: {case}", str(seen.value))


@pytest.mark.parametrize("case", DATA)
def test_data_that_cannot_be_used(case: str, error_snapshot: Callable[..., None]) -> None:
    with pytest.raises(OverrideError) as seen:
        convert(*DATA[case])

    error_snapshot(f"value of a file: {case}", str(seen.value))


def test_a_value_without_a_text(error_snapshot: Callable[..., None]) -> None:
    with pytest.raises(OverrideError) as seen:
        format_value(range(3), list[int])

    error_snapshot("value: without a text", str(seen.value))


def test_a_refusal_tells_where_and_what_apart() -> None:
    with pytest.raises(OverrideError) as seen:
        parse("{a: [1, x]}", dict[str, list[int]])

    error = typing.cast("Any", seen.value)
    assert (error.path, error.says.partition(".")[0]) == ("['a'][1]", "'x' is no int")
