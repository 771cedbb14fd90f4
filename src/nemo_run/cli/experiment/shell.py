"""``nemo-run experiment shell``."""

from __future__ import annotations

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.running import become, running_job
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options


@click.command("shell")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="[JOB]", required=False, shell_complete=hooks.jobs)
@click.argument("program", metavar="[-- PROGRAM [ARGUMENT]...]", nargs=-1)
@click.option("--node", default=0, metavar="N", help="On which of its nodes, from 0.")
@common_options
def command(experiment: str, job: str | None, program: tuple[str, ...], node: int) -> None:
    """Open a shell beside a running JOB, on its node and in its container.

    The job goes on; leaving the shell does nothing to it. With PROGRAM, that is run instead. The
    exit code is the shell's.

    \b
    nemo-run experiment shell digits train
    nemo-run experiment shell digits train --node 1 -- nvidia-smi
    """  # noqa: D301 - click reads the character
    backend, spec, handle = running_job(record_of(experiment), job)
    become(backend.shell(spec, handle, node=node, command=program))
