"""Reading ``metrics.jsonl``, as far as it is, again and again."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import PlanError
from nemo_run.execution.folders import METRICS
from nemo_run.management.store import names
from nemo_run.management.store.files import open_file

if TYPE_CHECKING:
    from pathlib import Path

    from nemo_run.management.store.record import Record

MOST_POINTS = 2000
"""So many points of a series are kept at least; of more than twice as many every second one."""

MOST_NAMES = 1000
_MANY_NAMES = 100
"""From here on, series share the room that so many have."""

_PIECE = 1 << 20
_LONGEST_LINE = 1 << 20
_OWN = frozenset({"step", "time"})


@dataclass
class Series:
    """The values of one name, by step.

    Attributes:
        name: What the job calls it.
        count: How many values were logged; more than there are points in a long series.
        last: The value that was logged last.
        last_step: The step of that one.
        least: The least of all values; NaN where none is a number.
        most: The greatest.
    """

    name: str
    count: int = 0
    last: float = math.nan
    last_step: float = 0
    least: float = math.nan
    most: float = math.nan
    _points: dict[float, tuple[float, float]] = field(default_factory=dict, repr=False)
    _every: int = field(default=1, repr=False)
    _final: tuple[float, tuple[float, float]] | None = field(default=None, repr=False)

    @property
    def steps(self) -> list[float]:
        """The steps, in order; each once."""
        return [step for step, _, _ in self.points()]

    @property
    def values(self) -> list[float]:
        """The value of each step: the one that was logged last for it."""
        return [value for _, value, _ in self.points()]

    @property
    def times(self) -> list[float]:
        """When each was logged, in seconds since the epoch."""
        return [when for _, _, when in self.points()]

    def points(self) -> list[tuple[float, float, float]]:
        """Return step, value and time of each point, by step."""
        found = dict(self._points)
        if self._final is not None:
            found[self._final[0]] = self._final[1]
        return [(step, *found[step]) for step in sorted(found)]

    def add(self, step: float | None, value: float, when: float, room: int = MOST_POINTS) -> None:
        """Take a value in, in the order in which they were logged.

        Args:
            step: Where in the run; None: the number of the value.
            value: The number.
            when: Seconds since the epoch.
            room: How many points are kept at least.
        """
        where = float(self.count) if step is None else step
        if where == int(where):
            where = int(where)
        number, self.count = self.count, self.count + 1
        self.last, self.last_step = value, where
        if not math.isnan(value):
            self.least = value if math.isnan(self.least) else min(self.least, value)
            self.most = value if math.isnan(self.most) else max(self.most, value)
        self._final = where, (value, when)
        if number % self._every == 0 or where in self._points:
            self._points[where] = value, when
            if len(self._points) > 2 * room:
                self._thin()

    def _thin(self) -> None:
        kept = sorted(self._points)[::2]
        self._points = {step: self._points[step] for step in kept}
        self._every *= 2


@dataclass
class Metrics:
    """What one process of a job has logged so far.

    Attributes:
        path: The file.
        series: By name, in the order in which they appeared.
        lines: How many lines were understood.
        odd: How many were not.
    """

    path: Path
    series: dict[str, Series] = field(default_factory=dict)
    lines: int = 0
    odd: int = 0
    _offset: int = field(default=0, repr=False)
    _rest: bytes = field(default=b"", repr=False)
    _skipping: bool = field(default=False, repr=False)
    _file: tuple[int, int] = field(default=(0, 0), repr=False)

    def __bool__(self) -> bool:
        return bool(self.series)

    @property
    def names(self) -> list[str]:
        """What was logged, in the order in which it appeared."""
        return list(self.series)

    def last(self) -> dict[str, float]:
        """Return the value of each name that was logged last."""
        return {name: series.last for name, series in self.series.items()}

    def update(self) -> bool:
        """Read what was added to the file; say whether there was anything.

        A file that is not there, or not to be read, has nothing in it.
        """
        try:
            descriptor = open_file(self.path, os.O_RDONLY)
        except OSError:
            return False
        with os.fdopen(descriptor, "rb", 0) as file:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) != self._file or found.st_size < self._offset:
                self._begin((found.st_dev, found.st_ino))
            file.seek(self._offset)
            start, left = self._offset, found.st_size - self._offset
            while left > 0 and (piece := file.read(min(_PIECE, left))):
                left -= len(piece)
                self._offset += len(piece)
                self._feed(piece)
        return self._offset > start

    def _begin(self, file: tuple[int, int]) -> None:
        self.series.clear()
        self.lines = self.odd = self._offset = 0
        self._rest, self._skipping, self._file = b"", False, file

    def _feed(self, piece: bytes) -> None:
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line:
                self._take(line)
        if len(self._rest) > _LONGEST_LINE:
            self._rest, self._skipping = b"", True
            self.odd += 1

    def _take(self, line: bytes) -> None:
        try:
            document = json.loads(line)
        except (ValueError, RecursionError):
            self.odd += 1
            return
        if not isinstance(document, dict):
            self.odd += 1
            return
        self.lines += 1
        step, when = number(document.get("step")), number(document.get("time"))
        if step is not None and not math.isfinite(step):
            step = None
        room = MOST_POINTS * _MANY_NAMES // max(len(self.series), _MANY_NAMES)
        for name, found in document.items():
            value = number(found)
            if name in _OWN or value is None:
                continue
            series = self.series.get(name)
            if series is None:
                if len(self.series) >= MOST_NAMES:
                    continue
                series = self.series[name] = Series(name)
            series.add(step, value, when if when is not None else math.nan, room)


_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def number(value: Any) -> float | None:
    """Return the number that a line has for a name; None where it has none."""
    if isinstance(value, str):
        return _SPECIAL.get(value)
    if not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def read(record: Record, job: str, member: str | None = None, rank: int = 0) -> Metrics:
    """Return what a job has logged so far, as the record has it.

    Args:
        record: The experiment.
        job: The job's id.
        member: Which member of a group; by default the first that has logged anything.
        rank: Which process.
    """
    paths = [_file(folder, rank) for folder in _folders(record, job, member).values()]
    found = Metrics(next((path for path in paths if path.is_file()), paths[0]))
    found.update()
    return found


def metrics_files(record: Record, job: str) -> dict[tuple[str, int], Path]:
    """Return the files of metrics that a job has, by member and rank."""
    found = {}
    for member, folder in _folders(record, job, None).items():
        begin, end = METRICS.split(".")
        for path in folder.glob(f"{begin}.rank-*.{end}"):
            rank = path.name[len(f"{begin}.rank-") : -len(f".{end}")]
            if rank.isdecimal():
                found[member, int(rank)] = path
        if (folder / METRICS).is_file():
            found[member, 0] = folder / METRICS
    return dict(sorted(found.items()))


def _file(folder: Path, rank: int) -> Path:
    if rank == 0:
        return folder / METRICS
    return folder / METRICS.replace(".jsonl", f".rank-{rank}.jsonl")


def _folders(record: Record, job: str, member: str | None) -> dict[str, Path]:
    """Return the folder of each member of a job that is asked for."""
    document, folder = record.job(job), record.job_dir(job)
    if not document.get("group"):
        return {job: folder}
    listed = document.get("members")
    known = [
        str(one["name"])
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]
    wanted = [name for name in known if _is_folder_name(name) and member in (None, name)]
    return {name: folder / name for name in wanted} or {job: folder}


def _is_folder_name(name: str) -> bool:
    # The names come from a file that somebody else may have written.
    try:
        return names.folder(name) == name
    except PlanError:
        return False
