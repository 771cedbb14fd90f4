"""The cluster as the controller holds it: settings, nodes, jobs, and the faults that are on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .model import ENDED, PENDING, RUNNING, Job, Node, Partition

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Settings:
    """How a cluster is; all of it may be sent to the controller.

    Attributes:
        cluster: Its name; empty for none on the command lines (``--parsable`` then prints no
            cluster), and ``fake`` in the environment.
        nodes: The names of its nodes.
        gpus_per_node: GPUs of each.
        cpus_per_node: CPUs of each: how many tasks it runs at once.
        memory_per_node: Megabytes of each.
        partitions: Name to (node names, longest time, time by default), seconds or None.
        accounting: Whether sacct works.
        first_job_id: The id of the first job.
        max_array_size: One more than the biggest array index.
        version: What the programs say of theirs.
        time_scale: How many seconds of a time limit pass in one.
        kill_wait: Seconds between SIGTERM and SIGKILL.
        requeue_delay: Seconds a requeued job waits before it may start.
        min_job_age: Seconds an ended job stays known to squeue and scontrol.
        accounts: The accounts that there are; None takes any.
        qos: The qualities of service that there are; None takes any.
        features: The features that nodes have; None takes any.
        max_submit: How many jobs may be there unfinished; None is without limit.
        kill_invalid_dependants: Whether jobs that can never start are cancelled by themselves
            (DependencyParameters=kill_invalid_depend).
    """

    cluster: str = ""
    nodes: list[str] = field(default_factory=list)
    gpus_per_node: int = 8
    cpus_per_node: int = 16
    memory_per_node: int = 64000
    partitions: dict[str, tuple[list[str], int | None, int | None]] = field(default_factory=dict)
    accounting: bool = True
    first_job_id: int = 1
    max_array_size: int = 1001
    version: str = "slurm 22.05.8"
    time_scale: float = 1.0
    kill_wait: float = 2.0
    requeue_delay: float = 0.2
    min_job_age: float = 300.0
    accounts: list[str] | None = None
    qos: list[str] | None = None
    features: list[str] | None = None
    max_submit: int | None = None
    kill_invalid_dependants: bool = False

    def plain(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)


@dataclass
class Fault:
    """What goes wrong with the next calls of a program.

    Attributes:
        program: Whose; empty for all.
        seconds: How late the answer comes.
        error: What it says; empty to answer as ever.
        code: Its exit status then.
        after: The request has been carried out all the same.
        times: How many calls; -1 for all.
    """

    program: str
    seconds: float = 0.0
    error: str = ""
    code: int = 1
    after: bool = False
    times: int = -1


class Cluster:
    """All that the controller knows."""

    def __init__(self, settings: Settings, folder: str) -> None:
        self.settings = settings
        self.folder = folder
        self.nodes = {
            name: Node(
                name,
                settings.cpus_per_node,
                settings.gpus_per_node,
                settings.memory_per_node,
                free_gpus=list(range(settings.gpus_per_node)),
            )
            for name in settings.nodes
        }
        self.partitions = {
            name: Partition(name, list(nodes), longest, default)
            for name, (nodes, longest, default) in settings.partitions.items()
        }
        self.default_partition = next(iter(self.partitions))
        self.next_id = settings.first_job_id
        self.down = False
        self.late_accounting = 0.0
        self.faults: list[Fault] = []
        self._jobs: list[Job] = []
        self._by_id: dict[int, list[Job]] = {}
        self._open: dict[int, Job] = {}

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.settings.cluster or "fake"

    def take_id(self) -> int:
        """Return the next job id."""
        self.next_id += 1
        return self.next_id - 1

    def add(self, job: Job) -> None:
        """Know one more job."""
        self._jobs.append(job)
        self._by_id.setdefault(job.array_id or job.id, []).append(job)
        self._open[id(job)] = job

    def split(self, job: Job) -> None:
        """Give an array's element an id of its own, as Slurm does when it starts.

        The last one keeps the array's.
        """
        if not job.array_id or job.id != job.array_id:
            return
        rest = (other.id == job.array_id for other in self._by_id[job.array_id] if other is not job)
        if any(rest):
            job.id = self.take_id()
            self._by_id[job.id] = [job]

    def all_jobs(self) -> list[Job]:
        """Return every job, oldest first."""
        return self._jobs

    def unfinished(self) -> list[Job]:
        """Return the jobs that are not over, oldest first."""
        done = [key for key, job in self._open.items() if job.state in ENDED and not job.pid]
        for key in done:
            del self._open[key]
        return list(self._open.values())

    def reopen(self, job: Job) -> None:
        """Count a job that was over as unfinished again (``scontrol requeue``)."""
        self._open[id(job)] = job

    def pending(self) -> list[Job]:
        """Return what waits."""
        return [job for job in self.unfinished() if job.state == PENDING]

    def running(self) -> list[Job]:
        """Return what runs."""
        return [job for job in self.unfinished() if job.state == RUNNING]

    def find(self, text: str) -> list[Job]:
        """Return the jobs of an id: ``12``, ``12_3``, ``12_[1-3]``, ``12+1``.

        An array's are all its elements, a heterogeneous job's all its components.
        """
        base, plus, offset = text.partition("+")
        base, under, index = base.partition("_")
        if not base.isdigit():
            return []
        jobs = self._by_id.get(int(base), [])
        if under and index.strip("[]*"):
            wanted = _indices(index)
            return [job for job in jobs if job.array_index in wanted]
        if plus:
            return [job for job in self.het(int(base)) if str(job.het_offset) == offset]
        if jobs and jobs[0].het_id == int(base):
            return self.het(int(base))
        return jobs

    def het(self, leader: int) -> list[Job]:
        """Return the components of a heterogeneous job."""
        found = []
        for number in range(leader, leader + 128):
            jobs = self._by_id.get(number, [])
            if not jobs or jobs[0].het_id != leader:
                break
            found.append(jobs[0])
        return found

    def known(self, now: float) -> Iterator[Job]:
        """Yield what squeue and scontrol know: ended jobs are forgotten after MinJobAge."""
        oldest = now - self.settings.min_job_age
        for job in self._jobs:
            if job.end is None or not job.ended or job.end > oldest:
                yield job


def _indices(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.strip("[]").partition("%")[0].split(","):
        low, _, high = part.partition("-")
        if low.isdigit() and (high or low).isdigit():
            found.update(range(int(low), int(high or low) + 1))
    return found
