"""What people put into configurations, in one dict; read by every Python that we support.

Also run as a program, on other Pythons:
``codec_values.py write FILE`` and ``codec_values.py compare FILE``.
"""

from __future__ import annotations

import array
import collections
import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import http
import ipaddress
import math
import operator
import os
import pathlib
import re
import signal
import sys
import types
import typing
import uuid
import zoneinfo


class Color(enum.Enum):
    RED = "r"
    BLUE = ("b", 1)
    CRIMSON = "r"  # noqa: PIE796 - another name of RED


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


class Mode(str, enum.Enum):
    FAST = "fast"


class Access(enum.Flag):
    NONE = 0
    READ = 1
    WRITE = 2
    BOTH = 3


class Bits(enum.IntFlag):
    A = 1
    B = 4


class Point(typing.NamedTuple):
    x: float
    y: float = 0.0


Pair = collections.namedtuple("Pair", "left right")  # noqa: PYI024


@dataclasses.dataclass
class Plain:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int


@dataclasses.dataclass(slots=True)
class Slotted:
    a: int
    b: str = "b"


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlotted:
    a: int


@dataclasses.dataclass(kw_only=True)
class KeywordOnly:
    a: int


@dataclasses.dataclass
class Derived(Plain):
    c: dataclasses.InitVar[int] = 5
    doubled: int = dataclasses.field(init=False)

    def __post_init__(self, c: int) -> None:
        self.doubled = 2 * self.a + c
        self.extra = "not a field"


@dataclasses.dataclass(eq=True)
class Validating:
    """Cannot be made twice from its own fields."""

    text: str

    def __post_init__(self) -> None:
        if self.text.endswith("!"):
            raise ValueError("already loud")
        self.text += "!"


class HandSlotted:
    __slots__ = ("kept",)


@dataclasses.dataclass
class Cached(HandSlotted):
    """Holds more than its fields, and something that is computed again."""

    a: int = 1

    def __post_init__(self) -> None:
        self.kept = [self.a]
        self.computed.append(object())

    @functools.cached_property
    def computed(self) -> list[object]:
        return []


class Model:
    """A class of a user."""

    def __init__(self, size: int = 1, *, name: str = "m") -> None:
        self.size, self.name = size, name

    @classmethod
    def small(cls) -> Model:
        return cls(1)

    @staticmethod
    def helper() -> int:
        return 3

    class Inner:
        pass


class Submodel(Model):
    pass


T = typing.TypeVar("T")


class Box(typing.Generic[T]):
    pass


def train(lr: float = 0.1, *more: object, **rest: object) -> float:
    return lr


@functools.lru_cache
def cached(n: int) -> int:
    return n


def nested() -> object:
    def inside() -> None: ...

    return inside


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")


