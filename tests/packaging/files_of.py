"""What is in a folder, for comparing."""

from __future__ import annotations

import os
from pathlib import Path


def on_disk(folder: Path) -> dict[bytes, object]:
    """Return path → bytes of each file, ``(bytes,)`` if executable, ``->target`` of links."""
    found: dict[bytes, object] = {}
    top = os.fsencode(folder)
    for where, folders, names in os.walk(top):
        for name in [*names, *folders]:
            path = os.path.join(where, name)
            key = os.path.relpath(path, top)
            if os.path.islink(path):
                found[key] = b"->" + os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    content = file.read()
                found[key] = (content,) if os.stat(path).st_mode & 0o100 else content
    return found


def state_of(folder: Path) -> dict[str, tuple[object, ...]]:
    """Return everything of a folder that writing to it would change."""
    found: dict[str, tuple[object, ...]] = {}
    for where, _, names in os.walk(folder):
        for name in ["", *names]:
            path = os.path.join(where, name)
            status = os.lstat(path)
            content = Path(path).read_bytes() if os.path.isfile(path) else b""
            found[path] = (status.st_mtime_ns, status.st_mode, status.st_ino, content)
    return found
