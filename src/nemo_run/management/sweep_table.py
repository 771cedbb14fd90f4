"""The table of an experiment: for each job what was varied, what it returned, and how it ended.

Values are read as they were written; none of the experiment's own code is imported for them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError
from nemo_run.execution.observation import State

from .describe.varied import Varied

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from .store.record import Record
    from .store.status import ExperimentStatus, JobStatus

JOB, SWEEP, STATE, DURATION, RESULT = "job", "sweep", "state", "duration", "result"

_MINUTE = 60
_MOST_RESULTS = 8
# Text of a person's table; --csv and --json have every digit.
_DIGITS = 6


@dataclass(frozen=True)
class Table:
    """Rows that have the same columns; None where a row has no value.

    Attributes:
        columns: The names of the columns.
        rows: For each job the value of each column.
        varied: The columns of what was varied.
        results: The columns of what was returned.
    """

    columns: tuple[str, ...]
    rows: tuple[dict[str, Any], ...]
    varied: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    def csv(self) -> str:
        """Return the table as CSV (RFC 4180), with every digit; what is missing is empty."""
        import csv
        import io

        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(self.columns)
        writer.writerows([_cell(row[name]) for name in self.columns] for row in self.rows)
        return text.getvalue()

    def documents(self) -> list[dict[str, Any]]:
        """Return the rows as data that JSON can hold; what is missing is None."""
        return [{name: _plain(value) for name, value in row.items()} for row in self.rows]

    def text(self, *, most: int | None = None) -> str:
        """Return the table for people.

        Args:
            most: Of more rows than this, the first and the last are shown.
        """
        from nemo_run.config.show import text_table

        head, rows, right = self.shown()
        lines = text_table.lines(head, rows, right=right, most=most)
        hidden = len(self.results[_MOST_RESULTS:])
        more = [f"… and {hidden} columns more"] if hidden else []
        return "\n".join([*lines, *more])

    def shown(self) -> tuple[list[str], list[list[str]], set[int]]:
        """Return headings, texts, and which columns stand at the right, as people are shown."""
        left_out = self.results[_MOST_RESULTS:]
        head = [name for name in self.columns if name not in left_out]
        rows = [
            [_took(row[name]) if name == DURATION else _short(row[name]) for name in head]
            for row in self.rows
        ]
        right = {
            at
            for at, name in enumerate(head)
            if all(_is_number(row[name]) for row in self.rows) and self.rows
        }
        return head, rows, right


def has_sweep(record: Record) -> bool:
    """Return whether some of an experiment's jobs are points of a sweep."""
    return any(Varied.from_json(document.get("sweep")) for document in record.jobs)


def points(record: Record) -> dict[str, Varied]:
    """Return what was varied for each job that is a point of a sweep, in order."""
    found = {str(one["id"]): Varied.from_json(one.get("sweep")) for one in record.jobs}
    return {job: varied for job, varied in found.items() if varied is not None}


def table_of(
    record: Record, status: ExperimentStatus, jobs: Collection[str] | None = None
) -> Table:
    """Return the table of an experiment's sweeps; without a sweep, that of all its jobs.

    Args:
        record: The experiment.
        status: Its state.
        jobs: Only these jobs.
    """
    swept = points(record)
    ids = [job for job in swept or status.jobs if jobs is None or job in jobs]
    several = len({varied.sweep for varied in swept.values()}) > 1
    first = (JOB, SWEEP) if several else (JOB,)
    taken = {*first, STATE, DURATION}
    told = {job: dict(_returned(record, job, status.jobs.get(job))) for job in ids}
    varied = _columns((swept[job].values for job in ids if job in swept), "task", taken)
    returned = _columns(told.values(), RESULT, taken)
    columns = (*first, *varied.values(), *returned.values(), STATE, DURATION)
    rows = []
    for job in ids:
        known, point = status.jobs.get(job), swept.get(job)
        row: dict[str, Any] = dict.fromkeys(columns)
        row |= {JOB: job, STATE: str(known.state if known else State.CREATED)}
        row[DURATION] = _duration(known)
        if point is not None:
            row |= {varied[name]: value for name, value in point.values.items()}
            row |= {SWEEP: point.sweep} if several else {}
        rows.append(row | {returned[name]: value for name, value in told[job].items()})
    return Table(columns, tuple(rows), tuple(varied.values()), tuple(returned.values()))


