"""Numbers, truth values, bytes, dates and the like, from a word or from plain data.

Each rule takes the source and returns the value, or raises a ValueError when it is none; an empty
one leaves the sentence to :data:`SCALARS`, which says how to write such a value.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass
from decimal import Decimal, DecimalException
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn

from .reading import Word
from .syntax import is_quoted, unquoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

# What Python itself reads in one go; reading a longer one takes time with its square.
_LONGEST_NUMBER = 4300

_WHOLE = re.compile(r"[+-]?(?:0|[1-9][0-9]*(?:_[0-9]+)*)")
_BASED = re.compile(r"[+-]?0(?:[xX]_?[0-9a-fA-F]|[oO]_?[0-7]|[bB]_?[01])\w*")
_POWER = re.compile(r"([+-]?(?:0|[1-9][0-9_]*))[eE]\+?([0-9]{1,4})")
_RATIO = re.compile(r"[+-]?[0-9]+(?:/[0-9]+|\.[0-9]*)?|[+-]?\.[0-9]+")

TRUE_WORDS = frozenset({"true", "yes", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "0"})


def read_int(source: Any) -> int:
    """Return a whole number: ``7``, ``1_000``, ``1e3``, ``0x10``."""
    if not isinstance(source, Word):
        if isinstance(source, float) and source.is_integer():
            raise ValueError(f"Write {int(source)}.")
        return source if type(source) is int else _refuse()
    text = _number_text(source)
    if _WHOLE.fullmatch(text) or _BASED.fullmatch(text):
        return int(text, 0)
    power = _POWER.fullmatch(text)
    if power and len(power[1]) + int(power[2]) <= _LONGEST_NUMBER:
        return int(power[1] + "0" * int(power[2]))
    raise ValueError(_whole_instead(text))


def _whole_instead(text: str) -> str:
    """Return what to write for a number that is nearly right."""
    try:
        near = float(text)
    except ValueError:
        return ""
    if not math.isfinite(near) or not near.is_integer():
        return ""
    digits = text.lstrip("+-").replace("_", "")
    whole = int(digits) if digits.isdecimal() else int(abs(near))
    return f"Write {'-' if near < 0 else ''}{whole}."


def read_float(source: Any) -> float:
    """Return a number; ``inf`` and ``nan`` are some."""
    if isinstance(source, Word):
        return float(_number_text(source))
    if isinstance(source, (int, float)) and not isinstance(source, bool):
        return float(source)
    raise ValueError


def read_complex(source: Any) -> complex:
    """Return a complex number: ``1+2j``."""
    if isinstance(source, Word):
        return complex(_number_text(source).replace(" ", ""))
    return complex(read_float(source)) if not isinstance(source, complex) else source


def read_bool(source: Any) -> bool:
    """Return a truth value."""
    if isinstance(source, Word):
        word = source.text[:6].lower()
        if word in TRUE_WORDS or word in FALSE_WORDS:
            return word in TRUE_WORDS
        raise ValueError
    if isinstance(source, (bool, int)) and source in (0, 1):
        return bool(source)
    raise ValueError


def read_str(source: Any) -> str:
    """Return a text, every character of it."""
    if isinstance(source, Word):
        return source.as_text
    if source is None:
        raise ValueError("Write '' for an empty text.")
    raise ValueError(f"Write it in quotes: {str(source)[:40]!r}." if _is_short(source) else "")


def _is_short(source: Any) -> bool:
    return isinstance(source, (bool, int, float, dt.date, dt.time))


def read_bytes(source: Any) -> bytes:
    """Return bytes: a text in UTF-8, or ``b'...'`` with escapes."""
    if not isinstance(source, Word):
        return source if type(source) is bytes else _refuse()
    if source.text[:1] in {"b", "B"} and not source.quoted and is_quoted(source.text):
        return unquoted(source.text).encode("latin-1")
    return source.as_text.encode("utf-8")


def read_bytearray(source: Any) -> bytearray:
    """Return bytes that can be changed."""
    return bytearray(source if isinstance(source, bytearray) else read_bytes(source))


def read_decimal(source: Any) -> Decimal:
    """Return a decimal number, exactly as written."""
    if isinstance(source, Word):
        try:
            return Decimal(_number_text(source))
        except DecimalException:
            raise ValueError from None
    if isinstance(source, (int, float, Decimal)) and not isinstance(source, bool):
        return source if isinstance(source, Decimal) else Decimal(repr(source))
    raise ValueError


def read_fraction(source: Any) -> Fraction:
    """Return a fraction: ``1/3``, ``0.5``."""
    if isinstance(source, Word):
        text = _number_text(source)
        if not _RATIO.fullmatch(text) or text.endswith("/0"):
            raise ValueError
        try:
            return Fraction(text)
        except ZeroDivisionError:
            raise ValueError from None
    if isinstance(source, Fraction):
        return source
    return Fraction(read_decimal(source))


def read_uuid(source: Any) -> UUID:
    """Return a UUID."""
    from uuid import UUID  # comes with much that nothing else here needs

    return UUID(_number_text(source)) if isinstance(source, Word) else _refuse()


def read_date(source: Any) -> dt.date:
    """Return a day: ``2026-01-31``."""
    if isinstance(source, dt.date) and not isinstance(source, dt.datetime):
        return source
    return dt.date.fromisoformat(_iso_text(source))


def read_datetime(source: Any) -> dt.datetime:
    """Return a day and a time of it: ``2026-01-31T12:30``, with or without an offset."""
    if isinstance(source, dt.datetime):
        return source
    return dt.datetime.fromisoformat(_iso_text(source))


def read_time(source: Any) -> dt.time:
    """Return a time of day: ``12:30``."""
    if isinstance(source, dt.time):
        return source
    return dt.time.fromisoformat(_iso_text(source))


def _iso_text(source: Any) -> str:
    text = _number_text(source) if isinstance(source, Word) else ""
    if isinstance(source, dt.date):
        text = source.isoformat()
    # Python 3.10 does not know the Z of UTC.
    return f"{text[:-1]}+00:00" if text[-1:] in {"Z", "z"} else text


_UNITS = {
    "w": 604_800_000_000,
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_LONG_UNITS = {"weeks": "w", "days": "d", "hours": "h", "minutes": "m", "mins": "m", "seconds": "s"}
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z]+)\s*")
_SECONDS = re.compile(r"(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?")
_CLOCK = re.compile(r"(?:(\d+) days?, ?)?(\d+):([0-5]?\d)(?::([0-5]?\d(?:\.\d{1,6})?))?")


def read_timedelta(source: Any) -> dt.timedelta:
    """Return a duration: ``1h30m``, ``90`` seconds, ``0:05:00``."""
    if isinstance(source, dt.timedelta):
        return source
    text = _number_text(source) if isinstance(source, Word) else repr(read_float(source))
    sign = -1 if text.startswith("-") else 1
    try:
        return dt.timedelta(microseconds=sign * _microseconds(text.lstrip("+-")))
    except (OverflowError, DecimalException):
        raise ValueError("It is longer than Python can count.") from None


def _microseconds(text: str) -> int:
    clock = _CLOCK.fullmatch(text)
    if clock:
        days, hours, minutes, seconds = (Decimal(part or 0) for part in clock.groups())
        return round((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000)
    if _SECONDS.fullmatch(text):
        return round(Decimal(text) * 1_000_000)
    total, place = Decimal(0), 0
    while found := _AMOUNT.match(text, place):
        total += Decimal(found[1]) * _size(found[2])
        place = found.end()
    if place == 0 or place < len(text):
        raise ValueError
    return round(total)


def _size(unit: str) -> int:
    """Return the microseconds of ``h``, ``hour`` or ``hours``."""
    short = _LONG_UNITS.get(unit) or _LONG_UNITS.get(f"{unit}s") or unit
    if short not in _UNITS:
        raise ValueError
    return _UNITS[short]


def _number_text(word: Word) -> str:
    if len(word.text) > _LONGEST_NUMBER:
        raise ValueError(f"It has {len(word.text)} characters.")
    return word.text


def _refuse() -> NoReturn:
    raise ValueError


@dataclass(frozen=True)
class Scalar:
    """How values of a class are read, and how people write them."""

    read: Callable[[Any], Any]
    name: str
    example: str


SCALARS: dict[Any, Scalar] = {
    str: Scalar(read_str, "str", "a text"),
    int: Scalar(read_int, "int", "a whole number such as 7, 1_000, 1e3 or 0x10"),
    float: Scalar(read_float, "float", "a number such as 0.1, 1e-3 or inf"),
    bool: Scalar(read_bool, "bool", "true or false"),
    complex: Scalar(read_complex, "complex", "a number such as 1+2j"),
    bytes: Scalar(read_bytes, "bytes", r"a text, or b'\x00' with escapes"),
    bytearray: Scalar(read_bytearray, "bytearray", r"a text, or b'\x00' with escapes"),
    Decimal: Scalar(read_decimal, "Decimal", "a number such as 0.10"),
    Fraction: Scalar(read_fraction, "Fraction", "a ratio such as 1/3"),
    dt.datetime: Scalar(read_datetime, "datetime", "a day and a time such as 2026-01-31T12:30:00"),
    dt.date: Scalar(read_date, "date", "a day such as 2026-01-31"),
    dt.time: Scalar(read_time, "time", "a time such as 12:30 or 12:30:59"),
    dt.timedelta: Scalar(read_timedelta, "timedelta", "5m, 1h30m, 2d, 0:05:00 or 90 for seconds"),
}

_UUID = Scalar(read_uuid, "UUID", "32 hexadecimal digits")


def scalar_of(kind: Any) -> Scalar | None:
    """Return how values of exactly this class are read; None for other classes."""
    if getattr(kind, "__module__", "") == "uuid" and kind.__name__ == "UUID":
        return _UUID
    return SCALARS.get(kind)
