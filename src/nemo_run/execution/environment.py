"""The variables of a task: checked before anything runs, because a shell would not tell."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from nemo_run.exceptions import PlanError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

# Linux refuses to start a program with one longer "NAME=value" (MAX_ARG_STRLEN, execve(2)).
LONGEST = 131071


# Set by us in every process; another value would make jobs that nobody finds again.
RESERVED = frozenset(
    {"NEMORUN_TOKEN", "NEMORUN_LEADER", "NEMORUN_EXPERIMENT_ID", "NEMORUN_JOB", "NEMORUN_ATTEMPT"}
    | {"NEMORUN_MEMBER", "NEMORUN_JOB_DIR", "NEMORUN_ATTEMPT_DIR", "NEMORUN_LOG_DIR"}
    | {"NEMORUN_SECRETS", "NEMORUN_OUTPUT_DIR", "NEMORUN_METRICS_FILE"}
)


def checked(variables: Mapping[str, object] | None, where: str) -> dict[str, str]:
    """Return the variables as text.

    Args:
        variables: Names and values; numbers and paths become text, nothing else does.
        where: What to call the mapping in an error: ``executor.env_vars``.

    Raises:
        PlanError: A name that no environment can hold, or a value that is no text.
    """
    return {_name(n, where): _value(n, v, where) for n, v in (variables or {}).items()}


def _name(name: object, where: str) -> str:
    if not isinstance(name, str) or not name:
        raise PlanError(f"{where} has the name {shown(name)}; a variable's name must be text.")
    if "=" in name or "\0" in name:
        raise PlanError(f"{where} has the name {name!r}; '=' and NUL cannot be part of a name.")
    if name in RESERVED:
        raise PlanError(f"{where} sets {name}, which tells a job who it is. Use another name.")
    check_text(name, f"{where} has the name {name!r}, which")
    return name


def check_text(text: str, subject: str) -> None:
    """Refuse text that no argument and no variable of a process can carry.

    Args:
        text: The text.
        subject: How the sentence begins that says what is wrong.

    Raises:
        PlanError: It holds a NUL byte, or half a character.
    """
    if "\0" in text:
        raise PlanError(f"{subject} holds a NUL byte; no program can be given one.")
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        half = text[error.start]
        raise PlanError(f"{subject} holds {half!r}, half of a character.") from None


def _value(name: str, value: object, where: str) -> str:
    text = _text(name, value, where)
    check_text(text, f"{name!r} in {where}")
    size = len(os.fsencode(name)) + len(text.encode("utf-8", "surrogateescape")) + 1
    if size > LONGEST and sys.platform == "linux":
        raise PlanError(
            f"{name!r} in {where} is {size:,} bytes long; Linux starts no program with a variable "
            f"of more than {LONGEST:,}. Put the value into a file and pass the file's name."
        )
    return text


def _text(name: str, value: object, where: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, (bytes, os.PathLike)):
        return os.fsdecode(value)
    if value is None:
        raise PlanError(
            f"{name!r} in {where} is None. Give it a text, '' for an empty one, or leave it out."
        )
    hint = f" Write {str(value)!r} or {str(int(value))!r}." if isinstance(value, bool) else ""
    raise PlanError(
        f"{name!r} in {where} is {shown(value)}, of type {type(value).__name__}; a variable's "
        f"value must be text.{hint}"
    )
