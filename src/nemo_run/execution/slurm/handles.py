"""What jobs of Slurm are called: ``slurm://user@host:port/4242#/path/of/the/attempt``. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from nemo_run.execution.jobspec import Handle

LOCAL = "localhost"
"""The host in handles of jobs that were submitted on this machine."""

_HANDLE = re.compile(
    r"slurm://(?P<host>[^/#?]+)/(?P<id>\d+(?:_\d+)?)(?:;(?P<cluster>[\w.-]+))?#(?P<folder>/.*)",
    re.ASCII,
)
# What people write: 4242, 4242_3, 4242+1, slurm://host/4242, slurm_tunnel://nemo_run/4242.
_LAST_ID = re.compile(r"(?:[^#]*/)?(\d+(?:_\d+|\+\d+)?)(?:;[\w.-]+)?(?:#.*)?", re.ASCII)


class Place(NamedTuple):
    """What a handle says.

    Attributes:
        host: The login node as ``[user@]host[:port]``, or ``localhost``.
        id: What squeue calls the job: ``4242``, or ``4242_3`` for an element of an array.
        cluster: The cluster, where sbatch named one (sbatch(1), ``--parsable``).
        folder: The folder of the attempt that was submitted, on the target.
    """

    host: str
    id: str
    cluster: str
    folder: str


def handle_of(place: Place) -> Handle:
    """Return the handle of a job."""
    cluster = f";{place.cluster}" if place.cluster else ""
    folder = quote(place.folder.encode("utf-8", "surrogateescape"))
    return Handle(f"slurm://{place.host}/{place.id}{cluster}#{folder}")


def place_of(handle: str) -> Place | None:
    """Return what a handle says; None where it is none of ours."""
    found = _HANDLE.fullmatch(handle)
    if found is None:
        return None
    folder = unquote(found["folder"], errors="surrogateescape")
    if "\0" in folder or ".." in folder.split("/"):
        return None
    return Place(found["host"], found["id"], found["cluster"] or "", folder)


def job_id(named: str) -> str | None:
    """Return the id in what a user calls another job: an id or any handle; None where none is."""
    found = _LAST_ID.fullmatch(named.strip())
    return found[1] if found else None
