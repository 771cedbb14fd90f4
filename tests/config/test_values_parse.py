"""Texts become the values that their annotations ask for."""

from __future__ import annotations

import datetime as dt
import enum
import math
import sys
import types
import typing
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypedDict, Union

import pytest

import nemo_run as run
from nemo_run.config.checks.annotations import mismatches
from nemo_run.config.checks.hints import hints_of
from nemo_run.config.values.parse import NOT_FOUND, convert, parse
from nemo_run.config.values.registered import register_parser
from nemo_run.exceptions import OverrideError

if typing.TYPE_CHECKING:
    from collections import ChainMap
    from uuid import UUID


class Color(enum.Enum):
    RED = "red-hot"
    BLUE = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    label: str = "here"


class Options(TypedDict, total=False):
    lr: float
    tags: list[str]


@dataclass
class Adam:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)


@dataclass
class Model:
    optim: Adam
    layers: list[int] = field(default_factory=list)


class Encoder:
    def __init__(self, size: int = 8, optim: Adam | None = None, /, *rest: int, **more: float): ...


class Net:
    def __init__(self, hidden: int = 8, encoder: Optional[Net] = None) -> None: ...  # noqa: UP045


class WideNet(Net): ...


class Scale:
    def __init__(self, by: float = 1.0) -> None: ...

    def __call__(self, x: float) -> float: ...


class Transform(typing.Protocol):
    def __call__(self, x: float) -> float: ...


class Fitted(typing.Protocol):
    def fit(self) -> None: ...


class Fits:
    def fit(self) -> None: ...


def tripled(x: float, times: int = 3) -> float: ...


DEFAULT_NET = WideNet()
LEARNING_RATE = 0.1

ADAM = run.Config(Adam, lr=2.0)

