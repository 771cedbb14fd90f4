"""Runs one task inside a job, from a file, with the standard library alone.

This file is copied next to every job and started as ``python worker.py <member folder>``. It
reads ``task.json`` and ``worker.json`` there, builds the graph, calls it, and leaves
``result.json`` or ``error.<rank>.json`` in the attempt's folder (``NEMORUN_ATTEMPT_DIR``).

The control plane reads the same format with the same :class:`Reader`, so there is one reader.
It runs on Python 3.8 and up, whatever the job's container has. As a script it is compiled at
every start and everything it imports delays the user's first line: an import is made where it
is needed, and the file is kept short.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing costs more than the rest of the start
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import CodeType, ModuleType, TracebackType
    from typing import Any

FORMAT = "nemo-run/graph"
RESULT_FORMAT = "nemo-run/result"
VERSION = 1

# A JSON object with this key is not a dict but a value of another type; the key holds which.
TAG = "$"

# Begins the variables that carry the secrets among the arguments of a task,
SECRET_PREFIX = "NEMORUN_SECRET_"  # noqa: S105
# and names all variables with secrets, with spaces between.
SECRET_NAMES = "NEMORUN_SECRETS"  # noqa: S105


# --- Names ------------------------------------------------------------------------------------


def locate(name: str) -> Any:
    """Import the object called ``module:qualname``, or the module called ``module``.

    Raises:
        ImportError: The module cannot be imported.
        AttributeError: It has no such name.
    """
    module, _, qualname = name.partition(":")
    found: Any = sys.modules.get(module) or _import(module)
    for part in qualname.split(".") if qualname else ():
        found = _HIDDEN_TYPES[part] if _is_hidden(found, part) else part_of(found, part)
    return found


def part_of(owner: Any, name: str) -> Any:
    """Return an attribute; of a package also a module that nobody has imported yet.

    Raises:
        AttributeError: There is none.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        full = f"{getattr(owner, '__name__', '')}.{name}"
        if not hasattr(owner, "__path__"):
            raise
        try:
            return _import(full)
        except ModuleNotFoundError as error:
            if error.name != full:
                raise
        raise


def _import(module: str) -> ModuleType:
    # ``__import__`` rather than importlib.import_module: the interpreter removes its own frames
    # from the traceback of the former.
    __import__(module)
    return sys.modules[module]


# Names in ``types`` that came with Python 3.10.
_HIDDEN_TYPES = {
    "NoneType": type(None),
    "EllipsisType": type(...),
    "NotImplementedType": type(NotImplemented),
}


def _is_hidden(owner: Any, name: str) -> bool:
    return name in _HIDDEN_TYPES and owner is sys.modules.get("types")


def name_of(thing: Any, what: str = "it") -> str:
    """Return ``module:qualname`` of a class or function.

    Raises:
        ValueError: ``what`` cannot be imported by that name.
    """
    name = f"{thing.__module__}:{thing.__qualname__}"
    try:
        if locate(name) is thing:
            return name
    except (ImportError, AttributeError):
        pass  # said below, for the person
    raise ValueError(
        f"{what}, {name.replace(':', '.')}, cannot be imported by that name; define it at the "
        "top of a module"
    )


def path_text(path: list[Any]) -> str:
    """Return a path as people write it: ``model.layers[0]['k']``."""
    text = ""
    for step in path:
        if isinstance(step, str):
            text += f".{step}" if text else step
        else:
            text += f"[{step[0]!r}]" if isinstance(step, tuple) else f"[{step}]"
    return text


# --- Reading ----------------------------------------------------------------------------------


