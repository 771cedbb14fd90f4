"""``nemo-run experiment reindex``."""

from __future__ import annotations

import click

from nemo_run.cli.shared.settings import common_options, json_option, note, print_json


@click.command("reindex")
@json_option
@common_options
def command(as_json: bool) -> None:
    """Rebuild the index that makes listing fast. It is a cache: nothing else changes."""
    from nemo_run.console.progress import Progress
    from nemo_run.management.index import reindex

    with Progress() as progress:
        listing = reindex(lambda done, of: progress.show(f"Reading {done:,} of {of:,} experiments"))
    for warning in listing.warnings:
        note(f"warning: {warning}")
    count = len(listing.rows)
    if as_json:
        print_json({"experiments": count, "damaged": sum(bool(row.error) for row in listing.rows)})
    else:
        print(f"Indexed {count} experiment{'s' * (count != 1)}.")
