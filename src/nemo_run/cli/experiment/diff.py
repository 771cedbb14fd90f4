"""``nemo-run experiment diff``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json, settings_of
from nemo_run.exceptions import NotFoundError, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from nemo_run.management.store.record import Record


@click.command("diff")
@click.argument("a", metavar="A[/JOB]", shell_complete=hooks.experiments)
@click.argument("b", metavar="B[/JOB]", shell_complete=hooks.experiments)
@click.option("--job", help="Compare only this job of both.", shell_complete=hooks.jobs)
@click.option("--full", is_flag=True, help="All of the code's diff, and no value cut.")
@click.option("--html", "page", metavar="FILE", type=click.Path(), help="Write it as a web page.")
@click.option("--exit-code", is_flag=True, help="End with exit code 1 if anything differs.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    a: str,
    b: str,
    job: str | None,
    full: bool,
    page: str | None,
    exit_code: bool,
    as_json: bool,
) -> None:
    """Say what differs between two experiments: configuration, code, packages, results.

    Jobs are compared by their names, points of a sweep by what was varied. With a job behind each
    ID (ID/JOB) two jobs are compared, of one experiment or of two. None of the experiments' own
    code is imported.

    \b
    nemo-run experiment diff digits_1 digits_2
    nemo-run experiment diff digits_1/train digits_1/tuned
    nemo-run experiment diff digits_1 digits_2 --html diff.html
    """  # noqa: D301 - click reads the character
    from nemo_run.console.progress import Progress
    from nemo_run.management.compare import compare

    (one, first), (other, second) = _side(a, job), _side(b, job)
    if bool(first) != bool(second):
        raise click.UsageError("Name a job of both, A/JOB and B/JOB, or of neither.", context)
    jobs = (first, second) if first and second else None
    with Progress() as progress:
        progress.show(f"reading {one.id} and {other.id}")
        comparison = compare(one, other, jobs=jobs, full=full)
    if page == "-":
        print(comparison.html())
    elif page:
        note(f"wrote {_written(page, comparison.html())}")
    if as_json:
        print_json(comparison.to_json())
    elif not page:
        print(comparison.text(settings_of(context).look, full=full))
    if exit_code and comparison:
        context.exit(1)


def _side(text: str, job: str | None) -> tuple[Record, str]:
    """Return the experiment that a word means, and the job; empty for all jobs."""
    try:
        record = record_of(text)
    except NotFoundError:
        # A title may have a slash in it, so that one that is found as it stands counts.
        name, slash, own = text.rpartition("/")
        if not slash or not name:
            raise
        record, job = record_of(name), own
    return record, job_of(record, job) if job else ""


def _written(path: str, content: str) -> Path:
    from nemo_run import atomic

    try:
        return atomic.write_for_user(path, content)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}.") from error
