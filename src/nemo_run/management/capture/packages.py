"""The packages of the launching Python: one file for each set of them, named by its digest.

Many experiments are run with the same packages, so the table is stored once in
``$NEMORUN_HOME/packages/<sha256>.json``, and an experiment names it by the digest of that file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.management.store import layout
from nemo_run.management.store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from nemo_run.management.store.record import Record

FOLDER = "packages"

_ALGORITHM = "sha256:"
_DIGEST = re.compile(rf"{_ALGORITHM}([0-9a-f]{{64}})")


def installed(folders: Iterable[str]) -> dict[str, str]:
    """Return the version of each installed package.

    The names of the ``*.dist-info`` folders say both, so that no file is opened
    (https://packaging.python.org/en/latest/specifications/recording-installed-packages/).

    Args:
        folders: Where to look, first come first served; ``sys.path``.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for entry in _names(folder):
            stem, dot, kind = entry.rpartition(".")
            name, dash, version = stem.partition("-")
            if dot and dash and kind in {"dist-info", "egg-info"}:
                # An egg's version is followed by that of Python: old-0.1-py3.11.egg-info.
                found.setdefault(name.replace("_", "-").lower(), version.partition("-")[0])
    return dict(sorted(found.items()))


def kept(found: Mapping[str, str]) -> dict[str, Any]:
    """Store a table of packages, unless it is there, and return what a record says of it.

    Args:
        found: Name → version.

    Returns:
        ``digest`` and ``count``; the table itself where the file cannot be written, so that
        nothing is lost.
    """
    content = _content(found)
    digest = hashlib.sha256(content).hexdigest()
    path = layout.home() / FOLDER / f"{digest}.json"
    try:
        if not _holds(path, content):
            atomic.make_folder(path.parent)
            # Of two processes that do this at once, the second puts the same bytes there.
            atomic.write_bytes(path, content)
    except OSError:
        return dict(found)
    return {"digest": f"{_ALGORITHM}{digest}", "count": len(found)}


def of(record: Record) -> dict[str, str]:
    """Return the packages of the Python that launched an experiment: name → version.

    Empty where they are not known: the record says nothing of them, or the file that it names is
    not there or damaged. Records of earlier versions hold the table itself.

    Raises:
        StoreError: ``experiment.json`` cannot be read.
    """
    said = record.meta.get("packages")
    if not isinstance(said, dict):
        return {}
    if digest_of(said) is None:
        return _table(said)
    return next((found for path in places(record) if (found := _read(path))), {})


def count(record: Record) -> int:
    """Return how many packages there were, from the record alone; 0 where it does not say."""
    said = record.meta.get("packages")
    if not isinstance(said, dict):
        return 0
    if digest_of(said) is None:
        return len(_table(said))
    told = said.get("count")
    return told if type(told) is int and told > 0 else 0


def digest_of(said: object) -> str | None:
    """Return the digest that a record's ``packages`` name, 64 hexadecimal digits; None if none."""
    named = said.get("digest") if isinstance(said, dict) else None
    match = _DIGEST.fullmatch(named) if isinstance(named, str) else None
    return match[1] if match else None


def places(record: Record) -> list[Path]:
    """Return where the table of a record may lie: beside its experiments, or in this home."""
    digest = digest_of(record.meta.get("packages"))
    if digest is None:
        return []
    # <base>/experiments/<title>/<id>: that base may be another one's home.
    bases = dict.fromkeys([*record.path.parents[2:3], layout.home()])
    return [base / FOLDER / f"{digest}.json" for base in bases]


def _content(found: Mapping[str, str]) -> bytes:
    return (json.dumps(dict(sorted(found.items())), indent=1) + "\n").encode()


def _holds(path: Path, content: bytes) -> bool:
    try:
        return read_file(path) == content
    except FileNotFoundError:
        return False


def _read(path: Path) -> dict[str, str]:
    """Return the table in a file; nothing where it is not the one that its name says."""
    try:
        content = read_file(path)
        if hashlib.sha256(content).hexdigest() != path.stem:
            return {}
        return _table(json.loads(content))
    except (OSError, ValueError, RecursionError):
        return {}


def _table(said: object) -> dict[str, str]:
    if not isinstance(said, dict):
        return {}
    return {name: version for name, version in said.items() if isinstance(version, str)}


def _names(folder: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            return [entry.name for entry in entries]
    except OSError:
        return []
