"""Which logs a job has, and reading them while they grow.

Nothing here knows a terminal: pieces of logs come out, with the name of who wrote them.
"""

from __future__ import annotations

import dataclasses
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import CorruptRecordError, PlanError, StoreError
from nemo_run.execution.backend import LogFile
from nemo_run.execution.observation import State
from nemo_run.management.plans import holds, spec_of

from . import tail
from .arriving import Arrivals, Expected
from .ranks import Ranks, chosen_files, failed_ranks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus, JobStatus

_PATIENCE = 10
"""How many reads of one file may fail in a row: network file systems have bad moments."""


@dataclass(frozen=True)
class Piece:
    """Bytes of one log, and who wrote them.

    Attributes:
        job: The job's id.
        member: The member's name; the job's id where it is no group.
        attempt: Which try, from 1.
        rank: The process.
        data: What it wrote: whole lines, but for a line that never ends.
    """

    job: str
    member: str
    attempt: int
    rank: int
    data: bytes


def log_files(record: Record, job: str, attempt: int) -> list[LogFile]:
    """Return the logs that one attempt of a job has or will have, by member and rank.

    The backend that ran it is asked; where it is not installed here, what lies in the folder
    counts.
    """
    return _files_of(record, job, spec_of(record, job), attempt)


def _files_of(record: Record, job: str, spec: JobSpec | None, attempt: int) -> list[LogFile]:
    if spec is not None:
        from nemo_run.execution.registry import get_backend

        try:
            backend = get_backend(spec.backend)
        except (PlanError, ImportError):
            return _within(record, _listed(record.job_dir(job), attempt))
        asked = dataclasses.replace(spec, attempt=attempt)
        files = [file for file in backend.log_files(asked) if file.attempt == attempt]
        return _within(record, _moved(files, spec.directory, record.job_dir(job)))
    return _within(record, _listed(record.job_dir(job), attempt))


def _moved(files: list[LogFile], then: str, now: Path) -> list[LogFile]:
    """Return the logs where they are, should the experiment have been moved or copied."""
    if then == str(now):
        return files
    return [
        dataclasses.replace(file, path=str(now / Path(file.path).relative_to(then)))
        if Path(file.path).is_relative_to(then)
        else file
        for file in files
    ]


def _within(record: Record, files: list[LogFile]) -> list[LogFile]:
    """Return the logs; whoever wrote the record, no other file is read for one.

    Raises:
        CorruptRecordError: One lies outside of the record.
    """
    folders = {file.path.rpartition("/")[0] for file in files}
    wrong = next((folder for folder in folders if not holds(record, folder)), None)
    inside = f"{os.path.realpath(record.path)}/"
    # A link from one place in the record to another is as good as the file.
    led = [_without_link(file) for file in files]
    wrong = wrong or next(
        (
            file.path
            for file, real in zip(files, led, strict=True)
            if real is not file and not real.path.startswith(inside)
        ),
        None,
    )
    if wrong is None:
        return led
    raise CorruptRecordError(
        f"The logs of {record.id} are said to be in {wrong}, which leads to "
        f"{os.path.realpath(wrong)}, out of {record.path}. They are not read."
    )


def _without_link(file: LogFile) -> LogFile:
    if not Path(file.path).is_symlink():
        return file
    return dataclasses.replace(file, path=os.path.realpath(file.path))


def _listed(folder: Path, attempt: int) -> list[LogFile]:
    found = []
    root = folder / "logs" / str(attempt)
    for path in root.glob("**/rank-*.log"):
        rank = path.stem.removeprefix("rank-")
        if rank.isdecimal():
            member = path.parent.name if path.parent != root else folder.name
            found.append(LogFile(member, attempt, int(rank), str(path)))
    return sorted(found, key=lambda file: (file.member, file.rank))


