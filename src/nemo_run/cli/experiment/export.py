"""``nemo-run experiment export``."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.progress import Progress
from nemo_run.console.times import size


@click.command("export")
@click.argument(
    "experiments", metavar="ID…", nargs=-1, required=True, shell_complete=hooks.experiments
)
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to; - for the output.")
@click.option("--outputs", is_flag=True, help="Also what jobs left in $NEMORUN_OUTPUT_DIR.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@common_options
def command(
    experiments: tuple[str, ...], output: str, outputs: bool, force: bool, as_json: bool
) -> None:
    """Write everything of experiments into one file that opens on another machine.

    It holds configuration, journal, logs, results, metrics and code. The suffix says how it is
    compressed: .tar.zst, .tar.gz or .tar. What still runs is in it as it is now.
    """
    from nemo_run.management.sharing.exporting import export
    from nemo_run.management.sharing.exposed import exposed

    if output == "-" and as_json:
        raise click.UsageError("With -o - the output is the archive; leave --json out.")
    records = list({record.path: record for record in map(record_of, experiments)}.values())
    name, stream = (output, None) if output != "-" else ("-.tar.gz", sys.stdout.buffer)
    with Progress() as progress:
        done = export(
            records,
            name,
            outputs=outputs,
            force=force,
            stream=stream,
            progress=lambda so_far, of: progress.show(f"exporting: {size(so_far)} of {size(of)}"),
        )
    for one in done.going:
        note(f"{one} is not over: the file has it as it was just now.")
    for tree in done.missing:
        note(f"warning: the code {tree} is not kept here any more, so the file does not have it.")
    for record in records:
        for job, names in exposed(record).items():
            note(
                f"warning: {record.id} holds the plain value of {', '.join(names)} of {job}, which "
                "is needed to run it again; so does the file. Use run.Secret instead."
            )
    if as_json:
        ids = [record.id for record in records]
        print_json({**asdict(done), "experiments": ids})
    elif stream is None:
        print(f"Wrote {done.path}: {_count(len(records))}, {size(done.size)}.")


def _count(number: int) -> str:
    return f"{number} experiment{'s' * (number != 1)}"
