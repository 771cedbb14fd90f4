"""What the controller knows: nodes, partitions, jobs and their steps."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from .hostlist import compress

PENDING, RUNNING, COMPLETED = "PENDING", "RUNNING", "COMPLETED"
COMPLETING, CANCELLED, FAILED, TIMEOUT = "COMPLETING", "CANCELLED", "FAILED", "TIMEOUT"
NODE_FAIL, PREEMPTED, REQUEUED = "NODE_FAIL", "PREEMPTED", "REQUEUED"
OUT_OF_MEMORY, SUSPENDED = "OUT_OF_MEMORY", "SUSPENDED"

# As squeue(1), "JOB STATE CODES", has them.
SHORT = {
    PENDING: "PD",
    RUNNING: "R",
    SUSPENDED: "S",
    COMPLETED: "CD",
    CANCELLED: "CA",
    FAILED: "F",
    TIMEOUT: "TO",
    NODE_FAIL: "NF",
    PREEMPTED: "PR",
    "BOOT_FAIL": "BF",
    "DEADLINE": "DL",
    OUT_OF_MEMORY: "OOM",
    COMPLETING: "CG",
    "CONFIGURING": "CF",
    "RESIZING": "RS",
    "RESV_DEL_HOLD": "RD",
    REQUEUED: "RQ",
    "REQUEUE_FED": "RF",
    "REQUEUE_HOLD": "RH",
    "REVOKED": "RV",
    "SIGNALING": "SI",
    "SPECIAL_EXIT": "SE",
    "STAGE_OUT": "SO",
    "STOPPED": "ST",
}
ENDED = frozenset(
    {COMPLETED, CANCELLED, FAILED, TIMEOUT, NODE_FAIL, PREEMPTED, OUT_OF_MEMORY, "DEADLINE"}
)


@dataclass
class Partition:
    """A partition.

    Attributes:
        name: Its name.
        nodes: The names of its nodes.
        max_time: Its time limit in seconds; None is without.
        default_time: The limit of jobs that ask for none, in seconds.
    """

    name: str
    nodes: list[str]
    max_time: int | None = 86400
    default_time: int | None = 600


@dataclass
class Node:
    """A node, and what of it is taken."""

    name: str
    cpus: int
    gpus: int
    memory: int
    down: bool = False
    drained: bool = False
    used_cpus: int = 0
    free_gpus: list[int] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Its state, as sinfo writes it in full."""
        if self.down:
            return "down"
        busy = self.used_cpus > 0
        if self.drained:
            return "draining" if busy else "drained"
        if not busy:
            return "idle"
        return "allocated" if self.used_cpus >= self.cpus else "mixed"


@dataclass
class Step:
    """A step of a job: what one srun runs.

    Attributes:
        id: Its number in the job.
        name: The program.
        nodes: Their names.
        tasks: How many processes.
        pids: Those processes on this machine, each the leader of its group.
        launcher: The srun that started them.
    """

    id: int
    name: str
    nodes: list[str]
    tasks: int
    start: float
    submit_line: str
    launcher: int = 0
    pids: list[int] = field(default_factory=list)
    end: float | None = None
    state: str = RUNNING
    exit_code: tuple[int, int] = (0, 0)
    containers: dict[str, str] = field(default_factory=dict)


@dataclass
class Job:
    """A job: one element of an array, one component of a heterogeneous job.

    Attributes:
        id: What Slurm calls its raw id. Array elements share the array's until they start.
        options: What was asked for, by long option name.
        environment: The environment of the submission.
        held: Why it is held, as squeue has it; empty when it is not.
        ending: Why it is being ended: the state it will have.
        left: The exit status of its batch script, while steps of it still run.
        history: Copies of earlier states, (when visible in accounting, copy), newest last.
    """

    id: int
    options: dict[str, str]
    name: str
    script: bytes
    arguments: list[str]
    environment: dict[str, str]
    directory: str
    submit_directory: str
    command: str
    submit_line: str
    uid: int
    gid: int
    user: str
    umask: int
    submit_time: float
    partition: str
    nodes: int
    tasks: int
    cpus: int
    gpus: int
    time_limit: int | None
    begin: float = 0.0
    array_id: int = 0
    array_index: int | None = None
    array_limit: int = 0
    het_id: int = 0
    het_offset: int = 0
    held: str = ""
    dependency: list[tuple[str, str, str]] = field(default_factory=list)
    dependency_text: str = ""
    state: str = PENDING
    reason: str = "None"
    exit_code: tuple[int, int] = (0, 0)
    derived: tuple[int, int] = (0, 0)
    eligible: float | None = None
    start: float | None = None
    end: float | None = None
    node_names: list[str] = field(default_factory=list)
    node_gpus: dict[str, list[int]] = field(default_factory=dict)
    restarts: int = 0
    pid: int = 0
    allocation_only: bool = False
    ending: str = ""
    ending_to: str = ""
    cancelled_by: int | None = None
    left: tuple[int, int] | None = None
    steps: list[Step] = field(default_factory=list)
    history: list[tuple[float, Job]] = field(default_factory=list)
    waiters: list[Any] = field(default_factory=list)

    @property
    def text_id(self) -> str:
        """What users call it: ``12``, ``12_3``, ``12+1``."""
        if self.array_id:
            return f"{self.array_id}_{self.array_index}"
        return f"{self.het_id}+{self.het_offset}" if self.het_id else str(self.id)

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self.state in ENDED

    @property
    def node_list(self) -> str:
        """Its nodes, as Slurm writes them."""
        return compress(self.node_names)

    @property
    def requeue(self) -> bool:
        """Whether it may be started again; Slurm's JobRequeue is on by default."""
        return "no-requeue" not in self.options

    @property
    def comment(self) -> str:
        """Its comment."""
        return self.options.get("comment", "")

    def elapsed(self, now: float) -> float:
        """Return how long it has run, in seconds."""
        if self.start is None or self.state == PENDING:
            return 0.0
        return (self.end if self.end is not None else now) - self.start

    def frozen(self) -> Job:
        """Return a copy of what it is now, for the accounting."""
        kept = copy.copy(self)
        kept.steps = [copy.copy(step) for step in self.steps]
        kept.history = []
        kept.environment = {}
        return kept