def values() -> dict[str, object]:
    """One of everything that is in each of Python 3.10 to 3.13."""
    return {
        "none": None,
        "true": True,
        "false": False,
        "int": -3,
        "huge int": 3**20000,
        "negative huge int": -(7**9000),
        "word": 2**64,
        "float": 0.1,
        "tiny": 5e-324,
        "largest": sys.float_info.max,
        "nan": math.nan,
        "inf": math.inf,
        "minus inf": -math.inf,
        "minus zero": -0.0,
        "complex": complex(-0.0, math.nan),
        "complex 2": 1 - 2j,
        "str": "héllo\n\t\u2028\x7f\x00",
        "tag-like": "$",
        "surrogate": "name\udc80",
        "surrogate pair": "\ud83d\ude00 \ud83d",
        "astral": "😀",
        "bytes": b"abc",
        "binary": bytes(range(256)),
        "bytearray": bytearray(b"\x00x"),
        "list": [1, [2, []]],
        "dict": {"b": 1, "a": {"c": None}},
        "dollar": {"$": "config", "target": "os:getcwd"},
        "keys": {1: "int", "1": "str", 2.5: 1, None: 2, (1, ("a",)): 3, b"x": 4, Color.RED: 5},
        "nan key": {math.inf: 1},
        "frozen keys": {frozenset({1, 2}): 1, Frozen(1): 2, Point(1, 2): 3},
        "tuple": (1, ("a", [2]), ()),
        "set": {1, "a", None, (1, 2)},
        "frozenset": frozenset({"x", "y", "z"}),
        "empty set": set(),
        "namedtuple": Point(1, [2]),
        "pair": Pair("l", Pair(1, 2)),
        "path": pathlib.Path("a/../b c/é"),
        "absolute": pathlib.PosixPath("/") if os.name == "posix" else pathlib.PurePosixPath("/"),
        "pure": pathlib.PurePosixPath("a"),
        "windows": pathlib.PureWindowsPath(r"C:\x\y"),
        "odd path": pathlib.PurePosixPath("x\udcff"),
        "enum": Color.BLUE,
        "alias": Color.CRIMSON,
        "int enum": Level.HIGH,
        "str enum": Mode.FAST,
        "flag": Access.READ,
        "flag both": Access.BOTH,
        "flag none": Access.NONE,
        "bits": Bits.A | Bits.B,
        "unknown bits": Bits(64 | 1),
        "signal": signal.SIGTERM,
        "status": http.HTTPStatus.NOT_FOUND,
        "regex flag": re.IGNORECASE | re.MULTILINE,
        "date": dt.date(2024, 2, 29),
        "datetime": dt.datetime(1, 1, 1, 0, 0, 0, 1),
        "fold": dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
        "aware": dt.datetime(2024, 1, 1, 12, tzinfo=dt.timezone.utc),
        "time": dt.time(1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=-3, microseconds=5))),
        "timedelta": dt.timedelta(days=-1, seconds=2, microseconds=3),
        "utc": dt.timezone.utc,
        "named zone": dt.timezone(dt.timedelta(hours=1), "one"),
        "zone": BERLIN,
        "decimal": decimal.Decimal("1.10"),
        "decimal nan": decimal.Decimal("-NaN12"),
        "decimal zero": decimal.Decimal("-0E+5"),
        "fraction": fractions.Fraction(-1, 3),
        "uuid": uuid.UUID(int=7),
        "range": range(10, 0, -2),
        "slice": slice(None, 5, None),
        "slice of lists": slice([1], "x"),
        "pattern": re.compile(r"a.*\n", re.IGNORECASE | re.DOTALL),
        "bytes pattern": re.compile(rb"\d"),
        "ascii pattern": re.compile("é", re.ASCII | re.VERBOSE),
        "partial": functools.partial(train, 1, 2, momentum=[0.9]),
        "partial of type": functools.partial(int, base=2),
        "deque": collections.deque([1, [2]], maxlen=5),
        "endless deque": collections.deque(),
        "ordered": collections.OrderedDict([("z", 1), ("a", [2])]),
        "ordered keys": collections.OrderedDict({2: 1}),
        "defaultdict": collections.defaultdict(list, {"a": [1]}),
        "users default": collections.defaultdict(Model.helper, {1: 2}),
        "no default": collections.defaultdict(None, a=1),
        "counter": collections.Counter("hello"),
        "chainmap": collections.ChainMap({"a": 1}, {"b": [2]}),
        "mappingproxy": types.MappingProxyType({"a": [1]}),
        "namespace": types.SimpleNamespace(a=1, b=[2], self=3),
        "address": ipaddress.ip_address("127.0.0.1"),
        "interface": ipaddress.ip_interface("10.0.0.1/8"),
        "network": ipaddress.ip_network("fe80::/64"),
        "array": array.array("d", [1.0, math.inf]),
        "itemgetter": operator.itemgetter(1, "a"),
        "attrgetter": operator.attrgetter("a.b", "c"),
        "methodcaller": operator.methodcaller("split", ",", maxsplit=1),
        "plain dataclass": Plain(1, [2]),
        "frozen": Frozen(3),
        "slotted": Slotted(1),
        "frozen slotted": FrozenSlotted(1),
        "keyword only": KeywordOnly(a=1),
        "derived": Derived(1, c=7),
        "validating": Validating("hey"),
        "function": train,
        "cached": cached,
        "builtin function": len,
        "c function": math.sqrt,
        "path join": os.path.join,
        "static method": Model.helper,
        "class method": Model.small,
        "inherited class method": Submodel.small,
        "dict.fromkeys": dict.fromkeys,
        "str.upper": str.upper,
        "int.__add__": int.__add__,
        "bound": "a,b".split,
        "bound to a dataclass": Plain(1).__eq__,
        "class": Model,
        "inner class": Model.Inner,
        "int type": int,
        "none type": type(None),
        "ellipsis type": type(...),
        "function type": types.FunctionType,
        "pathlib class": pathlib.Path,
        "exception": KeyError,
        "abc": collections.abc.Mapping,
        "enum class": Color,
        "ellipsis": ...,
        "not implemented": NotImplemented,
        "module": math,
        "submodule": collections.abc,
        "list[int]": list[int],
        "nested generic": dict[str, tuple[list[int], ...]],
        "empty tuple type": tuple[()],
        "user generic": Box[int],
        "typing list": typing.List[int],  # noqa: UP006
        "bare typing list": typing.List,  # noqa: UP006
        "optional": typing.Optional[Model],  # noqa: UP045
        "union": typing.Union[int, str, None],  # noqa: UP007
        "bar": int | None,
        "bar of lists": list[int] | dict[str, int] | None,
        "any": typing.Any,
        "literal": typing.Literal["a", 1, None],  # noqa: PYI061
        "annotated": typing.Annotated[int, "doc", Frozen(1)],
        "callable": typing.Callable[..., int],
        "callable 2": collections.abc.Callable[[int, str], None],
        "callable 3": typing.Callable[[int], list[str]],
        "no arguments": typing.Callable[[], int],
        "abc generic": collections.abc.Sequence[int],
        "class var": typing.ClassVar[int],
        "type of": type[Model],
        "forward": typing.List["Model"],  # noqa: UP006
        "type variable": T,
    }


