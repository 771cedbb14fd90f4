"""What differs between two values of stored documents (``docs/task-format.md``). Pure.

The documents are JSON as it is stored, so nothing of anybody's needs to be imported, and what a
later version writes is compared too.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from nemo_run.config.files.covering import covered
from nemo_run.masking import MASK, is_secret_argument, mask_arguments, mask_text

from .comparison import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

MISSING: Any = object()

_SHORT = 60
_LONGEST = 2000
_TAG = "$"
_NODES = ("config", "partial")
# Where these hold what they are made of; all other keys are plain.
_HOLDERS = ("arguments", "positional", "fields", "items", "entries")


@dataclass(frozen=True)
class Found:
    """How much of two documents is equal, and what differs.

    Attributes:
        changes: What differs.
        equal: How many values are equal.
    """

    changes: tuple[Change, ...]
    equal: int


@dataclass(frozen=True)
class _Place:
    """Where a value stands in its own document.

    Attributes:
        path: As people write it: ``model.layers[0].lr``.
        node: The path of the node around it, by which the history names it.
        argument: The argument of that node that it is, or is inside of.
        secret: Whether a name on the way tells that it is secret.
    """

    path: str = ""
    node: str | None = None
    argument: str | int | None = None
    secret: bool = False


@dataclass
class Origins:
    """What set the arguments of a document's nodes.

    Attributes:
        history: The ``history`` of the document.
        folder: The folder of the launching process; files below it go by their names in there.
    """

    history: Any = field(default_factory=dict)
    folder: str = ""

    def of(self, place: _Place) -> str:
        """Return what set a value: a line of a file, the command line; empty where not known."""
        nodes = self.history.get("nodes") if isinstance(self.history, dict) else None
        entries = nodes.get(place.node) if isinstance(nodes, dict) else None
        if not isinstance(entries, list) or place.argument is None:
            return ""
        own = [e for e in entries if isinstance(e, list) and len(e) > 1 and e[0] == place.argument]
        return self._where(own[-1]) if own else ""

    def _where(self, entry: list[Any]) -> str:
        file = line = None
        if len(entry) > 4:
            files = self.history.get("files")
            known = isinstance(files, list) and type(entry[3]) is int
            file = files[entry[3]] if known and 0 <= entry[3] < len(files) else None
            line = entry[4]
        place = str(file).removeprefix(f"{self.folder}/") if isinstance(file, str) else ""
        place = f"{place}:{line}" if place and line else place
        kind = str(entry[1])
        return (place or kind) if kind in ("python", "deleted") else f"{kind} {place}".rstrip()


def differences(
    old: Any, new: Any, of_old: Origins | None = None, of_new: Origins | None = None
) -> Found:
    """Return what differs between two values.

    Args:
        old: The one, as it is stored; :data:`MISSING` for none.
        new: The other.
        of_old: What set the parts of the one.
        of_new: What set the parts of the other.
    """
    origins = of_old or Origins(), of_new or Origins()
    changes: list[Change] = []
    equal = 0
    waiting = [((_with_paths(old), _Place()), (_with_paths(new), _Place()))]
    while waiting:
        one, other = waiting.pop()
        inside = _inside(one, other)
        if inside is not None:
            if _label(one[0]) != _label(other[0]):
                changes.append(_relabeled(one, other, origins))
                # What only the one class has follows from its being another class.
                inside = [pair for pair in inside if _kind(one[0]) == "node" or _in_both(pair)]
            waiting += reversed(inside)
        elif _same(one[0], other[0]):
            equal += one[0] is not MISSING
        else:
            changes.append(_change(one, other, origins))
    return Found(tuple(changes), equal)


_Pair = tuple[Any, _Place]


def _with_paths(value: Any) -> Any:
    """Return a document that names shared values by their paths: numbers shift with any change."""
    paths: dict[Any, str] = {}
    waiting: list[_Pair] = [(value, _Place())]
    while waiting:
        item, place = waiting.pop()
        if _kind(item) == "leaf":
            continue
        if isinstance(item, dict) and _TAG in item and type(item.get("id")) is int:
            paths[item["id"]] = place.path or "(task)"
        waiting += [part for _, part in _parts(item, place)]
    return _renamed(value, paths) if paths else value


def _renamed(value: Any, paths: Mapping[Any, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(item, paths) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get(_TAG) == "ref":
        return {**value, "id": paths.get(value.get("id"), "?")}
    bare = {key: item for key, item in value.items() if key != "id" or _TAG not in value}
    return {key: _renamed(item, paths) for key, item in bare.items()}


def _inside(old: _Pair, new: _Pair) -> list[tuple[_Pair, _Pair]] | None:
    """Return the parts of two values side by side; None where they are told of as a whole."""
    kinds = _kind(old[0]), _kind(new[0])
    if kinds[0] != kinds[1] or kinds[0] == "leaf" or (_is_short(old[0]) and _is_short(new[0])):
        return None
    a, b = dict(_parts(*old)), dict(_parts(*new))
    if kinds[0] == "list":
        return _aligned(list(a.values()), list(b.values()))
    nothing = MISSING, _Place()
    return [(a.get(step, nothing), b.get(step, nothing)) for step in {**a, **b}]


def _in_both(pair: tuple[_Pair, _Pair]) -> bool:
    return pair[0][0] is not MISSING and pair[1][0] is not MISSING


def _kind(value: Any) -> str:
    if isinstance(value, list):
        return "list"
    if not isinstance(value, dict):
        return "leaf"
    tag = value.get(_TAG)
    if tag is None or tag in _NODES:
        return "node" if tag else "dict"
    if isinstance(value.get("items"), list):
        return "list" if tag in ("tuple", "set", "frozenset", "deque") else str(tag)
    if isinstance(value.get("entries"), list):
        return str(tag)
    return "object" if isinstance(value.get("fields"), dict) else "leaf"


def _label(value: Any) -> str:
    """Return what a value with parts is called: what a node calls, the class of an object."""
    if not isinstance(value, dict):
        return type(value).__name__
    tag = value.get(_TAG)
    name = value.get("target") or value.get("class")
    if tag is None or not isinstance(name, str):
        return str(tag or "dict")
    own = name.replace(":", ".").removeprefix("__main__.")
    return f"{tag.capitalize()}({own})" if tag in _NODES else own


def _parts(value: Any, place: _Place) -> Iterator[tuple[Any, _Pair]]:
    """Yield the parts of a value, each by its step, with its place."""
    if isinstance(value, list):
        yield from _items(value, place)
        return
    if _TAG not in value:
        for key, item in value.items():
            yield key, (item, _below(place, f"[{key!r}]", key))
        return
    if value[_TAG] in _NODES:
        yield from _arguments(value, place)
        return
    for name, item in _table(value.get("fields")).items():
        yield name, (item, _below(place, f".{name}", name))
    yield from _items(_listed(value.get("items")), place)
    for pair in _pairs(value.get("entries")):
        key = pair[0] if isinstance(pair[0], str) else spelled(pair[0])
        yield f"entry {key}", (pair[1], _below(place, f"[{key!r}]", key))


def _items(items: Iterable[Any], place: _Place) -> Iterator[tuple[Any, _Pair]]:
    for index, item in enumerate(items):
        yield index, (item, _below(place, f"[{index}]", ""))


def _arguments(node: Mapping[str, Any], place: _Place) -> Iterator[tuple[Any, _Pair]]:
    named = [*_pairs(node.get("positional")), *_table(node.get("arguments")).items()]
    for name, item in named:
        is_name = isinstance(name, str) and name.isidentifier()
        step = f".{name}" if is_name else f"[{name!r}]"
        below = _below(place, step, str(name))
        yield name, (item, replace(below, node=place.path, argument=name))


def _below(place: _Place, step: str, name: str) -> _Place:
    path = place.path + step if place.path else step.removeprefix(".")
    # A path is what tells: a name in brackets is one, too.
    return replace(place, path=path, secret=place.secret or bool(name and is_secret_argument(name)))


def _table(said: Any) -> dict[Any, Any]:
    return said if isinstance(said, dict) else {}


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else []


def _pairs(said: Any) -> list[list[Any]]:
    return [
        pair
        for pair in _listed(said)
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], (str, int, float))
    ]


def _aligned(old: list[_Pair], new: list[_Pair]) -> list[tuple[_Pair, _Pair]]:
    """Return the items of two lists side by side: what both begin and end with stays together."""
    head = tail = 0
    if len(old) != len(new):
        least = min(len(old), len(new))
        while head < least and _same(old[head][0], new[head][0]):
            head += 1
        while tail < least - head and _same(old[-1 - tail][0], new[-1 - tail][0]):
            tail += 1
    nothing: _Pair = (MISSING, _Place())
    longest = max(len(old), len(new))
    gap_old, gap_new = longest - len(old), longest - len(new)
    left = old[: len(old) - tail] + [nothing] * gap_old + old[len(old) - tail :]
    right = new[: len(new) - tail] + [nothing] * gap_new + new[len(new) - tail :]
    return list(zip(left, right, strict=True))


def _is_short(value: Any) -> bool:
    """Whether a list or dict of plain values is read more easily as one value."""
    if _kind(value) not in ("list", "dict"):
        return False
    parts = [item for _, (item, _) in _parts(value, _Place())]
    if len(parts) > _SHORT or any(_kind(item) != "leaf" for item in parts):
        return False
    return _kind(value) == "list" and len(spelled(value)) <= _SHORT


def _same(old: Any, new: Any) -> bool:
    # Text tells True from 1 and 1.0, which are equal in Python and other values for a job.
    return old is new or _canonical(old) == _canonical(new)


def _canonical(value: Any) -> str:
    if value is MISSING:
        return ""
    return json.dumps(value, sort_keys=True)


def _relabeled(old: _Pair, new: _Pair, origins: tuple[Origins, Origins]) -> Change:
    names = _label(old[0]), _label(new[0])
    return Change(
        new[1].path or "(task)",
        "changed",
        old=names[0],
        new=names[1],
        old_value=names[0],
        new_value=names[1],
        old_from=origins[0].of(old[1]),
        new_from=origins[1].of(new[1]),
    )


def _change(old: _Pair, new: _Pair, origins: tuple[Origins, Origins]) -> Change:
    path = (old if new[0] is MISSING else new)[1].path or "(whole)"
    before, after = _shown(*old), _shown(*new)
    kind: Literal["added", "removed", "changed"] = "changed"
    if old[0] is MISSING or new[0] is MISSING:
        kind = "added" if old[0] is MISSING else "removed"
    elif before == after:
        after += " (another one)"
    return Change(
        path,
        kind,
        old=before,
        new=after,
        old_value=_told(*old),
        new_value=_told(*new),
        old_from=origins[0].of(old[1]),
        new_from=origins[1].of(new[1]),
        difference=_apart(old[0], new[0]) if before != MASK else None,
    )


def _apart(old: Any, new: Any) -> float | None:
    """Return how much greater the second of two numbers is."""
    if not (_is_number(old) and _is_number(new)):
        return None
    apart = new - old
    return apart if math.isfinite(apart) else None


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _shown(value: Any, place: _Place) -> str:
    if value is MISSING:
        return ""
    if place.secret and value not in (None, "", [], {}):
        return MASK
    text = spelled(_told(value, place))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _told(value: Any, place: _Place) -> Any:
    """Return a value as data that may be shown."""
    if value is MISSING:
        return None
    if place.secret and value not in (None, "", [], {}):
        return MASK
    if isinstance(value, str):
        return mask_text(value, is_secret_argument)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return mask_arguments(value, is_secret_argument)
    return covered(value)


def spelled(value: Any, depth: int = 0) -> str:
    """Return a stored value as Python would write it."""
    if depth > _DEEPEST:
        return "…"
    if isinstance(value, list):
        return f"[{', '.join(spelled(item, depth + 1) for item in value)}]"
    if not isinstance(value, dict):
        return repr(value)
    if _TAG not in value:
        inside = (f"{key!r}: {spelled(item, depth + 1)}" for key, item in value.items())
        return "{" + ", ".join(inside) + "}"
    return _spelled_object(value, depth)


_DEEPEST = 20


def _spelled_object(value: dict[str, Any], depth: int) -> str:
    tag = str(value[_TAG])
    if tag == "ref":
        return f"the same as {value.get('id')}"
    name = _label(value)
    own = name.removeprefix(f"{tag.capitalize()}(").removesuffix(")") if tag in _NODES else name
    if any(holder in value for holder in _HOLDERS):
        parts = [*_table(value.get("arguments")).items(), *_table(value.get("fields")).items()]
        inside = [spelled(item, depth + 1) for _, item in _pairs(value.get("positional"))]
        inside += [f"{key}={spelled(item, depth + 1)}" for key, item in parts]
        inside += [spelled(item, depth + 1) for item in _listed(value.get("items"))]
        inside += [
            f"{spelled(key, depth + 1)}: {spelled(item, depth + 1)}"
            for key, item in _pairs(value.get("entries"))
        ]
        around = "()" if tag != "dict" else "{}"
        shown = "" if tag in ("tuple", "dict") else own.rpartition(".")[2]
        return f"{shown}{around[0]}{', '.join(inside)}{around[1]}"
    plain = [spelled(item, depth + 1) for key, item in value.items() if key not in (_TAG, "id")]
    named = value.get("of" if tag == "secret" else "name")
    if tag in ("object", "secret", "enum") and isinstance(named, str):
        if tag == "secret":
            return f"Secret({named!r})"
        return f"{own.rpartition('.')[2]}.{named}" if tag == "enum" else named.replace(":", ".")
    return f"{tag}({', '.join(plain)})"
