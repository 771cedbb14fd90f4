"""Known ends of jobs: read from TOML files, ours and users', and compared with evidence."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import ConfigError, NemoRunError, nearest
from nemo_run.execution.observation import Reason

if TYPE_CHECKING:
    from .evidence import Evidence

VARIABLE = "NEMORUN_SIGNATURES"
FILE = "signatures.toml"


@dataclass(frozen=True)
class Signature:
    """How one kind of end is recognized, and what is told of it.

    Attributes:
        name: What it is called.
        says: What happened: the rest of a sentence that begins with who.
        do: What a person may do about it, the most likely first.
        reasons: Of the engine (:class:`~nemo_run.execution.observation.Reason`), any of them.
        exceptions: Names of exceptions, with or without their module.
        patterns: Regular expressions, searched in tracebacks and last lines.
        exit_codes: Of the process.
        echo: It is usually what others see of a process that failed before.
        needs_pattern: A fitting exception is not enough: a pattern must be found too.
    """

    name: str
    says: str
    do: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    exit_codes: tuple[int, ...] = ()
    echo: bool = False
    needs_pattern: bool = False

    def fits(self, seen: Evidence) -> bool:
        """Whether what a process left shows this end."""
        if seen.reason and seen.reason in self.reasons:
            return True
        found = any(pattern.search(seen.text) for pattern in self.patterns)
        if found or self.needs_pattern:
            return found
        if seen.exception and not {seen.exception, seen.full_exception}.isdisjoint(self.exceptions):
            return True
        # An exception says more than the exit code that Python gives it.
        return not seen.exception and seen.exit_code in self.exit_codes


def known() -> tuple[tuple[Signature, ...], tuple[str, ...]]:
    """Return all signatures, the user's before ours, and sentences about files that are wrong."""
    from nemo_run.management.store import layout

    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    files = [Path(name).expanduser() for name in named if name]
    warnings = [
        f"{VARIABLE} names {file}, which is not there." for file in files if not file.is_file()
    ]
    own = layout.home() / FILE
    found: list[Signature] = []
    for file in [file for file in [*files, own] if file.is_file()]:
        try:
            good, wrong = read(file)
        except NemoRunError as error:
            warnings.append(str(error))
        else:
            found += good
            warnings += wrong
    return (*found, *shipped()), tuple(warnings)


@cache
def shipped() -> tuple[Signature, ...]:
    """Return those that come with this package."""
    good, wrong = read(Path(__file__).with_name(FILE))
    assert not wrong, wrong
    return tuple(good)


def read(path: Path) -> tuple[list[Signature], list[str]]:
    """Return the signatures of a file, and a sentence for each entry that is none.

    Raises:
        ConfigError: The file cannot be read, or has no list of them.
    """
    from nemo_run.config.files.toml_text import parser

    try:
        document = parser().loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"The file of signatures {path} cannot be read: {error}") from error
    entries = document.get("signature", [])
    if not isinstance(entries, list):
        raise ConfigError(f"The file {path} has no list [[signature]].")
    good: list[Signature] = []
    wrong: list[str] = []
    for at, entry in enumerate(entries, 1):
        try:
            good.append(_signature(entry, f"{path}, signature {at}"))
        except ConfigError as error:
            wrong.append(str(error))
    return good, wrong


_LISTS = {
    "do": str,
    "reasons": str,
    "exceptions": str,
    "patterns": str,
    "exit_codes": int,
}
_SWITCHES = ("echo", "needs_pattern")
_KNOWN = frozenset(field.name for field in fields(Signature))
_REASONS = tuple(str(reason) for reason in Reason)


def _signature(entry: Any, where: str) -> Signature:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: there is {entry!r:.60} in place of a table.")
    for key, value in entry.items():
        _check(key, value, where)
    for key in ("name", "says"):
        if key not in entry:
            raise ConfigError(f"{where}: there is no {key!r}.")
    lists = {key: tuple(entry[key]) for key in _LISTS if key in entry}
    patterns = tuple(_compiled(text, where) for text in entry.get("patterns", []))
    return Signature(**{**entry, **lists, "patterns": patterns})


def _check(key: str, value: Any, where: str) -> None:
    if key not in _KNOWN:
        raise ConfigError(f"{where}: there is no field {key!r}.{nearest(key, _KNOWN)}")
    if key in _LISTS:
        _check_list(value, _LISTS[key], f"{where}: {key!r}")
    elif key in _SWITCHES and not isinstance(value, bool):
        raise ConfigError(f"{where}: {key!r} is {value!r:.60}; it must be true or false.")
    elif key in ("name", "says") and not (isinstance(value, str) and value):
        raise ConfigError(f"{where}: {key!r} is {value!r:.60}; it must be a text.")
    wrong = next((one for one in value if one not in _REASONS), None) if key == "reasons" else None
    if wrong is not None:
        raise ConfigError(f"{where}: {wrong!r} is no reason.{nearest(wrong, _REASONS)}")


def _check_list(value: Any, kind: type, what: str) -> None:
    if not isinstance(value, list) or not all(type(one) is kind for one in value):
        words = {str: "texts", int: "numbers"}[kind]
        raise ConfigError(f"{what} is {value!r:.60}; it must be a list of {words}.")


def _compiled(text: str, where: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"{where}: the pattern {text!r} is none: {error}.") from error
