"""Short names for the points of a sweep, made of what varies. Pure.

A name is a good folder name on every system, and no two of a sweep are the same even where the
system takes ``A`` for ``a``.
"""

from __future__ import annotations

import enum
import re
import unicodedata
from collections import Counter
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.node import is_node, target_name
from nemo_run.masking import is_secret_argument, mask_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

AS_IT_IS = "base"
"""The name of the point at which nothing is changed."""

_HIDDEN = "secret-"
_UNFIT = re.compile(r"[^\w.+@=-]+")
_STEP = re.compile(r"[\[\].'\"]+")
# In bytes: a name fits a column of a table, and a folder's name has room for a suffix.
_LONGEST_VALUE = 28
_LONGEST = 96
_DIGEST = 6


def label(value: Any) -> str:  # noqa: PLR0911 - one kind a line
    """Return a value as short text, the same in every process."""
    if isinstance(value, enum.Enum):
        return value.name
    if value is None or isinstance(value, bool | int | float | complex | str):
        return str(value)
    if isinstance(value, PurePath):
        return str(value)
    if is_node(value):
        return _call(target_name(value).removeprefix("__main__."), value.__arguments__)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{label(k)}: {label(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(label, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(label, value)) + ")"
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(label, value))) + "}"
    # Functions and classes are told by their names, anything else by what it says of itself.
    return str(getattr(value, "__qualname__", None) or repr(value))


def covered_labels(labels: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return the texts of points with a number for each that is secret by its name.

    Neither a name nor a table tells such a value, nor a digest of it that could be tried out.

    Args:
        labels: For each point its fields with their values as text.
    """
    numbers: dict[str, dict[str, str]] = {}
    found: list[Mapping[str, str]] = []
    for point in labels:
        told = dict(point)
        for field, text in point.items():
            if is_hidden(field, text):
                known = numbers.setdefault(field, {})
                told[field] = known.setdefault(text, f"{_HIDDEN}{len(known) + 1}")
        found.append(told)
    return found


def shown_label(field: str, value: Any, text: str) -> str:
    """Return a value as text; where it is secret by its name, what stands for it."""
    exact = label(value)
    return text if is_hidden(field, exact) else exact


def is_hidden(field: str, text: str) -> bool:
    """Return whether a value, or a part of it, is secret by its name."""
    return is_secret_argument(field) or mask_text(text, is_secret_argument) != text


def _call(name: str, arguments: Mapping[str | int, Any]) -> str:
    given = [label(v) if isinstance(k, int) else f"{k}={label(v)}" for k, v in arguments.items()]
    own = name.rpartition(".")[2]
    return f"{own}({', '.join(given)})" if given else own


def names(points: Sequence[Mapping[str, str]], exact: Sequence[str]) -> list[str]:
    """Return a name for each point.

    Args:
        points: For each point its fields with their values as text.
        exact: For each point a text that no other one has, unless the two are the same.
    """
    keys = short_keys(field for point in points for field in point)
    plain = [_name({keys[field]: text for field, text in point.items()}) for point in points]
    meant: dict[str, set[str]] = {}
    for name, text in zip(plain, exact, strict=True):
        meant.setdefault(name.casefold(), set()).add(text)
    told = [
        name if len(meant[name.casefold()]) == 1 else _with_digest(name, text)
        for name, text in zip(plain, exact, strict=True)
    ]
    return _numbered(told)


def short_keys(fields: Iterable[str]) -> dict[str, str]:
    """Return for each field the least of its last steps that tells it from the others."""
    steps = {field: [part for part in _STEP.split(field) if part] for field in fields}
    found: dict[str, str] = {}
    for field, own in steps.items():
        for size in range(1, len(own) + 1):
            ends = [others[-size:] for others in steps.values()]
            # A bare index says nothing.
            if ends.count(own[-size:]) == 1 and not own[-size].lstrip("-").isdecimal():
                break
        found[field] = _fit(".".join(own[-size:]))
    return found


def _name(values: Mapping[str, str]) -> str:
    if not values:
        return AS_IT_IS
    whole = "_".join(f"{key}={_short(_fit(text), text)}" for key, text in values.items())
    if len(whole.encode()) <= _LONGEST:
        return whole
    exact = "\0".join(f"{key}={text}" for key, text in values.items())
    return _with_digest(_cut(whole, _LONGEST - _DIGEST - 1), exact)


def _short(fit: str, text: str) -> str:
    if len(fit.encode()) <= _LONGEST_VALUE:
        return fit
    return _with_digest(_cut(fit, _LONGEST_VALUE - _DIGEST - 1), text)


def _fit(text: str) -> str:
    """Return text with nothing in it that some system or shell takes for something else."""
    return _UNFIT.sub("-", unicodedata.normalize("NFC", text)).rstrip("-.")


def _cut(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore").rstrip("-._")


def _with_digest(name: str, exact: str) -> str:
    digest = sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return f"{_cut(name, _LONGEST - _DIGEST - 1)}-{digest}"


def _numbered(names: Iterable[str]) -> list[str]:
    """Return the names, with ``_2`` and so on where a point is there again."""
    given = list(names)
    taken = {name.casefold() for name in given}
    seen: Counter[str] = Counter()
    found = []
    for name in given:
        folded = name.casefold()
        seen[folded] += 1
        unique = name
        while seen[folded] > 1 and unique.casefold() in taken:
            unique = f"{name}_{seen[folded]}"
            if unique.casefold() in taken:
                seen[folded] += 1
        taken.add(unique.casefold())
        found.append(unique)
    return found
