"""``nemo-run remote list``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.remote.options import remote_option
from nemo_run.cli.shared.settings import (
    common_options,
    json_option,
    note,
    print_json_rows,
    settings_of,
)
from nemo_run.console.progress import Progress
from nemo_run.console.tables import Column, table
from nemo_run.console.times import ago

if TYPE_CHECKING:
    from nemo_run.management.sharing.remote.manifests import Entry

_COLUMNS = (
    Column("ID", least=20),
    Column("STATE", style=lambda look, text: look.state(text)),
    Column("JOBS", right=True, drop=2),
    Column("AGE", right=True, drop=1),
    Column("HERE", drop=3),
)


@click.command("list")
@click.argument("experiments", metavar="[ID…]", nargs=-1)
@remote_option
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context, experiments: tuple[str, ...], remote: str | None, as_json: bool
) -> None:
    """List the experiments of a remote home, newest first; or those whose ids begin with ID."""
    from nemo_run.management.sharing.at_end import TOLD, unpushed
    from nemo_run.management.sharing.remote.manifests import entries
    from nemo_run.management.sharing.remote.place import Place, remote_url
    from nemo_run.management.store import records

    with Progress() as progress:
        progress.show("connecting")
        place = Place(remote_url(remote))
        found = [listed[-1] for listed in entries(place).values()]
    if experiments:
        found = [one for one in found if one.id.startswith(experiments)]
    found.sort(key=lambda one: (one.created, one.id), reverse=True)
    here = {}
    for record in records():
        here[record.id] = record
        if (record.path / TOLD).exists() and (why := unpushed(record)):
            note(f"{record.id}: {why}")
    if as_json:
        print_json_rows(_document(one, here=one.id in here) for one in found)
    elif found:
        now = time.time()
        rows = [
            [
                one.id,
                one.state,
                f"{one.succeeded}/{one.jobs}",
                ago(one.created, now),
                "yes" if one.id in here else "-",
            ]
            for one in found
        ]
        print("\n".join(table(_COLUMNS, rows, settings_of(context).look)))
    else:
        note(f"There are no experiments in {place.shown}.")


def _document(one: Entry, *, here: bool) -> dict[str, Any]:
    return {
        "id": one.id,
        "state": one.state,
        "jobs": one.jobs,
        "succeeded": one.succeeded,
        "created": one.created,
        "pushed": one.taken / 1000,
        "events": one.seq,
        "here": here,
    }
