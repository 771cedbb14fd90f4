"""Values against annotations: what is wrong is found, what may be right is left alone."""

# ruff: noqa: UP006, UP007, UP019, UP045, PYI061 - the old spellings are in use, too

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import fractions
import functools
import os
import pathlib
import re
import sys
import typing as t
from collections import abc
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
import typing_extensions as te

import nemo_run as run
from nemo_run.config.checks.check import check_task
from nemo_run.exceptions import CheckError

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForChecking

    from no_such_package import Missing


class Base: ...


class Sub(Base): ...


class Other: ...


class Text(str, enum.Enum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


class Plain(enum.Enum):
    A = "a"


class Runs(t.Protocol):
    def run(self) -> int: ...


@t.runtime_checkable
class RunsToo(t.Protocol):
    size: int

    def run(self) -> int: ...


class Runner:
    size = 1

    def run(self) -> int:
        return 1


class Movie(te.TypedDict):
    name: str
    year: te.NotRequired[int]


class Point(t.NamedTuple):
    x: int
    y: int


class Box(t.Generic[t.TypeVar("Item")]):
    pass


class Callme:
    def __call__(self) -> None: ...


class Strange:
    """Compares, shows and tests as nobody expects."""

    def __eq__(self, other: object) -> t.NoReturn:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError

    def __bool__(self) -> bool:
        raise RuntimeError

    __hash__ = None


class Refuses(type):
    def __instancecheck__(cls, instance: object) -> bool:
        raise RuntimeError


class Unaskable(metaclass=Refuses): ...


UserId = t.NewType("UserId", int)
Bound = t.TypeVar("Bound", bound=Base)
OneOf = t.TypeVar("OneOf", int, str)
Free = t.TypeVar("Free")
Params = t.ParamSpec("Params")


def gives_sub() -> Sub: ...
def gives_base() -> Base: ...
def gives_int() -> int: ...
def gives_anything(): ...
def gives_optional() -> Sub | None: ...
def gives_missing() -> Missing: ...
def gives_list() -> list[int]: ...


Config, Partial = run.Config, run.Partial

WRONG = [
    (int, "3"),
    (int, 2.5),
    (int, 3.0),
    (list[int], [1, 1e6]),
    (int | None, 3.0),
    (int, None),
    (int, [1]),
    (float, "fast"),
    (float, None),
    (bool, "true"),
    (bool, 2),
    (str, 3),
    (str, None),
    (str, ["a"]),
    (bytes, "text"),
    (Path, 4),
    (Path, None),
    (t.Union[int, str], 1.5),
    (int | None, "x"),
    (t.Optional[int], ""),
    (list, "abc"),
    (list, {"a": 1}),
    (list[int], ["a"]),
    (t.List[int], [1, "a"]),
    (list[list[int]], [[1], ["a"]]),
    (dict, []),
    (dict[str, int], {"a": "b"}),
    (dict[str, int], {1: 2}),
    (t.Dict[str, t.List[int]], {"a": [None]}),
    (abc.Mapping[str, int], {"a": "b"}),
    (tuple[int, int], (1, 2, 3)),
    (tuple[int, int], (1, "a")),
    (tuple[int, ...], (1, "a")),
    (tuple[()], (1,)),
    (t.Tuple[int, str], ("a", 1)),
    (set[int], {"a"}),
    (set, [1]),
    (frozenset[int], 1),
    (abc.Sequence[int], 5),
    (abc.Sequence[float], "ab"),
    (abc.Sequence[float], ""),
    (abc.Iterable[int | None], "ab"),
    (abc.Sequence[str], b"ab"),
    (abc.Sequence[int], ["a"]),
    (t.Iterable[int], 5),
    (abc.Iterable[int], ["a"]),
    (collections.deque, 3),
    (t.Literal["a", "b"], "c"),
    (t.Literal[1], True),
    (t.Literal[1, None], 2),
    (t.Literal[Plain.A], "a"),
    (Plain, "a"),
    (Text, "b"),
    (Number, 2),
    (Base, Other()),
    (Base, 3),
    (Base, "Sub"),
    (Base, {"a": 1}),
    (Base, None),
    (Sub, Base()),
    (Runs, Other()),
    (RunsToo, 3),
    (Movie, {"year": 1}),
    (Movie, {"name": "x", "yaer": 1}),
    (Movie, {"name": 1}),
    (Movie, 3),
    (UserId, "x"),
    (t.Annotated[int, "doc"], "x"),
    (t.Annotated[t.Optional[int], "doc"], "x"),
    (Bound, Other()),
    (OneOf, 1.5),
    (type[Base], Other),
    (t.Type[Base], 3),
    (type, 3),
    (t.Callable, 3),
    (t.Callable[[int], str], "gelu"),
    (abc.Callable[..., int], None),
    (t.Final[int], "x"),
    (t.ClassVar[int], "x"),
    (Box[int], 3),
    (Point, 3),
    (Point, (1, 2, 3)),
    (dt.datetime, "2020-01-01"),
    (dt.timedelta, 5),
    (re.Pattern, "a+"),
    ("int", "x"),
    ("list[int | str]", [1.5]),
    ("OnlyForChecking", "x"),
    ("t.Optional[Sub]", Other()),
    (list["Sub"], [Other()]),
    (t.List["Sub"], [Other()]),
    # What nodes make.
    (Sub, Config(Base)),
    (Base, Config(Other)),
    (int, Config(Other)),
    (int | None, Config(Other)),
    (list[Base], [Config(Sub), Config(Other)]),
    (dict[str, Base], {"a": Config(Other)}),
    (list, Config(Other)),
    (Base, Config(gives_int)),
    (int, Config(gives_list)),
    (int, Partial(gives_int)),
    (str, Partial(gives_anything)),
    (Base, Partial(Sub)),
    (t.Callable, Config(Other)),
    (run.Config[Base], Config(Other)),
    (run.Config[Base], 3),
    (t.Literal["a"], Config(Other)),
    (Runs, Config(Other)),
    (t.Callable[..., int] | None, Config(Other)),
]

RIGHT = [
    (int, 0),
    (int, True),
    (int, 10**30),
    (float, 0),
    (float, 1),
    (float, True),
    (float, float("nan")),
    (float, decimal.Decimal("1.5")),
    (float, fractions.Fraction(1, 2)),
    (complex, 1.5),
    (bool, 0),
    (bool, False),
    (str, ""),
    (str, Text.A),
    (str, Path("a")),
    (Path, "a/b"),
    (Path, Path()),
    (pathlib.PurePath, "a"),
    (os.PathLike, "a"),
    (os.PathLike[str], Path()),
    (bytes, bytearray(b"x")),
    (None, 0),
    (int | None, None),
    (type(None), 3),
    (t.Union[int, str], "x"),
    (int | None, None),
    (t.Optional[int], 0),
    (list, []),
    (list, (1,)),
    (list[int], []),
    (list[int], (1, 2)),
    (list[t.Any], [object()]),
    (dict, {}),
    (dict, collections.OrderedDict()),
    (dict[str, t.Any], {"a": object()}),
    (abc.Mapping, {}),
    (t.MutableMapping[str, int], {"a": 1}),
    (collections.OrderedDict, collections.OrderedDict()),
    (tuple, [1]),
    (tuple[float, float], [0.9, 0.95]),
    (tuple[float, ...], []),
    (tuple[()], ()),
    (set, frozenset()),
    (abc.Set[int], {1}),
    (abc.Sequence[str], "abc"),
    (abc.Sequence[str | int], "abc"),
    (abc.Sequence, "abc"),
    (abc.Sequence[int], b"abc"),
    (abc.Sequence[int], range(3)),
    (t.Iterable[int], iter([1])),
    (t.Iterator[str], iter([1])),
    (abc.Generator, (x for x in [1])),
    (abc.Collection[int], {1: 2}),
    (abc.Hashable, 1),
    (t.Sized, []),
    (t.SupportsFloat, 1),
    (t.Literal["a", "b"], "a"),
    (t.Literal[1, None], None),
    (t.Literal["a"], Text.A),
    (t.Literal[Text.A], "a"),
    (t.Literal[Plain.A], Plain.A),
    (Text, "a"),
    (Number, 1),
    (Plain, Plain.A),
    (Base, Sub()),
    (Runs, Runner()),
    (RunsToo, Runner()),
    (Movie, {"name": "x"}),
    (Movie, {"name": "x", "year": 3}),
    (UserId, 3),
    (t.Annotated[int, "doc"], 3),
    (Bound, Sub()),
    (OneOf, "x"),
    (Free, object()),
    (type[Base], Sub),
    (t.Type[t.Any], int),
    (type[int | str], int),
    (type[Free], int),
    (type, list[int]),
    (t.Callable, print),
    (t.Callable, Callme()),
    (t.Callable[[int], str], lambda x: x),
    (t.Callable[Params, int], functools.partial(print)),
    (t.Final[int], 3),
    (t.Final, 3),
    (t.ClassVar, 3),
    (InitVar[int], 3),
    (Box[int], Box()),
    (Point, Point(1, 2)),
    (Point, (1, 2)),
    (t.Any, object()),
    (object, None),
    (t.Text, "x"),
    (te.LiteralString, "x"),
    (te.Self, 3),
    (t.NoReturn, 3),
    (t.Pattern[str], re.compile("a")),
    ("int | None", None),
    ("OnlyForChecking", decimal.Decimal(1)),
    # What cannot be read or known says nothing.
    ("Missing", 3),
    ("Missing | int", "x"),
    ("list[Missing]", 3),
    ("a doc string of the old days", 3),
    ("1/0", 3),
    (3, "x"),
    ([int], "x"),
    ((int, str), 1.5),
    ({"a": 1}, 3),
    (print, 3),
    (Unaskable, 3),
    (int, mock.Mock()),
    (Base, mock.MagicMock()),
    (Base, mock.Mock(spec=Sub)),
    (t.Any, Strange()),
    # What nodes make.
    (Base, Config(Sub)),
    (Base | None, Config(Sub)),
    (t.Optional[Base], Config(Sub)),
    (Sub, Config(gives_base)),
    (Base, Config(gives_sub)),
    (Sub, Config(gives_optional)),
    (Base, Config(gives_anything)),
    (Base, Config(gives_missing)),
    (float, Config(gives_int)),
    (list[int], Config(gives_list)),
    (abc.Sequence, Config(gives_list)),
    (int, Config(int, "3")),
    (list[Base], [Config(Sub), Sub()]),
    (dict[str, Base], {"a": Config(Sub)}),
    (dict[str, int], Config(dict, a=1)),
    (Movie, Config(dict, name="x")),
    (Runs, Config(Runner)),
    (RunsToo, Config(Runner)),
    (Runs, Config(gives_base)),
    (t.Any, Config(Other)),
    (object, Config(Other)),
    (Free, Config(Other)),
    (Bound, Config(Sub)),
    (t.Callable, Config(Callme)),
    (t.Callable, Config(gives_anything)),
    (t.Callable, Partial(gives_int)),
    (t.Callable[..., int], Partial(gives_int)),
    (Callme, Partial(Callme)),
    (functools.partial, Partial(gives_int)),
    (type[Base], Partial(Sub)),
    (t.Callable | None, Partial(gives_int)),
    (run.Config[Base], Config(Sub)),
    (run.Config[Base], Sub()),
    (run.Config, Config(Sub)),
    (run.Partial[Base], Partial(Sub)),
    (run.Partial, Partial(Sub)),
    (t.Optional[run.Config[Base]], None),
    ("run.Config[Base] | None", Config(Sub)),
    (list[run.Config[Base]], [Config(Sub)]),
    (Text, Config(Text, "a")),
    (Path, Config(Path, "a")),
    (str, Config(Path, "a")),
    (float, Config(decimal.Decimal, "1")),
    (Point, Config(Point, 1, 2)),
    ("OnlyForChecking", Config(decimal.Decimal, "1")),
    (Unaskable, Config(Other)),
]


def task_of(hint: t.Any, value: t.Any) -> run.Partial[t.Any]:
    def target(argument, default=None): ...

    target.__annotations__ = {"argument": hint}
    return Partial(target, value)


@pytest.mark.parametrize(("hint", "value"), WRONG)
def test_what_is_certainly_wrong_is_reported(hint: t.Any, value: t.Any) -> None:
    with pytest.raises(CheckError, match=r"argument.*expected") as error:
        check_task(task_of(hint, value))
    assert f"(set at {__file__}:" in str(error.value)


@pytest.mark.parametrize(("hint", "value"), RIGHT)
def test_what_may_be_right_is_left_alone(hint: t.Any, value: t.Any) -> None:
    check_task(task_of(hint, value))


@pytest.mark.parametrize("hint", [int, str, t.Literal[1], list[int], Base, abc.Callable, dict])
def test_an_object_that_answers_nothing_is_reported_and_breaks_nothing(hint: t.Any) -> None:
    with pytest.raises(CheckError, match="a Strange is given"):
        check_task(task_of(hint, Strange()))


def test_a_whole_float_is_answered_with_the_int_and_a_text_as_a_whole() -> None:
    with pytest.raises(CheckError, match=r"argument: 3\.0 is given, the int 3 is expected"):
        check_task(task_of(int, 3.0))
    with pytest.raises(CheckError, match=r"argument: 'ab' is given, Sequence\[float\] is expected"):
        check_task(task_of(abc.Sequence[float], "ab"))


@pytest.mark.torch
def test_torch_and_numpy_objects_raise_no_alarm() -> None:
    torch, np = pytest.importorskip("torch"), pytest.importorskip("numpy")
    import numpy.typing as npt

    for hint, value in [
        (torch.nn.Module, Config(torch.nn.Linear, 2, 3)),
        (torch.nn.Module | None, torch.nn.Linear(2, 3)),
        (t.Callable, Config(torch.nn.ReLU)),
        (t.Callable[[torch.Tensor], torch.Tensor], torch.nn.functional.gelu),
        (torch.nn.Module, Partial(torch.nn.ReLU)),
        (torch.dtype, torch.bfloat16),
        (torch.device, "cuda"),
        (torch.Tensor, torch.zeros(2)),
        (torch._jit_internal.BroadcastingList2[int], 3),
        (torch.Tensor, Config(torch.zeros, 2)),
        (float, torch.tensor(1.5)),
        (torch.optim.Optimizer, Config(torch.optim.SGD, [])),
        (abc.Iterable, Config(torch.utils.data.DataLoader, Config(torch.utils.data.TensorDataset))),
        (torch.utils.data.Dataset[int], Config(torch.utils.data.TensorDataset)),
        (float, np.float32(1)),
        (int, np.int64(3)),
        (bool, np.bool_(True)),
        (list[float], np.zeros(3)),
        (np.ndarray, np.zeros(3)),
        (npt.NDArray[np.float64], np.zeros(3)),
        (npt.ArrayLike, [1, 2]),
        (int | None, np.zeros(3)[0].astype(int)),
    ]:
        check_task(task_of(hint, value))
    for hint, value in [
        (torch.nn.Module, Config(Other)),
        (torch.nn.Module, 3),
        (torch.dtype, "bf16"),
        (int, torch.nn.Linear(1, 1)),
        (t.Literal["a"], np.zeros(3)),
        (str, np.zeros(3)),
    ]:
        with pytest.raises(CheckError):
            check_task(task_of(hint, value))


@dataclass
class WithFields:
    inherited: Sub
    init: InitVar[int] = 0
    alias: OnlyForChecking | None = None


@dataclass
class Derived(WithFields):
    own: list[Base] = None


def test_fields_are_read_where_they_were_written() -> None:
    check_task(Config(Derived, Sub(), own=[Config(Sub)], alias=decimal.Decimal(1)))
    with pytest.raises(CheckError) as error:
        check_task(Config(Derived, Other(), init="x", own=[Other()], alias=3))
    for path in ("inherited:", "init:", "own[0]:", "alias:"):
        assert path in str(error.value)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax came with Python 3.12")
def test_type_parameters_and_aliases_of_python_3_12_are_read() -> None:
    space: dict[str, t.Any] = {"__name__": __name__}
    exec(
        "type Numbers = list[int]\n"
        "type Tree = int | list[Tree]\n"
        "def generic[T: int](a: T, b: Numbers, c: 'T' = 0, d: Tree = 0): ...\n"
        "class Box[T: str]:\n"
        "    def __init__(self, item: T, other: 'Numbers | None' = None): ...\n",
        space,
    )
    generic, box = space["generic"], space["Box"]
    check_task(Partial(generic, 1, [1], 2, [1, [2, [3]]]))
    check_task(Config(box, "x", [1]))
    with pytest.raises(CheckError) as error:
        check_task(Partial(generic, "a", ["b"], "c", [1, ["d"]]))
    for path in ("a: 'a'", "b[0]: 'b'", "c: 'c'", "d"):
        assert path in str(error.value)
    with pytest.raises(CheckError, match="item: 3 is given"):
        check_task(Config(box, 3))
