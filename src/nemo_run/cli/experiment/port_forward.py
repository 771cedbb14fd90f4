"""``nemo-run experiment port-forward``."""

from __future__ import annotations

from contextlib import suppress

import click

from nemo_run.cli.completion import hooks
from nemo_run.cli.experiment.shared.running import become, running_job
from nemo_run.cli.experiment.shared.selection import record_of
from nemo_run.cli.shared.settings import common_options, note


@click.command("port-forward")
@click.argument("experiment", metavar="ID", shell_complete=hooks.experiments)
@click.argument("job", metavar="JOB", shell_complete=hooks.jobs)
@click.argument("ports", metavar="[LOCAL:]PORT")
@click.option("--node", default=0, metavar="N", help="Which of its nodes, from 0.")
@common_options
def command(experiment: str, job: str, ports: str, node: int) -> None:
    """Reach PORT of a running JOB's node as a port of this machine, until Ctrl-C.

    \b
    nemo-run experiment port-forward digits train 6006        http://localhost:6006
    nemo-run experiment port-forward digits train 8080:6006   http://localhost:8080
    """  # noqa: D301 - click reads the character
    local, remote = _ports(ports)
    backend, _, handle = running_job(record_of(experiment), job)
    route = backend.route(handle, node=node, port=remote, local_port=local)
    note(f"localhost:{local} is port {remote} of {route.host}. Ctrl-C ends that.")
    if route.command:
        become(route.command)
    from nemo_run.remote.relay import relay

    with suppress(KeyboardInterrupt):
        relay(local, route.host, route.port)


def _ports(text: str) -> tuple[int, int]:
    local, _, remote = text.rpartition(":")
    numbers = [part for part in (local or remote, remote) if part.isdecimal()]
    found = [int(part) for part in numbers]
    if len(found) != 2 or not all(0 < port < 65536 for port in found):
        message = f"{text!r} is no port, and no two ports like 8080:6006."
        raise click.UsageError(message, click.get_current_context())
    return found[0], found[1]
