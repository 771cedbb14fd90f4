"""Everything a backend needs to run one job. Plain frozen data, made by planning."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NewType

from nemo_run.exceptions import CorruptRecordError

from .quoting import is_variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
        secrets: Variable → the name of the secret that its processes find there. What they are
            is told by no one before the job starts: see :mod:`nemo_run.execution.secrets`.
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
    secrets: Mapping[str, str] = field(default_factory=dict)

    @property
    def world_size(self) -> int:
        """How many ranks the member has on all its machines."""
        return self.nodes * self.processes_per_node * self.ranks_per_process


@dataclass(frozen=True)
class ArrayPlace:
    """The place of a job among equal ones, which an engine may take as one job array.

    Attributes:
        name: What the jobs have in common; unique in the experiment.
        index: Which of them this is, from 0.
        size: How many there are.
        max_parallel: How many may run at once; 0 for all.
    """

    name: str
    index: int
    size: int
    max_parallel: int = 0


@dataclass(frozen=True)
class JobSpec:
    """One job, ready to be rendered by its backend.

    Attributes:
        experiment: The experiment's id.
        job: The job's id in the experiment.
        backend: The name of the backend in the registry (``local``, ``slurm``).
        directory: The job's folder on the target, as the engine sees it.
        members: Its tasks; one, or several for a group.
        inside: The same folder as its processes see it (``/nemo_run`` in a container); empty
            where that is the same path.
        code: The git tree that its code folder holds; empty where no code travels.
        array: Its place among equal jobs; None where it has none.
        attempt: Which try this is, from 1.
        retries: How many more tries a failure gets.
        policy: How a group ends.
        options: The executor's fields that this backend reads, as plain JSON data.
        secrets: The name of each secret of its members → where it is found.
        identity: Which record the job is of, where its folder is not in the record: two may
            have one id. It is the record's, not the plan's, and not part of what is written.
    """

    experiment: str
    job: str
    backend: str
    directory: str
    members: tuple[Member, ...]
    attempt: int = 1
    retries: int = 0
    policy: Policy = "all"
    inside: str = ""
    code: str = ""
    array: ArrayPlace | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    identity: str = ""

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
        data = dataclasses.asdict(self)
        del data["identity"]
        for one in (data, *data["members"]):
            if not one["secrets"]:
                del one["secrets"]
        return data

    @classmethod
    def from_json(cls, data: object) -> JobSpec:
        """Return the spec that :meth:`to_json` wrote; fields of a later version are ignored.

        Raises:
            CorruptRecordError: It is none; the message names the field.
        """
        fields = _fields(cls, data, "the plan")
        members = [_fields(Member, one, f"members[{i}]") for i, one in enumerate(fields["members"])]
        for member in members:
            member["command"] = tuple(member["command"])
        if fields.get("array") is not None:
            fields["array"] = ArrayPlace(**_fields(ArrayPlace, fields["array"], "array"))
        found = cls(**{**fields, "members": tuple(Member(**member) for member in members)})
        unknown = {name for m in found.members for name in m.secrets.values()} - {*found.secrets}
        if unknown:
            raise CorruptRecordError(f"the plan says nowhere where {min(unknown)} is found")
        return found


def backend_of(handle: str) -> str:
    """Return the name of the backend that gave a handle; empty where it gave none."""
    return handle.partition("://")[0]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_table(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())


def _is_secrets(value: object) -> bool:
    # Their names become part of shell scripts.
    return isinstance(value, dict) and _is_table(value) and all(map(is_variable, value))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 31


_RIGHT: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(("experiment", "job", "backend", "directory", "name"), _is_text),
    **dict.fromkeys(("working_directory", "inside", "code", "identity"), _is_text),
    **dict.fromkeys(("index", "size", "max_parallel"), _is_count),
    "array": lambda value: value is None or isinstance(value, dict),
    **dict.fromkeys(("attempt", "retries"), _is_count),
    **dict.fromkeys(("nodes", "processes_per_node", "ranks_per_process"), _is_count),
    **dict.fromkeys(("environment", "files"), _is_table),
    "secrets": _is_secrets,
    "command": _is_texts,
    "members": lambda value: isinstance(value, list) and bool(value),
    "policy": lambda value: value in ("all", "main"),
    "role": lambda value: value in ("main", "sidecar"),
    "options": lambda value: isinstance(value, dict),
}


def _fields(kind: type, data: object, where: str) -> dict[str, Any]:
    """Return those of a document's fields that ``kind`` has, each checked."""
    if not isinstance(data, dict):
        raise CorruptRecordError(f"{where} is a {type(data).__name__}, no object")
    known = {f.name: f.default is f.default_factory for f in dataclasses.fields(kind)}
    missing = [name for name, needed in known.items() if needed and name not in data]
    if missing:
        raise CorruptRecordError(f"{where} has no {missing[0]!r}")
    for name in known.keys() & data.keys():
        if not _RIGHT[name](data[name]):
            raise CorruptRecordError(f"{where} has an odd {name!r}: {data[name]!r:.100}")
    return {name: data[name] for name in known if name in data}
