"""What jobs were given and what came out, as flat names and plain values: ``model.lr`` → 0.1.

Read from the files of a record, whatever they hold: what is missing or damaged has no facts.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from nemo_run import masking
from nemo_run.exceptions import NemoRunError
from nemo_run.execution.folders import METRICS
from nemo_run.management.store import names
from nemo_run.management.store.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from nemo_run.management.store.record import Record

Fact = str | int | float | bool | None

MOST = 300
"""So many facts of a job are kept."""

MOST_JOBS = 1000
"""So many jobs of an experiment are read."""

RESULT = "result"
"""The name of a result that is one value."""

_LONGEST_TEXT = 200
_LONGEST_NAME = 120
_MOST_ITEMS = 16
_DEEPEST = 12
_LARGEST_FILE = 4 << 20
_TAIL = 64 << 10
_TAG = "$"
_OWN = frozenset({"step", "time"})


def of(record: Record) -> dict[str, Fact]:
    """Return the parameters and results of all jobs; where jobs differ, those of the first.

    A result goes before a metric of its name, and that before a parameter, which is then also
    there as ``param.NAME``.
    """
    found: dict[str, Fact] = {}
    for facts in by_job(record).values():
        for name, value in facts.items():
            found.setdefault(name, value)
    return found


def by_job(record: Record) -> dict[str, dict[str, Fact]]:
    """Return the parameters and results of each job.

    Raises:
        StoreError: ``experiment.json`` cannot be read.
    """
    return {
        str(job["id"]): _of_job(record.job_dir(str(job["id"])), job)
        for job in record.jobs[:MOST_JOBS]
    }


def _of_job(folder: Path, document: Mapping[str, Any]) -> dict[str, Fact]:
    found: dict[str, Fact] = {}
    for place in _places(folder, document):
        for name, value in _of_place(place).items():
            found.setdefault(name, value)
    return dict(list(found.items())[:MOST])


def _places(folder: Path, document: Mapping[str, Any]) -> Iterator[str]:
    members = document.get("members")
    if not document.get("group") or not isinstance(members, list):
        yield str(folder)
        return
    for member in members:
        name = member.get("name") if isinstance(member, dict) else None
        try:
            yield str(folder / names.folder(str(name)))
        except NemoRunError:
            continue


def _of_place(folder: str) -> dict[str, Fact]:
    results = dict(_flat("", _value(f"{folder}/result.json"), RESULT))
    found: dict[str, Fact] = {**_last(f"{folder}/{METRICS}"), **results}
    parameters = dict(_flat("", _value(f"{folder}/task.json"), ""))
    hidden = {f"param.{name}": value for name, value in parameters.items() if name in found}
    # What came out is never crowded out by what went in.
    return {**dict(list({**found, **hidden}.items())[:MOST]), **_without(parameters, found)}


def _without(facts: dict[str, Fact], others: Mapping[str, Fact]) -> dict[str, Fact]:
    return {name: value for name, value in facts.items() if name not in others}


def _flat(name: str, value: Any, alone: str, depth: int = 0) -> Iterator[tuple[str, Fact]]:
    """Yield every plain value inside of a value, with the path to it.

    Args:
        name: The path to the value.
        value: As JSON has it.
        alone: What a plain value without a path is called; empty for nothing.
        depth: How deep it lies.
    """
    if depth > _DEEPEST or len(name) > _LONGEST_NAME:
        return
    if value is None or isinstance(value, (str, bool, int, float)):
        label = name or alone
        # A result of nothing, or no file of one, is no fact.
        if label and (name or value is not None):
            yield label, _kept(label, value)
        return
    if isinstance(value, list):
        for number, item in enumerate(value[:_MOST_ITEMS]):
            yield from _flat(f"{name or alone}[{number}]", item, "", depth + 1)
        return
    if not isinstance(value, dict):
        return
    kind = value.get(_TAG)
    if kind is None:
        yield from _named(name, value, depth)
        return
    yield from _tagged(name, value, kind, alone, depth)


def _tagged(
    name: str, value: dict[str, Any], kind: object, alone: str, depth: int
) -> Iterator[tuple[str, Fact]]:
    if kind == "secret":
        yield name or alone, masking.MASK
        return
    target = value.get("target")
    if name and isinstance(target, str):
        # Which model it was is a parameter as well: model ~ "GPT".
        yield name, target.replace(":", ".")[:_LONGEST_TEXT]
    for key in ("arguments", "fields"):
        inside = value.get(key)
        if isinstance(inside, dict):
            yield from _named(name, inside, depth)
    if isinstance(value.get("items"), list):
        yield from _flat(name, value["items"], alone, depth)
    entries = value.get("entries")
    if isinstance(entries, list):
        pairs = (pair for pair in entries if isinstance(pair, list) and len(pair) == 2)
        yield from _named(name, {str(key): inside for key, inside in pairs}, depth)
    plain = value.get("value")
    if isinstance(plain, (str, int, float, bool)) and (name or alone):
        yield name or alone, _kept(name or alone, plain)


def _named(name: str, values: dict[str, Any], depth: int) -> Iterator[tuple[str, Fact]]:
    for number, (key, inside) in enumerate(values.items()):
        if number >= MOST:
            return
        yield from _flat(f"{name}.{key}" if name else str(key), inside, "", depth + 1)


def _kept(name: str, value: Fact) -> Fact:
    if isinstance(value, str):
        if value and masking.is_secret_argument(name):
            return masking.MASK
        return masking.mask_text(value[:_LONGEST_TEXT], masking.is_secret_argument)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        return float(value) if abs(value) < 1 << 1000 else None  # SQLite holds 64 bits
    return value


def _value(path: str) -> Any:
    """Return the ``value`` in a file of ours; None where there is none."""
    try:
        document = json.loads(_read(path))
    except (OSError, ValueError, RecursionError):
        return None
    return document.get("value") if isinstance(document, dict) else None


def _read(path: str) -> bytes:
    with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
        content = file.read(_LARGEST_FILE + 1)
    return content if len(content) <= _LARGEST_FILE else b""


def _last(path: str) -> dict[str, Fact]:
    """Return the last number of each name in the last lines of ``metrics.jsonl``."""
    try:
        with os.fdopen(open_file(path, os.O_RDONLY), "rb") as file:
            start = max(0, os.fstat(file.fileno()).st_size - _TAIL)
            file.seek(start)
            lines = file.read(_TAIL).split(b"\n")
    except OSError:
        return {}
    found: dict[str, Fact] = {}
    # Where it does not begin with the file, the first is a part; the last is one or is empty.
    for line in reversed(lines[1 if start else 0 : -1]):
        for name, value in _metrics(line).items():
            found.setdefault(name, value)
    return dict(list(found.items())[:MOST])


def _metrics(line: bytes) -> dict[str, float]:
    try:
        logged = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(logged, dict):
        return {}
    return {
        name: float(value)
        for name, value in logged.items()
        if name not in _OWN
        and len(name) <= _LONGEST_NAME
        and type(value) in (int, float)
        and abs(value) < 1e300
        and not math.isnan(value)
    }