class Reader:
    """Makes the objects that a document describes; a node is built as it is read.

    Attributes:
        path: Where the reader is: a name for an attribute, a number for an index, a tuple of
            one for a key. After an exception it still says where that happened.
        calling: The target that is being imported or called.
    """

    def __init__(self) -> None:
        self.path: list[Any] = []
        self.calling = ""
        self._shared: dict[int, Any] = {}

    def read(self, document: Any) -> Any:
        """Return what ``document`` describes."""
        kind = type(document)
        if kind is list:
            return [self.step(index, item) for index, item in enumerate(document)]
        if kind is not dict:
            return document
        if TAG not in document:
            return {key: self.step((key,), value) for key, value in document.items()}
        if document[TAG] == "ref":
            return self._shared[document["id"]]
        if document[TAG] in ("config", "partial"):
            value = self.node(document)
        else:
            value = self.make(self.parts(document))
        if "id" in document:
            self._shared[document["id"]] = value
        return value

    def step(self, step: Any, document: Any) -> Any:
        """Read a part of what is being read."""
        # The fast way out is worth it: most values of a graph are these.
        if type(document) not in (dict, list):
            return document
        self.path.append(step)
        value = self.read(document)
        self.path.pop()
        return value

    def parts(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a tagged document with the values inside it read."""
        parts = dict(document)
        if "items" in parts:
            parts["items"] = [self.step(index, item) for index, item in enumerate(parts["items"])]
        if "entries" in parts:
            parts["entries"] = [
                (self.step(f"<key {index}>", key), self.step((key,), value))
                for index, (key, value) in enumerate(parts["entries"])
            ]
        if "fields" in parts:
            parts["fields"] = {name: self.step(name, v) for name, v in parts["fields"].items()}
        return parts

    def make(self, parts: dict[str, Any]) -> Any:
        """Make the value of a tagged document from its parts."""
        maker = MAKERS.get(parts[TAG])
        if maker is None:
            raise ValueError(
                f"The file holds a value of kind {parts[TAG]!r}, which this version does not "
                "know; it was written by a newer one."
            )
        return maker(parts)

    def node(self, document: Mapping[str, Any]) -> Any:
        """Build a Config or Partial."""
        target, positional, named = self.call(document)
        if document[TAG] == "partial":
            from functools import partial

            return partial(target, *positional, **named)
        self.calling = document["target"]
        built = target(*positional, **named)
        self.calling = ""
        return built

    def call(self, document: Mapping[str, Any]) -> tuple[Any, list[Any], dict[str, Any]]:
        """Return the target of a node and its built arguments."""
        self.calling = document["target"]
        target = locate(self.calling)
        self.calling = ""
        # Loops, for a comprehension is one more frame at each level of a deep graph.
        positional = []
        for key, value in document.get("positional", ()):
            positional.append(self.step(key, value))
        named = {}
        for name, value in document.get("arguments", {}).items():
            named[name] = self.step(name, value)
        return target, positional, named


def checked(document: Any, expected: str) -> Any:
    """Return ``document`` if it is of the ``expected`` format and of a version known here.

    Raises:
        ValueError: It is not; the message says what it is.
    """
    found = document.get("format") if isinstance(document, dict) else None
    if found != expected:
        raise ValueError(f"This is not a {expected} document: its format is {found!r}.")
    if document.get("version") != VERSION:
        raise ValueError(
            f"The document has version {document.get('version')!r} of {expected}; this program "
            f"reads version {VERSION}. Use the version of nemo_run that wrote it."
        )
    return document


def _dict(parts: dict[str, Any]) -> dict[Any, Any]:
    return dict(parts["fields"] if "fields" in parts else parts.get("entries", ()))


def _bytes(parts: dict[str, Any]) -> bytes:
    if "text" in parts:
        return str(parts["text"]).encode("ascii")
    from binascii import a2b_base64

    return a2b_base64(parts["base64"])


def _path(parts: dict[str, Any]) -> Any:
    import pathlib

    # A path of the other kind of system cannot be made here; its pure form can.
    concrete = {"PosixPath": "posix", "WindowsPath": "nt"}
    name = parts["class"]
    if name not in (*concrete, "PurePosixPath", "PureWindowsPath"):
        raise ValueError(f"There is no kind of path called {name!r}.")
    foreign = name in concrete and concrete[name] != os.name
    return getattr(pathlib, f"Pure{name}" if foreign else name)(parts["value"])


def _enum(parts: dict[str, Any]) -> Any:
    kind = locate(parts["class"])
    if "name" in parts:
        return kind[parts["name"]]
    if "items" in parts:
        return kind(parts["items"][0])
    value = kind(0)
    for name in parts["names"]:
        value |= kind[name]
    return value


def _namedtuple(parts: dict[str, Any]) -> Any:
    kind = locate(parts["class"])
    return kind._make(parts["fields"][name] for name in kind._fields)


def _dataclass(parts: dict[str, Any]) -> Any:
    # As copy and pickle do: the fields are what was made once, so neither __init__ nor
    # __post_init__ runs again.
    value = object.__new__(locate(parts["class"]))
    for name, field in parts["fields"].items():
        object.__setattr__(value, name, field)
    return value


def _datetime(parts: dict[str, Any]) -> Any:
    import datetime as dt

    value = getattr(dt, parts[TAG]).fromisoformat(parts["value"])
    if "fields" in parts:
        value = value.replace(tzinfo=parts["fields"]["tzinfo"])
    return value.replace(fold=1) if parts.get("fold") else value


def _timedelta(parts: dict[str, Any]) -> Any:
    import datetime as dt

    return dt.timedelta(parts["days"], parts["seconds"], parts["microseconds"])


def _timezone(parts: dict[str, Any]) -> Any:
    import datetime as dt

    return dt.timezone(*parts["items"])


def _zone(parts: dict[str, Any]) -> Any:
    import zoneinfo

    return zoneinfo.ZoneInfo(parts["key"])


def _pattern(parts: dict[str, Any]) -> Any:
    import re

    flags = 0
    for name in parts.get("flags", ()):
        flags |= getattr(re, name)
    return re.compile(parts["items"][0], flags)


def _method(parts: dict[str, Any]) -> Any:
    return getattr(parts["items"][0], parts["name"])


def _generic(parts: dict[str, Any]) -> Any:
    origin, arguments = parts["items"]
    return origin[tuple(arguments) if len(arguments) != 1 else arguments[0]]


def _union(parts: dict[str, Any]) -> Any:
    result = parts["items"][0]
    for item in parts["items"][1:]:
        result = result | item
    return result


def _numpy_array(parts: dict[str, Any]) -> Any:
    array = locate("numpy:array")(parts["items"], dtype=parts["dtype"])
    return array.reshape(parts["shape"])


def _defaultdict(parts: dict[str, Any]) -> Any:
    from collections import defaultdict

    return defaultdict(parts["items"][0], _dict(parts))


def _call(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return a maker that calls ``module:function`` with the items of a document."""
    return lambda parts: locate(name)(*parts["items"])


def _from_text(name: str) -> Callable[[dict[str, Any]], Any]:
    """Return a maker that calls ``module:function`` with the text of a document."""
    return lambda parts: locate(name)(parts["value"])


def _address(parts: dict[str, Any]) -> Any:
    if parts["class"] not in {
        f"IPv{version}{kind}" for version in (4, 6) for kind in ("Address", "Interface", "Network")
    }:
        raise ValueError(f"There is no kind of address called {parts['class']!r}.")
    return locate(f"ipaddress:{parts['class']}")(parts["value"])


def _secret(parts: dict[str, Any]) -> str:
    name = SECRET_PREFIX + parts["of"]
    if name not in os.environ:
        raise LookupError(
            f"The secret {parts['of']} did not reach this process, which has no variable {name}. "
            "It is given to the processes that the job itself starts."
        )
    return os.environ[name]


def _script(_parts: dict[str, Any]) -> Any:
    raise TypeError("A Script runs on its own; it cannot be part of another task's arguments.")


# How each kind of value is made from its parts. Of these only the ones in IMPORTING load code
# that is not of the standard library.
MAKERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "list": lambda parts: parts["items"],
    "dict": _dict,
    "tuple": lambda parts: tuple(parts["items"]),
    "set": lambda parts: set(parts["items"]),
    "frozenset": lambda parts: frozenset(parts["items"]),
    "float": lambda parts: float(parts["value"]),
    "int": lambda parts: int(parts["value"], 16),
    "str": lambda parts: "".join(parts["value"]),
    "complex": lambda parts: complex(parts["value"]),
    "bytes": _bytes,
    "bytearray": lambda parts: bytearray(_bytes(parts)),
    "path": _path,
    "enum": _enum,
    "namedtuple": _namedtuple,
    "dataclass": _dataclass,
    "date": _datetime,
    "datetime": _datetime,
    "time": _datetime,
    "timedelta": _timedelta,
    "timezone": _timezone,
    "zoneinfo": _zone,
    "decimal": _from_text("decimal:Decimal"),
    "uuid": _from_text("uuid:UUID"),
    "fraction": _call("fractions:Fraction"),
    "range": _call("builtins:range"),
    "slice": _call("builtins:slice"),
    "pattern": _pattern,
    "address": _address,
    "deque": _call("collections:deque"),
    "ordereddict": lambda parts: locate("collections:OrderedDict")(_dict(parts)),
    "counter": lambda parts: locate("collections:Counter")(_dict(parts)),
    "defaultdict": _defaultdict,
    "chainmap": _call("collections:ChainMap"),
    "mappingproxy": lambda parts: locate("types:MappingProxyType")(dict(*parts["items"])),
    "namespace": lambda parts: locate("types:SimpleNamespace")(**parts["fields"]),
    "array": lambda parts: locate("array:array")(parts["typecode"], parts["items"]),
    "functools.partial": lambda parts: locate("functools:partial")(
        *parts["items"], **parts["fields"]
    ),
    "itemgetter": _call("operator:itemgetter"),
    "attrgetter": _call("operator:attrgetter"),
    "methodcaller": lambda parts: locate("operator:methodcaller")(
        *parts["items"], **parts["fields"]
    ),
    "object": lambda parts: locate(parts["name"]),
    "module": lambda parts: locate(parts["name"]),
    "method": _method,
    "generic": _generic,
    "union": _union,
    "forwardref": _from_text("typing:ForwardRef"),
    "torch": lambda parts: getattr(locate("torch"), parts["name"]),
    "torch.device": _from_text("torch:device"),
    "torch.size": lambda parts: locate("torch:Size")(parts["items"]),
    "numpy.dtype": _call("numpy:dtype"),
    "numpy.array": _numpy_array,
    "numpy": lambda parts: locate("numpy:" + parts["name"])(*parts["items"]),
    "secret": _secret,
    "script": _script,
    "unavailable": lambda parts: Unavailable(parts["repr"], parts["why"]),
}

