"""``nemo-run remote pull``."""

from __future__ import annotations

from dataclasses import asdict

import click

from nemo_run.cli.remote.options import remote_option
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json
from nemo_run.console.progress import Progress
from nemo_run.console.times import size
from nemo_run.exceptions import NemoRunError

_SAID = {
    "new": "Pulled {}.",
    "updated": "Pulled {}: it went on since it was pulled before.",
    "same": "{}: nothing new.",
    "own": "{} was made here; there is nothing to pull.",
}


@click.command("pull")
@click.argument("experiments", metavar="[ID…]", nargs=-1)
@remote_option
@json_option
@common_options
def command(experiments: tuple[str, ...], remote: str | None, as_json: bool) -> int:
    """Copy experiments from a remote home, or all of them; what is here already stays.

    They are copies: list, show, logs, diff and rerun work, and the jobs of the originals are not
    reached. Everything is checked on its way, and nothing of it is run.
    """
    from nemo_run.management.sharing.remote.place import Place, remote_url
    from nemo_run.management.sharing.remote.pulling import Pulling

    done, failed = [], 0
    with Progress() as progress:
        progress.show("connecting")
        pulling = Pulling(
            Place(remote_url(remote)),
            lambda one, so_far, of: progress.show(f"pulling {one}: {size(so_far)} of {size(of)}"),
        )
        chosen = [pulling.named(one) for one in experiments] or sorted(pulling.entries)
        for name in chosen:
            try:
                one = pulling.pull(name)
            except NemoRunError as error:
                if len(chosen) == 1:
                    raise
                failed += 1
                progress.clear()
                note(f"{name} was not pulled: {error}")
                continue
            done.append(one)
            progress.clear()
            for tree in one.missing:
                note(f"warning: the code {tree} of {one.id} is not in the remote home.")
            if one.going and one.what in {"new", "updated"}:
                note(f"{one.id} was not over when it was pushed: what ran then is UNKNOWN here.")
            if not as_json and (one.what in {"new", "updated"} or len(chosen) < 10):
                print(_SAID[one.what].format(one.id))
    if not chosen:
        note(f"There are no experiments in {remote_url(remote)}.")
    if as_json:
        print_json([asdict(one) for one in done])
    elif len(chosen) >= 10 and not any(one.what in {"new", "updated"} for one in done):
        print(f"Nothing new in {len(chosen)} experiments.")
    return int(failed > 0)
