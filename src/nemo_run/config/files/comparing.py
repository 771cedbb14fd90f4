"""What differs between two files, as they are spelled: nothing of theirs is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nemo_run.config.graph.traverse import join
from nemo_run.config.show.diff import Change

from .plain import lowered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .source import Source

_LONGEST = 100
_ABSENT: Any = object()


def differences(old: Source, new: Source) -> list[Change]:
    """Return what differs, in the order of the new file.

    Args:
        old: What it is compared with.
        new: The file that is asked about.
    """
    before, after = (lowered(_sorted(source.data, {}), "json") for source in (old, new))
    return list(_changes(before, after, ""))


def _sorted(data: Any, made: dict[int, Any]) -> Any:
    """Return the data with its keys in one order, so that what is shared is named alike."""
    if type(data) not in (dict, list):
        return data
    if id(data) not in made:
        if type(data) is list:
            made[id(data)] = [_sorted(item, made) for item in data]
        else:
            made[id(data)] = {
                key: _sorted(data[key], made)
                for key in sorted(data, key=lambda key: (type(key).__name__, str(key)))
            }
    return made[id(data)]


def _changes(old: Any, new: Any, path: str) -> Iterator[Change]:
    if type(old) is dict and type(new) is dict and not _is_one_value(old, new):
        for key in {**new, **old}:
            part = f".{key}" if key.isidentifier() else f"[{key!r}]"
            yield from _changes(old.get(key, _ABSENT), new.get(key, _ABSENT), join(path, part))
    elif type(old) is list and type(new) is list and len(old) == len(new) and _has_parts(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from _changes(a, b, join(path, f"[{index}]"))
    elif old is _ABSENT:
        yield Change(path, "added", "", _text(new))
    elif new is _ABSENT:
        yield Change(path, "removed", _text(old), "")
    elif not _equal(old, new):
        yield Change(path, "changed", _text(old), _text(new))


def _equal(old: Any, new: Any) -> bool:
    return type(old) is type(new) and _exact(old) == _exact(new)


def _exact(value: Any) -> str:
    """Return a text that tells 1 from 1.0 and from true."""
    if type(value) is dict:
        return f"{{{', '.join(f'{k!r}: {_exact(value[k])}' for k in sorted(value))}}}"
    return f"[{', '.join(map(_exact, value))}]" if type(value) is list else repr(value)


def _is_one_value(*mappings: dict[str, Any]) -> bool:
    return any("_type_" in mapping or "_same_as_" in mapping for mapping in mappings)


def _has_parts(items: list[Any]) -> bool:
    return any(type(item) in (dict, list) for item in items)


def _text(value: Any) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