# These load whatever module the file names, or one that is heavy.
IMPORTING = frozenset(
    {"enum", "namedtuple", "dataclass", "object", "module", "numpy", "numpy.dtype"}
    | {"numpy.array", "torch", "torch.device", "torch.size"}
)


# --- Writing ----------------------------------------------------------------------------------


class Unavailable:
    """Stands in a result for a value that could not be written.

    Attributes:
        text: The ``repr`` of the value.
        why: Why it could not be written.
    """

    def __init__(self, text: str, why: str) -> None:
        self.text = text
        self.why = why

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unavailable) and (self.text, self.why) == (other.text, other.why)

    def __hash__(self) -> int:
        return hash((self.text, self.why))

    def __repr__(self) -> str:
        return f"<unavailable: {self.text}; {self.why}>"


class CannotTravel(Exception):  # noqa: N818 - names what is the case, not a mistake
    """The value has no written form; the message says why."""


class NoWrittenForm(CannotTravel):
    """Its type is none of those that are written here."""


class _Entry:
    """A container that was met, so that meeting it again becomes a reference."""

    __slots__ = ("document", "key", "open", "parent", "references", "value")

    def __init__(self, value: Any, parent: Any, key: Any) -> None:
        self.value = value  # kept alive: its id() must stay its own
        self.parent = parent
        self.key = key
        self.document: Any = None
        self.references: list[dict[str, Any]] = []
        self.open = True


class Writer:
    """Writes values as a document of plain JSON values.

    What cannot be written is left out and noted.

    Attributes:
        path: Where the writer is, as in :class:`Reader`.
        problems: The path, the value and the reason of each thing that could not be written.
    """

    def __init__(self) -> None:
        self.path: list[Any] = []
        self.problems: list[tuple[str, Any, str]] = []
        self._met: dict[int, _Entry] = {}

    def document(self, value: Any) -> Any:
        """Return the document of ``value``."""
        holder: list[Any] = [None]
        self.put(holder, 0, value)
        self._number()
        return holder[0]

    def describe(self, value: Any) -> Any:
        """Return the tag and the parts of a value that is not plain; see :func:`describe`."""
        return describe(value)

    def refuse(self, value: Any, why: str) -> Any:
        """Note that ``value`` cannot be written, and return what is written instead."""
        self.problems.append((path_text(self.path), value, why))
        return {TAG: "unavailable", "repr": safe_repr(value), "why": why}

    def put(self, parent: Any, key: Any, value: Any) -> None:
        """Write ``value`` to ``parent[key]``."""
        if is_plain(value):
            parent[key] = value
            return
        entry = self._met.get(id(value))
        if entry is not None:
            parent[key] = self._again(entry)
            return
        parts = self._described(value)
        entry = _Entry(value, parent, key)
        if _can_be_shared(parts):
            self._met[id(value)] = entry
        entry.document = parent[key] = self.fill(parts)
        entry.open = False

    def put_step(self, step: Any, parent: Any, key: Any, value: Any) -> None:
        """Write a part of what is being written."""
        self.path.append(step)
        self.put(parent, key, value)
        self.path.pop()

    def _described(self, value: Any) -> Any:
        try:
            return self.describe(value)
        except CannotTravel as reason:
            return self.refuse(value, str(reason))
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - a value's own code may raise anything
            why = f"looking at it raised {type(error).__name__}: {safe_text(error)}"
            return self.refuse(value, why)

    def fill(self, parts: Any) -> Any:
        """Return ``parts`` with the values in its slots written."""
        if type(parts) is not dict:
            return parts
        document = dict(parts)
        if "items" in parts:
            document["items"] = self._items(parts)
        if "entries" in parts:
            document["entries"] = self._entries(parts["entries"])
        if "fields" in parts:
            fields: dict[str, Any] = {}
            document["fields"] = fields
            wrap = parts[TAG] == "dict"
            for name, value in parts["fields"].items():
                self.put_step((name,) if wrap else name, fields, name, value)
        return _plain(document)

    def _items(self, parts: dict[str, Any]) -> list[Any]:
        items = list(parts["items"])
        if parts[TAG] in ("set", "frozenset"):
            # A set has no order of its own; the same set shall give the same bytes.
            items.sort(key=lambda item: repr(type(self)().document(item)))
        for index, item in enumerate(items):
            self.put_step(index, items, index, item)
        return items

    def _entries(self, entries: Any) -> list[Any]:
        pairs = [[key, value] for key, value in entries]
        for index, pair in enumerate(pairs):
            key = pair[0]
            self.put_step(f"<key {index}>", pair, 0, key)
            self.put_step((key,), pair, 1, pair[1])
        return pairs

    def _again(self, entry: _Entry) -> Any:
        if entry.open:
            return self.refuse(entry.value, "it contains itself")
        reference: dict[str, Any] = {TAG: "ref", "id": 0}
        entry.references.append(reference)
        return reference

    def _number(self) -> None:
        """Give everything that was met again its id, in the order of first sight."""
        shared = [entry for entry in self._met.values() if entry.references]
        for number, entry in enumerate(shared, start=1):
            for reference in entry.references:
                reference["id"] = number
            entry.parent[entry.key] = _with_id(entry.document, number)


