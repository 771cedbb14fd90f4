"""The hooks of an experiment on disk, and how far each of them was told."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import ArgumentError, CorruptRecordError, NemoRunError
from nemo_run.management.store.files import open_file, read_file

from .hook import Hook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nemo_run.management.store.record import Record

FILE = "hooks.json"
CURSOR = "hooks.cursor.json"
LOG = "hooks.log"
LOCK = "hooks.lock"
NOT_TOLD = " was not told: "
NOBODY = " nobody is told any more: "
_FORMAT = 1
_LOOKED_AT = 1 << 16


@dataclass(frozen=True)
class Stored:
    """What is to be told whom.

    Attributes:
        hooks: In the order in which they were given.
        surroundings: ``cwd`` and ``sys_path`` of the process that made the experiment.
    """

    hooks: tuple[Hook, ...] = ()
    surroundings: Mapping[str, Any] = field(default_factory=dict)


def text(hooks: Sequence[Hook], cwd: str, sys_path: Sequence[str]) -> str:
    """Return the file of these hooks."""
    document = {
        "format": _FORMAT,
        "cwd": cwd,
        "sys_path": list(sys_path),
        "hooks": [hook.to_json() for hook in hooks],
    }
    return json.dumps(document, indent=1) + "\n"


def read(record: Record) -> Stored:
    """Return the hooks of an experiment; none where it has none.

    Raises:
        CorruptRecordError: The file is none of ours, or of a later version.
    """
    path = record.path / FILE
    try:
        document = json.loads(read_file(path))
    except FileNotFoundError:
        return Stored()
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptRecordError(f"The file {path} cannot be read ({error}).") from error
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise CorruptRecordError(f"The file {path} is not of format {_FORMAT}: nobody is told.")
    listed = document.get("hooks")
    try:
        hooks = tuple(Hook.from_json(one, f"{path}") for one in _list(listed))
    except (ArgumentError, TypeError, AttributeError) as error:
        raise CorruptRecordError(f"The file {path} holds what is no hook: {error}") from error
    paths = [one for one in _list(document.get("sys_path")) if isinstance(one, str)]
    return Stored(hooks, {"cwd": str(document.get("cwd") or "/"), "sys_path": paths})


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def are_ours(record: Record) -> bool:
    """Whether the hooks were written by this user for this record, not for one it is a copy of.

    Reading an experiment that somebody else wrote runs nothing.
    """
    try:
        descriptor = open_file(record.path / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        owner = os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
    try:
        made_here = record.meta.get("folder") == str(record.path)
    except NemoRunError:
        return False
    return made_here and owner == os.geteuid()


def told(record: Record, count: int) -> list[int]:
    """Return for each hook the number of the last event that it was told of; 0 for none."""
    try:
        numbers = json.loads(read_file(record.path / CURSOR))
    except (OSError, ValueError, RecursionError):
        numbers = []
    known = [one if type(one) is int and one > 0 else 0 for one in _list(numbers)]
    return [*known, *[0] * count][:count]


def untold(record: Record) -> str:
    """Return the sentence about what hooks were not told of; empty where all went well."""
    try:
        size = (record.path / LOG).stat().st_size
        with os.fdopen(open_file(record.path / LOG, os.O_RDONLY), "rb") as file:
            file.seek(max(0, size - _LOOKED_AT))
            lines = file.read(_LOOKED_AT).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    failed = [line for line in lines if NOT_TOLD in line or NOBODY in line]
    if not failed:
        return ""
    return f"Hooks were not told of everything, last: {failed[-1]} (all in {record.path / LOG})"


def note_told(record: Record, numbers: Sequence[int]) -> None:
    """Remember how far each hook was told.

    Raises:
        OSError: It cannot be written.
    """
    atomic.write_text(record.path / CURSOR, json.dumps(list(numbers)) + "\n")
