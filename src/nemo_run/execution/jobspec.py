"""Everything a backend needs to run one job. Plain frozen data, made by planning."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    from collections.abc import Mapping

Token = NewType("Token", str)
"""What makes one submission ours: experiment, job and attempt. The same token never runs twice."""

Handle = NewType("Handle", str)
"""What the engine calls our job, as a URI: ``local://host/…``, ``slurm://user@host/4242``."""

Policy = Literal["all", "main"]
"""How a group ends: ``all`` waits for every member and stops the rest when one fails; ``main``
ends, well or not, with the members whose role is ``main`` and then stops the sidecars. No
policy stops a member because another one finished well, but for a sidecar."""


@dataclass(frozen=True)
class Member:
    """One task of a job: what each of its processes runs. A job that is no group has one.

    Attributes:
        name: Unique in the job; the job's own id where it is no group.
        directory: Its folder on the target: task files, logs and result lie there.
        command: The argument list of each process.
        environment: Added to what the target gives; values byte for byte.
        working_directory: Where the processes start.
        nodes: How many machines.
        processes_per_node: How many processes each machine starts.
        ranks_per_process: How many ranks each of them starts in turn: more than one under
            torchrun, one otherwise. Every rank has a log of its own.
        role: See :data:`Policy`.
        files: Relative path in ``directory`` → content, written before the job is submitted.
    """

    name: str
    directory: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    nodes: int = 1
    processes_per_node: int = 1
    ranks_per_process: int = 1
    role: Literal["main", "sidecar"] = "main"
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def world_size(self) -> int:
        """How many ranks the member has on all its machines."""
        return self.nodes * self.processes_per_node * self.ranks_per_process


@dataclass(frozen=True)
class JobSpec:
    """One job, ready to be rendered by its backend.

    Attributes:
        experiment: The experiment's id.
        job: The job's id in the experiment.
        backend: The name of the backend in the registry (``local``, ``slurm``).
        directory: The job's folder on the target.
        members: Its tasks; one, or several for a group.
        attempt: Which try this is, from 1.
        retries: How many more tries a failure gets.
        policy: How a group ends.
        options: The executor's fields that this backend reads, as plain JSON data.
    """

    experiment: str
    job: str
    backend: str
    directory: str
    members: tuple[Member, ...]
    attempt: int = 1
    retries: int = 0
    policy: Policy = "all"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> Token:
        """The name of this submission."""
        return self.token_of(self.attempt)

    def token_of(self, attempt: int) -> Token:
        """Return the name of one submission of this job."""
        return Token(f"{self.experiment}/{self.job}/{attempt}")

    def next_attempt(self) -> JobSpec:
        """Return the same job, to be tried once more."""
        return dataclasses.replace(self, attempt=self.attempt + 1)

    def to_json(self) -> dict[str, Any]:
        """Return the spec as data that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobSpec:
        """Return the spec that :meth:`to_json` wrote; fields of a later version are ignored."""
        known = {f.name for f in dataclasses.fields(cls)}
        fields = {k: v for k, v in data.items() if k in known}
        fields["members"] = tuple(_member(m) for m in data["members"])
        return cls(**fields)


def _member(data: Mapping[str, Any]) -> Member:
    known = {f.name for f in dataclasses.fields(Member)}
    fields = {k: v for k, v in data.items() if k in known}
    fields["command"] = tuple(data["command"])
    return Member(**fields)