def _with_id(document: Any, number: int) -> dict[str, Any]:
    if type(document) is list:
        return {TAG: "list", "id": number, "items": document}
    if TAG not in document:
        return {TAG: "dict", "id": number, "fields": document}
    rest = {key: value for key, value in document.items() if key != TAG}
    return {TAG: document[TAG], "id": number, **rest}


def _plain(document: dict[str, Any]) -> Any:
    """Return the short form of a list, and of a dict whose keys are ordinary text."""
    if document[TAG] == "list":
        return document["items"]
    if document[TAG] == "dict" and "fields" in document:
        return document["fields"]
    return document


_ALWAYS_SHARED = frozenset(
    {"list", "dict", "set", "bytearray", "deque", "ordereddict", "counter", "defaultdict"}
    | {"chainmap", "mappingproxy", "namespace", "array", "dataclass", "config", "partial", "script"}
    | {"numpy.array"}
)
_SHARED_WITH_CONTENT = frozenset(["tuple", "namedtuple", "functools.partial"])
_ATOMS = frozenset([bool, int, float, str, bytes, complex, type(None)])


def _can_be_shared(parts: Any) -> bool:
    # Which of two equal constants is the same object is the compiler's choice, so a tuple of
    # atoms has no identity worth keeping.
    if type(parts) is not dict or parts[TAG] not in _SHARED_WITH_CONTENT:
        return type(parts) is dict and parts[TAG] in _ALWAYS_SHARED
    return any(
        type(value) not in _ATOMS
        for value in (*parts.get("items", ()), *parts.get("fields", {}).values())
    )


def is_plain(value: Any) -> bool:
    """Whether JSON has the value as it is."""
    kind = type(value)
    if kind is str:
        return _is_plain_text(value)
    if kind is int:
        return bool(-_WIDE < value < _WIDE)
    return value is None or kind is bool or (kind is float and bool(-_HUGE <= value <= _HUGE))


_WIDE = 1 << 4096
_HUGE = sys.float_info.max


def _is_plain_text(text: str) -> bool:
    # JSON would join a high and a low surrogate that stand side by side into one character.
    return text.isascii() or not any("\ud800" <= char <= "\udbff" for char in text)


def describe(value: Any) -> Any:
    """Return the parts of a value, which is its tagged document with the values inside as is.

    Raises:
        CannotTravel: It has no written form.
    """
    kind = type(value)
    found = DESCRIBERS.get(f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}")
    if found is not None:
        return found(value)
    if "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
        return _describe_enum(value)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return _describe_namedtuple(value)
    if hasattr(kind, "__dataclass_fields__"):
        return _describe_dataclass(value)
    if isinstance(value, type):
        return _describe_by_name(value)
    return _describe_foreign(value)


def _describe_foreign(value: Any) -> Any:
    """Return the parts of what NumPy and its like make of numbers; refuse everything else."""
    kind = type(value)
    why = f"a {kind.__module__}.{kind.__qualname__} has no written form"
    library = kind.__module__.partition(".")[0]
    shape = getattr(value, "shape", None)
    if library not in ("numpy", "torch", "jax", "jaxlib") or shape is None:
        raise NoWrittenForm(why)
    if len(shape) == 0:
        item = value.item()
        if type(item) in _ATOMS:
            return describe(item)
    elif library == "numpy" and value.size <= LARGEST_ARRAY and value.dtype.kind in "biufcU":
        items = value.ravel().tolist()
        if type(items[0] if items else 0) in _ATOMS:
            parts = {TAG: "numpy.array", "dtype": value.dtype.str, "shape": list(shape)}
            return {**parts, "items": items}
    raise NoWrittenForm(
        f"{why}. Return its numbers, with .tolist() or .item(), or save it and return the path"
    )


# An array of more elements is no longer something to read in a file of text.
LARGEST_ARRAY = 10_000


def _describe_int(value: int) -> Any:
    # Python limits how many decimal digits it reads; hexadecimal has no limit.
    return value if -_WIDE < value < _WIDE else {TAG: "int", "value": hex(value)}


def _describe_float(value: float) -> Any:
    special = value != value or value in (float("inf"), float("-inf"))  # noqa: PLR0124
    return {TAG: "float", "value": repr(value)} if special else value


def _describe_str(value: str) -> Any:
    if _is_plain_text(value):
        return value
    pieces = [""]
    for char in value:
        if "\udc00" <= char <= "\udfff":
            pieces.append("")
        pieces[-1] += char
    return {TAG: "str", "value": pieces}


