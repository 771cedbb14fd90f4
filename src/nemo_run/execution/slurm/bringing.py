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
from nemo_run.exceptions import BackendError
from nemo_run.execution.folders import METRICS, attempt_folder, log_file, metrics_file

from .connections import ask, host_of, tunnel_of
from .handles import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.backend import Wanted
    from nemo_run.execution.jobspec import JobSpec, Token
    from nemo_run.remote import Event

_TAIL = 4096
"""How many bytes before the end of a mirror tell whether the file is still the same."""


def bring(wanted: Sequence[Wanted]) -> dict[Token, Exception]:
    """Copy what attempts have left into the record, those of one cluster in one call.

    Args:
        wanted: What of which attempts, and where to.

    Returns:
        Why, for those of which something could not be brought.
    """
    by_host: dict[str, list[Wanted]] = {}
    for one in wanted:
        host = host_of(one.spec.options)
        if host != LOCAL or not _is_same(one.folder, one.spec.directory):
            by_host.setdefault(host, []).append(one)
    failed: dict[Token, Exception] = {}
    for theirs in by_host.values():
        call = _Call()
        try:
            call.run(theirs)
        except BackendError as error:
            failed.update({one.spec.token: error for one in theirs})
        failed.update(call.failed)
    return failed


def _is_same(folder: str, other: str) -> bool:
    return os.path.realpath(folder) == os.path.realpath(other)


class _Call:
    """One call of the agent, and the files that it fills.

    They come one after the other, so one is open at a time.

    Attributes:
        failed: Why some jobs could not be brought.
    """

    def __init__(self) -> None:
        self.failed: dict[Token, Exception] = {}
        self._folders: list[Wanted] = []
        # The log's job, its path on the target, and its copy.
        self._logs: list[tuple[Wanted, str, Path]] = []
        self._coming: IO[bytes] | None = None
        self._log: tuple[int, IO[bytes]] | None = None

    def run(self, wanted: Sequence[Wanted]) -> None:
        """Bring what is wanted of jobs on one cluster.

        Raises:
            BackendError: The cluster cannot be reached.
        """
        for one in wanted:
            if one.logs is None:
                self._folders.append(one)
            else:
                self._logs += [(one, path, _in_record(one, path)) for path in _paths(one)]
        # What grows with the job and is small: whoever asks for anything has it up to now.
        self._logs += [
            (one, path, _in_record(one, path))
            for one in wanted
            for path in map(metrics_file, one.spec.members)
        ]
        request = {
            "op": "bring",
            "folders": [_folder(one) for one in self._folders],
            "files": [[path, *_standing(mirror)] for _, path, mirror in self._logs],
        }
        try:
            ask(tunnel_of(wanted[0].spec.options), request, on_event=self._take)
        finally:
            _drop(self._coming)
            if self._log is not None:
                self._log[1].close()

    def _take(self, event: Event) -> None:
        is_log = "file" in event.value
        number = event.value["file" if is_log else "folder"]
        one = self._logs[number][0] if is_log else self._folders[number]
        if "error" in event.value:
            host = tunnel_of(one.spec.options).key
            self.failed[one.spec.token] = BackendError(f"{host}: {event.value['error']}")
            return
        try:
            if is_log:
                self._append(number, event)
            else:
                self._write(one, event)
        except (OSError, ValueError) as error:
            # A disk that is full here says nothing about the others' files.
            self.failed[one.spec.token] = error

    def _append(self, number: int, event: Event) -> None:
        """Add to a log, at its place.

        So two who do this at once, or one who was cut off before, leave neither a gap nor a
        repeat.
        """
        if self._log is None or self._log[0] != number:
            if self._log is not None:
                self._log[1].close()
                self._log = None
            self._log = number, _open(self._logs[number][2])
        file = self._log[1]
        if event.value["again"]:
            os.ftruncate(file.fileno(), 0)
        os.pwrite(file.fileno(), event.data, event.value["offset"])

    def _write(self, one: Wanted, event: Event) -> None:
        """Fill a file beside the one it replaces when it is whole."""
        name = str(event.value["name"])
        mirror = Path(one.folder)
        if event.value["offset"] == 0:
            _drop(self._coming)
            self._coming = None
            self._coming = _temporary(mirror, name)
        if self._coming is None:
            return  # it could not be opened, which was said
        _write_all(self._coming, event.data)
        if event.value["last"]:
            whole, self._coming = self._coming, None
            _keep(whole, mirror / name, event.value["mtime"])


def _in_record(one: Wanted, path: str) -> Path:
    return Path(one.folder, os.path.relpath(path, one.spec.directory))


def _paths(one: Wanted) -> list[str]:
    members = {member.name: member for member in one.spec.members}
    return [
        log_file(one.spec, members[name], rank) for name, rank in one.logs or () if name in members
    ]


def _open(path: Path) -> IO[bytes]:
    atomic.make_folder(path.parent)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b", 0)


def _standing(path: Path) -> tuple[int, int]:
    """Return how far a mirror has come, and the checksum of its last bytes."""
    try:
        with path.open("rb", 0) as file:
            size = os.fstat(file.fileno()).st_size
            start = max(0, size - _TAIL)
            return size, zlib.crc32(os.pread(file.fileno(), size - start, start))
    except FileNotFoundError:
        return 0, 0


def _folder(one: Wanted) -> dict[str, Any]:
    """Return what the agent needs to know to send an attempt, and what sbatch printed."""
    spec, mirror = one.spec, atomic.make_folder(one.folder)
    found = [*_patterns(spec), *_metrics_of_ranks(spec)]
    outputs = [(pattern, _below(spec, pattern)) for pattern in found]
    kept = [
        *_in_record(one, attempt_folder(spec)).rglob("*"),
        *(found for _, name in outputs for found in Path(mirror, name).glob("*")),
    ]
    known = {
        str(path.relative_to(mirror)): [(stat := path.stat()).st_size, stat.st_mtime_ns]
        for path in kept
        if path.is_file()
    }
    return {
        "folder": attempt_folder(spec),
        "root": spec.directory,
        "known": known,
        "outputs": outputs,
    }


def _patterns(spec: JobSpec) -> list[str]:
    """Return where sbatch's own output goes; what Slurm fills in, as ``*``."""
    from .layout import batch_output

    if "job_details" not in spec.options:
        return []
    names = {batch_output(spec, which) for which in ("stdout", "stderr")}
    return sorted(re.sub(r"%%|%\d*[A-Za-z]", _filled, glob.escape(name)) for name in names)


def _metrics_of_ranks(spec: JobSpec) -> list[str]:
    """Return where processes other than rank 0 keep metrics, those that do."""
    begin, end = METRICS.split(".")
    return [f"{glob.escape(member.directory)}/{begin}.rank-*.{end}" for member in spec.members]


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
    # Without a buffer: one that a full disk does not take would be written again when it is closed.
    return tempfile.NamedTemporaryFile(prefix=".bring.", dir=parent, delete=False, buffering=0)


def _write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


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
