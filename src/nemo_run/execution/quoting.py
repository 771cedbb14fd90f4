"""User text in a shell script: quoted here and nowhere else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_SHELLS_OWN = frozenset(
    {"_", "DIRSTACK", "ENV", "EPOCHREALTIME", "EPOCHSECONDS", "EUID", "FUNCNAME", "GROUPS"}
    | {"HISTCMD", "IFS", "LINENO", "OLDPWD", "OPTARG", "OPTERR", "OPTIND", "PPID", "PS1", "PS2"}
    | {"PS3", "PS4", "PWD", "RANDOM", "SECONDS", "SHELLOPTS", "SHLVL", "SRANDOM", "UID"}
)


def quote(text: str) -> str:
    """Return ``text`` as one word of a POSIX shell, whatever it holds but NUL."""
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def words(texts: Iterable[str]) -> str:
    """Return texts as words of one command line."""
    return " ".join(map(quote, texts))


def is_variable(name: str) -> bool:
    """Return whether a shell can hold a variable of this name, and gives it no meaning of its own.

    Others reach a program through env(1).
    """
    return bool(_NAME.fullmatch(name)) and name not in _SHELLS_OWN and not name.startswith("BASH")