def _describe_dict(value: dict[Any, Any]) -> dict[str, Any]:
    if all(type(key) is str and _is_plain_text(key) for key in value) and TAG not in value:
        return {TAG: "dict", "fields": value}
    return {TAG: "dict", "entries": value.items()}


def _describe_bytes(value: bytes | bytearray) -> dict[str, Any]:
    tag = type(value).__name__
    if all(32 <= byte < 127 for byte in value):
        return {TAG: tag, "text": value.decode("ascii")}
    from binascii import b2a_base64

    return {TAG: tag, "base64": b2a_base64(value, newline=False).decode("ascii")}


def _describe_path(value: Any) -> dict[str, Any]:
    return {TAG: "path", "class": type(value).__name__, "value": str(value)}


def _describe_enum(value: Any) -> dict[str, Any]:
    kind = type(value)
    parts = {TAG: "enum", "class": _class_name(kind)}
    if kind.__members__.get(value.name) is value:
        return {**parts, "name": value.name}
    if isinstance(value, sys.modules["enum"].Flag):
        names = [n for n, m in kind.__members__.items() if _is_bit_of(m, value)]
        if sum({int(kind[name].value) for name in names}) == value.value:
            return {**parts, "names": names}
    return {**parts, "items": [value.value]}


def _is_bit_of(member: Any, value: Any) -> bool:
    bit = member.value
    return bool(bit > 0 and bit & (bit - 1) == 0 and bit & value.value)


def _describe_namedtuple(value: Any) -> dict[str, Any]:
    if getattr(value, "__dict__", None):
        raise CannotTravel("it is a named tuple with attributes besides its fields")
    fields = dict(zip(value._fields, value))  # noqa: B905 - Python 3.8
    return {TAG: "namedtuple", "class": _class_name(type(value)), "fields": fields}


def _describe_dataclass(value: Any) -> dict[str, Any]:
    kind = type(value)
    if isinstance(value, (*_BUILT_IN, BaseException)):
        raise CannotTravel("it is a dataclass and a built-in type at once")
    fields = {name: getattr(value, name) for name in _state_names(value) if hasattr(value, name)}
    return {TAG: "dataclass", "class": _class_name(kind), "fields": fields}


def _state_names(value: Any) -> list[str]:
    """Return the names of what an instance itself holds, fields first.

    A field that was never set shows the default of its class, or is an InitVar: no state.
    """
    kind = type(value)
    held = dict.fromkeys(getattr(value, "__dict__", ()))
    for base in kind.__mro__:
        slots = base.__dict__.get("__slots__", ())
        for name in [slots] if isinstance(slots, str) else slots:
            if type(base.__dict__.get(name)).__name__ == "member_descriptor":
                held[name] = None
    # What functools.cached_property keeps is computed again when it is asked for.
    names = [n for n in held if type(getattr(kind, n, None)).__name__ != "cached_property"]
    fields = [name for name in kind.__dataclass_fields__ if name in held]
    return list(dict.fromkeys([*fields, *names]))


def _class_name(kind: type) -> str:
    return _name(kind, "its class")


def _name(thing: Any, what: str) -> str:
    try:
        return name_of(thing, what)
    except ValueError as error:
        raise CannotTravel(str(error)) from None


_BUILT_IN = (int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset)


def _describe_timed(value: Any) -> dict[str, Any]:
    tag = type(value).__name__
    naive = value.replace(tzinfo=None, fold=0) if tag != "date" else value
    parts: dict[str, Any] = {TAG: tag, "value": naive.isoformat()}
    zone = getattr(value, "tzinfo", None)
    if zone is not None:
        if type(zone).__name__ not in ("timezone", "ZoneInfo"):
            raise CannotTravel(f"its time zone, {safe_repr(zone)}, has no written form")
        parts["fields"] = {"tzinfo": zone}
    if getattr(value, "fold", 0):
        parts["fold"] = 1
    return parts


def _describe_zone(value: Any) -> dict[str, Any]:
    if value.key is None:
        raise CannotTravel("it is a time zone read from a file; use ZoneInfo(name)")
    return {TAG: "zoneinfo", "key": value.key}


def _describe_timedelta(value: Any) -> dict[str, Any]:
    return {
        TAG: "timedelta",
        "days": value.days,
        "seconds": value.seconds,
        "microseconds": value.microseconds,
    }


def _describe_by_name(value: Any) -> dict[str, Any]:
    if value is ... or value is NotImplemented:
        return {TAG: "object", "name": f"builtins:{value!r}"}
    return {TAG: "object", "name": _name(value, "it")}


def _describe_interval(value: Any) -> dict[str, Any]:
    return {TAG: type(value).__name__, "items": [value.start, value.stop, value.step]}


def _describe_mapping(value: Any) -> dict[str, Any]:
    tag = type(value).__name__.lower()
    if getattr(value, "__dict__", None):
        raise CannotTravel(f"it is a {tag} with attributes of its own; remove them")
    parts = {**_describe_dict(dict(value)), TAG: tag}
    return {**parts, "items": [value.default_factory]} if tag == "defaultdict" else parts


def _describe_partial(value: Any) -> dict[str, Any]:
    if value.__dict__:
        raise CannotTravel("it is a functools.partial with attributes of its own; remove them")
    return {TAG: "functools.partial", "items": [value.func, *value.args], "fields": value.keywords}


def _describe_pattern(value: Any) -> dict[str, Any]:
    import re

    given = value.flags & ~re.UNICODE if isinstance(value.pattern, str) else value.flags
    flags = [flag.name for flag in re.RegexFlag if flag & given and flag is not re.DEBUG]
    parts = {TAG: "pattern", "items": [value.pattern]}
    return {**parts, "flags": flags} if flags else parts


def _describe_address(value: Any) -> dict[str, Any]:
    return {TAG: "address", "class": type(value).__name__, "value": str(value)}


def _describe_torch_name(value: Any) -> dict[str, Any]:
    return {TAG: "torch", "name": str(value).rpartition(".")[2]}


