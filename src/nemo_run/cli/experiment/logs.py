"""``nemo-run experiment logs``."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.attending import Attending
from nemo_run.cli.experiment.shared.output import LogWriter
from nemo_run.cli.experiment.shared.remarks import ranks_not_shown, require_attempt, require_ranks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, note
from nemo_run.console.terminal import is_terminal
from nemo_run.exceptions import PlanError
from nemo_run.execution.observation import State
from nemo_run.invocation import experiment_command
from nemo_run.management.conductor.charge import following
from nemo_run.management.looking import looked_at
from nemo_run.management.watch.labels import Labels
from nemo_run.management.watch.logs import LogReader, follow, log_files
from nemo_run.management.watch.ranks import DEFAULT_RANKS, Ranks, chosen_files

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import JobStatus


def _ranks(_context: click.Context, _parameter: click.Parameter, text: str) -> Ranks:
    try:
        return Ranks(text)
    except PlanError as error:
        raise click.BadParameter(str(error)) from None


def _pattern(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> re.Pattern[bytes] | None:
    if text is None:
        return None
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise click.BadParameter(f"{text!r} is no regular expression: {error}.") from None


def _attempt(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return the number; 0 for all."""
    if text is None:
        return None
    if text == "all":
        return 0
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise click.BadParameter(f"{text!r} is neither a number from 1 nor 'all'.")


@click.command("logs")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the jobs have ended.")
@click.option(
    "--rank", "ranks", default=DEFAULT_RANKS, show_default=True, callback=_ranks,
    help="Which processes: 0,last or 0-3 or failed or all.",
)  # fmt: skip
@click.option("--attempt", callback=_attempt, help="Which try: a number or 'all'. [default: last]")
@click.option("--tail", "last", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option(
    "--grep", "pattern", callback=_pattern, metavar="REGEX", help="Only lines that match."
)
@json_option
@common_options
def command(
    experiment: str,
    job: str | None,
    follows: bool,
    ranks: Ranks,
    attempt: int | None,
    last: int | None,
    pattern: re.Pattern[bytes] | None,
    as_json: bool,
) -> int:
    """Print the output of JOB, or of all jobs; JOB is an id, or a number from 0.

    Lines of several logs are marked with who wrote them. --follow waits for jobs that have not
    begun, goes on over attempts, and ends with code 1 when a job did not succeed. Ctrl-C ends
    the following only, never a job. With --json, each line is one JSON document.
    """
    record = record_of(experiment)
    jobs = [job_of(record, job)] if job is not None else [str(j["id"]) for j in record.jobs]
    status = looked_at(record)
    known = [status.jobs[one] for one in jobs if one in status.jobs]
    require_ranks(record, known, ranks)
    if attempt and not follows:
        require_attempt(known, attempt)
    several = as_json or len(jobs) > 1 or _count(record, known, ranks) > 1
    writer = LogWriter(
        sys.stdout,
        labels=Labels(record, jobs) if several else None,
        attempts={one.id: _first_attempt(one, attempt) for one in known},
        pattern=pattern,
        as_json=as_json,
    )
    reader = LogReader(
        record,
        jobs,
        ranks=ranks,
        attempt=attempt or None,
        all_attempts=attempt == 0,
        whole_lines=several or pattern is not None,
        last_lines=last,
    )
    # In a copy nothing goes on.
    if follows and not record.copied:
        code = _follow(record, jobs, reader, writer)
        _note_ranks(record, jobs, ranks)
        return code
    for piece in reader.read(status):
        writer.write(piece)
    for piece in reader.flush():
        writer.write(piece)
    _note(known, attempt, empty=writer.empty)
    _note_ranks(record, jobs, ranks)
    return 0


def _follow(record: Record, jobs: list[str], reader: LogReader, writer: LogWriter) -> int:
    status = Attending(record)

    def wait(seconds: float) -> None:
        writer.unfinished(reader.unfinished())
        time.sleep(seconds)

    try:
        with following(record):
            for piece in follow(reader, status=status, wait=wait):
                writer.write(piece)
    except KeyboardInterrupt:
        again = experiment_command("logs", "-f", record.id)
        note(f"\nNo longer following; the jobs go on. To follow again: {again}")
        raise
    ends = [status.last.jobs[job] for job in jobs]
    for job in ends:
        if job.state is not State.SUCCEEDED:
            note(f"{job.id}: {job.describe()}")
    return int(any(job.state is not State.SUCCEEDED for job in ends))


def _note(jobs: list[JobStatus], attempt: int | None, *, empty: bool) -> None:
    """Tell why there is no output, or of which attempt it was."""
    if empty:
        states = ", ".join(f"{job.id} is {job.describe()}" for job in jobs[:5])
        note(f"Nothing was written{f' in attempt {attempt}' if attempt else ''}: {states}.")
        return
    again = [job for job in jobs if job.attempt > 1]
    if attempt is None and again and is_terminal(sys.stderr):
        note(f"This was attempt {again[0].attempt} of {again[0].id}; --attempt all shows each.")


def _note_ranks(record: Record, jobs: list[str], ranks: Ranks) -> None:
    status = record.status()
    told = ranks_not_shown(record, [status.jobs[job] for job in jobs if job in status.jobs], ranks)
    if told:
        note(told)


def _count(record: Record, jobs: list[JobStatus], ranks: Ranks) -> int:
    """Return how many logs are asked for."""
    count = 0
    for job in jobs:
        attempt = max(job.attempt, 1)
        files = log_files(record, job.id, attempt)
        # Any may fail yet.
        failed = [(file.member, file.rank) for file in files]
        count += len(chosen_files(files, ranks, failed))
    return count


def _first_attempt(job: JobStatus, asked: int | None) -> int:
    """Return with which attempt the output of a job begins; 0 if it begins with a heading."""
    if asked == 0:
        return 0 if job.attempt > 1 else 1
    return asked or max(job.attempt, 1)
