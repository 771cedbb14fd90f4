"""What of an experiment travels, and what never does."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.exceptions import StoreError
from nemo_run.execution.folders import OUTPUTS
from nemo_run.management.store import copies, layout, names
from nemo_run.management.store.advice import explained
from nemo_run.management.store.files import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nemo_run.management.store.record import Record

PIECE = 1 << 20

# Who is told what is a matter of the machine where it runs, and addresses may hold tokens.
_OF_THIS_PLACE = frozenset(
    {copies.MARK, "push.json", "push.log", "look.json"}
    | {"hooks.json", "hooks.log", "hooks.cursor.json"}
)
_SECRETS = "secrets"
_CODE = "code"
_LONGEST_NAME = 255
_DEEPEST = 40


@dataclass(frozen=True)
class Part:
    """One file of an experiment as it is at one moment.

    Attributes:
        path: Relative to the experiment, with ``/``.
        source: Where it lies.
        size: How many of its bytes count: those of a file that grows, as many as there were.
        executable: Whether its owner may run it.
        changed: When it was changed, in nanoseconds since the epoch.
    """

    path: str
    source: Path
    size: int
    executable: bool
    changed: int


def parts(record: Record, *, outputs: bool = False) -> list[Part]:
    """Return the files of an experiment that travel; first ``experiment.json`` and the journal.

    What the journal says is in the other files already: they are looked at after it.

    Args:
        record: The experiment.
        outputs: Also what its jobs left in ``NEMORUN_OUTPUT_DIR``, as far as it is here.

    Raises:
        StoreError: Something cannot be read.
    """
    first = [layout.META, layout.JOURNAL]
    left_out = set() if outputs else set(_output_folders(record))
    found = [part for name in first if (part := _part(record, name))]
    for path in _walk(record.path, left_out):
        part = None if path in first else _part(record, path)
        if part is not None:
            found.append(part)
    return found


def travels(path: str) -> bool:
    """Whether a file of this path, relative to its experiment, is ever part of an archive."""
    steps = path.split("/")
    if any(step.startswith(".") for step in steps) or _SECRETS in steps[:-1]:
        return False
    if steps[-1].endswith(".lock") or (len(steps) == 1 and path in _OF_THIS_PLACE):
        return False
    # The code of a job is kept as a git tree.
    return not (len(steps) > 3 and steps[0] == layout.JOBS and steps[2] == _CODE)


def is_safe(path: str) -> bool:
    """Whether a path that somebody else wrote names a file below the folder it is meant for."""
    steps = path.split("/")
    if not path or len(steps) > _DEEPEST or any(c in path for c in "\0\\\n\r"):
        return False
    return not any(
        step in {"", ".", ".."} or len(step.encode("utf-8", "surrogateescape")) > _LONGEST_NAME
        for step in steps
    )


def read(part: Part) -> Iterator[bytes]:
    """Yield the bytes of a file that count.

    Raises:
        StoreError: It cannot be read, or has become shorter meanwhile.
    """
    left = part.size
    try:
        with os.fdopen(open_file(part.source, os.O_RDONLY), "rb") as file:
            while left:
                piece = file.read(min(PIECE, left))
                if not piece:
                    break
                left -= len(piece)
                yield piece
    except OSError as error:
        raise explained("read", part.source, error) from error
    if left:
        raise StoreError(
            f"{part.source} became {left} bytes shorter while it was read: somebody writes it anew."
            " Try again; nothing was made."
        )


def _walk(top: Path, left_out: set[str]) -> Iterator[str]:
    def failed(error: OSError) -> None:
        raise explained("read the folder", error.filename or top, error) from error

    for folder, below, files in os.walk(top, onerror=failed):
        inside = os.path.relpath(folder, top)
        start = "" if inside == "." else f"{inside}/"
        below[:] = sorted(
            name
            for name in below
            if f"{start}{name}" not in left_out
            and travels(f"{start}{name}/x")
            and not os.path.islink(f"{folder}/{name}")  # noqa: PTH114
        )
        yield from (f"{start}{name}" for name in sorted(files) if travels(f"{start}{name}"))


def _part(record: Record, path: str) -> Part | None:
    """Return a plain file; None for a link, a pipe, or one that is gone again."""
    source = record.path / path
    try:
        descriptor = open_file(source, os.O_RDONLY)
    except PermissionError as error:
        raise explained("read", source, error) from error
    except OSError:
        return None
    try:
        info = os.fstat(descriptor)
        size = info.st_size
        if path == layout.JOURNAL:
            size = _whole_lines(descriptor, size)
    finally:
        os.close(descriptor)
    return Part(path, source, size, bool(info.st_mode & 0o100), info.st_mtime_ns)


def _whole_lines(descriptor: int, size: int) -> int:
    """Return where the last line ends that is whole."""
    end = size
    while end:
        start = max(0, end - 65536)
        at = os.pread(descriptor, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _output_folders(record: Record) -> Iterator[str]:
    for job in record.jobs:
        folder = f"{layout.JOBS}/{names.folder(str(job['id']), 'job name')}"
        members = job.get("members")
        listed = members if isinstance(members, list) else []
        if job.get("group"):
            named = [one.get("name") for one in listed if isinstance(one, dict)]
            yield from (f"{folder}/{name}/{OUTPUTS}" for name in named)
        else:
            yield f"{folder}/{OUTPUTS}"
