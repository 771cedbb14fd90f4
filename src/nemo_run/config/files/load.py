"""Reading a file of configuration: ``path`` or ``path:section``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import OverrideError, nearest

from .contents import contents, limited
from .source import Source, fault

if TYPE_CHECKING:
    from collections.abc import Callable

Loaded = Source

FORMS = {".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".json": "json"}

STANDARD_INPUT = "-"

# What aliases repeat counts each time, as everything that walks through it will meet it.
_LARGEST = 1_000_000
# Python's own limit is a thousand calls, and there are several for each level.
_DEEPEST = 150


def load(path: str) -> Loaded:
    """Read a file, with ``${…}`` resolved, and return its section.

    Args:
        path: A ``.yaml``, ``.yml``, ``.toml`` or ``.json`` file, and after a colon the key of
            the section that is wanted: ``base.yaml:model.layers[0]``. ``-`` is YAML or JSON from
            standard input.

    Raises:
        OverrideError: There is no such file or section, or it cannot be read. The message
            begins with file and line.
    """
    from .interpolation import resolve

    file, section = split_section(path)
    source = read(file)
    refuse_bomb(source)
    try:
        resolve(source)
    except RecursionError:
        raise fault("Its references lead on and on. Name the last of them.", file) from None
    refuse_bomb(source)
    return _section(source, section) if section else source


def read(file: str) -> Source:
    """Read a file as it is written: ``${…}`` stays.

    Raises:
        OverrideError: It is missing, empty, no text, or of another form than its name says.
    """
    # What is piped in has no name that says its form; JSON is YAML too.
    form = "yaml" if file == STANDARD_INPUT or file.startswith("/dev/") else form_of(file)
    try:
        raw = _bytes_of(file)
    except OSError as error:
        raise fault(_unreadable(file, error), None) from error
    if file == STANDARD_INPUT:
        file = "<standard input>"
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise fault(
            f"It is not UTF-8: the byte 0x{byte:02x} is no part of a text.", file, line
        ) from None
    if not text.strip():
        raise fault("The file is empty.", file)
    source = reader_of(form)(text, file)
    if source.data is None:
        raise fault("The file holds nothing but comments.", file)
    return source


def _bytes_of(file: str) -> bytes:
    if file != STANDARD_INPUT:
        return contents(file)
    # None where the shell closed it.
    return limited(sys.stdin.buffer, "<standard input>") if sys.stdin is not None else b""


def reader_of(form: str) -> Callable[[str, str | None], Source]:
    """Return the function that reads the texts of a form."""
    if form == "yaml":
        from .yaml_text import read as read_yaml

        return read_yaml
    if form == "toml":
        from .toml_text import read as read_toml

        return read_toml
    from .json_text import read as read_json

    return read_json


def form_of(file: str) -> str:
    """Return ``yaml``, ``toml`` or ``json``, by the end of a file's name.

    Raises:
        OverrideError: It ends in something else.
    """
    suffix = Path(file).suffix.lower()
    if suffix not in FORMS:
        known = ", ".join(FORMS)
        raise OverrideError(
            f"{file!r} is no file of configuration: its name must end in one of {known}."
            f"{nearest(suffix, FORMS)}"
        )
    return FORMS[suffix]


def split_section(path: str) -> tuple[str, str]:
    """Return the file and the section of ``file[:section]``."""
    file, colon, section = path.rpartition(":")
    # C:\\config.yaml, and files that have a colon in their names.
    if not colon or not section or (Path(path).suffix.lower() in FORMS and not _is_file(file)):
        return (path.removesuffix(":"), "")
    return file, section


def _is_file(file: str) -> bool:
    return Path(file).suffix.lower() in FORMS


def _unreadable(file: str, error: OSError) -> str:
    path = Path(file).expanduser()
    if isinstance(error, FileNotFoundError):
        try:
            beside = [other.name for other in path.parent.iterdir() if other.suffix in FORMS]
        except OSError:
            beside = []
        return f"There is no file {file!r}.{nearest(path.name, beside)}"
    return f"{file!r} cannot be read: {error.strerror or error}."


def _section(source: Source, section: str) -> Source:
    from nemo_run.config.overrides.grammar import Item, parse_key

    here, path = source.data, tuple[Any, ...]()
    for step in parse_key(section):
        key = step.key if isinstance(step, Item) else step
        if type(here) is list and str(key).lstrip("-").isdecimal():
            key = int(key) + (len(here) if int(key) < 0 else 0)
        if not _has(here, key):
            names = [str(name) for name in here] if type(here) is dict else []
            where = ".".join(map(str, path)) or "it"
            has = f" It has: {', '.join(names)}." if names else ""
            raise source.fault(
                f"There is no section {section!r}: {where} has no {str(key)!r}."
                f"{nearest(str(key), names)}{has}",
                path,
            )
        here, path = here[key], (*path, key)
    inside = {
        place[len(path) :]: line
        for place, line in source.lines.items()
        if place[: len(path)] == path
    }
    return Source(here, source.file, inside)


def _has(here: Any, key: Any) -> bool:
    if type(here) is list:
        return type(key) is int and 0 <= key < len(here)
    return type(here) is dict and key in here


def refuse_bomb(source: Source) -> None:
    """Raise if aliases make much of little (a "billion laughs"), or if no walk would end."""
    sizes: dict[int, int] = {}
    depths: dict[int, int] = {}
    opened: set[int] = set()
    waiting: list[tuple[Any, bool]] = [(source.data, False)]
    while waiting:
        part, complete = waiting.pop()
        if type(part) not in (dict, list) or id(part) in sizes:
            continue
        items = list(part.values() if type(part) is dict else part)
        if complete:
            sizes[id(part)] = 1 + sum(sizes.get(id(item), 1) for item in items)
            depths[id(part)] = 1 + max((depths.get(id(item), 0) for item in items), default=0)
            continue
        if id(part) in opened:
            raise fault("An alias stands inside of its own anchor.", source.file)
        opened.add(id(part))
        waiting.append((part, True))
        waiting.extend((item, False) for item in items)
    if depths.get(id(source.data), 0) > _DEEPEST:
        raise fault(f"It is nested more than {_DEEPEST} levels deep.", source.file)
    total, written = sizes.get(id(source.data), 1), len(sizes)
    if total > _LARGEST and total > 100 * written:
        raise fault(
            f"Its aliases make {total} values of {written} lists and mappings. Write them out, or "
            "use fewer.",
            source.file,
        )
