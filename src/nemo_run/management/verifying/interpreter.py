"""Whether the Python of then and its packages are there."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.management.capture import packages as captured

from .check import Check, is_there, some

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nemo_run.management.store.record import Record


def python(record: Record) -> Check:
    """Say whether the interpreter of then is there, and whether it is the same."""
    said = record.meta.get("python")
    known = said if isinstance(said, dict) else {}
    version, path = str(known.get("version") or ""), str(known.get("executable") or "")
    here = f"Python {platform.python_version()} ({sys.executable})"
    if not path:
        return Check("python", "amber", f"The record does not say which Python; now it is {here}.")
    if not is_there(path, _runs):
        return Check(
            "python",
            "amber",
            f"Python {version} in {path} is not there; it would be run with {here}.",
            f"Make an environment with Python {version} and run `nemo-run` from it.",
        )
    if is_there(path, _is_this) and version != platform.python_version():
        says = f"{path} was Python {version} and is {platform.python_version()}."
        return Check("python", "amber", says, f"Install Python {version} if that matters.")
    if is_there(path, _is_this):
        return Check("python", "green", f"It is this one, Python {version} in {path}.")
    return Check("python", "green", f"{path}, which was Python {version}, is there.")


def packages(record: Record) -> Check:
    """Say how the installed packages differ from those of then."""
    then = captured.of(record)
    if not then:
        where = [str(path) for path in captured.places(record)]
        why = f"their table, {where[0]}, is not there" if where else "the record has no table"
        advice = "Copy it from the home of the experiment." if where else ""
        return Check("packages", "amber", f"Nobody knows which there were: {why}.", advice)
    now, where_now = _installed(record)
    changed = [f"{n} {v} → {now[n]}" for n, v in then.items() if n in now and now[n] != v]
    gone = [f"{name} {version} is gone" for name, version in then.items() if name not in now]
    new = len(now.keys() - then.keys())
    if not changed and not gone:
        more = f", and {new} more" if new else ""
        says = f"All {len(then)} packages of then are in {where_now}{more}."
        return Check("packages", "green", says)
    says = f"{len(changed) + len(gone)} of {len(then)} differ in {where_now}: "
    wanted = [f"{n}=={v}" for n, v in then.items() if now.get(n) != v]
    advice = f"Install those of then, if that matters: pip install {' '.join(wanted[:5])}"
    more = f" … ({len(wanted)} in all, listed by `show --json`)" if len(wanted) > 5 else ""
    return Check("packages", "amber", f"{says}{some(changed + gone)}.", advice + more)


def _installed(record: Record) -> tuple[Mapping[str, str], str]:
    """Return the packages of the Python that would run it, and what to call that.

    The one that the record names is looked at and not started: a record may name any program.
    """
    said = record.meta.get("python")
    path = Path(str(said.get("executable") or "")) if isinstance(said, dict) else Path()
    if not is_there(path, _is_this) and is_there(path, _runs):
        folders = sorted(map(str, path.parent.parent.glob("lib/python3*/*-packages")))
        found = captured.installed(folders)
        if found:
            return found, str(path)
    return captured.installed(sys.path), sys.executable


def _runs(path: str) -> bool:
    return os.access(path, os.X_OK)


def _is_this(path: str) -> bool:
    """Whether a path is our own interpreter, under whichever of its names (python, python3.11)."""
    # In a virtual environment it is a link to one outside, so the folder tells environments apart.
    same_folder = os.path.dirname(os.path.abspath(path)) == os.path.dirname(sys.executable)  # noqa: PTH100, PTH120
    return same_folder and os.path.realpath(path) == os.path.realpath(sys.executable)
