"""``nemo-run experiment gc``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nemo_run.cli.experiment.shared.choosing import (
    answered,
    choosing_options,
    chosen,
    question,
    seconds_of,
)
from nemo_run.cli.shared.confirm import confirm
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.times import size
from nemo_run.exceptions import StoreError

if TYPE_CHECKING:
    from nemo_run.management.collecting import Forgotten, Rules, Spared
    from nemo_run.management.index.rows import Row

_SHOWN = 20


def _span(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    found = None if text is None else seconds_of(text)
    if text is not None and found is None:
        raise click.BadParameter(f"{text!r} is no span of time, as 12h, 30d or 8w.")
    return found


@click.command("gc")
@choosing_options
@click.option("--keep", callback=_span, metavar="SPAN", help="Keep the younger ones: 30d.")
@click.option("--keep-last", type=click.IntRange(1), metavar="N", help="Keep N of each title.")
@click.option("--dryrun", is_flag=True, help="Only say what would go, and how much that frees.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@json_option
@common_options
def command(
    keep: int | None,
    keep_last: int | None,
    dryrun: bool,
    yes: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Free space: old experiments, code that none of the rest needs, and leftovers.

    Experiments go only by a rule: --keep, --keep-last, or a choice as --state FAILED. What is
    tagged `keep`, what is not over, and what other users made always stays. Without a rule only
    code, packages and leftovers go that no experiment refers to.
    """
    from nemo_run.management import collecting

    ruled = keep is not None or keep_last is not None or chosen(options)
    rules = collecting.Rules(keep or 0, keep_last or 0, _whoami())
    going, spared = _sorted(options, rules) if ruled else ([], [])
    sizes = [collecting.size_of(row.path) for row in going]
    _tell(going, sizes, spared, dryrun=dryrun, as_json=as_json)
    if going and not (dryrun or yes):
        confirm(f"Delete {_count(len(going))} ({size(sum(sizes))})?")
    freed, gone = sum(sizes), [row.id for row in going]
    failed: list[dict[str, str]] = []
    if not dryrun:
        freed, gone, failed = _delete(going)
        collecting.sweep()
    rest = collecting.forget(dry=dryrun, gone=[row.path for row in going] if dryrun else ())
    if as_json:
        print_json(_document(gone, spared, failed, rest, freed, dryrun=dryrun))
    else:
        _print_end(gone, rest, freed, dryrun=dryrun)
    if failed:
        raise StoreError(f"{_count(len(failed))} could not be deleted: {failed[0]['why']}")


def _whoami() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _sorted(options: dict[str, Any], rules: Rules) -> tuple[list[Row], list[Spared]]:
    from nemo_run.management.collecting import Spared, sort_out
    from nemo_run.management.index import rows

    answer = answered(question(options))
    decided = sort_out(answer.rows, rules, rows().rows)
    spared = [one for one in decided if isinstance(one, Spared)]
    return [one for one in decided if not isinstance(one, Spared)], spared


def _tell(
    going: list[Row], sizes: list[int], spared: list[Spared], *, dryrun: bool, as_json: bool
) -> None:
    if as_json:
        return
    # What would go is what a dry run is asked for.
    tell = print if dryrun else note
    word = "Would delete" if dryrun else "To be deleted:"
    for row, taken in list(zip(going, sizes, strict=True))[:_SHOWN]:
        tell(f"{word} {row.id} ({row.state}, {size(taken)})")
    if len(going) > _SHOWN:
        tell(f"and {len(going) - _SHOWN} more")
    reasons: dict[str, int] = {}
    for one in spared:
        reasons[one.why] = reasons.get(one.why, 0) + 1
    for why, number in reasons.items():
        note(f"Kept: {_count(number)}, {why}")


def _delete(going: list[Row]) -> tuple[int, list[str], list[dict[str, str]]]:
    from nemo_run.console.progress import Progress
    from nemo_run.management.collecting import delete_all
    from nemo_run.management.store.record import Record

    freed = 0
    gone: list[str] = []
    failed: list[dict[str, str]] = []
    with Progress() as progress:
        for number, (record, taken, why) in enumerate(delete_all([Record(r.path) for r in going])):
            progress.show(f"Deleting: {number + 1:,} of {len(going):,}")
            freed += taken
            if why:
                failed.append({"id": record.id, "why": why})
            else:
                gone.append(record.id)
    return freed, gone, failed


def _count(number: int) -> str:
    return f"{number:,} experiment{'s' * (number != 1)}"


def _print_end(gone: list[str], rest: Forgotten, freed: int, *, dryrun: bool) -> None:
    if rest.kept:
        note(f"warning: Code and packages were kept: {rest.kept}")
    parts = [
        _count(len(gone)),
        f"{len(rest.trees):,} snapshot{'s' * (len(rest.trees) != 1)} of code",
        f"{len(rest.files):,} other file{'s' * (len(rest.files) != 1)}",
    ]
    would = "Would delete" if dryrun else "Deleted"
    less = ", and what git frees" if dryrun and rest.trees else ""
    frees = "would free" if dryrun else "freed"
    print(f"{would} {', '.join(parts)}; {frees} {size(freed + rest.freed)}{less}.")


def _document(
    gone: list[str],
    spared: list[Spared],
    failed: list[dict[str, str]],
    rest: Forgotten,
    freed: int,
    *,
    dryrun: bool,
) -> dict[str, Any]:
    return {
        "dryrun": dryrun,
        "deleted": gone,
        "kept": [{"id": one.row.id, "why": one.why} for one in spared],
        "failed": failed,
        "snapshots": list(rest.trees),
        "files": [str(path) for path in rest.files],
        "code_kept_because": rest.kept or None,
        "bytes": freed + rest.freed,
    }
