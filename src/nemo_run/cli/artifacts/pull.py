"""``nemo-run artifacts pull``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.artifacts.words import chosen
from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.progress import Progress
from nemo_run.console.terminal import visible
from nemo_run.console.times import size
from nemo_run.exceptions import NotFoundError

if TYPE_CHECKING:
    from nemo_run.management.artifacts import Pulled
    from nemo_run.management.artifacts.pulling import Progress as State

_PATIENCE = 1.0
_OFTEN = 0.1
_BAR = 20
_SHOWN = 10


@click.command("pull")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.argument("pattern", metavar="[GLOB]", required=False)
@click.option(
    "--to", metavar="FOLDER", type=click.Path(file_okay=False),
    help="Where they come to; by default the record.",
)  # fmt: skip
@click.option(
    "--checksum", is_flag=True, help="Compare the content of files that look the same, too."
)
@json_option
@common_options
def command(
    experiment: str,
    job: str | None,
    pattern: str | None,
    to: str | None,
    checksum: bool,
    as_json: bool,
) -> int:
    """Copy the files that JOB, or each job, has left to here, those that changed.

    What was interrupted is gone on with by the same command. A file has its name once its checksum
    is that of its source. Ends with code 1 when a file could not be copied.
    """
    from nemo_run.management.artifacts import pull

    record = record_of(experiment)
    one, glob = chosen(record, job, pattern)
    with Progress() as line:
        found = pull(record, one, glob, to, checksum=checksum, tell=_Bar(line))
    if glob and not (found.copied or found.same or found.problems or record.copied):
        raise NotFoundError(f"No file that jobs left matches {glob!r}; nothing was copied.")
    if as_json:
        print_json(_document(found))
    elif record.copied and not found.copied and not found.same:
        note("This is a copy of an experiment, which came without the files of its jobs.")
    else:
        _say(found)
    return 1 if found.problems else 0


class _Bar:
    """Shows how far a pull has come, once it takes a while."""

    def __init__(self, line: Progress) -> None:
        self._line = line
        self._began = time.monotonic()
        self._next = self._began + _PATIENCE

    def __call__(self, state: State) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _OFTEN
            self._line.show(progress_text(state, now - self._began))


def progress_text(state: State, seconds: float) -> str:
    """Return how far a pull has come, as one line."""
    share = min(state.arrived / state.bytes, 1.0) if state.bytes else 0.0
    full = round(share * _BAR)
    bar = "█" * full + "░" * (_BAR - full)
    rate = f"{size(int(state.arrived / seconds))}/s" if seconds > 0 else ""
    counts = f"{state.done} of {state.files} files"
    amount = f"{size(state.arrived)} of {size(state.bytes)}"
    return f"{bar} {share:4.0%}  {amount}  {rate}  {counts}  {state.current}"


def _say(found: Pulled) -> None:
    for name, why in list(found.problems.items())[:_SHOWN]:
        note(f"warning: {visible(name)} was not copied: {visible(why)}")
    if len(found.problems) > _SHOWN:
        note(f"warning: and {len(found.problems) - _SHOWN} more files; --json names them all.")
    if not found.copied and not found.same:
        note("There is nothing to copy.")
        return
    same = f"; {found.same} {'was' if found.same == 1 else 'were'} here" if found.same else ""
    count = len(found.copied)
    print(f"Copied {count} {'file' if count == 1 else 'files'} ({size(found.sent)}){same}.")
    for folder in list(found.folders.values())[:_SHOWN]:
        print(f"  {visible(folder)}")
    if len(found.folders) > _SHOWN:
        print(f"  and {len(found.folders) - _SHOWN} more folders")


def _document(found: Pulled) -> dict[str, Any]:
    return {
        "folders": [
            {"job": job, "member": member or None, "folder": folder}
            for (job, member), folder in found.folders.items()
        ],
        "copied": [{"job": one.job, "path": one.name, "size": one.size} for one in found.copied],
        "same": found.same,
        "bytes": found.sent,
        "problems": found.problems,
    }
