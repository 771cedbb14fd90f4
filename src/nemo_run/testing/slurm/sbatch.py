"""sbatch(1): a script becomes jobs."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import hostlist, schedule, times
from . import options as opts
from .submission import NOT_AVAILABLE, Caller, NotTaken, Refused, array_indices, make_job

if TYPE_CHECKING:
    from .engine import Engine
    from .model import Job

# sbatch(1), "INPUT ENVIRONMENT VARIABLES".
_FROM_ENVIRONMENT = {
    "SBATCH_ACCOUNT": "account",
    "SBATCH_ARRAY_INX": "array",
    "SBATCH_CONSTRAINT": "constraint",
    "SBATCH_ERROR": "error",
    "SBATCH_EXCLUSIVE": "exclusive",
    "SBATCH_EXPORT": "export",
    "SBATCH_GPUS_PER_NODE": "gpus-per-node",
    "SBATCH_GRES": "gres",
    "SBATCH_INPUT": "input",
    "SBATCH_JOB_NAME": "job-name",
    "SBATCH_NO_REQUEUE": "no-requeue",
    "SBATCH_OPEN_MODE": "open-mode",
    "SBATCH_OUTPUT": "output",
    "SBATCH_PARTITION": "partition",
    "SBATCH_QOS": "qos",
    "SBATCH_REQUEUE": "requeue",
    "SBATCH_RESERVATION": "reservation",
    "SBATCH_SIGNAL": "signal",
    "SBATCH_TIMELIMIT": "time",
}


# What was seen to go over with 22.05; partition, tasks, GPUs and --exclusive do not.
_OF_ALL = (
    "account",
    "begin",
    "chdir",
    "comment",
    "dependency",
    "error",
    "export",
    "hold",
    "input",
    "job-name",
    "kill-on-invalid-dep",
    "mem",
    "no-requeue",
    "open-mode",
    "output",
    "qos",
    "requeue",
    "signal",
    "time",
)


class NeedsInput(Exception):  # noqa: N818  (a question, not an error)
    """The script comes on standard input."""


def jobs_of(engine: Engine, caller: Caller, given: bytes | None) -> list[Job]:
    """Return the jobs that a call of sbatch asks for; none are admitted yet.

    Args:
        engine: Whose.
        caller: Who asks.
        given: The script from standard input, where it was asked for.

    Raises:
        NeedsInput: It is to be asked for.
        Refused: Slurm would refuse.
    """
    parts, rest = _command_line(caller)
    script, command = _script(caller, parts[0], rest, given)
    arguments = rest[1:] if command or given is not None else []
    lines = opts.script_directives(script.decode(errors="surrogateescape"))
    outer = {
        name: caller.environment[variable]
        for variable, name in _FROM_ENVIRONMENT.items()
        if variable in caller.environment
    }
    asked: list[dict[str, str]] = []
    for at in range(max(len(parts), len(lines))):
        within = _parse(lines[at], caller) if at < len(lines) else {}
        typed = parts[at] if at < len(parts) else {}
        if asked:
            within = {**_shared(asked[0]), **within}
        asked.append(_latest_requeue({**within, **(outer if at == 0 else {}), **typed}))
    now = engine.now()
    found = [
        make_job(engine.cluster, caller, one, script, arguments, command=command, now=now)
        for one in asked
    ]
    return found if len(found) > 1 else _elements(engine, found[0])


def _shared(first: dict[str, str]) -> dict[str, str]:
    """What every component of a heterogeneous job has of the first one's options."""
    return {name: first[name] for name in _OF_ALL if name in first}


def _latest_requeue(options: dict[str, str]) -> dict[str, str]:
    """The later of ``--requeue`` and ``--no-requeue`` counts."""
    names = [name for name in options if name in {"requeue", "no-requeue"}]
    return {name: value for name, value in options.items() if name not in names[:-1]}


