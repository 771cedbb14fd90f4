"""``nemo-run experiment verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json, settings_of
from nemo_run.console.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nemo_run.console.terminal import Look
    from nemo_run.management.verifying import Check

_COLOURS = {"green": "green", "amber": "yellow", "red": "red"}
_ENDS = {
    "green": "It can be run again as it was.",
    "amber": "It can be run again; what is amber may make a difference.",
    "red": "It cannot be run again as it is; see what is red.",
}
_MARK = 5
_WHAT = 17


@click.command("verify")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.option("--offline", is_flag=True, help="Ask no other machine.")
@json_option
@common_options
@click.pass_context
def command(context: click.Context, experiment: str, offline: bool, as_json: bool) -> int:
    """Say whether an experiment can still be run again, and what is missing if it cannot.

    Looks at the record, configuration, code, Python, packages, images, secrets and the machines
    that the jobs ran on. Green is as it was; amber may make a difference, or cannot be told; with
    red the exit code is 1. None of the experiment's own code is run, and nothing is started.
    """
    from nemo_run.console.progress import Progress
    from nemo_run.management.verifying import verify, worst

    record, look = record_of(experiment), settings_of(context).look
    found: list[Check] = []
    with Progress() as progress:
        progress.show("looking …")
        for check in verify(record, connect=not offline):
            progress.clear()
            found.append(check)
            if not as_json:
                print("\n".join(_lines(check, look)), flush=True)
            progress.show("looking …")
    verdict = worst(found)
    if as_json:
        document = {"id": record.id, "verdict": verdict}
        print_json({**document, "checks": [check.to_json() for check in found]})
    else:
        note(_ENDS[verdict])
    return 1 if verdict == "red" else 0


def _lines(check: Check, look: Look) -> Iterator[str]:
    mark = look.paint(f"{check.verdict:<{_MARK}}", _COLOURS[check.verdict])
    first, *rest = _wrapped(check.says, look)
    yield f"{mark}  {check.what:<{_WHAT}}  {first}"
    indent = " " * (_MARK + _WHAT + 4)
    yield from (f"{indent}{line}" for line in rest)
    if check.do:
        first, *rest = _wrapped(check.do, look, 2)
        yield f"{indent}{look.paint('→', 'dim')} {first}"
        yield from (f"{indent}  {line}" for line in rest)


def _wrapped(text: str, look: Look, less: int = 0) -> list[str]:
    """Return a sentence as lines that fit beside the first columns."""
    import textwrap

    shown = visible(" ".join(text.split()))
    if look.width is None:
        return [shown]
    room = max(20, look.width - (_MARK + _WHAT + 4) - less)
    return textwrap.wrap(shown, room, break_long_words=False, break_on_hyphens=False) or [""]