VALUES: list[tuple[str, Any, Any]] = [
    # Numbers.
    ("7", int, 7),
    ("-7", int, -7),
    ("1_000", int, 1000),
    ("1e3", int, 1000),
    ("0x10", int, 16),
    ("0b11", int, 3),
    ("1e3", float, 1000.0),
    ("7", float, 7.0),
    ("inf", float, math.inf),
    ("1+2j", complex, 1 + 2j),
    ("0.10", Decimal, Decimal("0.10")),
    ("1/3", Fraction, Fraction(1, 3)),
    # Truth.
    ("Yes", bool, True),
    ("off", bool, False),
    ("1", bool, True),
    # Texts keep every character.
    ("", str, ""),
    (" 'a' ", str, " 'a' "),
    ("a=b|c#d%\n\\é", str, "a=b|c#d%\n\\é"),
    ("None", str, "None"),
    ("é", bytes, "é".encode()),
    (r"b'\x00\xff'", bytes, b"\x00\xff"),
    # None, before anything else.
    ("None", Optional[int], None),  # noqa: UP045
    ("null", str | None, None),
    ("abc", str | None, "abc"),
    ("'None'", str | None, "None"),
    ("'abc'", str | None, "'abc'"),
    # Unions, in the order declared.
    ("1", int | str, 1),
    ("007", int | str, "007"),
    ("'1'", int | str, "1"),
    ("1", str | int, "1"),
    ("1.5", int | float, 1.5),
    ("1,2", list[int] | str, "1,2"),
    ("[1,2]", list[int] | str, [1, 2]),
    ("true", Union[int, bool, str], True),  # noqa: UP007
    # Lists and the like.
    ("1,2", list[int], [1, 2]),
    # One item alone, unless that may be anything else.
    ("1", list[int], [1]),
    ("1", set[int] | None, {1}),
    ("none", list[int] | None, None),
    ("0.9", tuple[float, ...], (0.9,)),
    ("{a: 1}", dict[str, list[int]], {"a": [1]}),
    ("1", list[int] | int, 1),
    ("1", list[int] | str, "1"),
    ("[1, 2,]", list[int], [1, 2]),
    ("[]", list[int], []),
    ("(1, 2)", typing.List[int], [1, 2]),  # noqa: UP006
    ("[a, 'b, c', \"d\\n\", don't]", list[str], ["a", "b, c", "d\n", "don't"]),
    ("[1],[2, 3]", list[list[int]], [[1], [2, 3]]),
    ("[1, a, true]", list, [1, "a", True]),
    ("1,2", Sequence[int], [1, 2]),
    ("1,2", Iterable[float], [1.0, 2.0]),
    ("1,2", deque[int], deque([1, 2])),
    ("{1, 2}", set[int], {1, 2}),
    ("a,b", frozenset[str], frozenset("ab")),
    ("1,a", tuple[int, str], (1, "a")),
    ("1,2,3", tuple[int, ...], (1, 2, 3)),
    ("()", tuple[()], ()),
    ("(1, x)", tuple, (1, "x")),
    # Dicts.
    ("{a: 1, 'b c': 2}", dict[str, int], {"a": 1, "b c": 2}),
    ("a=1,b=2", dict[str, int], {"a": 1, "b": 2}),
    ("{a: [1, 2]}", dict[str, list[int]], {"a": [1, 2]}),
    ("{a: [1, 2]}", typing.Dict[str, typing.List[int]], {"a": [1, 2]}),  # noqa: UP006
    ('{"a": {"b": null}}', dict, {"a": {"b": None}}),
    ("{1: a}", Mapping[int, str], {1: "a"}),
    ("{a: 1}", OrderedDict[str, int], OrderedDict(a=1)),
    ("{lr: 1, tags: [a]}", Options, {"lr": 1.0, "tags": ["a"]}),
    # Choices.
    ("RED", Color, Color.RED),
    ("red-hot", Color, Color.RED),
    ("2", Color, Color.BLUE),
    ("blue", Color, Color.BLUE),
    ("READ|WRITE", Access, Access.READ | Access.WRITE),
    ("adam", Literal["adam", 3], "adam"),
    ("3", Literal["adam", 3], 3),
    ("'adam'", Literal["adam", 3], "adam"),
    ("true", Literal[1, True], True),
    ("1", Literal[True, 1], 1),
    ("none", Literal["a", None], None),  # noqa: PYI061
    ("RED", Literal[Color.RED], Color.RED),
    # Times.
    ("2026-01-31", dt.date, dt.date(2026, 1, 31)),
    ("2026-01-31 12:30", dt.datetime, dt.datetime(2026, 1, 31, 12, 30)),
    ("2026-01-31T12:30:00Z", dt.datetime, dt.datetime(2026, 1, 31, 12, 30, tzinfo=dt.timezone.utc)),
    ("12:30", dt.time, dt.time(12, 30)),
    ("5m", dt.timedelta, dt.timedelta(minutes=5)),
    ("1h30m", dt.timedelta, dt.timedelta(minutes=90)),
    ("2 days", dt.timedelta, dt.timedelta(days=2)),
    ("90", dt.timedelta, dt.timedelta(seconds=90)),
    ("0:05:00", dt.timedelta, dt.timedelta(minutes=5)),
    ("-1.5h", dt.timedelta, dt.timedelta(hours=-1.5)),
    ("1 day, 0:00:01", dt.timedelta, dt.timedelta(days=1, seconds=1)),
    # Others.
    ("~/data", Path, Path.home() / "data"),
    ("00000000000000000000000000000001", uuid.UUID, uuid.UUID(int=1)),
    ("5", Annotated[int, "doc"], 5),
    ("5", typing.NewType("Seed", int), 5),
    ("5", typing.TypeVar("T", bound=int), 5),
    ("os.path.join", Callable[..., str], __import__("os").path.join),
    ("math:floor", Callable, math.floor),
    ("len", Callable, len),
    ("int", type[int], int),
    ("WideNet", type[Net], WideNet),
    # No annotation: what it looks like.
    ("1", Any, 1),
    ("1e3", Any, 1000.0),
    ("007", Any, "007"),
    ("true", Any, True),
    ("None", object, None),
    ("'1'", Any, "1"),
    ("[1, a, {b: 2.5}]", Any, [1, "a", {"b": 2.5}]),
    ("(1, 'a')", Any, (1, "a")),
    ("{name}", Any, "{name}"),
    ("(see below)", Any, "(see below)"),
    ("a, b", Any, "a, b"),
    ("[not closed", Any, "[not closed"),
    # Objects are configurations.
    ("{lr: 1}", Adam, run.Config(Adam, lr=1.0)),
    ("Adam(0.5)", Adam, run.Config(Adam, lr=0.5)),
    ("{optim: {lr: 1}, layers: [1]}", Model, run.Config(Model, run.Config(Adam, lr=1.0), [1])),
    ("Model(optim.lr=1)", Model, run.Config(Model, optim=run.Config(Adam, lr=1.0))),
    ("WideNet(hidden=3)", Net, run.Config(WideNet, hidden=3)),
    ("Net(encoder=WideNet(2))", Net | None, run.Config(Net, encoder=run.Config(WideNet, 2))),
    ("Encoder(1, {lr: 2}, 3, x=4)", Encoder, run.Config(Encoder, 1, ADAM, 3, x=4.0)),
    ("{hidden: 3}", run.Config[Net], run.Config(Net, hidden=3)),
    ("{hidden: 3}", run.Partial[Net], run.Partial(Net, hidden=3)),
    ("(1, a)", Point, Point(1, "a")),
    ("{x: 1}", Point, Point(1)),
    ("{optim: {}}", Adam | Model, run.Config(Model, run.Config(Adam))),
]  # fmt: skip