def _command_line(caller: Caller) -> tuple[list[dict[str, str]], list[str]]:
    parts = []
    rest = [":", *caller.words]
    while rest and rest[0] == ":":
        try:
            found, rest = opts.parse("sbatch", rest[1:])
        except opts.Unknown as unknown:
            raise _usage(unknown) from None
        parts.append(found)
    return parts, rest


def _parse(words: list[str], caller: Caller) -> dict[str, str]:
    try:
        return opts.parse(caller.program, words)[0]
    except opts.Unknown as unknown:
        raise _usage(unknown) from None


def _usage(unknown: opts.Unknown) -> Refused:
    return Refused(str(unknown), 'Try "sbatch --help" for more information', code=255)


def _script(
    caller: Caller, options: dict[str, str], rest: list[str], given: bytes | None
) -> tuple[bytes, str]:
    if "wrap" in options:
        if rest:
            raise Refused("sbatch: error: Script arguments not permitted with --wrap option")
        head = "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n"
        return f"{head}{options['wrap']}\n".encode(errors="surrogateescape"), ""
    if not rest:
        if given is None:
            raise NeedsInput
        return _checked(given), ""
    path = Path(caller.directory, rest[0])
    if not path.exists() and "/" not in rest[0]:
        path = _on_path(rest[0], caller) or path
    try:
        return _checked(path.read_bytes()), str(path)
    except OSError:
        raise Refused(f"sbatch: error: Unable to open file {rest[0]}") from None


def _on_path(name: str, caller: Caller) -> Path | None:
    folders = caller.environment.get("PATH", "").split(os.pathsep)
    return next((Path(one, name) for one in folders if Path(one, name).is_file()), None)


def _checked(script: bytes) -> bytes:
    if not script:
        raise Refused("sbatch: error: Batch script is empty!")
    if not script.startswith(b"#!"):
        raise Refused(
            "sbatch: error: This does not look like a batch script.  The first",
            "sbatch: error: line must start with #! followed by the path to an interpreter.",
            "sbatch: error: For instance: #!/bin/sh",
        )
    if b"\r\n" in script:
        raise Refused(
            "sbatch: error: Batch script contains DOS line breaks (\\r\\n)",
            "sbatch: error: instead of expected UNIX line breaks (\\n).",
        )
    return script


def _elements(engine: Engine, job: Job) -> list[Job]:
    if not job.options.get("array"):
        return [job]
    most = engine.cluster.settings.max_array_size
    indices, limit = array_indices(job.options["array"], most)
    return [
        replace(job, array_index=index, array_limit=limit, history=[], steps=[], waiters=[])
        for index in indices
    ]


def admit(engine: Engine, jobs: list[Job]) -> int:
    """Take the jobs of one submission in and return their id."""
    first = engine.cluster.take_id()
    if jobs[0].array_index is not None:
        for job in jobs:
            job.id = job.array_id = first
    elif len(jobs) > 1:
        jobs[0].id = first
        for job in jobs[1:]:
            job.id = engine.cluster.take_id()
        for at, job in enumerate(jobs):
            job.het_id, job.het_offset = first, at
    else:
        jobs[0].id = first
    engine.admit(jobs)
    return first


def tested(engine: Engine, job: Job) -> str:
    """Return what ``--test-only`` says.

    Raises:
        NotTaken: The job could never run.
    """
    cluster, now = engine.cluster, engine.now()
    partition = cluster.partitions[job.partition]
    if schedule.hindrance(cluster, job, now) in {"PartitionNodeLimit", "PartitionConfig"}:
        raise NotTaken(NOT_AVAILABLE)

    nodes = schedule.room(cluster, job)
    names = [node.name for node in nodes] if nodes else partition.nodes[: job.nodes]
    start = now if nodes else now + 3600
    return (
        f"Job {cluster.take_id()} to start at {times.iso(start)} using {job.cpus * job.nodes} "
        f"processors on nodes {hostlist.compress(names)} in partition {job.partition}"
    )
