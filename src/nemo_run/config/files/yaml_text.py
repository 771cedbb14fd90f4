"""Plain data as YAML."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from .source import Source, fault

_SCALARS = (str, int, float, bool, type(None))
_SHORT = 80
_DEEPEST = 1000

# The classes on libyaml are ten times as fast and write the same.
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def write(data: Any) -> str:
    """Return the YAML of plain data; what is one object gets an anchor."""
    text = yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=100,
        default_flow_style=False,
    )
    return str(text)


def read(text: str, file: str | None = None) -> Source:
    """Return the plain data of a YAML text, and the line of each part.

    Args:
        text: The YAML.
        file: What the errors call it.

    Raises:
        OverrideError: It is no YAML, has a key twice, or a tag that names code.
    """
    try:
        _check_depth(text, file)
        loader = _Loader(text)
        try:
            data = loader.get_single_data()
        finally:
            loader.dispose()
    except _DoubledKey as error:
        key, first, second = error.args
        raise fault(f"The key {key!r} stands here and on line {first}.", file, second) from None
    except yaml.constructor.ConstructorError as error:
        raise fault(_of_constructor(error), file, _line(error)) from error
    except yaml.YAMLError as error:
        raise fault(f"It is no YAML: {_said(error)}", file, _line(error)) from error
    except (ValueError, RecursionError) as error:
        raise fault(f"It is no YAML: {error}.", file) from error
    return Source(data, file, loader.lines_of(data))


def _of_constructor(error: yaml.constructor.ConstructorError) -> str:
    found = re.search(r"for the tag '(.*)'", str(error.problem))
    if found is None:
        return f"It is no YAML: {_said(error)}"
    tag = found[1].replace("tag:yaml.org,2002:", "!!")
    return f"The tag {tag} is not read: a file holds data only. Objects are written as _target_."


def _said(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    context = getattr(error, "context", None)
    return " ".join(f"{problem} {context or ''}".split()).rstrip(".") + "."


def _line(error: yaml.YAMLError) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return None if mark is None else int(mark.line) + 1


def _check_depth(text: str, file: str | None) -> None:
    # The classes on libyaml recurse in C without a limit: a deep text would end the process.
    depth = 0
    event: Any
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        if depth > _DEEPEST:
            line = event.start_mark.line + 1
            raise fault(f"It is nested more than {_DEEPEST} levels deep.", file, line)


# --- Writing ----------------------------------------------------------------------------------


class _Dumper(_BaseDumper):  # type: ignore[misc]
    """Quotes everything that some reader of YAML takes for another type."""


def _text(dumper: Any, text: str) -> Any:
    style = (
        "|" if "\n" in text and all(line == line.rstrip() for line in text.split("\n")) else None
    )
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: Any, items: list[Any]) -> Any:
    short = all(type(item) in _SCALARS for item in items) and len(repr(items)) < _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


def _mapping(dumper: Any, mapping: dict[Any, Any]) -> Any:
    return dumper.represent_mapping(
        "tag:yaml.org,2002:map",
        mapping,
        flow_style=_is_value(mapping) and len(repr(mapping)) < _SHORT,
    )


def _is_value(mapping: dict[Any, Any]) -> bool:
    """Whether a mapping spells one value, such as a path, rather than something with parts."""
    if "_type_" not in mapping and mapping.get("_call_") is not False:
        return False
    return all(
        type(value) in _SCALARS
        or (type(value) is list and all(type(item) in _SCALARS for item in value))
        for value in mapping.values()
    )


# --- Reading ----------------------------------------------------------------------------------


class _DoubledKey(Exception):  # noqa: N818 - carried to where the file is known
    """A key, and the two lines on which it stands."""


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Reads plain values only, each key once, and notes where each stands."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._marks: dict[int, dict[Any, int]] = {}
        self._flat: set[int] = set()

    def mapping(self, node: Any) -> Any:
        data: dict[Any, Any] = {}
        yield data
        self._refuse_doubled(node)
        data.update(self.construct_mapping(node))
        # Constructed above: these are looked up.
        self._marks[id(data)] = {
            self.construct_object(key, deep=True): key.start_mark.line + 1 for key, _ in node.value
        }

    def sequence(self, node: Any) -> Any:
        data: list[Any] = []
        yield data
        data.extend(self.construct_sequence(node))
        self._marks[id(data)] = {
            index: item.start_mark.line + 1 for index, item in enumerate(node.value)
        }

    def _refuse_doubled(self, node: Any) -> None:
        if not isinstance(node, yaml.MappingNode) or id(node) in self._flat:
            return
        seen: dict[Any, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.tag == _BOOL and key.value.lower() not in {"true", "false"}:
                key.tag = _TEXT  # ``yes:`` and ``on:`` are names
            line = key.start_mark.line + 1
            name = self.construct_object(key)
            if not isinstance(name, Hashable):
                continue  # refused when the mapping is made
            if name in seen:
                raise _DoubledKey(name, seen[name], line)
            seen[name] = line

    def flatten_mapping(self, node: Any) -> None:
        """Put what ``<<`` names into a mapping, each key once: many of them stay few."""
        if id(node) in self._flat:
            return
        self._flat.add(id(node))
        own = [pair for pair in node.value if pair[0].tag != _MERGE]
        merged: dict[tuple[str, Any], Any] = {}
        for key, value in node.value:
            if key.tag != _MERGE:
                continue
            for base in _bases(value, node):
                self._refuse_doubled(base)
                self.flatten_mapping(base)
                for pair in base.value:
                    merged.setdefault(_identity(pair[0]), pair)
        for pair in own:
            merged.pop(_identity(pair[0]), None)
        for key, _ in own:
            if key.tag == "tag:yaml.org,2002:value":
                key.tag = _TEXT
        node.value = [*merged.values(), *own]

    def lines_of(self, data: Any) -> dict[tuple[Any, ...], int]:
        """Return the line of each part by its path; of what is shared where it is first."""
        lines: dict[tuple[Any, ...], int] = {}
        seen: set[int] = set()
        waiting: list[tuple[tuple[Any, ...], Any]] = [((), data)]
        while waiting:
            path, part = waiting.pop()
            if type(part) not in (dict, list) or id(part) in seen:
                continue
            seen.add(id(part))
            marks = self._marks.get(id(part), {})
            items = part.items() if type(part) is dict else enumerate(part)
            inside = [((*path, key), value) for key, value in items]
            lines.update({place: marks[place[-1]] for place, _ in inside if place[-1] in marks})
            waiting.extend(reversed(inside))
        return lines


_MERGE = "tag:yaml.org,2002:merge"
_BOOL = "tag:yaml.org,2002:bool"
_TEXT = "tag:yaml.org,2002:str"


def _bases(value: Any, node: Any) -> list[Any]:
    bases = value.value if isinstance(value, yaml.SequenceNode) else [value]
    # The first of several goes first.
    if not all(isinstance(base, yaml.MappingNode) for base in bases):
        raise yaml.constructor.ConstructorError(
            None, None, "what << names is no mapping", node.start_mark
        )
    return bases


def _identity(key: Any) -> tuple[str, Any]:
    return (key.tag, key.value if isinstance(key, yaml.ScalarNode) else id(key))


# --- What plain text means --------------------------------------------------------------------


def _resolvers() -> None:
    # PyYAML reads 1e3 and 0o17 as text, as YAML 1.1 has them; YAML 1.2 and JSON do not. A person
    # who writes 1e3 means a number, and text that looks so is quoted.
    number = re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][-+]?\d+)?$|^0o[0-7]+$")
    _Dumper.add_implicit_resolver("tag:yaml.org,2002:float", number, list("-+.0123456789"))
    _Dumper.add_representer(str, _text)
    _Dumper.add_representer(list, _list)
    _Dumper.add_representer(dict, _mapping)
    # Nor do people mean eight by 010, or ninety by 1:30, as YAML 1.1 does: those stay text.
    kept = {
        first: [(tag, rule) for tag, rule in rules if not tag.endswith((":int", ":float"))]
        for first, rules in _Loader.yaml_implicit_resolvers.items()
    }
    _Loader.yaml_implicit_resolvers = kept
    whole = re.compile(r"^[-+]?(0|[1-9][\d_]*|0x[\da-fA-F_]+|0b[01_]+|0o[0-7]+)$")
    _Loader.add_implicit_resolver("tag:yaml.org,2002:int", whole, list("-+0123456789"))
    broken = re.compile(
        r"^[-+]?(\d[\d_]*\.[\d_]*([eE][-+]?\d+)?|\.\d[\d_]*([eE][-+]?\d+)?|\d[\d_]*[eE][-+]?\d+)$"
        r"|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"
    )
    _Loader.add_implicit_resolver("tag:yaml.org,2002:float", broken, list("-+.0123456789"))
    _Loader.add_constructor("tag:yaml.org,2002:map", _Loader.mapping)
    _Loader.add_constructor("tag:yaml.org,2002:seq", _Loader.sequence)


_resolvers()
