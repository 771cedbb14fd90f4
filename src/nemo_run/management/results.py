"""What jobs gave: their results, and for those that failed, everything known about why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import JobFailedError, NemoRunError, NotFoundError, nearest
from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command

from . import sweep_table
from .plans import holds
from .store import layout
from .store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from nemo_run.execution.backend import LogFile

    from .store.record import Record
    from .store.status import ExperimentStatus, JobStatus
    from .sweep_table import Table

_FILE = "result.json"
_TAIL = 20
_MOST_TOLD = 10
_MOST_NAMED = 20
_MOST_ROWS = 40
_MOST_CAUSES = 5


class Results(Mapping[str, Any]):
    """The return value of each job, by its id; read when it is asked for.

    A job that is a script gives None. A group gives a dict of its members' values.

    Getting one raises :class:`JobFailedError` where the job did not succeed. Where its value
    could not be kept, a placeholder takes its place, whose ``repr`` says what it was and why.
    """

    def __init__(self, record: Record, status: ExperimentStatus | None = None) -> None:
        self._record = record
        self._ended = status

    @property
    def _status(self) -> ExperimentStatus:
        """How the experiment stands; looked up until it has ended."""
        if self._ended is not None:
            return self._ended
        from .looking import is_due, looked_at

        status = looked_at(self._record)
        if status.ended is not None and not is_due(status):
            self._ended = status
        return status

    def __getitem__(self, job: str) -> Any:
        status = self._status
        if job not in status.jobs:
            raise NotFoundError(
                f"Experiment {self._record.id} has no job {job!r}."
                f"{nearest(job, status.jobs)} Its jobs are: {', '.join(self)}."
            )
        known = status.jobs[job]
        if not known.state.terminal:
            raise NemoRunError(
                f"Job {job} of {self._record.id} is {known.state} and has no result yet. Wait for "
                f"it: Experiment.from_id({self._record.id!r}).wait({job!r})."
            )
        if known.state is not State.SUCCEEDED:
            raise failure(self._record, status, [known])
        if known.unbrought:
            raise NemoRunError(
                f"Job {job} of {self._record.id} succeeded, and its result could not be fetched "
                f"yet: {known.unbrought} Ask again, which tries once more."
            )
        document = self._record.job(job)
        if not document.get("group"):
            return _value(self._record, known, job, "")
        names = [member["name"] for member in document["members"]]
        return {name: _value(self._record, known, job, name) for name in names}

    def __iter__(self) -> Iterator[str]:
        return iter(self._status.jobs)

    def __len__(self) -> int:
        return len(self._status.jobs)

    def __contains__(self, job: object) -> bool:
        return job in self._status.jobs

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each point of the experiment's sweeps, else for each job.

        A row has what was varied, what was returned (a dict or a dataclass gives a column a
        field, anything else the column ``result``), the state, and the duration in seconds. All
        rows have the same columns; a value that is missing is None. None of the experiment's own
        code is imported: of a value that needs it there is text.
        """
        return [dict(row) for row in self._table().rows]

    def to_csv(self, path: str | Path) -> None:
        """Write :meth:`table` as CSV (RFC 4180).

        Raises:
            OSError: It could not be written.
        """
        atomic.write_bytes(Path(path), self._table().csv().encode())

    def _table(self) -> Table:
        from .sweep_table import table_of

        return table_of(self._record, self._status)

    def __str__(self) -> str:
        return self._table().text(most=_MOST_ROWS)

    def __repr__(self) -> str:
        states = ", ".join(f"{job.id}: {job.state}" for job in self._status.jobs.values())
        return f"<results of {self._record.id}: {states}>"


def _value(record: Record, known: JobStatus, job: str, member: str) -> Any:
    from nemo_run.config.graph.reference import resolved

    return resolved(stored_value(record, known, job, member))


