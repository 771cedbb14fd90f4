"""Where a local job keeps what. Pure: paths from a spec, nothing from the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nemo_run.execution.folders import (
    attempt_folder,
    code_archive,
    code_folder,
    is_group,
    log_file,
    log_folder,
    member_folder,
    metrics_file,
    output_folder,
)

if TYPE_CHECKING:
    from nemo_run.execution.jobspec import JobSpec, Member

__all__ = [
    "attempt_folder",
    "code_archive",
    "code_folder",
    "is_group",
    "log_file",
    "log_folder",
    "member_folder",
    "metrics_file",
    "output_folder",
]

SCRIPT = "launch.sh"
CLAIM = "claim"
EXIT = "exit"
CANCELLED = "cancelled"
STOPPED = "stopped"
LEADER_LOG = "launch.log"

RUNNING = "running"
RECORD_WIDTH = 94


def record(text: str) -> str:
    """Return a line of fixed width, so that the next one fits over it; see :func:`read_record`."""
    return f"{text:<{RECORD_WIDTH}}.\n"


@dataclass(frozen=True)
class Process:
    """One process that the job's script starts.

    Attributes:
        member: What it belongs to.
        index: Number of the member in its job.
        rank: Its number among the member's processes, from 0.
        local_rank: Its number on its node.
        node_rank: Its node.
    """

    member: Member
    index: int
    rank: int
    local_rank: int
    node_rank: int

    @property
    def first_rank(self) -> int:
        """The first of the ranks it starts; its own output goes into that one's log."""
        return self.rank * self.member.ranks_per_process

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return f"rank {self.rank} of {self.member.name}"


def nodes_here(spec: JobSpec, member: Member) -> range:
    """Return the ranks of the nodes that this machine plays."""
    rank = spec.options.get("node_rank")
    return range(member.nodes) if rank is None or member.nodes == 1 else range(rank, rank + 1)


def processes(spec: JobSpec) -> list[Process]:
    """Return the processes that the script of a job starts on this machine, in order."""
    return [
        Process(member, index, node * member.processes_per_node + local, local, node)
        for index, member in enumerate(spec.members)
        for node in nodes_here(spec, member)
        for local in range(member.processes_per_node)
    ]


def ranks_here(spec: JobSpec, member: Member) -> range:
    """Return the ranks of a member that run on this machine."""
    per_node = member.processes_per_node * member.ranks_per_process
    nodes = nodes_here(spec, member)
    return range(nodes.start * per_node, nodes.stop * per_node)


def exit_name(process: Process) -> str:
    """Return the name of the file that says how one process of several ended."""
    return f"{EXIT}.{process.rank}"


def exit_record(spec: JobSpec, process: Process) -> str:
    """Return the file that says how one process of several ended."""
    return f"{member_folder(spec, process.member)}/{exit_name(process)}"
