"""The names of functions and classes in files.

A file is read by more programs than the one that wrote it, so the launching script stands in it
by the name that others import it by, not as ``__main__``.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any

from nemo_run.config.graph.program import MAIN, own_name
from nemo_run.exceptions import ConfigError, nearest


def importable(name: str) -> str:
    """Return the ``module:qualname`` under which every program finds what has this name here."""
    module, colon, qualname = name.partition(":")
    return f"{own_name() or MAIN}{colon}{qualname}" if module == MAIN else name


def meant(name: str, taker: Any) -> str:
    """Return the ``module:qualname`` that one in a file means here.

    Args:
        name: The name. What it calls ``__main__`` may be another program than this one.
        taker: The function or class that what it names is for; what the program does not have
            may be in its module.

    Raises:
        ConfigError: It has no module, and is no name of Python's own.
    """
    module, colon, qualname = name.partition(":")
    home = getattr(taker, "__module__", None)
    if module == MAIN and not _has(MAIN, qualname) and _has(home, qualname):
        return f"{home}:{qualname}"
    if colon and module == "builtins" and not _has(module, qualname):
        raise ConfigError(_without_module(qualname, home))
    return name


def _has(module: str | None, qualname: str) -> bool:
    found: Any = sys.modules.get(module or "")
    for part in qualname.split("."):
        found = getattr(found, part, None)
    return found is not None


def _without_module(name: str, home: str | None) -> str:
    shown = importable(home or "package.module")
    if _has(home, name):
        return f"{name!r} has no module before it. Write {shown}.{name}."
    known = [*vars(sys.modules.get(home or "", builtins)), *vars(builtins)]
    return (
        f"{name!r} has no module before it, and Python itself has no {name!r}."
        f"{nearest(name, known)} Write {shown}.Name."
    )