@pytest.mark.parametrize(("text", "hint", "value"), VALUES, ids=range(len(VALUES)))
def test_a_text_is_read_by_its_annotation(text: str, hint: Any, value: Any) -> None:
    found = parse(text, hint)

    assert (type(found), found) == (type(value), value)
    assert mismatches(found, hint) == []


def annotated(  # the names are known to type checkers alone, or written as text
    a: int | None, b: list[int], c: UUID, d: ChainMap[str, int] | str, e: Net | None = None
) -> None: ...


def test_annotations_written_as_text_are_read_as_what_they_mean() -> None:
    hints = hints_of(annotated)

    assert parse("5", hints["a"]) == 5
    assert parse("1,2", hints["b"]) == [1, 2]
    assert parse("0" * 31 + "1", hints["c"]) == uuid.UUID(int=1)
    assert parse("x", hints["d"]) == "x"
    assert parse("{hidden: 1}", hints["e"]) == run.Config(Net, hidden=1)


def test_a_constant_by_its_dotted_name_is_taken_as_it_is() -> None:
    assert parse(f"{__name__}.DEFAULT_NET", Net) is DEFAULT_NET
    with pytest.raises(OverrideError, match=r"is no Net, but a float\."):
        parse(f"{__name__}.LEARNING_RATE", Net)


def test_a_callable_with_arguments_is_a_partial_and_an_object_that_can_be_called_is_made() -> None:
    for hint in (Callable, Callable[[float], float], Transform):
        assert parse(f"{__name__}.tripled(times=2)", hint) == run.Partial(tripled, times=2)
        assert parse(f"{__name__}.Scale(by=2)", hint) == run.Config(Scale, by=2.0)
        assert parse(f"{__name__}.tripled", hint) is tripled
    assert parse(f"{__name__}.Net(hidden=2)", Callable) == run.Partial(Net, hidden=2)


def test_what_a_protocol_asks_for_is_configured() -> None:
    assert parse(f"{__name__}.Fits()", Fitted) == run.Config(Fits)
    with pytest.raises(OverrideError, match=r"is no Fitted|makes no Fitted"):
        parse(f"{__name__}.Net()", Fitted)


def test_names_of_the_launching_script_need_no_module() -> None:
    main = sys.modules["__main__"]
    main.values_helper = print  # type: ignore[attr-defined]
    try:
        assert parse("values_helper", Callable) is print
        assert parse("__main__.values_helper", Callable) is print
    finally:
        del main.values_helper  # type: ignore[attr-defined]


def test_what_was_read_twice_is_not_shared() -> None:
    for hint in (list[int], list, Any):
        first = parse("[1]", hint)
        first.append(2)

        assert parse("[1]", hint) == [1]


# Factories.


def small(call: Any, hint: Any) -> Any:
    """Know ``small`` with a size and a net."""
    if call.name != "small":
        return NOT_FOUND
    return ("small", call.arguments, hint)


def test_a_list_of_factories_is_split_between_them() -> None:
    found = parse("[small(a=1,b=2), small, {hidden: 2}]", list[Net], small)

    assert found[:2] == [("small", (("a", "1"), ("b", "2")), Net), ("small", (), Net)]
    assert found[2] == run.Config(Net, hidden=2)


@pytest.mark.parametrize("hint", [Net, Net | None, str | Net, Path, Any, Net | Adam])
def test_a_factory_is_asked_for_before_anything_else(hint: Any) -> None:
    assert parse("small", hint, small)[0] == "small"


def test_a_factory_is_asked_once_and_only_for_names_and_calls() -> None:
    asked = []

    def resolve(call: Any, hint: Any) -> Any:
        asked.append(call.name)
        return NOT_FOUND

    parse("adam(lr=[1, f(2)])", Net | Adam | str, resolve)
    for text in ("1", "'adam'", "[1, 2]", "none", "true"):
        parse(text, int | list[int] | str | None, resolve)

    assert asked == ["adam"]


def test_a_text_of_a_file_names_a_factory_where_no_text_is_wanted() -> None:
    assert convert("small", Net | None, small)[0] == "small"
    assert convert(["small"], list[Net], small)[0][0] == "small"
    assert convert("small", Net | str, small) == "small"
    assert convert("small", Any, small) == "small"