# How the parts of each type are found, by module and name, so that no module is imported for
# a type that no value has.
DESCRIBERS: dict[str, Callable[[Any], Any]] = {
    "builtins.NoneType": lambda value: value,
    "builtins.bool": lambda value: value,
    "builtins.int": _describe_int,
    "builtins.float": _describe_float,
    "builtins.str": _describe_str,
    "builtins.complex": lambda value: {TAG: "complex", "value": repr(value)},
    "builtins.list": lambda value: {TAG: "list", "items": value},
    "builtins.dict": _describe_dict,
    "builtins.tuple": lambda value: {TAG: "tuple", "items": value},
    "builtins.set": lambda value: {TAG: "set", "items": value},
    "builtins.frozenset": lambda value: {TAG: "frozenset", "items": value},
    "builtins.bytes": _describe_bytes,
    "builtins.bytearray": _describe_bytes,
    **{
        f"pathlib.{name}": _describe_path
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
    },
    **{f"datetime.{name}": _describe_timed for name in ("date", "datetime", "time")},
    "datetime.timedelta": _describe_timedelta,
    "datetime.timezone": lambda value: {TAG: "timezone", "items": value.__getinitargs__()},
    "zoneinfo.ZoneInfo": _describe_zone,
    "decimal.Decimal": lambda value: {TAG: "decimal", "value": str(value)},
    "fractions.Fraction": lambda value: {
        TAG: "fraction",
        "items": (value.numerator, value.denominator),
    },
    "uuid.UUID": lambda value: {TAG: "uuid", "value": str(value)},
    **{
        f"builtins.{name}": _describe_by_name
        for name in ("function", "builtin_function_or_method", "ellipsis", "NotImplementedType")
    },
    "builtins.range": _describe_interval,
    "builtins.slice": _describe_interval,
    "builtins.mappingproxy": lambda value: {TAG: "mappingproxy", "items": [dict(value)]},
    "types.SimpleNamespace": lambda value: {TAG: "namespace", "fields": vars(value)},
    **{
        f"collections.{name}": _describe_mapping
        for name in ("OrderedDict", "Counter", "defaultdict")
    },
    "collections.deque": lambda value: {TAG: "deque", "items": [list(value), value.maxlen]},
    "collections.ChainMap": lambda value: {TAG: "chainmap", "items": value.maps},
    "functools.partial": _describe_partial,
    "re.Pattern": _describe_pattern,
    **{
        f"ipaddress.IPv{version}{kind}": _describe_address
        for version in (4, 6)
        for kind in ("Address", "Interface", "Network")
    },
    "array.array": lambda value: {
        TAG: "array",
        "typecode": value.typecode,
        "items": value.tolist(),
    },
    **{f"torch.{name}": _describe_torch_name for name in ("dtype", "layout", "memory_format")},
    "torch.device": lambda value: {TAG: "torch.device", "value": str(value)},
    "torch.Size": lambda value: {TAG: "torch.size", "items": list(value)},
    "nemo_run.Unavailable": lambda value: {
        TAG: "unavailable",
        "repr": value.text,
        "why": value.why,
    },
}


def result_document(result: Any) -> tuple[dict[str, Any], list[tuple[str, Any, str]]]:
    """Return what ``result.json`` holds, and the problems of what could not be written."""
    writer = Writer()
    try:
        value = writer.document(result)
    except RecursionError:
        writer.path.clear()
        value = writer.refuse(result, "it is nested too deeply")
    document: dict[str, Any] = {"format": RESULT_FORMAT, "version": VERSION}
    if type(value) is dict and value.get(TAG) == "unavailable":
        return {**document, "unavailable": value["repr"], "why": value["why"]}, writer.problems
    return {**document, "value": value}, writer.problems


def safe_repr(value: Any, limit: int = 200) -> str:
    """Return ``repr(value)``, shortened; whatever the value's own code does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - the user's __repr__ may raise anything
        text = f"<{type(value).__qualname__} whose repr raised {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


# --- Running ----------------------------------------------------------------------------------


class LaunchingScript:
    """The copy of the user's script that stands for ``__main__`` inside the job.

    The copy holds what the task needs of the script and none of its launch. Its lines are at
    their old numbers, so tracebacks name the user's own file.

    Args:
        copy: The file that is run.
        file: The user's file that it was made from.
        package: The package of the script, when it was started with ``python -m``.
    """

    def __init__(self, copy: str, file: str | None, package: str | None) -> None:
        self.copy = copy
        self.file = file or copy
        self.package = package

    def text(self) -> str:
        """Return the source of the copy."""
        with open(self.copy, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            return file.read()

    def load(self) -> None:
        """Run the copy as the module ``__main__``."""
        module = _main_module(self)
        sys.modules["__main__"] = module
        module.__dict__.update(self.names())
        exec(self.code(), module.__dict__)  # noqa: S102 - running it is what a job is for

    def names(self) -> dict[str, Any]:
        """Return what the interpreter puts into the namespace of a script."""
        exists = os.path.exists(self.file)  # noqa: PTH110 - pathlib costs 10 ms here
        return {
            "__file__": self.file if exists else self.copy,
            "__package__": self.package,
            "__loader__": self,
            "__spec__": None,
        }

    def code(self) -> CodeType:
        """Return the compiled copy, under the name of the user's file."""
        return compile(self.text(), self.file, "exec", dont_inherit=True)

    def get_source(self, _name: str) -> str:
        """Return the source: what linecache asks of a module's loader."""
        return self.text()

    def show_lines(self) -> None:
        """Let tracebacks show the lines of the copy, not those of a file that has changed."""
        import linecache

        text = self.text()
        linecache.cache[self.file] = (len(text), None, text.splitlines(keepends=True), self.file)


def _main_module(script: LaunchingScript) -> ModuleType:
    class Main(type(sys)):  # type: ignore[misc]  # types.ModuleType, without types
        """The launching script.

        A new process of multiprocessing runs the file that the main module says it is. That
        must be this worker, which then runs the copy: the original would launch again. The
        script's own ``__file__`` is in its namespace and stays what it was.
        """

        @property
        def __file__(self) -> str:
            return os.path.abspath(__file__)  # noqa: PTH100

    os.environ[SCRIPT_VARIABLE] = json_text([script.copy, script.file, script.package])
    return Main("__main__")


