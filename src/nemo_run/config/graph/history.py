"""Where each value of a configuration came from."""

from __future__ import annotations

import itertools
import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .signature import display_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

Kind = Literal["python", "default", "factory", "file", "command line", "plugin", "deleted"]

# src/nemo_run/config/graph/history.py → src/nemo_run/
_PACKAGE = __file__.rsplit(os.sep, 3)[0] + os.sep
# Frames that only pass a value on: ours, and fiddle's when a program mixes it in.
_FIDDLE = os.path.join("fiddle", "_src") + os.sep  # noqa: PTH118
_SCALARS = frozenset({type(None), bool, int, float, complex, str, bytes, type(...)})
_SHORT = 8
# Modules of the standard library whose objects are values with a short text.
_OF_VALUES = frozenset({"pathlib", "datetime", "decimal", "fractions", "uuid"})
# A secret, which shows its name.
_OF_NAMES = "nemo_run.config.secret"

_sequence = itertools.count()


class Shown(str):
    """What a history says of a value that it does not keep: text, without quotes."""

    __slots__ = ()

    __repr__ = str.__str__


DELETED = Shown("deleted")
_NOWHERE = (None, None, None)


class Location(NamedTuple):
    """A line of a file."""

    filename: str
    line_number: int
    function_name: str | None = None

    def __str__(self) -> str:
        return f"{self.filename}:{self.line_number}"

    def format(self, max_filename_parts: int | None = None) -> str:
        """Return the same text with only the last parts of the path, as fiddle's tools ask."""
        separator = os.sep
        parts = self.filename.split(separator)
        if max_filename_parts is None or len(parts) <= max_filename_parts:
            return str(self)
        short = separator.join(["...", *parts[-max_filename_parts:]])
        return f"{short}:{self.line_number}"


class HistoryEntry(NamedTuple):
    """One setting of one argument.

    Attributes:
        sequence_id: Orders the entries of a process.
        param_name: The argument: a name, or the index of a positional one.
        kind: What set it.
        new_value: The value, or for anything but a scalar a short text about it, so that a
            history keeps no object alive and can always be copied and written.
        file: The file that set it, where known.
        line: The line, where known.
        function: The function around that line, where known.
    """

    sequence_id: int
    param_name: str | int
    kind: Kind
    new_value: Any
    file: str | None = None
    line: int | None = None
    function: str | None = None

    @property
    def value(self) -> Any:
        """The same as ``new_value``."""
        return self.new_value

    @property
    def location(self) -> Location:
        """File, line and function in fiddle's form."""
        return Location(self.file or "<unknown>", self.line or 0, self.function)

    def where(self) -> str:
        """Return ``file:line`` for people, or what set the value where that is not known."""
        place = self.file or ""
        if place and self.line:
            place = f"{place}:{self.line}"
        if self.kind in ("python", "deleted"):
            return place or self.kind
        return f"{self.kind} {place}".rstrip()

    def __deepcopy__(self, _memo: dict[int, Any]) -> HistoryEntry:
        return self


class History(dict["str | int", "list[HistoryEntry]"]):
    """The entries of each argument, oldest first."""

    def add_new_value(self, name: str | int, value: Any) -> None:
        """Record that ``name`` was set to ``value`` by the caller outside this package."""
        origin, place = _origin.get(), None
        if origin is None or origin[1] is None:
            place = caller()
        self.add(name, value, origin, place)

    def add_deleted_value(self, name: str | int) -> None:
        """Record that ``name`` was deleted."""
        self.setdefault(name, []).append(
            HistoryEntry(next(_sequence), name, "deleted", DELETED, *(caller() or _NOWHERE))
        )

    def add_updated_tags(self, name: str | int, tags: Any) -> None:
        """Record fiddle tags; kept as text."""
        self.add(name, Shown(sorted(map(str, tags))), None, caller())

    def add(
        self, name: str | int, value: Any, origin: Origin | None, place: Location | None
    ) -> None:
        """Record a setting whose origin and place are known already."""
        kind: Kind = "python"
        if origin is not None:
            kind, file, line = origin
            if file is not None:
                place = Location(file, line or 0)
            elif kind == "command line":
                place = None  # the line of the program that reads it says nothing
        entry = HistoryEntry(next(_sequence), name, kind, summary(value), *(place or _NOWHERE))
        self.setdefault(name, []).append(entry)

    def copy(self) -> History:
        """Return a copy whose lists are its own; the entries are shared."""
        return History({name: list(entries) for name, entries in self.items()})

    def __deepcopy__(self, _memo: dict[int, Any]) -> History:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return History, (dict(self),)


def next_sequence() -> int:
    """Return a number greater than that of every entry so far."""
    return next(_sequence)


Origin = tuple[Kind, "str | None", "int | None"]

_origin: ContextVar[Origin | None] = ContextVar("nemo_run_history_origin", default=None)


@contextmanager
def setting(kind: Kind, file: str | None = None, line: int | None = None) -> Iterator[None]:
    """Mark every value set inside the block as coming from ``kind``.

    Args:
        kind: What sets the values.
        file: The file they were read from; without it the caller's line is recorded.
        line: The line in that file.
    """
    token = _origin.set((kind, file, line))
    try:
        yield
    finally:
        _origin.reset(token)


def origin() -> Origin | None:
    """Return what :func:`setting` says of the values being set now."""
    return _origin.get()


def caller() -> Location | None:
    """Return the nearest line outside this package, or None when there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  (what inspect.currentframe calls)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE) and _FIDDLE not in file:
            return Location(file, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


def _is_short(value: Any) -> bool:
    # Python refuses to print integers of more than 4300 digits.
    return type(value) in _SCALARS and not (type(value) is int and value.bit_length() > 1000)


def summary(value: Any) -> Any:
    """Return ``value`` when it is a scalar, else a short text about it."""
    kind = type(value)
    if kind in _SCALARS or kind is Shown:
        return value
    if kind in (list, tuple, set, dict):
        if len(value) <= _SHORT:
            parts = [*value.keys(), *value.values()] if kind is dict else value
            if all(map(_is_short, parts)):
                return Shown(repr(value))
        return Shown(f"<{kind.__name__} of {len(value)}>")
    return Shown(_named(value))


def _named(value: Any) -> str:
    """Return what to call an object: by its name, its target, or its class."""
    kind = type(value)
    name = getattr(value, "__qualname__", None)
    if isinstance(name, str):
        return name
    target = getattr(value, "__target__", None)
    if target is not None and hasattr(kind, "__build__"):
        return f"{kind.__qualname__}({display_name(target)})"
    if hasattr(kind, "__members__"):  # an enum
        return f"{kind.__qualname__}.{value.name}"
    if kind.__module__.partition(".")[0] in _OF_VALUES or kind.__module__ == _OF_NAMES:
        return str(value)
    return f"<{kind.__qualname__}>"