def test_a_text_of_a_factorys_name_is_written_in_quotes() -> None:
    assert parse("'small'", Net | str, small) == "small"


# Parsers of the user's.


class Shape:
    def __init__(self, *sides: int) -> None:
        self.sides = sides


class Square(Shape): ...


@register_parser(Shape)
def shape(text: str) -> Shape:
    return Shape(*map(int, text.split("x")))


def test_a_registered_parser_reads_its_class_and_those_derived_from_it() -> None:
    assert parse("2x3", Shape).sides == (2, 3)
    assert parse("none", Shape | None) is None
    assert parse("[2x3, '4x5']", list[Shape])[1].sides == (4, 5)
    assert isinstance(parse("2x3", Square), Shape)
    assert convert(["2x3"], list[Shape])[0].sides == (2, 3)


def test_what_a_registered_parser_says_is_shown() -> None:
    with pytest.raises(OverrideError, match="'2xb' is no Shape: invalid literal for int"):
        parse("2xb", Shape)
    with pytest.raises(TypeError, match="register_parser takes a class"):
        register_parser("Shape")  # type: ignore[arg-type]


# Files.

DATA: list[tuple[Any, Any, Any]] = [
    ("None", str | None, "None"),
    (None, str | None, None),
    ("5", int | str, "5"),
    ("5", int, 5),
    ("1e3", float, 1000.0),
    (3, float, 3.0),
    (1, bool, True),
    ([1, "2"], tuple[int, ...], (1, 2)),
    ([1, "2"], list, [1, "2"]),
    ({"1": "a"}, dict[int, str], {1: "a"}),
    ({"lr": 1}, Adam, run.Config(Adam, lr=1.0)),
    ({"lr": 1, "tags": ["a"]}, Options, {"lr": 1.0, "tags": ["a"]}),
    ({"x": 1}, Any, {"x": 1}),
    ("~", Path, Path.home()),
    ("RED", Color, Color.RED),
    (2, Color, Color.BLUE),
    (Color.RED, Color, Color.RED),
    (3, Literal["a", 3], 3),
    ("3", Literal[3, "3"], "3"),
    ("3", Literal[3, "a"], 3),
    ("1,2", list[int], [1, 2]),
    # One item alone, unless that may be anything else.
    ("1", list[int], [1]),
    ("1", set[int] | None, {1}),
    ("none", list[int] | None, None),
    ("0.9", tuple[float, ...], (0.9,)),
    ("{a: 1}", dict[str, list[int]], {"a": [1]}),
    ("1", list[int] | int, 1),
    ("1", list[int] | str, "1"),
    ("None", int | None, None),
    ("'a'", Path, Path("'a'")),
    ("Net(hidden=3)", Net, run.Config(Net, 3)),
    (90, dt.timedelta, dt.timedelta(seconds=90)),
    (dt.date(2026, 1, 31), dt.date, dt.date(2026, 1, 31)),
    (dt.date(2026, 1, 31), dt.datetime, dt.datetime(2026, 1, 31)),
    ("2026-01-31", dt.date, dt.date(2026, 1, 31)),
    (0.1, Decimal, Decimal("0.1")),
    (run.Config(Net, 3), Net | None, run.Config(Net, 3)),
    ([run.Config(Net, 3), {"hidden": 4}], list[Net], [run.Config(Net, 3), run.Config(Net, 4)]),
    (types.MappingProxyType({"a": 1}), dict[str, int], {"a": 1}),
]


@pytest.mark.parametrize(("data", "hint", "value"), DATA, ids=range(len(DATA)))
def test_data_of_a_file_is_read_by_its_annotation(data: Any, hint: Any, value: Any) -> None:
    found = convert(data, hint)

    assert (type(found), found) == (type(value), value)
    assert mismatches(found, hint) == []


def test_data_of_a_file_is_not_shared_with_the_value() -> None:
    for hint in (Any, list, list[list[int]]):
        data = [[1]]
        found = convert(data, hint)
        found[0].append(2)

        assert data == [[1]]


@pytest.mark.parametrize("text", ["1e999999999", "-1e400", "1_0e400", "9" * 400 + ".0"])
def test_digits_that_no_float_can_hold_stay_a_text(text: str) -> None:
    assert parse(text, Any) == text
    assert parse(f"[{text}]", Any) == [text]
    assert parse("inf", Any) == math.inf


def test_a_member_may_be_written_as_python_shows_it():
    class Mode(enum.Enum):
        FAST = 1

    assert parse("Mode.FAST", Mode) is Mode.FAST