@dataclass
class _Source:
    """One log that is being read."""

    job: str
    file: LogFile
    cursor: tail.Cursor
    lines: tail.Lines | None
    failures: int = 0
    trouble: OSError | None = None

    def piece(self, data: bytes) -> Piece:
        return Piece(self.job, self.file.member, self.file.attempt, self.file.rank, data)

    def read(self, end: int) -> Iterator[Piece]:
        """Give out what there is, until ``end`` was passed or nothing more came."""
        while True:
            before = self.cursor.offset
            data = self._bytes()
            if self.lines is not None:
                cut_short = self.lines.flush() if self.cursor.offset < before else b""
                whole = cut_short + self.lines.feed(data)
            else:
                whole = data
            if whole:
                yield self.piece(whole)
            if not data or self.cursor.offset >= end:
                return

    def flush(self) -> Iterator[Piece]:
        """Give out a last line that has no end."""
        rest = self.lines.flush() if self.lines is not None else b""
        if rest:
            yield self.piece(rest)

    def unreadable(self) -> StoreError:
        why = (self.trouble and self.trouble.strerror) or self.trouble
        return StoreError(f"The log {self.file.path} cannot be read: {why}.")

    def _bytes(self) -> bytes:
        try:
            data, self.cursor = tail.read(self.cursor)
        except OSError as error:
            self.trouble = error
            self.failures += 1
            if self.failures > _PATIENCE:
                raise self.unreadable() from error
            return b""
        self.trouble, self.failures = None, 0
        return data


