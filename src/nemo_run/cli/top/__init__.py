"""``nemo-run top``: a live view of all that runs."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Any

import click

from nemo_run.cli.shared.settings import common_options, json_option, note, print_json, settings_of
from nemo_run.console.terminal import is_terminal

from .frame import plain
from .reading import Reading
from .view import View, with_experiments


@click.command("top")
@click.argument("text", metavar="[TEXT]", default="")
@click.option("--once", is_flag=True, help="Print one picture and end.")
@json_option
@common_options
@click.pass_context
def command(context: click.Context, text: str, once: bool, as_json: bool) -> int:
    """Watch all that runs: experiments, jobs, their last metrics and lines.

    TEXT shows only experiments and jobs with it. Keys: arrows or j and k move, enter shows the
    log, c cancels, / filters, q leaves; leaving ends nothing. Where standard output is no
    terminal, one picture is printed.
    """
    live = is_terminal(sys.stdout) and is_terminal(sys.stdin) and sys.platform != "win32"
    if live and not (once or as_json):
        from .live import run

        return run(text)
    reading = Reading()
    view = with_experiments(View(filter=text), reading.now())
    for warning in reading.warnings:
        note(f"warning: {warning}")
    if as_json:
        print_json(_document(view))
    else:
        print("\n".join(plain(view, settings_of(context).look, time.time())))
    return 0


def _document(view: View) -> dict[str, Any]:
    """Return what is shown as data; what the filter leaves out is not among it."""
    from .view import rows

    shown = {place for place, _, _ in rows(view)}
    experiments = [asdict(one) for one in view.experiments if (one.id, "") in shown]
    for one in experiments:
        one["jobs"] = [job for job in one["jobs"] if (one["id"], job["id"]) in shown]
    return {"time": time.time(), "experiments": experiments}
