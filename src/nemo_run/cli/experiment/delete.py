"""``nemo-run experiment delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.choosing import answered, choosing_options, chosen, question
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.confirm import confirm
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.times import size

if TYPE_CHECKING:
    from nemo_run.management.store.record import Record

_SHOWN = 20


@click.command("delete")
@click.argument("experiments", metavar="ID", nargs=-1, shell_complete=hooks.experiments)
@choosing_options
@click.option("--dryrun", is_flag=True, help="Only say what would go.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also when jobs may be running; they are not stopped.")
@json_option
@common_options
@click.pass_context
def command(
    context: click.Context,
    /,
    experiments: tuple[str, ...],
    dryrun: bool,
    yes: bool,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Remove experiments with all their files: configuration, logs, results.

    Name them, or choose them with --where and the other options of `list`. At a terminal you are
    asked; elsewhere --yes is needed. Experiments whose jobs may be running, and those of other
    users, are refused.
    """
    if bool(experiments) == chosen(options):
        what = "Name experiments, or choose them with --where or --state; not both."
        raise click.UsageError(what, context)
    from nemo_run.management.collecting import size_of
    from nemo_run.management.store import delete

    records = _named(experiments) if experiments else _found(options)
    if not force:
        _refuse(records)
    _say_what_repeats(records)
    if dryrun:
        _print_dry([(record, size_of(record.path)) for record in records], as_json=as_json)
        return
    if records and not yes:
        confirm(_question(records))
    for record in records:
        delete(record, force=force)
        if not as_json:
            print(f"Deleted {record.id}.")
    if as_json:
        gone = [{"id": record.id, "deleted": str(record.path)} for record in records]
        # One that is named alone is told alone, as it always was.
        print_json(gone[0] if len(experiments) == 1 else gone)
    elif not records:
        note("None fits.")


def _refuse(records: list[Record]) -> None:
    # Before the question, which would promise what is then refused.
    from nemo_run.management.collecting import refuse_others
    from nemo_run.management.store import refuse_running

    for record in records:
        refuse_running(record)
        refuse_others(record)


def _named(texts: tuple[str, ...]) -> list[Record]:
    found = {str(record.path): record for record in map(record_of, texts)}
    return list(found.values())


def _found(options: dict[str, Any]) -> list[Record]:
    from nemo_run.management.store.record import Record

    answer = answered(question(options))
    for warning in answer.warnings:
        note(f"warning: {warning}")
    return [Record(row.path) for row in answer.rows]


def _question(records: list[Record]) -> str:
    if len(records) == 1:
        (record,) = records
        return f"Delete {record.id} with all its files ({record.path})?"
    for record in records[:_SHOWN]:
        note(f"  {record.id}")
    if len(records) > _SHOWN:
        note(f"  and {len(records) - _SHOWN} more")
    return f"Delete these {len(records)} experiments with all their files?"


def _say_what_repeats(records: list[Record]) -> None:
    from nemo_run.management.collecting import dependants
    from nemo_run.management.index import rows

    gone = {record.id for record in records}
    everything = rows().rows
    for record in records:
        left = [one for one in dependants(record, everything) if one not in gone]
        if left:
            more = f" and {len(left) - 3} more" if len(left) > 3 else ""
            note(
                f"note: {', '.join(left[:3])}{more} repeated {record.id}. Nothing of it is lost, "
                "but what it repeats can no longer be compared."
            )


def _print_dry(sizes: list[tuple[Record, int]], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [{"id": one.id, "would_delete": str(one.path), "bytes": taken} for one, taken in sizes]
        )
        return
    for record, taken in sizes:
        print(f"Would delete {record.id} ({size(taken)}).")
    total = sum(taken for _, taken in sizes)
    print(f"{len(sizes)} experiment{'s' * (len(sizes) != 1)}, {size(total)}.")