def same(left: object, right: object) -> bool:
    """Equal, of one type at every depth, and nan like nan."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return repr(left) == repr(right)
    if isinstance(left, complex):
        return repr(left) == repr(right)
    if isinstance(left, decimal.Decimal):
        return repr(left) == repr(right)
    if isinstance(left, (list, tuple, collections.deque)):
        limits = getattr(left, "maxlen", None) == getattr(right, "maxlen", None)
        return limits and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        factories = getattr(left, "default_factory", 0) is getattr(right, "default_factory", 0)
        return factories and same(list(left.items()), list(right.items()))
    if isinstance(left, (types.MappingProxyType, collections.ChainMap)):
        return same(dict(left), dict(right)) and repr(left) == repr(right)
    if isinstance(left, functools.partial):
        return all(same(getattr(left, n), getattr(right, n)) for n in ("func", "args", "keywords"))
    if isinstance(left, (operator.itemgetter, operator.attrgetter, operator.methodcaller)):
        return same(left.__reduce__()[1], right.__reduce__()[1]) and repr(left) == repr(right)
    if dataclasses.is_dataclass(left) and not isinstance(left, type):
        state = [getattr(v, "__dict__", None) for v in (left, right)]
        return left == right and same(*state)
    if isinstance(left, (types.MethodType, types.BuiltinMethodType)):
        return left.__name__ == right.__name__ and same(left.__self__, right.__self__)
    if isinstance(left, dt.datetime):
        return (left.isoformat(), left.fold, left.tzinfo) == (
            right.isoformat(),
            right.fold,
            right.tzinfo,
        )
    # On Python 3.10 list[int] calls itself an instance of type.
    if type(left) is type or isinstance(left, (types.ModuleType, types.FunctionType)):
        return left is right
    return bool(left == right)


def main(what: str, file: str) -> None:
    # Run as a program, the classes would be those of __main__.
    import codec_values as here

    from nemo_run.config.files import codec
    from nemo_run.config.graph.node import Config, Partial

    path = pathlib.Path(file)
    task = Partial(here.train, 0.5, Config(here.Model, size=2), data=here.values(), bind_args=False)
    if what == "write":
        path.write_text(codec.dumps(task), encoding="utf-8")
        return
    read = codec.loads(path.read_text(encoding="utf-8"))
    for name, value in here.values().items():
        found = read.data[name]
        assert here.same(found, value), (name, found, value)
    assert read == task


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