def _columns(rows: Iterable[Mapping[str, Any]], origin: str, taken: set[str]) -> dict[str, str]:
    """Return for each name in the rows what its column is called."""
    return {name: _free(name, origin, taken) for name in dict.fromkeys(chain(*rows))}


def _free(name: str, origin: str, taken: set[str]) -> str:
    """Return the name of a column: with where it comes from in front, if it is taken."""
    free = name
    while free in taken:
        free = f"{origin}.{free}"
    taken.add(free)
    return free


def _duration(known: JobStatus | None) -> float | None:
    if known is None or known.started is None or known.ended is None:
        return None
    return round(max(0.0, known.ended - known.started), 6)


def _returned(record: Record, job: str, known: JobStatus | None) -> Iterator[tuple[str, Any]]:
    if known is None or known.state is not State.SUCCEEDED:
        return
    from .results import stored_value

    document = record.job(job)
    members = document.get("members", ()) if document.get("group") else ()
    try:
        if members:
            names = [str(member["name"]) for member in members]
            values = {name: stored_value(record, known, job, name) for name in names}
            yield from _flat(values, "")
        else:
            yield from _flat(stored_value(record, known, job, ""), "")
    except NemoRunError as error:
        # One file that cannot be read leaves the other points to be seen.
        yield RESULT, f"({error})"


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    fields = _fields(value)
    if fields:
        for name, inner in fields.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif value is not None or path:
        yield path or RESULT, value


def _fields(value: Any) -> Mapping[Any, Any] | None:
    """Return the named parts of a dict, a dataclass instance or a named tuple."""
    if isinstance(value, dict):
        return value
    from nemo_run.config.graph.reference import Deferred

    if isinstance(value, Deferred) and isinstance(value.document, dict):
        fields = value.document.get("fields")
        if isinstance(fields, dict) and len(fields) == len(value.children):
            return dict(zip(fields, value.children, strict=True))
    return None


def _named(value: Any) -> Any:
    """Return what is told by name: the member of an enum."""
    document = getattr(value, "document", None)
    if isinstance(document, dict) and document.get("$") == "enum":
        return document.get("name")
    return value


def _plain(value: Any) -> Any:
    value = _named(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return _told(value)


def _told(value: Any) -> str:
    """Return a value as text: a path or a date as it is written, anything else as its repr."""
    import datetime as dt
    from pathlib import PurePath

    known = (PurePath, dt.date, dt.time, dt.timedelta)
    return str(value) if isinstance(value, known) else repr(value)


def _cell(value: Any) -> str | int | float | None:
    plain = _plain(value)
    if isinstance(plain, list | dict):
        import json

        return json.dumps(plain, ensure_ascii=False)
    return plain  # type: ignore[no-any-return]


def _short(value: Any) -> str:
    if type(value) is float and math.isfinite(value):
        return f"{value:.{_DIGITS}g}"
    cell = _cell(value)
    return "" if cell is None else str(cell)


def _is_number(value: Any) -> bool:
    return value is None or type(value) in (int, float)


def _took(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    hours, rest = divmod(whole, _MINUTE * _MINUTE)
    return f"{hours}:{rest // _MINUTE:02}:{rest % _MINUTE:02}"


def causes(errors: Mapping[str, str], *, most: int, named: int) -> list[str]:
    """Return a line for each different error, with the jobs that met it.

    Args:
        errors: The last line of what each job said.
        most: How many lines at most.
        named: How many jobs a line names at most.
    """
    by_error: dict[str, list[str]] = {}
    for job, error in errors.items():
        by_error.setdefault(error, []).append(job)
    lines = [f"{_some(jobs, named)}: {error}" for error, jobs in by_error.items()]
    more = [f"and {len(lines) - most} other errors"] if len(lines) > most else []
    return [*lines[:most], *more]


def _some(jobs: Sequence[str], most: int) -> str:
    more = f" and {len(jobs) - most} more" if len(jobs) > most else ""
    return ", ".join(jobs[:most]) + more