# How a process that the task starts finds the task's folder,
MEMBER_VARIABLE = "NEMORUN_MEMBER_DIR"
# and one that multiprocessing starts the launching script.
SCRIPT_VARIABLE = "NEMORUN_LAUNCHING_SCRIPT"


def become_launching_script(namespace: dict[str, Any]) -> None:
    """Turn this module into the launching script, in a process started by multiprocessing."""
    described = os.environ.get(SCRIPT_VARIABLE)
    if described:
        script = LaunchingScript(*parse_json(described))
        names, code = script.names(), script.code()
        names["__name__"] = namespace["__name__"]
        # From here on no name of this module is there any more.
        namespace.clear()
        namespace.update(names)
        exec(code, namespace)  # noqa: S102


class Run:
    """One start of the worker.

    Args:
        member: The folder of the task.
        settings: What ``worker.json`` says.
        again: The task itself started this process, as a further rank of its own.
    """

    def __init__(self, member: str, settings: Mapping[str, Any], *, again: bool = False) -> None:
        self.member = member
        self.settings = settings
        self.rank = rank(again=again)
        self.folder = os.environ.get("NEMORUN_ATTEMPT_DIR") or member
        self.process = os.getpid()
        self.script: LaunchingScript | None = None

    def prepare(self) -> None:
        """Make imports find the user's code, and nothing of this job's own folder."""
        if sys.path and _same_folder(sys.path[0], os.path.dirname(__file__)):  # noqa: PTH120
            del sys.path[0]
        sys.path[:0] = self.settings.get("sys_path") or []
        # Last of all: ``import nemo_run`` finds the real one where there is one.
        sys.path.append(os.path.join(self.member, "stand_in"))  # noqa: PTH118
        main, file = self.settings.get("main"), self.settings.get("main_file")
        argv = self.settings.get("argv") or [file or sys.argv[0]]
        sys.argv[:] = argv
        if main:
            copy = os.path.join(self.member, main)  # noqa: PTH118
            self.script = LaunchingScript(copy, file, self.settings.get("main_package"))
            self.script.load()
        else:
            # This file is not what anybody means by __main__.
            sys.modules["__main__"] = type(sys)("__main__")
            os.environ.pop(SCRIPT_VARIABLE, None)
        # A library that starts its own further ranks runs sys.argv once more. That must be this
        # task again: the user's script there would be another launch.
        sys.argv[0] = os.path.abspath(__file__)  # noqa: PTH100
        os.environ[MEMBER_VARIABLE] = self.member

    def call(self) -> Any:
        """Build the task and call it."""
        text = _read(os.path.join(self.member, "task.json"))  # noqa: PTH118
        document = checked(parse_json(text), FORMAT)
        root = document.get("value")
        if not isinstance(root, dict) or root.get(TAG) not in ("config", "partial"):
            raise TypeError("The task is neither a Config nor a Partial, so there is no call.")
        reader = Reader()
        limit = sys.getrecursionlimit()
        # What could be written can be read, also where targets need frames of their own.
        sys.setrecursionlimit(4 * limit)
        try:
            target, positional, named = reader.call(root)
        except Exception as error:
            explain(error, reader, document)
            raise
        finally:
            sys.setrecursionlimit(limit)
        result = target(*positional, **named)
        if type(result).__name__ == "coroutine":
            import asyncio

            result = asyncio.run(result)
        return result

    def succeed(self, result: Any) -> int:
        """Leave the result and return the exit code."""
        # A copy of the process that the task forked and that came back here is not the task.
        if os.getpid() != self.process:
            return 0
        _remove(self._error_file())
        if self.rank != 0:
            return 0
        name = os.path.join(self.folder, self.settings.get("result") or "result.json")  # noqa: PTH118
        try:
            replace_file(name, self._result_text(result))
        except OSError as error:
            _say(
                f"The task ended well, but its result could not be written to {name}: "
                f"{error.strerror or error}. Make room there and run it again."
            )
            self._leave_error(error)
            return 1
        return 0

    def fail(self, error: BaseException) -> int:
        """Show and leave the error, and return the exit code."""
        if isinstance(error, SystemExit):
            return self._exit(error)
        strip_frames(error)
        if self.script is not None:
            self.script.show_lines()
        self._flush()
        if sys.excepthook is sys.__excepthook__:
            # The interpreter's own does not know linecache, so it would show no copy's lines.
            sys.stderr.write(without_secrets(_traceback(error)))
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        self._leave_error(error)
        return 130 if isinstance(error, KeyboardInterrupt) else 1

    def _exit(self, error: SystemExit) -> int:
        if error.code in (None, 0):
            return self.succeed(None)
        code = error.code if isinstance(error.code, int) else 1
        if code is not error.code:
            _say(str(error.code))
        strip_frames(error)
        self._leave_error(error)
        return code

    def _result_text(self, result: Any) -> str:
        document, problems = result_document(result)
        for path, found, why in problems:
            place = f"result.{path}" if path and path[0] != "[" else f"result{path}"
            _say(f"{place} is not kept: {why}. It was {safe_repr(found)}")
        return json_text(document)

    def _error_file(self) -> str:
        return os.path.join(self.folder, f"error.{self.rank}.json")  # noqa: PTH118

    def _leave_error(self, error: BaseException) -> None:
        import time

        record = {
            "type": type(error).__qualname__,
            "module": type(error).__module__,
            "message": without_secrets(safe_text(error)),
            "notes": [without_secrets(str(note)) for note in getattr(error, "__notes__", ())],
            "traceback": without_secrets(_traceback(error)),
            "rank": self.rank,
            "host": os.uname().nodename,
            "time": time.time(),
        }
        try:
            replace_file(self._error_file(), json_text(record))
        except OSError as failure:
            # The log has the traceback, and the exit code says the rest.
            _say(f"The error could not be kept in {self._error_file()}: {failure.strerror}.")

    @staticmethod
    def _flush() -> None:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()


