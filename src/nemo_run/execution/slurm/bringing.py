"""Copying what a job has left on the target into its record, by byte offset."""

from __future__ import annotations

import glob
import os
import posixpath
import re
import tempfile
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.execution.folders import attempt_folder, log_file

from .connections import ask, host_of, tunnel_of
from .handles import LOCAL

if TYPE_CHECKING:
    from collections.abc import Collection

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.remote import Event

_TAIL = 4096
"""How many bytes before the end of a mirror tell whether the file is still the same."""


def bring(spec: JobSpec, folder: str, logs: Collection[tuple[str, int]] | None) -> None:
    """Copy what an attempt has left into the job's folder in the record.

    Args:
        spec: The job; ``spec.attempt`` is the attempt.
        folder: The job's folder in the record.
        logs: Member and rank of the logs to bring; None for how it ended and its results.

    Raises:
        BackendError: The target cannot be reached.
    """
    if host_of(spec.options) == LOCAL and os.path.realpath(folder) == os.path.realpath(
        spec.directory
    ):
        return
    if logs is None:
        _bring_folder(spec, folder)
    elif logs:
        members = {member.name: member for member in spec.members}
        wanted = [log_file(spec, members[name], rank) for name, rank in logs if name in members]
        _bring_files(spec, wanted, folder)


def _in_record(spec: JobSpec, path: str, folder: str) -> Path:
    return Path(folder, os.path.relpath(path, spec.directory))


def _bring_files(spec: JobSpec, paths: list[str], folder: str) -> None:
    """Append what is new in files that grow.

    Every piece is written at its own place, so that two who do this at once, or one who was cut
    off before, leave neither a gap nor a repeat.
    """
    mirrors = [_in_record(spec, path, folder) for path in paths]
    for parent in {mirror.parent for mirror in mirrors}:
        atomic.make_folder(parent)
    opened = [_open(mirror) for mirror in mirrors]
    try:
        files = [[p, *_standing(file)] for p, file in zip(paths, opened, strict=True)]

        def take(event: Event) -> None:
            file = opened[event.value["file"]]
            if event.value["again"]:
                os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), event.data, event.value["offset"])

        ask(tunnel_of(spec.options), {"op": "tail", "files": files}, on_event=take)
    finally:
        for file in opened:
            file.close()


def _open(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", 0)


def _standing(file: IO[bytes]) -> tuple[int, int]:
    """Return how far a mirror has come, and the checksum of its last bytes."""
    size = os.fstat(file.fileno()).st_size
    start = max(0, size - _TAIL)
    return size, zlib.crc32(os.pread(file.fileno(), size - start, start))


def _bring_folder(spec: JobSpec, folder: str) -> None:
    """Copy the files of an attempt, and what sbatch printed, where they are new or have changed."""
    mirror = atomic.make_folder(folder)
    there = _in_record(spec, attempt_folder(spec), folder)
    outputs = [(pattern, _below(spec, pattern)) for pattern in _patterns(spec)]
    kept = [
        *there.rglob("*"),
        *(one for _, name in outputs for one in Path(folder, name).glob("*")),
    ]
    known = {
        str(path.relative_to(mirror)): [(stat := path.stat()).st_size, stat.st_mtime_ns]
        for path in kept
        if path.is_file()
    }
    coming: dict[str, IO[bytes]] = {}

    def take(event: Event) -> None:
        name = str(event.value["name"])
        if event.value["offset"] == 0:
            _drop(coming.pop(name, None))
            coming[name] = _temporary(mirror, name)
        coming[name].write(event.data)
        if event.value["last"]:
            _keep(coming.pop(name), mirror / name, event.value["mtime"])

    try:
        request: dict[str, Any] = {"op": "collect", "folder": attempt_folder(spec)}
        request |= {"root": spec.directory, "known": known, "outputs": outputs}
        ask(tunnel_of(spec.options), request, on_event=take)
    finally:
        for file in coming.values():
            _drop(file)


def _patterns(spec: JobSpec) -> list[str]:
    """Return where sbatch's own output goes; what Slurm fills in, as ``*``."""
    from .layout import batch_output

    if "job_details" not in spec.options:
        return []
    names = {batch_output(spec, which) for which in ("stdout", "stderr")}
    return sorted(re.sub(r"%%|%\d*[A-Za-z]", _filled, glob.escape(name)) for name in names)


def _filled(found: re.Match[str]) -> str:
    return "%" if found[0] == "%%" else "*"


def _below(spec: JobSpec, pattern: str) -> str:
    """Return the folder of the record for what matches a pattern: the same one, if it has that."""
    name = posixpath.relpath(posixpath.dirname(pattern), glob.escape(spec.directory))
    return "." if name.startswith("..") or glob.has_magic(name) else name


def _temporary(mirror: Path, name: str) -> IO[bytes]:
    # The names come from another machine.
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{name!r} leads out of {mirror}")
    parent = atomic.make_folder((mirror / name).parent)
    return tempfile.NamedTemporaryFile(prefix=".bring.", dir=parent, delete=False)


def _keep(file: IO[bytes], path: Path, mtime: int) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
    os.utime(file.name, ns=(mtime, mtime))
    Path(file.name).replace(path)


def _drop(file: IO[bytes] | None) -> None:
    if file is not None:
        file.close()
        Path(file.name).unlink(missing_ok=True)
