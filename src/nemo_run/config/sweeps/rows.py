"""Points of a sweep from a file: a row each, in CSV, JSON, YAML or TOML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.config.files.contents import contents
from nemo_run.config.files.source import Source, fault
from nemo_run.config.overrides.grammar import Override, parse_key
from nemo_run.exceptions import OverrideError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_POINTS = "points"


def rows_of(path: str) -> list[list[Override]]:
    """Return what each row of a file sets.

    Args:
        path: A ``.csv`` or ``.tsv`` file whose first row names the fields, where an empty cell
            leaves its field as it is; or a ``.json``, ``.yaml`` or ``.toml`` file with a list of
            mappings, at its root or under ``points``. ``path:section`` names another place in it.

    Raises:
        OverrideError: The file cannot be read, or holds no such rows. The message begins with
            file and line.
    """
    delimiter = _DELIMITERS.get(Path(path).suffix.lower())
    rows = list(_csv_rows(path, delimiter) if delimiter else _data_rows(path))
    if not rows:
        raise fault("There are no points in it.", path)
    return rows


def _csv_rows(path: str, delimiter: str) -> Iterator[list[Override]]:
    import csv
    import io

    # The ends of lines are left to the reader: a value may hold some.
    reader = csv.reader(io.StringIO(_text(path), newline=""), delimiter=delimiter)
    fields: list[str] | None = None
    keys: list[tuple[Any, ...]] = []
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise fault(f"It is no CSV: {error}.", path, line) from error
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if fields is None:
            fields = [cell.strip() for cell in row]
            keys = _keys(fields, path, line)
            continue
        if len(row) != len(fields):
            raise fault(
                f"The row has {len(row)} of {len(fields)} cells; the fields named above are "
                f"{', '.join(fields)}. Put a value with commas in double quotes.",
                path,
                line,
            )
        yield [
            Override(field, steps, "=", cell, kind="file", file=path, line=line)
            for field, steps, cell in zip(fields, keys, row, strict=True)
            if cell
        ]


def _text(path: str) -> str:
    try:
        return contents(path).decode("utf-8-sig")
    except OSError as error:
        raise fault(f"The file cannot be read: {error.strerror or error}.", path) from error
    except UnicodeDecodeError as error:
        raise fault(f"It is not UTF-8: {error.reason} at byte {error.start}.", path) from error


def _keys(fields: Sequence[str], path: str, line: int) -> list[tuple[Any, ...]]:
    doubled = next((field for field in fields if fields.count(field) > 1), None)
    if doubled is not None:
        raise fault(f"The field {doubled!r} is named twice.", path, line)
    try:
        return [parse_key(field) for field in fields]
    except OverrideError as error:
        raise fault(
            f"{error} The first row of a CSV file names the fields of the task.", path, line
        ) from None


def _data_rows(path: str) -> Iterator[list[Override]]:
    from nemo_run.config.files.layers import overrides_of
    from nemo_run.config.files.load import FORMS, load

    file = path if Path(path).suffix.lower() in FORMS else path.rpartition(":")[0] or path
    if Path(file).suffix.lower() not in FORMS:
        known = ", ".join([*_DELIMITERS, *FORMS])
        raise fault(f"It is no list of points: its name must end in one of {known}.", file)
    loaded = load(path)
    root: tuple[Any, ...] = ()
    rows = loaded.data
    if isinstance(rows, dict):
        if _POINTS not in rows:
            raise loaded.fault(
                f"It holds a mapping of {', '.join(map(str, rows)) or 'nothing'}; a list of points "
                f"is needed, at its root or under {_POINTS!r}.{nearest(_POINTS, map(str, rows))}"
            )
        root, rows = (_POINTS,), rows[_POINTS]
    if not isinstance(rows, list):
        raise loaded.fault(f"A list of points is needed, not a {type(rows).__name__}.", root)
    for index, row in enumerate(rows):
        here = (*root, index)
        if not isinstance(row, dict):
            raise loaded.fault(f"A point is a mapping of fields and values, not {row!r}.", here)
        lines = {
            at[len(here) :]: line for at, line in loaded.lines.items() if at[: len(here)] == here
        }
        yield overrides_of(Source(row, loaded.file, {**_whole(loaded, here), **lines}))


def _whole(loaded: Source, here: tuple[Any, ...]) -> dict[tuple[Any, ...], int]:
    line = loaded.line(here)
    return {} if line is None else {(): line}
