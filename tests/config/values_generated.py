"""Annotations, and values that they allow, for tests that generate both."""

from __future__ import annotations

import datetime as dt
import enum
import typing
import uuid
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, TypedDict, Union

from hypothesis import strategies as st

import nemo_run as run


class Color(enum.Enum):
    RED = 1
    GREEN = "green"
    blue = 3.5


class Size(str, enum.Enum):
    SMALL = "s"
    None_ = "None"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Point(NamedTuple):
    x: int
    label: str = "here"


class Options(TypedDict, total=False):
    lr: float
    name: str
    nested: dict[str, list[int]]


@dataclass
class Adam:
    lr: float = 0.1
    betas: tuple[float, float] = (0.9, 0.99)
    name: Optional[str] = None  # noqa: UP045
    more: dict[str, Any] = field(default_factory=dict)


@dataclass
class Model:
    optim: Adam
    layers: list[int] = field(default_factory=list)
    note: str = ""


class Plain:
    def __init__(self, size: int, note: str | None = None, *, path: Path = Path()) -> None: ...


class Derived(Plain): ...


UserId = NewType("UserId", int)
Bound = typing.TypeVar("Bound", bound=float)

AWKWARD = [
    "", " ", "=", "%", "|", "#", "\n", "\t", "'", '"', "\\", "''", "'\"'", "a=b", "a,b", "[", "]",
    "[1]", "{a: 1}", "(1,)", "None", "none", "null", "'None'", "\"'none'\"", "true", "1", "1e3",
    "5", "'5'", "b'x'", "007", " 5 ", "nan", "inf", "~", "~/x", "${x}", "@file", "don't", "é",
    "日本", "🙂", "\0", "\r\n", "\\n", "a\\", "os.system('x')", "Adam(lr=1)", "1,2", "1:2", "-",
    "...", "1h", "red", "\u2028", "\x85", "READ|WRITE", "2020-01-01", "'a' b 'c'", "\"'['a']'\"",
    "Path('a')",
]  # fmt: skip
TEXT = st.sampled_from(AWKWARD) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LITERAL = Literal["a", 1, None, True, "None", "1.5", 1.5]  # noqa: PYI061


def configs(target: Any, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Configurations of ``target`` with some of the arguments."""
    required = {"optim", "size"} & arguments.keys()
    return st.fixed_dictionaries(
        {name: arguments[name] for name in required},
        optional={name: found for name, found in arguments.items() if name not in required},
    ).map(lambda given: run.Config(target, **given))


FLOATS = st.floats() | st.integers(-5, 5).map(float)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | TEXT | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXT | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
ADAMS = configs(
    Adam,
    lr=FLOATS,
    betas=st.tuples(FLOATS, FLOATS),
    name=st.none() | TEXT,
    more=st.dictionaries(TEXT, ANYTHING, max_size=2),
)
PATHS = TEXT.filter(lambda text: "\0" not in text).map(Path)
DATES = st.datetimes(timezones=st.none() | st.just(dt.timezone.utc))
SIMPLE: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, FLOATS),
    (bool, st.booleans()),
    (str, TEXT),
    (complex, st.complex_numbers()),
    (bytes, st.binary(max_size=6)),
    (bytearray, st.binary(max_size=6).map(bytearray)),
    (Decimal, st.decimals(allow_nan=False)),
    (Fraction, st.fractions()),
    (uuid.UUID, st.uuids()),
    (dt.datetime, DATES),
    (dt.date, st.dates()),
    (dt.time, st.times()),
    (dt.timedelta, st.timedeltas()),
    (Path, PATHS),
    (PurePosixPath, TEXT.filter(lambda text: "\0" not in text).map(PurePosixPath)),
    (Color, st.sampled_from(Color)),
    (Size, st.sampled_from(Size)),
    (Level, st.sampled_from(Level)),
    (Access, st.sampled_from([Access.READ, Access.WRITE, Access.READ | Access.WRITE])),
    (LITERAL, st.sampled_from(["a", 1, None, True, "1.5"])),
    (Annotated[int, "doc"], st.integers()),
    (UserId, st.integers()),
    (Bound, FLOATS),
    (Any, ANYTHING),
    (object, ANYTHING),
    (type[Plain], st.sampled_from([Plain, Derived])),
    (typing.Callable, st.sampled_from([print, configs, Plain, dt.datetime.now])),
    (Adam, ADAMS),
    (run.Config[Adam], ADAMS),
    (run.Partial[Adam], ADAMS.map(lambda cfg: run.Partial(Adam, **cfg.__arguments__))),
    (Model, configs(Model, optim=ADAMS, layers=st.lists(st.integers(), max_size=3), note=TEXT)),
    (Plain, configs(Plain, size=st.integers(), note=st.none() | TEXT, path=PATHS)),
    (Plain, configs(Derived, size=st.integers(), note=TEXT)),
    (Point, st.builds(Point, st.integers(), TEXT)),
    (
        Options,
        st.fixed_dictionaries(
            {}, optional={"lr": FLOATS, "name": TEXT, "nested": st.dictionaries(TEXT, st.just([1]))}
        ),
    ),
    (list, st.lists(ANYTHING, max_size=3)),
    (dict, st.dictionaries(TEXT, ANYTHING, max_size=3)),
    (tuple, st.lists(ANYTHING, max_size=3).map(tuple)),
    (set, st.sets(st.integers(), max_size=3)),
]
HASHABLE = {int, str, bool, bytes, Color, Level, Decimal, dt.date, dt.timedelta, Path}


@st.composite
def hints_and_values(draw: Any, depth: int = 2) -> tuple[Any, st.SearchStrategy[Any]]:
    """An annotation, and a strategy for values that it allows."""
    hint, values = draw(st.sampled_from(SIMPLE))
    if depth == 0 or draw(st.booleans()):
        return hint, values
    inner, inner_values = draw(hints_and_values(depth=depth - 1))
    other, other_values = draw(hints_and_values(depth=depth - 1))
    key, keys = draw(st.sampled_from([pair for pair in SIMPLE if pair[0] in HASHABLE]))
    lists = st.lists(inner_values, max_size=3)
    return draw(
        st.sampled_from(
            [
                (list[inner], lists),
                (Sequence[inner], lists),
                (Iterable[inner], lists),
                (typing.List[inner], lists),  # noqa: UP006
                (deque[inner], lists.map(deque)),
                (tuple[inner, ...], lists.map(tuple)),
                (tuple[inner, other], st.tuples(inner_values, other_values)),
                (tuple[()], st.just(())),
                (set[key], st.sets(keys, max_size=3)),
                (frozenset[key], st.frozensets(keys, max_size=3)),
                (dict[key, inner], st.dictionaries(keys, inner_values, max_size=3)),
                (Mapping[key, inner], st.dictionaries(keys, inner_values, max_size=3)),
                (OrderedDict[key, inner], st.dictionaries(keys, inner_values).map(OrderedDict)),
                (Optional[inner], st.none() | inner_values),  # noqa: UP045
                (Union[int, str], st.integers() | TEXT),  # noqa: UP007
                (int | str | None, st.integers() | TEXT | st.none()),
                (list[int] | str, st.lists(st.integers(), max_size=3) | TEXT),
                (Path | str, PATHS | TEXT),
                (bytes | str, st.binary() | TEXT),
                (Color | Adam | str, st.sampled_from(Color) | ADAMS | TEXT),
                (str | None, st.none() | TEXT),
                (bool | float, st.booleans() | FLOATS),
                (int | float | list[inner], st.integers() | FLOATS | lists),
                (Annotated[inner, 1], inner_values),
            ]
        )
    )
