"""Plain data as TOML."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import SerializationError

from .plain import lowered, raised
from .source import Source, fault

if TYPE_CHECKING:
    from collections.abc import Iterator

_WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Where a paragraph would end before its end.
_QUOTES = re.compile(r'"{3,}|"+\Z')
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def read(text: str, file: str | None = None) -> Source:
    """Return the plain data of a TOML text, and the line of each key.

    Args:
        text: The TOML.
        file: What the errors call it.

    Raises:
        OverrideError: It is no TOML.
    """
    from .toml_lines import lines_of

    toml = parser()
    try:
        data = toml.loads(text)
    except (ValueError, RecursionError) as error:
        message, line = str(error), None
        found = re.search(r" \(at line (\d+), column \d+\)$", message)
        if found:
            message, line = message[: found.start()], int(found[1])
        raise fault(f"It is no TOML: {message}.", file, line) from error
    source = Source(data, file, lines_of(text))
    return Source(raised(source), file, source.lines)


def parser() -> Any:
    """Return the standard library's TOML parser, or where it has none, the one it came from."""
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib
    import tomli

    return tomli


def write(data: Any) -> str:
    """Return the TOML of plain data.

    Raises:
        SerializationError: It is no mapping, which a TOML file always is.
    """
    table = lowered(data, "toml")
    if type(table) is not dict:
        raise SerializationError(
            f"A TOML file holds keys and values; {type(data).__name__} alone cannot be written "
            "to one. Use YAML or JSON."
        )
    return "\n".join(_table(table, [])).strip("\n") + "\n"


def _table(table: dict[str, Any], path: list[str]) -> Iterator[str]:
    """Yield the lines of a table: its values, then the tables inside of it."""
    after = _tables_of(table)
    for key, value in table.items():
        if key not in after:
            yield f"{_key(key)} = {_value(value, len(key) + 3)}"
    for key in after:
        place = [*path, _key(key)]
        value = table[key]
        for inner in value if type(value) is list else [value]:
            header = ".".join(place)
            yield ""
            yield f"[[{header}]]" if type(value) is list else f"[{header}]"
            yield from _table(inner, place)


def _tables_of(table: dict[str, Any]) -> list[str]:
    """Return the keys whose values get a header of their own.

    In a file, they come after all others. The arguments of a call may be put into that order;
    the keys of another mapping keep theirs, so that only the last ones get headers.
    """
    if "_target_" in table:
        return [key for key, value in table.items() if _is_table(value)]
    found: list[str] = []
    for key, value in reversed(table.items()):
        if not _is_table(value):
            break
        found.insert(0, key)
    return found


def _is_table(value: Any) -> bool:
    if type(value) is list:
        return bool(value) and all(type(item) is dict and _is_table(item) for item in value)
    if type(value) is not dict or not value:
        return False
    spelled = "_type_" in value or "_same_as_" in value or value.get("_call_") is False
    return not spelled or len(_value(value, 0)) > _WIDTH


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: Any, before: int) -> str:
    """Return a value, whose line has ``before`` characters already."""
    kind = type(value)
    if kind is str:
        return _paragraph(value) if "\n" in value.rstrip("\n") else _text(value)
    if kind is list:
        return _array(value, before)
    return _inline(value)


def _inline(value: Any) -> str:
    """Return a value on one line."""
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is dict:
        pairs = ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items())
        return f"{{{pairs}}}"
    if kind is list:
        return f"[{', '.join(map(_inline, value))}]"
    return repr(value) if kind in (int, float) else str(value.isoformat())


def _array(items: list[Any], before: int) -> str:
    line = _inline(items)
    if len(line) + before <= _WIDTH:
        return line
    return "[\n" + "".join(f"    {_inline(item)},\n" for item in items) + "]"


def _text(text: str) -> str:
    # JSON's escapes are TOML's, but for this one character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _paragraph(text: str) -> str:
    escaped = _QUOTES.sub(lambda found: '\\"' * len(found[0]), text.replace("\\", "\\\\"))
    escaped = _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)
    return f'"""\n{escaped}"""'
