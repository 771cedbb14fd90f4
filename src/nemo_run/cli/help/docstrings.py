"""What docstrings say of a callable and of its arguments: Google, NumPy and Sphinx style."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(frozen=True)
class Docstring:
    """A docstring, read.

    Attributes:
        summary: Its first paragraph, on one line.
        description: What follows up to the first section, as written.
        arguments: The text of each argument, on one line.
    """

    summary: str = ""
    description: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


_ARGUMENTS = {
    "args", "arguments", "parameters", "params", "keyword args", "keyword arguments",
    "other parameters", "attributes", "fields",
}  # fmt: skip
_OTHER = {
    "returns", "return", "yields", "yield", "raises", "raise", "receives", "warns", "warnings",
    "example", "examples", "note", "notes", "see also", "references", "todo", "methods",
    "warning", "tip", "hint", "important", "caution", "danger", "attention", "error",
}  # fmt: skip

# Attributes say what parameters say again, so a text under Args goes first.
_LESSER = {"attributes", "fields"}

# Google: ``name (type): text``, ``*args: text``, ``a, b: text``.
_ENTRY = re.compile(
    r"(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*:(?:\s+|$)"
    r"(?P<text>.*)"
)
# NumPy: ``name : type``, ``a, b : type`` or the name alone.
_NUMPY_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
# Sphinx: ``:param type name: text``; Epytext has an @ for the first colon.
_FIELD = re.compile(r"[:@](?P<kind>\w+)(?P<subject>[^:]*):\s*(?P<text>.*)")
_FIELDS = {"param", "parameter", "arg", "argument", "key", "keyword", "ivar", "var", "cvar"}
_UNDERLINE = re.compile(r"[-=~]{3,}\s*$")


def docstring_of(target: Any) -> Docstring:
    """Return what the docstrings of ``target`` say; of a class also those of its bases.

    Args:
        target: A function, a class, or anything else that can be called.
    """
    while isinstance(target, functools.partial):
        target = target.func
    if not isinstance(target, type):
        return read(getattr(target, "__doc__", None))
    own, arguments = Docstring(), {}
    for kind in reversed(target.__mro__[:-1]):
        found = read(_written_for(kind))
        constructor = read(getattr(vars(kind).get("__init__"), "__doc__", None))
        arguments.update({**found.arguments, **constructor.arguments})
        if kind is target:
            own = found if found.summary else constructor
    return Docstring(own.summary, own.description, arguments)


def _written_for(kind: type) -> str | None:
    doc = vars(kind).get("__doc__")
    # What dataclass and namedtuple write themselves only repeats the signature.
    return None if isinstance(doc, str) and doc.startswith(f"{kind.__name__}(") else doc


def read(text: Any) -> Docstring:
    """Read a docstring, of whichever style."""
    if not isinstance(text, str) or not text.strip():
        return Docstring()
    import inspect

    lines = inspect.cleandoc(text).splitlines()
    sections = list(_sections(lines))
    prose = "\n".join(lines[: sections[0][1] if sections else len(lines)]).strip()
    summary, _, description = prose.partition("\n\n")
    arguments: dict[str, str] = {}
    for name, start, end in sorted(sections, key=lambda section: section[0] not in _LESSER):
        if name in _ARGUMENTS:
            body = lines[start + 1 : end]
            underlined = bool(body and _UNDERLINE.match(body[0]))
            arguments.update(_numpy(body[1:]) if underlined else _google(body))
        elif name == "fields of sphinx":
            arguments.update(_sphinx(lines[start:end]))
    return Docstring(_line([summary]), description.strip(), arguments)


def _sections(lines: list[str]) -> Iterator[tuple[str, int, int]]:
    """Yield the name of each section, the line where it begins and that where the next does."""
    starts = [(name, index) for index in range(len(lines)) if (name := _section(lines, index))]
    ends = [*(index for _, index in starts[1:]), len(lines)][: len(starts)]
    for (name, start), end in zip(starts, ends, strict=True):
        yield name, start, end


def _section(lines: list[str], index: int) -> str:
    line = lines[index]
    if line[:1].isspace() or not line:
        return ""
    name = line.strip().removesuffix(":").lower()
    known = name in _ARGUMENTS or name in _OTHER
    underlined = index + 1 < len(lines) and _UNDERLINE.match(lines[index + 1])
    if known and (underlined or line.rstrip().endswith(":")):
        return name
    # Fields follow each other; the first of them begins the section.
    is_first = not (index and _FIELD.match(lines[index - 1]))
    return "fields of sphinx" if _FIELD.match(line) and is_first else ""


def _google(body: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    indent = min((_indent(line) for line in body if line.strip()), default=0)
    names: list[str] = []
    for line in body:
        entry = _ENTRY.match(line.strip()) if _indent(line) == indent else None
        if entry:
            names = _names(entry["names"])
            found.update({name: [entry["text"]] for name in names})
        elif line.strip():
            for name in names:
                found[name].append(line)
    return {name: _line(texts) for name, texts in found.items()}


def _numpy(body: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in body:
        entry = None if line[:1].isspace() else _NUMPY_ENTRY.match(line.strip())
        if entry:
            names = _names(entry["names"])
            found.update({name: [] for name in names})
        elif line.strip():
            for name in names:
                found[name].append(line)
    return {name: _line(texts) for name, texts in found.items()}


def _sphinx(body: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in body:
        entry = _FIELD.match(line)
        if entry:
            subject = entry["subject"].split()
            name = subject[-1].lstrip("*\\") if subject and entry["kind"] in _FIELDS else ""
            if name:
                found[name] = [entry["text"]]
        elif name and line.strip():
            found[name].append(line)
    return {name: _line(texts) for name, texts in found.items()}


def _names(text: str) -> list[str]:
    return [name.strip().lstrip("*") for name in text.split(",")]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line(lines: Iterable[str]) -> str:
    return " ".join(" ".join(lines).split())
