"""A submission, read and judged: jobs of it, or Slurm's refusal."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import hostlist, times
from .dependencies import read_dependency
from .model import Job

if TYPE_CHECKING:
    from .state import Cluster

NOT_AVAILABLE = "Requested node configuration is not available"


class Refused(Exception):  # noqa: N818  (what the engine answers, not a fault of the fake)
    """Slurm says no: the lines it prints, where, and the exit status."""

    def __init__(self, *lines: str, code: int = 1, stream: str = "err") -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
        self.code = code
        self.stream = stream


class NotTaken(Refused):
    """The controller does not take the job; the program says so in its own words."""


@dataclass(frozen=True)
class Caller:
    """Who asks, and from where: what a program sends along."""

    program: str
    words: list[str]
    directory: str
    environment: dict[str, str]
    uid: int
    gid: int
    user: str
    umask: int
    pid: int

    @classmethod
    def of(cls, message: dict[str, Any]) -> Caller:
        """Return the one of a message."""
        return cls(**{name: message[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Shape:
    """How much of the cluster a job asks for; CPUs and GPUs are those of one node."""

    nodes: int
    tasks: int
    cpus: int
    gpus: int


def shape(cluster: Cluster, options: dict[str, str], program: str) -> Shape:
    """Return what options ask for.

    Raises:
        Refused: A number is none.
    """
    per_task = _number(options, "cpus-per-task", program, 1)
    per_node = _number(options, "ntasks-per-node", program, 0)
    tasks = _number(options, "ntasks", program, 0)
    most = max(node.cpus for node in cluster.nodes.values())
    nodes = _node_count(options.get("nodes", ""), program)
    if nodes == 0 and "nodes" in options:
        raise NotTaken("Node count specification invalid")
    if not nodes:
        wanted = math.ceil(tasks / per_node) if tasks and per_node else 0
        nodes = wanted or max(1, math.ceil(tasks * per_task / most))
        nodes = max(nodes, len(hostlist.expand(options.get("nodelist", ""))))
    tasks = tasks or nodes * (per_node or 1)
    on_one = per_node or math.ceil(tasks / nodes)
    cpus = max(on_one * per_task, _number(options, "mincpus", program, 0))
    if "exclusive" in options and options["exclusive"] in {"", "exclusive"}:
        cpus = max(cpus, most)
    return Shape(nodes, tasks, cpus, _gpus(options, nodes, on_one))


def _node_count(text: str, program: str) -> int:
    found = re.match(r"(\d+)(?:-\d+)?$", text)
    if text and not found:
        raise Refused(f'{program}: error: "{text}" is not a valid node count', code=255)
    return int(found[1]) if found else 0


def _number(options: dict[str, str], name: str, program: str, default: int) -> int:
    text = options.get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) == 0:
        raise Refused(f'{program}: error: Invalid numeric value "{text}" for --{name}.')
    return int(text)


def _gpus(options: dict[str, str], nodes: int, tasks: int) -> int:
    def count(text: str) -> int:
        found = re.search(r"(\d+)$", text.rpartition(":")[2] or text)
        return int(found[1]) if found else 1

    if "gpus-per-node" in options:
        return count(options["gpus-per-node"])
    for item in options.get("gres", "").removeprefix("gres:").split(","):
        if item.partition(":")[0].split("=")[0] in {"gpu", "gres/gpu"}:
            return count(item) if ":" in item or "=" in item else 1
    if "gpus-per-task" in options:
        return count(options["gpus-per-task"]) * tasks
    return math.ceil(count(options["gpus"]) / nodes) if "gpus" in options else 0


def judge(cluster: Cluster, options: dict[str, str], wanted: Shape, program: str) -> None:
    """Refuse what slurmctld refuses at once (its texts are those of 22.05).

    Raises:
        Refused: It is refused.
    """
    partition = options.get("partition", cluster.default_partition)
    if partition.split(",")[0] not in cluster.partitions:
        raise NotTaken("Invalid partition name specified", _missing(program, partition))
    _check_names(cluster, options)
    nodes = [cluster.nodes[name] for name in cluster.partitions[partition.split(",")[0]].nodes]
    unknown = set(hostlist.expand(options.get("nodelist", ""))) - set(cluster.nodes)
    if unknown:
        raise NotTaken("Invalid node name specified")
    if options.get("constraint") and cluster.settings.features is not None:
        asked = set(re.findall(r"[\w.-]+", options["constraint"]))
        if asked - set(cluster.settings.features):
            raise NotTaken("Invalid feature specification")
    memory = _megabytes(options.get("mem", "0"))
    if memory > max(node.memory for node in nodes):
        text = f"{program}: error: Memory specification can not be satisfied"
        raise NotTaken(NOT_AVAILABLE, text)
    if wanted.gpus > max(node.gpus for node in nodes):
        raise NotTaken(NOT_AVAILABLE)
    if "ntasks-per-node" in options and wanted.cpus > max(node.cpus for node in nodes):
        raise NotTaken(NOT_AVAILABLE)


def _missing(program: str, partition: str) -> str:
    return f"{program}: error: invalid partition specified: {partition}"


def _check_names(cluster: Cluster, options: dict[str, str]) -> None:
    settings = cluster.settings
    account = options.get("account")
    if settings.accounts is not None and account is not None and account not in settings.accounts:
        raise NotTaken("Invalid account or account/partition combination specified")
    if settings.qos is not None and options.get("qos", settings.qos[0]) not in settings.qos:
        raise NotTaken("Invalid qos specification")
    if settings.max_submit is None:
        return
    if sum(not job.ended for job in cluster.all_jobs()) >= settings.max_submit:
        text = (
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)"
        )
        raise NotTaken(text, "sbatch: error: QOSMaxSubmitJobPerUserLimit")


def _megabytes(text: str) -> int:
    found = re.fullmatch(r"(\d+)([KMGT]?)B?", text.upper())
    if not found:
        return 0
    scale = {"K": 1 / 1024, "": 1, "M": 1, "G": 1024, "T": 1024 * 1024}
    return int(int(found[1]) * scale[found[2]])


def array_indices(text: str, most: int) -> tuple[list[int], int]:
    """Return the indices of ``--array`` and how many may run at once (0: all).

    Raises:
        Refused: It is not one, or an index is too big (MaxArraySize).
    """
    body, _, limit = text.partition("%")
    indices: set[int] = set()
    for part in body.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if not found or (limit and not limit.isdigit()):
            raise NotTaken("Invalid job array specification")
        last = int(found[2] or found[1])
        if last >= most:
            raise NotTaken("Invalid job array specification")
        indices.update(range(int(found[1]), last + 1, int(found[3] or 1)))
    if not indices:
        raise NotTaken("Invalid job array specification")
    return sorted(indices), int(limit or 0)


def make_job(
    cluster: Cluster,
    caller: Caller,
    options: dict[str, str],
    script: bytes,
    arguments: list[str],
    *,
    command: str,
    now: float,
) -> Job:
    """Return the job that a submission asks for, without an id yet.

    Raises:
        Refused: Slurm would refuse it.
    """
    program = caller.program
    wanted = shape(cluster, options, program)
    judge(cluster, options, wanted, program)
    partition = options.get("partition", cluster.default_partition).split(",")[0]
    limit = cluster.partitions[partition].default_time
    try:
        # A limit of nothing is none at all.
        limit = times.limit_seconds(options["time"]) or None if "time" in options else limit
    except ValueError:
        raise Refused(f"{program}: error: Invalid --time specification", code=255) from None
    if "signal" in options and not _SIGNAL.fullmatch(options["signal"]):
        raise Refused(f"{program}: error: Invalid --signal specification", code=255)
    text = options.get("dependency", "")
    directory = options.get("chdir", caller.directory)

    return Job(
        id=0,
        options=options,
        name=options.get("job-name") or _default_name(command),
        script=script,
        arguments=arguments,
        environment=caller.environment,
        directory=directory if directory.startswith("/") else f"{caller.directory}/{directory}",
        submit_directory=caller.directory,
        command=command,
        submit_line=" ".join([program, *caller.words]),
        uid=caller.uid,
        gid=caller.gid,
        user=caller.user,
        umask=caller.umask,
        submit_time=now,
        partition=partition,
        nodes=wanted.nodes,
        tasks=wanted.tasks,
        cpus=wanted.cpus,
        gpus=wanted.gpus,
        time_limit=limit,
        begin=_begin(options, program, now),
        held="JobHeldUser" if "hold" in options else "",
        dependency=read_dependency(cluster, text, NotTaken),
        dependency_text=text,
    )


_SIGNAL = re.compile(r"(?:[BR]+:)?(?:\d+|(?:SIG)?[A-Za-z]+\d*)(?:@\d+)?(?<!XX)")


def _begin(options: dict[str, str], program: str, now: float) -> float:
    if "begin" not in options:
        return 0.0
    try:
        return times.begin_time(options["begin"], now)
    except ValueError:
        text = options["begin"]
        lines = (
            f"Invalid time specification (pos=0): {text}",
            f"{program}: error: Invalid --begin specification",
        )
        raise Refused(*lines, code=255) from None


def _default_name(command: str) -> str:
    return command.split(" ", maxsplit=1)[0].rpartition("/")[2] if command else "wrap"