def rank(*, again: bool = False) -> int:
    """Return the number of this process among those of the task."""
    # A further rank has inherited the RANK of the one that started it.
    names = ("LOCAL_RANK",) if again else ()
    for name in (*names, "RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK"):
        text = os.environ.get(name, "")
        if text.isdigit():
            return int(text)
    return 0


def explain(error: BaseException, reader: Reader, document: Mapping[str, Any]) -> None:
    """Add to an error where in the graph it arose; its type stays."""
    place = path_text(reader.path)
    if not place and not reader.calling:
        return
    what = reader.calling.replace(":", ".") or "the value"
    note = f"(while building {what} at {place or 'the root'}{_configured(document, place)})"
    if hasattr(error, "add_note"):
        error.add_note(note)
    elif error.args and isinstance(error.args[0], str):
        # Before Python 3.11 there are no notes; most exceptions show their first argument.
        error.args = (f"{error.args[0]}\n{note}", *error.args[1:])


def _configured(document: Mapping[str, Any], place: str) -> str:
    """Return where the user's program made the node at ``place``, as the history says."""
    try:
        history = document["history"]
        for entry in history["nodes"][place]:
            if entry[0] == "__fn_or_cls__":
                return f", configured at {history['files'][entry[3]]}:{entry[4]}"
    except (LookupError, TypeError):
        pass  # there is no such history
    return ""


def strip_frames(error: BaseException) -> None:
    """Remove this file's frames from the start of every traceback that belongs to ``error``."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        current.__traceback__ = _users_part(current.__traceback__)
        pending += [current.__cause__, current.__context__, *getattr(current, "exceptions", ())]


def _users_part(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return frames


def parse_json(text: str) -> Any:
    """Return what a JSON text holds.

    The scanner is the one that :mod:`json` uses. That module itself loads ``re`` and ``enum``,
    which takes longer than the whole rest of this program; so it is left for odd texts.
    """
    if "json" not in sys.modules:
        try:
            from _json import make_scanner

            value, end = make_scanner(_Plain())(text, 0)  # type: ignore[arg-type]
            if not text[end:].strip():
                return value
        except (ImportError, StopIteration, ValueError, TypeError, AttributeError):
            pass  # the public module decides, and says what is wrong
    import json

    return json.loads(text)


class _Plain:
    """What ``json.JSONDecoder`` hands to its scanner, for plain JSON."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}  # noqa: RUF012 - the scanner wants the attribute


def json_text(document: Any) -> str:
    """Return a JSON text that UTF-8 can hold, whatever is in its strings.

    :mod:`json` is not used for the reason that :func:`parse_json` gives.
    """
    try:
        from _json import encode_basestring, encode_basestring_ascii
    except ImportError:
        from json.encoder import encode_basestring, encode_basestring_ascii

    text = _json_text(document, "\n", encode_basestring)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = _json_text(document, "\n", encode_basestring_ascii)
    return text + "\n"


def _json_text(document: Any, newline: str, quoted: Callable[[str], str]) -> str:
    kind = type(document)
    if kind is str:
        return quoted(document)
    if kind in (int, float):
        return repr(document)
    if kind not in (dict, list):
        return {None: "null", True: "true", False: "false"}[document]
    inner = newline + " "
    if kind is list:
        parts = [_json_text(item, inner, quoted) for item in document]
    else:
        parts = [f"{quoted(k)}: {_json_text(v, inner, quoted)}" for k, v in document.items()]
    start, end = "{}" if kind is dict else "[]"
    return f"{start}{inner}{f',{inner}'.join(parts)}{newline}{end}" if parts else start + end


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate the ends of lines


def replace_file(name: str, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    Raises:
        OSError: It could not be written; nothing was changed.
    """
    temporary = f"{name}.{os.getpid()}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name)  # noqa: PTH105
    except BaseException:
        _remove(temporary)
        raise


def safe_text(error: BaseException) -> str:
    """Return ``str(error)``, whatever the error's own code does."""
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - the user's __str__ may raise anything
        return f"<message whose __str__ raised {type(failure).__name__}>"


def without_secrets(text: str) -> str:
    """Return a text in which the values of this task's secrets are covered."""
    for name in os.environ.get(SECRET_NAMES, "").split():
        value = os.environ.get(name, "")
        for form in {value, repr(value)[1:-1]} if len(value) >= 4 else ():
            text = text.replace(form, "***")
    return text


def _traceback(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _say(line: str) -> None:
    print(f"nemo_run worker: {line}", file=sys.stderr, flush=True)  # noqa: T201 - it is the log


def _read(name: str) -> str:
    with open(name, encoding="utf-8") as file:  # noqa: PTH123
        return file.read()


def _remove(name: str) -> None:
    if os.path.exists(name):  # noqa: PTH110
        os.unlink(name)  # noqa: PTH108


def _same_folder(one: str, other: str) -> bool:
    return os.path.realpath(one or ".") == os.path.realpath(other or ".")


def main(arguments: list[str]) -> int:
    """Run the task of a member folder and return the exit code."""
    import faulthandler

    faulthandler.enable()  # a crash in native code leaves the Python lines it came from
    folder = arguments[1] if len(arguments) > 1 else ""
    again = not os.path.exists(os.path.join(folder, "task.json"))  # noqa: PTH110, PTH118
    if again and MEMBER_VARIABLE not in os.environ:
        _say(f"There is no task.json in {folder!r}. Start it as: worker.py MEMBER_FOLDER")
        return 2
    member = os.path.abspath(os.environ[MEMBER_VARIABLE] if again else folder)  # noqa: PTH100
    for stream in (sys.stdout, sys.stderr):
        # Written to files, they would be held back until the end.
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    settings = os.path.join(member, "worker.json")  # noqa: PTH118
    run = Run(member, parse_json(_read(settings)) if os.path.exists(settings) else {}, again=again)  # noqa: PTH110
    try:
        run.prepare()
        result = run.call()
    except BaseException as error:  # noqa: BLE001 - whatever ends the task is recorded
        return run.fail(error)
    return run.succeed(result)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
elif __name__ == "__mp_main__":
    become_launching_script(globals())
