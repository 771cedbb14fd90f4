"""``nemo-run experiment apply``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import job_of, record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json

if TYPE_CHECKING:
    from nemo_run.management.applying import Applied

_OFTEN = 200


@click.command("apply")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.option("--to", "folder", metavar="FOLDER", type=click.Path(), help="Where; an empty folder.")
@json_option
@common_options
def command(experiment: str, job: str | None, folder: str | None, as_json: bool) -> None:
    """Bring the code that a job ran with into a folder, as a git worktree where that can be.

    Where your repository has the commit that the code came from, the folder becomes a worktree of
    it, and `git diff` there shows what differed from the commit; else it is a plain folder. Your
    working tree, index, stash and branches stay as they are.

    \b
    nemo-run experiment apply digits --to ../digits-then
    """  # noqa: D301 - click reads the character
    from nemo_run.console.progress import Progress
    from nemo_run.management.applying import apply

    record = record_of(experiment)
    with Progress() as progress:

        def told(done: int, of: int) -> None:
            if done % _OFTEN == 0:
                progress.show(f"{done} of {of} files")

        applied = apply(record, job_of(record, job) if job is not None else None, folder, told)
    if as_json:
        print_json(asdict(applied))
        return
    print(applied.folder)
    _tell(applied)


def _tell(applied: Applied) -> None:
    if applied.why:
        note(f"{applied.files} files in a plain folder: {applied.why}.")
        return
    note(f"A worktree of {applied.repository} at {applied.commit[:12]}. Against that commit:")
    note(applied.stat or "nothing differs.")
    note(f"Remove it with: git worktree remove --force {applied.folder}")
