"""``nemo-run artifacts list``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.artifacts.words import chosen
from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import (
    common_options,
    json_option,
    note,
    print_json_rows,
    settings_of,
)
from nemo_run.console.tables import Column, table
from nemo_run.console.times import ago, size
from nemo_run.exceptions import BackendError, RemoteError

if TYPE_CHECKING:
    from nemo_run.management.artifacts import Artifact
    from nemo_run.management.artifacts.places import Place
    from nemo_run.management.store.record import Record


@click.command("list")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.argument("pattern", metavar="[GLOB]", required=False)
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context, experiment: str, job: str | None, pattern: str | None, as_json: bool
) -> None:
    """List the files that JOB, or each job, has left where it ran, while it runs or afterwards."""
    record = record_of(experiment)
    one, glob = chosen(record, job, pattern)
    found = _found(record, one, glob)
    if as_json:
        print_json_rows(map(_document, found))
    elif found:
        now = time.time()
        print(
            "\n".join(table(_COLUMNS, [_cells(f, now) for f in found], settings_of(context).look))
        )
    else:
        jobs = ", ".join(str(one["id"]) for one in record.jobs[:5])
        if record.copied:
            note("This is a copy of an experiment, which came without the files of its jobs.")
            return
        what = f"No file matches {glob!r}, of the jobs {jobs}." if glob else "There are no files."
        note(f"{what} A job leaves files in the folder that $NEMORUN_OUTPUT_DIR names.")


def _found(record: Record, job: str | None, glob: str) -> list[Artifact]:
    from nemo_run.management.artifacts import listed

    def trouble(place: Place, why: str) -> None:
        note(f"warning: not all files of {place.job} can be listed: {why}")

    try:
        return listed(record, job, glob, remote=True, trouble=trouble)
    except (RemoteError, BackendError) as error:
        note(f"warning: only the copies that are here can be listed: {error}")
        return listed(record, job, glob, trouble=trouble)


_COLUMNS = (
    Column("JOB", least=8),
    Column("FILE", least=12),
    Column("SIZE", right=True),
    Column("CHANGED", right=True, drop=1),
    Column("HERE", style=lambda look, text: look.paint(text, "green" if text == "yes" else "")),
)


def _cells(one: Artifact, now: float) -> list[str]:
    name = one.name if one.link is None else f"{one.name} -> {one.link}"
    here = "yes" if one.is_here else "no"
    return [one.job, name, size(one.size), ago(one.mtime / 1e9, now), here]


def _document(one: Artifact) -> dict[str, Any]:
    return {
        "job": one.job,
        "member": one.place.member or None,
        "path": one.path,
        "size": one.size,
        "changed": one.mtime / 1e9,
        "link": one.link,
        "here": one.is_here,
        "local": one.local,
    }
