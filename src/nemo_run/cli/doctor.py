"""``nemo-run doctor``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.shared.settings import common_options, json_option, note, print_json, settings_of
from nemo_run.console.progress import Progress
from nemo_run.exceptions import NemoRunError, PlanError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.console.terminal import Look
    from nemo_run.execution.executor import Executor
    from nemo_run.execution.findings import Finding

_MARKS = {"ok": ("ok", "green"), "note": ("note", "yellow"), "problem": ("PROBLEM", "red")}
_WIDTH = 7


@click.command("doctor")
@click.argument("executor", metavar="EXECUTOR", shell_complete=hooks.profiles)
@click.argument("fields", metavar="[KEY=VALUE]...", nargs=-1)
@json_option
@common_options
@click.pass_context
def command(context: click.Context, executor: str, fields: tuple[str, ...], as_json: bool) -> int:
    """Say what works of the place where an executor runs jobs, what does not, and what to do.

    EXECUTOR is a profile or a kind, as in run.executor=NAME; KEY=VALUE sets fields of it. No job
    is started. The exit code is 1 where there is a problem.

    \b
    nemo-run doctor slurm account=research partition=h100
    nemo-run doctor my_cluster tunnel.user=me
    """  # noqa: D301 - click reads the character
    chosen = _executor(executor, fields)
    found = []
    with Progress() as progress:
        for finding in _findings(chosen):
            progress.clear()
            found.append(finding)
            if not as_json:
                print("\n".join(_lines(finding, settings_of(context).look)), flush=True)
            progress.show("looking …")
    problems = sum(finding.verdict == "problem" for finding in found)
    if as_json:
        print_json({"executor": chosen.info(), "findings": [asdict(one) for one in found]})
    else:
        note(f"{problems} problem{'s' * (problems != 1)} with {chosen.info()}.")
    return 1 if problems else 0


def _executor(name: str, fields: Sequence[str]) -> Executor:
    from nemo_run.cli.run_overrides.executors import executor_of
    from nemo_run.config.overrides.grammar import parse_override

    words = [f"run.executor={name}", *(f"run.executor.{field}" for field in fields)]
    chosen = executor_of([parse_override(word) for word in words])
    if chosen is None:
        raise PlanError(f"{name!r} is no executor that could be looked at.")
    return chosen


def _findings(executor: Executor) -> Iterator[Finding]:
    from nemo_run.execution.findings import Examined, Finding
    from nemo_run.execution.registry import get_backend

    backend = get_backend(executor.backend)
    if not isinstance(backend, Examined):
        yield Finding("backend", "ok", f"{executor.backend} is installed; it has no checks.")
        return
    try:
        yield from backend.examine(executor)
    except NemoRunError as error:
        yield Finding("connection", "problem", str(error))


def _lines(finding: Finding, look: Look) -> Iterator[str]:
    mark, colour = _MARKS[finding.verdict]
    yield f"{look.paint(f'{mark:<{_WIDTH}}', colour)}  {finding.what}: {finding.found}"
    if finding.advice:
        yield f"{' ' * _WIDTH}  {look.paint('→', 'dim')} {finding.advice}"