@dataclass
class LogReader:
    """Reads the logs of some jobs, as far as they are, again and again.

    Attributes:
        record: The experiment.
        jobs: The ids of the jobs; each must exist.
        ranks: Which processes.
        attempt: One attempt only, or None for the one that runs now and those after it.
        all_attempts: Begin at the first attempt.
        whole_lines: Whether pieces end where lines end; needed when several logs are mixed.
        last_lines: Begin at the last so many lines of each log; None for all.
    """

    record: Record
    jobs: Sequence[str]
    ranks: Ranks = field(default_factory=Ranks)
    attempt: int | None = None
    all_attempts: bool = False
    whole_lines: bool = True
    last_lines: int | None = None

    def __post_init__(self) -> None:
        for job in self.jobs:
            self.record.job(job)
        self._open = list(self.jobs)
        self._first: dict[str, int] = {}
        self._sources: dict[tuple[str, int], list[_Source]] = {}
        self._ended: set[tuple[str, int]] = set()
        self._specs: dict[str, JobSpec | None] = {}
        self._arrivals = Arrivals(self.record)

    @property
    def behind(self) -> bool:
        """Whether there is output elsewhere that cannot be had now."""
        return self._arrivals.failing

    @property
    def ended(self) -> bool:
        """Whether every job has ended and its last byte was given out."""
        return not self._open

    def read(self, status: ExperimentStatus) -> Iterator[Piece]:
        """Give out everything that was written up to now.

        Args:
            status: The experiment's state, taken *before* this call: the logs of a job that
                has ended by then are read to their end and closed.
        """
        due = [one for job in self._open for one in self._due(job, status.jobs.get(job))]
        here = self._arrivals.are_here([expected for expected, _ in due])
        for expected, files in due:
            whole = expected.over and expected.key in here
            yield from self._read_attempt(status.jobs[expected.key[0]], expected, files, whole)
        for job in list(self._open):
            known = status.jobs.get(job)
            if known is None:
                continue
            over = known.state.terminal
            over = over or (self.attempt is not None and self.attempt < known.attempt)
            attempts = self._attempts(job, known)
            if over and all((job, attempt) in self._ended for attempt in attempts):
                self._open.remove(job)

    def _due(
        self, job: str, known: JobStatus | None
    ) -> Iterator[tuple[Expected, Sequence[LogFile]]]:
        """Yield the attempts of a job that are read now, each with its logs."""
        if known is None:
            return
        for attempt in self._attempts(job, known):
            if known.state is State.CREATED and attempt >= known.attempt:
                continue
            files = self._chosen(known, attempt)
            logs = frozenset((file.member, file.rank) for file in files)
            over = known.state.terminal or attempt < known.attempt
            yield Expected(self._specs[job], (job, attempt), logs, over), files

    def flush(self) -> Iterator[Piece]:
        """Give out last lines that have no end yet; for who will not read again.

        Raises:
            StoreError: A log is there and could not be read.
        """
        for sources in self._sources.values():
            for source in sources:
                yield from source.flush()
                if source.trouble is not None:
                    raise source.unreadable() from source.trouble

    def unfinished(self) -> list[Piece]:
        """Return the lines that have no end yet, as they look now."""
        return [
            source.piece(source.lines.rest)
            for sources in self._sources.values()
            for source in sources
            if source.lines is not None and source.lines.rest
        ]

    def _attempts(self, job: str, known: JobStatus) -> list[int]:
        if self.attempt is not None:
            return [self.attempt] if self.attempt <= known.attempt else []
        newest = 1 if self.all_attempts else max(known.attempt, 1)
        first = self._first.setdefault(job, newest)
        return [
            number
            for number in range(first, max(known.attempt, 1) + 1)
            if (job, number) not in self._ended
        ]

    def _read_attempt(
        self, known: JobStatus, expected: Expected, files: Sequence[LogFile], whole: bool
    ) -> Iterator[Piece]:
        job, attempt = expected.key
        sources = self._sources.setdefault((job, attempt), [])
        self._add_new(sources, files, known, attempt)
        # Sizes are taken once: a process that writes faster than its log is read, or one that
        # is left over from an ended job, must not keep the reader here for ever.
        ends = [_size(source.file.path) for source in sources]
        for source, end in zip(sources, ends, strict=True):
            yield from source.read(end)
        # A file that cannot be read now may be readable in a moment.
        if whole and all(source.trouble is None for source in sources):
            for source in sources:
                yield from source.flush()
            del self._sources[(job, attempt)]
            self._ended.add((job, attempt))

    def _chosen(self, known: JobStatus, attempt: int) -> list[LogFile]:
        job = known.id
        if self._specs.get(job) is None:
            self._specs[job] = spec_of(self.record, job)
        files = _files_of(self.record, job, self._specs[job], attempt)
        failed = failed_ranks(self.record, known, attempt) if self.ranks.failed else ()
        return chosen_files(files, self.ranks, failed)

    def _add_new(
        self, sources: list[_Source], files: Sequence[LogFile], known: JobStatus, attempt: int
    ) -> None:
        job = known.id
        seen = {source.file.path for source in sources}
        for file in files:
            if file.path in seen:
                continue
            cursor = tail.Cursor(file.path)
            if self.last_lines is not None and attempt == self._first.get(job, attempt):
                cursor = tail.start_of_last_lines(file.path, self.last_lines)
            lines = tail.Lines() if self.whole_lines else None
            sources.append(_Source(job, file, cursor, lines))


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def follow(
    reader: LogReader,
    *,
    status: Callable[[], ExperimentStatus],
    stop: Callable[[], bool] = lambda: False,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Piece]:
    """Give out logs as they are written, until every job has ended or ``stop()`` says so.

    Waits for jobs that have not begun and goes on over attempts.

    Args:
        reader: Which logs.
        status: Tells how the experiment stands; asked before each look at the files.
        stop: Asked after each look.
        wait: Called with the seconds until the next look.
    """
    pause = 0.05
    while True:
        quiet = True
        for piece in reader.read(status()):
            quiet = False
            yield piece
        if reader.ended or stop():
            return
        pause = min(pause * 1.5, 0.5) if quiet else 0.05
        wait(pause)


def watch(record: Record) -> Callable[[], ExperimentStatus]:
    """Return a function that tells how the experiment stands, reading only what is new."""
    from nemo_run.management.store.status import ExperimentStatus, replay

    journal = record.journal
    offset, status = 0, ExperimentStatus()

    def now() -> ExperimentStatus:
        nonlocal offset, status
        events, offset = journal.read(offset)
        if events:
            status = replay(events, status)
        return status

    return now
