"""``nemo-run remote push``."""

from __future__ import annotations

from dataclasses import asdict

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.remote.options import remote_option
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.progress import Progress
from nemo_run.console.times import size
from nemo_run.exceptions import NemoRunError


@click.command("push")
@click.argument("experiments", metavar="[ID…]", nargs=-1, shell_complete=hooks.experiments)
@remote_option
@click.option("--outputs", is_flag=True, help="Also what jobs left in $NEMORUN_OUTPUT_DIR.")
@json_option
@common_options
def command(experiments: tuple[str, ...], remote: str | None, outputs: bool, as_json: bool) -> int:
    """Copy experiments to a remote home, or all of them; only what is new is sent.

    It may be interrupted at any moment and called again. What still runs is sent as it is now.
    """
    from nemo_run.management.sharing.at_end import pushed
    from nemo_run.management.sharing.remote.place import Place, remote_url
    from nemo_run.management.sharing.remote.pushing import Pushing
    from nemo_run.management.store import records

    chosen = [record_of(one) for one in experiments] or list(records())
    done, failed = [], 0
    with Progress() as progress:
        progress.show("connecting")
        pushing = Pushing(
            Place(remote_url(remote)),
            outputs=outputs,
            progress=lambda one, so_far, of: progress.show(
                f"pushing {one}: {size(so_far)} of {size(of)}"
            ),
        )
        for record in chosen:
            try:
                one = pushing.push(record)
            except NemoRunError as error:
                if len(chosen) == 1:
                    raise
                # One that is damaged must not keep the others from being safe.
                failed += 1
                progress.clear()
                note(f"{record.id} was not pushed: {error}")
                continue
            pushed(record)
            done.append(one)
            progress.clear()
            for tree in one.missing:
                note(f"warning: the code {tree} of {one.id} is not kept here any more.")
            if not as_json and (one.changed or len(chosen) < 10):
                print(_line(one))
    if as_json:
        print_json([asdict(one) for one in done])
    elif not any(one.changed for one in done) and len(chosen) >= 10:
        print(f"Nothing new in {len(chosen)} experiments.")
    return int(failed > 0)


def _line(one) -> str:  # type: ignore[no-untyped-def]
    if one.newer:
        return f"{one.id}: more of it is there than here; pull it."
    return f"Pushed {one.id}: {size(one.sent)}." if one.changed else f"{one.id}: nothing new."
