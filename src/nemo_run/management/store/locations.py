"""Where experiments lie outside of the home: a file ``locations`` in it, one folder a line."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

from nemo_run import shared_home

from . import layout
from .locks import locked


def bases() -> list[Path]:
    """Return every folder that may hold experiments, the home first; missing ones left out."""
    home = layout.home()
    found = [*map(Path, shared_home.others(str(home))), *_listed(home)]
    return [home, *(p for p in dict.fromkeys(found) if p != home and _is_open(p))]


def closed() -> list[Path]:
    """Return the folders of other users of a shared home that cannot be read."""
    return [p for p in map(Path, shared_home.others(str(layout.home()))) if not _is_open(p)]


def _is_open(base: Path) -> bool:
    """Whether the experiments of a folder can be looked at, or there are none yet."""
    inside = base / layout.EXPERIMENTS
    try:
        return base.is_dir() and (not inside.exists() or os.access(inside, os.R_OK | os.X_OK))
    except OSError:
        return False


def add(base: Path) -> None:
    """Remember a folder that holds experiments, so that they are found from everywhere.

    A home that cannot be written to is a warning: the experiment itself is safe where it is.
    """
    home = layout.home()
    if base in _listed(home):
        return
    try:
        _append(home / layout.LOCATIONS, base)
    except OSError as error:
        warnings.warn(
            f"Could not note in {home / layout.LOCATIONS} that {base} holds experiments "
            f"({error.strerror or error}); open them with base_dir={str(base)!r}.",
            stacklevel=2,
        )


def _append(path: Path, base: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        with locked(descriptor):
            present = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
            line = os.fsencode(base) + b"\n"
            if line in present.splitlines(keepends=True):
                return
            # A line cut short by a full disk or a lost power is ended before the next.
            torn = present and not present.endswith(b"\n")
            os.write(descriptor, b"\n" * bool(torn) + line)
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _listed(home: Path) -> list[Path]:
    try:
        lines = (home / layout.LOCATIONS).read_bytes().splitlines()
    except OSError:
        return []
    return list(dict.fromkeys(Path(os.fsdecode(line)) for line in lines if line.startswith(b"/")))