def stored_value(record: Record, known: JobStatus, job: str, member: str) -> Any:
    """Return what a job returned, without importing what the user's own values need.

    Raises:
        NemoRunError: It cannot be read.
    """
    kept = record.job_dir(job) / member / _FILE
    own = _attempt(record, job, known.attempt, member) / _FILE
    path = kept if kept.exists() else own
    try:
        document = json.loads(read_file(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise NemoRunError(f"The result of {job} in {path} cannot be read: {error}.") from error
    if not isinstance(document, dict) or document.keys().isdisjoint({"unavailable", "value"}):
        raise NemoRunError(f"The result of {job} in {path} cannot be read: it holds no 'value'.")
    if "unavailable" in document:
        from nemo_run.worker.worker import Unavailable

        return Unavailable(str(document["unavailable"]), str(document.get("why", "")))
    from nemo_run.config.files import codec

    return codec.decode(document["value"])


def keep(record: Record, job: str, attempt: int) -> None:
    """Copy the results of an attempt to where the job's results are looked for.

    Raises:
        OSError: A copy could not be written; what was there before is still there.
    """
    root = layout.attempt_folder(record.path, job, attempt)
    for path in [root / _FILE, *root.glob(f"*/{_FILE}")]:
        target = record.job_dir(job) / path.relative_to(root)
        if path.is_file() and holds(record, path) and holds(record, target.parent):
            atomic.write_bytes(target, path.read_bytes())


def write(record: Record, job: str, value: Any) -> None:
    """Write the result of a job that ran in this process, as its worker would.

    Raises:
        OSError: It could not be written.
    """
    from nemo_run.worker import worker

    document, _problems = worker.result_document(value)
    atomic.write_text(record.job_dir(job) / _FILE, worker.json_text(document))


def failure(
    record: Record,
    status: ExperimentStatus,
    failed: list[JobStatus] | None = None,
    *,
    shown: Collection[str] = (),
) -> JobFailedError:
    """Return the error that tells the caller which jobs did not succeed, and all about why.

    Args:
        record: The experiment.
        status: Its state.
        failed: The jobs to tell of; by default all that did not succeed.
        shown: The jobs whose output the person has seen: the message does not repeat it.
    """
    bad = failed or [j for j in status.jobs.values() if j.state is not State.SUCCEEDED]
    # Causes before consequences.
    bad = sorted(bad, key=lambda job: job.state in {State.SKIPPED, State.CANCELLED})
    # A point that failed is one of many, and is told of in one line.
    swept = sweep_table.points(record) if len(status.jobs) > 1 and failed is None else {}
    whole = [job for job in bad if job.id not in swept]
    told = [described_end(record, job, brief=job.id in shown) for job in whole[:_MOST_TOLD]]
    if len(whole) > len(told):
        rest = [job.id for job in whole[_MOST_TOLD:]]
        names = ", ".join(rest[:_MOST_NAMED]) + (", …" if len(rest) > _MOST_NAMED else "")
        told.append(f"and {len(rest)} more: {names}")
    points = [job for job in bad if job.id in swept]
    told += _told_of_points(record, status, points) if points else []
    count = f"{len(bad)} of {len(status.jobs)} jobs" if len(status.jobs) > 1 else "The job"
    lines = [
        f"{count} of experiment {record.id} did not succeed.",
        *(f"\n{text}" for text in told),
        "",
        f"  see what it wrote:         {_log_command(record, _first_cause(bad))}",
        f"  try again what failed:     {experiment_command('resume', record.id)}",
        f"  run all of it once more:   {experiment_command('rerun', record.id)}",
    ]
    if points:
        command = experiment_command("rerun", record.id, "--failed")
        lines[-1] = f"  … as a new experiment:     {command}"
    ends = {job.id: described_end(record, job) for job in bad}
    return JobFailedError(
        "\n".join(lines),
        experiment_id=record.id,
        failures=ends,
        results=Results(record, status),
    )


def _told_of_points(record: Record, status: ExperimentStatus, bad: list[JobStatus]) -> list[str]:
    """Return the table of the sweep, and a line for each different error of its points."""
    errors = {job.id: in_a_line(record, job) for job in bad}
    table = sweep_table.table_of(record, status)
    causes = sweep_table.causes(errors, most=_MOST_CAUSES, named=3)
    return [_indented(table.text(most=_MOST_ROWS)), _indented("\n".join(causes))]


def in_a_line(record: Record, job: JobStatus) -> str:
    """Return why a job did not succeed, in one line."""
    error = first_error(record, job) if job.attempt else None
    if error is None:
        return described_end(record, job, brief=True).splitlines()[0].removeprefix(f"{job.id}: ")
    return _last_line_of(error).partition("\n")[0]


def _first_cause(bad: list[JobStatus]) -> JobStatus:
    causes = [job for job in bad if job.state not in {State.SKIPPED, State.CANCELLED}]
    return (causes or bad)[0]


def described_end(record: Record, job: JobStatus, *, brief: bool = False) -> str:
    """Return the end of a job in words: state, cause, traceback or last lines, and the log.

    Args:
        record: The experiment.
        job: The job.
        brief: Only the last line of a traceback, and no lines of the log.
    """
    from . import failures
    from .watch.display import described

    lines = [f"{job.id}: {described(job)}"]
    if job.state in {State.SKIPPED, State.CANCELLED} or not job.attempt:
        return lines[0]
    finding = failures.of(record, job)
    lines += [f"  {line}" for line in finding.lines()] if finding else []
    first = failures.first_of(record, job)
    error = first.document if first else {}
    # What is shown while one waits is the output of rank 0.
    brief = brief and (first is None or first.rank == 0)
    log = failed_log(record, job)
    if first is not None and error:
        lines.append(_indented(_last_line_of(error) if brief else first.traceback))
    elif log is not None and not brief:
        lines.append(_indented(_last_lines(Path(log.path))))
    before = _said_before_the_tasks(record, job) if not error and _is_empty(log) else None
    if before is not None:
        lines.append(_indented(_last_lines(before)))
        lines.append(f"  log: {before}")
    elif log is not None:
        lines.append(f"  log: {log.path}")
    return "\n".join(line for line in lines if line)


def _is_empty(log: LogFile | None) -> bool:
    """Whether the tasks have written nothing, or were not started."""
    try:
        return log is None or Path(log.path).stat().st_size == 0
    except OSError:
        return True


def _said_before_the_tasks(record: Record, job: JobStatus) -> Path | None:
    """Return what the engine's own script wrote, where it wrote anything: Slurm's sbatch_*.out."""
    folder = record.job_dir(job.id)
    found = [path for path in folder.glob("sbatch_*.out") if holds(record, path)]
    written = [path for path in found if path.is_file() and path.stat().st_size]
    return max(written, key=lambda path: path.stat().st_mtime, default=None)


def _last_line_of(error: Mapping[str, Any]) -> str:
    kind, message = error.get("type", "error"), error.get("message")
    return f"{kind}: {message}" if message else str(kind)


def _log_command(record: Record, job: JobStatus) -> str:
    return experiment_command("logs", record.id, job.id, *rank_option(record, job))


def rank_option(record: Record, job: JobStatus) -> list[str]:
    """Return ``--rank N`` of the process that failed, if the job has several."""
    from .watch.logs import log_files

    log = failed_log(record, job)
    several = log is not None and len(log_files(record, job.id, job.attempt)) > 1
    return ["--rank", str(log.rank)] if log is not None and several else []


def first_error(record: Record, job: JobStatus) -> dict[str, Any] | None:
    """Return what the worker wrote of the process that failed first."""
    from . import failures

    first = failures.first_of(record, job)
    return (first.document or None) if first else None


def failed_log(record: Record, job: JobStatus) -> LogFile | None:
    """Return the log of the process that failed first; of the first process if none is known."""
    from . import failures
    from .watch.logs import log_files
    from .watch.ranks import failed_ranks

    files = [f for f in log_files(record, job.id, job.attempt) if Path(f.path).exists()]
    first = failures.first_of(record, job)
    if first is not None:
        own = [f for f in files if (f.member, f.rank) == (first.member, first.rank)]
    else:
        failed = failed_ranks(record, job, job.attempt)
        members = {name for name, seen in job.members if seen.state is State.FAILED}
        own = [f for f in files if (f.member, f.rank) in failed]
        own = own or [f for f in files if f.member in members]
    return next(iter(own or files), None)


def _last_lines(path: Path) -> str:
    from .watch.tail import read, start_of_last_lines

    data, _ = read(start_of_last_lines(str(path), _TAIL))
    return data.decode("utf-8", "replace")


def _attempt(record: Record, job: str, attempt: int, member: str) -> Path:
    return layout.attempt_folder(record.path, job, attempt) / member


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip("\n").splitlines())
