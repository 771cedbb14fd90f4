"""Getting to a running job: a shell beside it, a port of one of its nodes."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from nemo_run.exceptions import BackendError
from nemo_run.execution.findings import Route
from nemo_run.execution.quoting import quote
from nemo_run.remote import SSHTunnel

from .connections import reach
from .handles import Place, place_of
from .rendering import containers, members

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.jobspec import Handle, JobSpec

_ADDRESS = re.compile(r"\bNodeAddr=(\S+)")
# scontrol(1): hostnames expands a list like n[1-4] to a name a line.
_NODE = """\
nodes=$(squeue --noheader --jobs={job} --states=running --format=%N) || exit
node=$(scontrol show hostnames "$nodes" | sed -n {line}p)
[ -n "$node" ] || {{ echo "it has $nodes" >&2; exit 3; }}
scontrol --oneliner show node "$node"
"""


def shell(spec: JobSpec, handle: Handle, *, node: int, command: Sequence[str]) -> list[str]:
    """Return what opens a shell beside a running job; see :meth:`Entered.shell`.

    Args:
        spec: The job; of a group, the first member's container counts.
        handle: What Slurm calls it.
        node: On which of its nodes, from 0.
        command: What to run instead of a shell.

    Raises:
        BackendError: The handle is none of a Slurm job.
    """
    at = _place(handle)
    container = shlex.split(" ".join(containers.words(spec, members.options_of(spec, 0))))
    argv = srun(at.id, node=node, container=container, command=command)
    tunnel = reach(at.host)
    return tunnel.command(argv, tty=not command) if isinstance(tunnel, SSHTunnel) else argv


def srun(job: str, *, node: int, container: Sequence[str], command: Sequence[str]) -> list[str]:
    """Return what runs on the login node to get into a job (srun(1), --overlap, --relative).

    Args:
        job: The job's id.
        node: Which of its nodes, from 0.
        container: The options of srun that name the job's container; none without one.
        command: What to run instead of a shell.
    """
    terminal = [] if command else ["--pty"]
    place = ["--nodes=1", "--ntasks=1", f"--relative={node}"]
    program = list(command) or ["bash", "-i"]
    return ["srun", f"--jobid={job}", "--overlap", *terminal, *place, *container, *program]


def route(handle: Handle, *, node: int, port: int, local_port: int) -> Route:
    """Return how a port of a job's node is reached from here; see :meth:`Entered.route`.

    Args:
        handle: What Slurm calls the job.
        node: Which of its nodes, from 0.
        port: The port there.
        local_port: The port here.

    Raises:
        BackendError: It does not run, or has no such node.
        RemoteError: The login node cannot be reached.
    """
    at = _place(handle)
    tunnel = reach(at.host)
    script = _NODE.format(job=quote(at.id), line=node + 1)
    said = tunnel.run(script, hide=True, warn=True, again=True)
    found = _ADDRESS.search(said.stdout)
    if found is None:
        raise BackendError(
            f"Slurm knows no node {node} of job {at.id}: {said.stderr.strip() or 'no answer'}. "
            "Does it run?"
        )
    if not isinstance(tunnel, SSHTunnel):
        # From the login node itself, the node is reached directly.
        return Route((), found[1], port)
    return Route(tuple(tunnel.forward(f"127.0.0.1:{local_port}:{found[1]}:{port}")), found[1], port)


def _place(handle: Handle) -> Place:
    at = place_of(handle)
    if at is None:
        raise BackendError(f"The handle {handle!r} is none of a Slurm job.")
    return at
