"""sacct(1): what the accounting knows, which is late and forgets nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import shown, times
from .model import CANCELLED, PENDING, RUNNING, Job, Step
from .squeue import states_of
from .submission import Caller, Refused

if TYPE_CHECKING:
    from .state import Cluster

_DEFAULT = "jobid,jobname,partition,account,alloccpus,state,exitcode"
_BRIEF = "jobid,state,exitcode"
_LONG = "jobid,jobidraw,jobname,partition,maxrss,ntasks,alloccpus,elapsed,state,exitcode,nodelist"


@dataclass(frozen=True)
class Row:
    """One line: a job, its batch script, or one of its steps.

    Attributes:
        job: As it was when the accounting heard of it.
        part: Empty for the job itself, else ``batch``, ``extern`` or the step's number.
        step: The step, for a number.
        pending: The waiting elements of an array, when the line is theirs.
    """

    job: Job
    part: str = ""
    step: Step | None = None
    pending: tuple[Job, ...] = ()


Value = Callable[[Row, float], str]


def _id(row: Row, _now: float) -> str:
    if row.pending and row.job.array_id:
        return f"{row.job.array_id}_[{shown.array_rest(list(row.pending))}]"
    return f"{row.job.text_id}.{row.part}" if row.part else row.job.text_id


def _raw(row: Row, _now: float) -> str:
    return f"{row.job.id}.{row.part}" if row.part else str(row.job.id)


def _name(row: Row, _now: float) -> str:
    if row.step:
        return row.step.name
    return row.part or row.job.name


def _state(row: Row, _now: float) -> str:
    if row.step:
        return row.step.state
    over = row.job.ended or row.job.state == "REQUEUED"
    if row.part and over and row.job.state not in {"COMPLETED", "FAILED"}:
        return CANCELLED
    if row.part and row.job.exit_code[1] and row.job.state == "FAILED":
        return CANCELLED
    if row.job.state == CANCELLED and row.job.cancelled_by is not None and not row.part:
        return f"CANCELLED by {row.job.cancelled_by}"
    return row.job.state


def _exit(row: Row, _now: float) -> str:
    if row.step:
        return _reduced(row.step.exit_code)
    if row.job.state in {"COMPLETED", "FAILED", "PENDING", "RUNNING"}:
        return _reduced(row.job.exit_code)
    return "0:15" if row.part else "0:0"


def _reduced(code: tuple[int, int]) -> str:
    """An exit status from 128 on is shown without those 128, as sacct does."""
    return shown.exit_text((code[0] - 128 if code[0] >= 128 else code[0], code[1]))


def _start(row: Row, _now: float) -> str:
    start = row.step.start if row.step else row.job.start
    if start is not None:
        return times.iso(start)

    return "None" if row.job.ended else "Unknown"


def _end(row: Row, _now: float) -> str:
    end = row.step.end if row.step else row.job.end
    return times.iso(end) if end is not None else "Unknown"


def _elapsed(row: Row, now: float) -> float:
    if row.step:
        return (row.step.end if row.step.end is not None else now) - row.step.start
    return row.job.elapsed(now)


def _nodes(row: Row) -> list[str]:
    if row.step:
        return row.step.nodes
    return row.job.node_names[:1] if row.part else row.job.node_names


def _node_list(row: Row, _now: float) -> str:
    from .hostlist import compress

    return compress(_nodes(row)) or "None assigned"


def _tasks(row: Row, _now: float) -> str:
    return str(row.step.tasks) if row.step else "1" if row.part else ""


def _line(row: Row, _now: float) -> str:
    return row.step.submit_line if row.step else "" if row.part else row.job.submit_line


def _cpus(row: Row, _now: float) -> str:
    if row.step:
        return str(max(row.step.tasks, len(row.step.nodes)))
    count = 1 if row.part else row.job.nodes
    return str(0 if row.job.state == PENDING else row.job.cpus * count)


def _job_only(value: Callable[[Job], str]) -> Value:
    return lambda row, _now: "" if row.part else value(row.job)


def _tres(row: Row, _now: float) -> str:
    nodes = len(_nodes(row)) or row.job.nodes
    cpus = row.job.cpus * nodes
    gpus = f"gres/gpu={row.job.gpus * nodes}," if row.job.gpus else ""
    billing = "" if row.part else f"billing={cpus},"
    return f"{billing}cpu={cpus},{gpus}mem=0,node={nodes}"


def _limit_minutes(job: Job) -> str:
    return "UNLIMITED" if job.time_limit is None else str(job.time_limit // 60)


_FIELDS: dict[str, tuple[str, int, Value]] = {
    # lower case: title, width, value
    "account": ("Account", 10, lambda row, _: row.job.options.get("account", row.job.user)),
    "alloccpus": ("AllocCPUS", 10, _cpus),
    "allocnodes": ("AllocNodes", 10, lambda row, _: str(len(_nodes(row)))),
    "alloctres": ("AllocTRES", 10, lambda row, now: _tres(row, now) if row.job.start else ""),
    "cluster": ("Cluster", 10, lambda _row, _: ""),
    "comment": ("Comment", 14, _job_only(lambda job: job.comment)),
    "constraints": ("Constraints", 15, _job_only(lambda job: job.options.get("constraint", ""))),
    "container": ("Container", 10, lambda row, _: row.job.options.get("container", "")),
    "derivedexitcode": (
        "DerivedExitCode",
        15,
        _job_only(lambda job: shown.exit_text(job.derived)),
    ),
    "elapsed": ("Elapsed", 10, lambda row, now: times.full(_elapsed(row, now))),
    "elapsedraw": ("ElapsedRaw", 10, lambda row, now: str(int(_elapsed(row, now)))),
    "eligible": (
        "Eligible",
        19,
        lambda row, _: times.iso(row.job.eligible) if row.job.eligible else "Unknown",
    ),
    "end": ("End", 19, _end),
    "exitcode": ("ExitCode", 8, _exit),
    "flags": ("Flags", 20, _job_only(lambda _job: "SchedMain")),
    "gid": ("GID", 6, _job_only(lambda job: str(job.gid))),
    "jobid": ("JobID", 12, _id),
    "jobidraw": ("JobIDRaw", 12, _raw),
    "jobname": ("JobName", 10, _name),
    "maxrss": ("MaxRSS", 10, lambda row, _: "1024K" if row.part else ""),
    "ncpus": ("NCPUS", 10, _cpus),
    "nnodes": ("NNodes", 8, lambda row, _: str(len(_nodes(row)) or row.job.nodes)),
    "nodelist": ("NodeList", 15, _node_list),
    "ntasks": ("NTasks", 8, _tasks),
    "partition": ("Partition", 10, _job_only(lambda job: job.partition)),
    "priority": ("Priority", 10, _job_only(lambda job: str(4294901760 - job.id))),
    "qos": ("QOS", 10, _job_only(lambda job: job.options.get("qos", "normal"))),
    "reason": ("Reason", 22, _job_only(lambda job: job.reason if job.start is None else "None")),
    "reqcpus": ("ReqCPUS", 8, lambda row, _: str(row.job.cpus * row.job.nodes)),
    "reqmem": ("ReqMem", 10, _job_only(lambda job: job.options.get("mem", "0"))),
    "reqnodes": ("ReqNodes", 8, lambda row, _: str(row.job.nodes)),
    "reqtres": ("ReqTRES", 10, lambda row, now: "" if row.part else _tres(row, now)),
    "start": ("Start", 19, _start),
    "state": ("State", 10, _state),
    "submit": ("Submit", 19, lambda row, _: times.iso(row.job.submit_time)),
    "submitline": ("SubmitLine", 20, _line),
    "suspended": ("Suspended", 10, lambda _row, _: "00:00:00"),
    "timelimit": ("Timelimit", 10, _job_only(lambda job: times.full(job.time_limit))),
    "timelimitraw": ("TimelimitRaw", 12, _job_only(_limit_minutes)),
    "uid": ("UID", 6, _job_only(lambda job: str(job.uid))),
    "user": ("User", 9, _job_only(lambda job: job.user)),
    "workdir": ("WorkDir", 20, _job_only(lambda job: job.directory)),
}


def sacct(cluster: Cluster, caller: Caller, options: dict[str, str], now: float) -> list[str]:
    """Return the lines of sacct.

    Raises:
        Refused: sacct ends with an error.
    """
    if not cluster.settings.accounting:
        raise Refused("Slurm accounting storage is disabled")
    form = options.get("format", _BRIEF if "brief" in options else _DEFAULT)
    form = _LONG if "long" in options else form
    fields = [_field(cluster, item) for item in filter(None, form.split(","))]
    rows = list(_rows(cluster, caller, options, now))
    if "parsable" in options or "parsable2" in options:
        return _separated(fields, rows, options, now)
    lines = []
    if "noheader" not in options:
        lines.append("".join(_fit(title, width) for title, width, _ in fields))
        lines.append("".join("-" * abs(width) + " " for _, width, _ in fields))
    lines += ["".join(_fit(value(row, now), w) for _, w, value in fields) for row in rows]
    return lines


Field = tuple[str, int, Value]


def _field(cluster: Cluster, item: str) -> Field:
    name, _, width = item.partition("%")
    if name.lower() not in _FIELDS:
        raise Refused(f'sacct: error: Invalid field requested: "{name}"')
    title, size, value = _FIELDS[name.lower()]
    if title == "Cluster":
        value = lambda _row, _now: cluster.name  # noqa: E731
    if title == "JobID":
        size = -size if not width else size
    return title, int(width or size), value


def _fit(text: str, width: int) -> str:
    size = abs(width)
    if len(text) > size:
        text = text[: size - 1] + "+"
    return (text.ljust(size) if width < 0 else text.rjust(size)) + " "


def _separated(
    fields: list[Field], rows: list[Row], options: dict[str, str], now: float
) -> list[str]:
    mark = options.get("delimiter", "|")
    last = "" if "parsable2" in options else mark
    lines = [] if "noheader" in options else [mark.join(title for title, _, _ in fields) + last]
    lines += [mark.join(value(row, now) for _, _, value in fields) + last for row in rows]
    return lines


def _rows(cluster: Cluster, caller: Caller, options: dict[str, str], now: float) -> Iterable[Row]:
    states = states_of(options.get("state", ""), "sacct")
    waiting: dict[int, list[Job]] = {}
    for job in _asked(cluster, caller, options, now):
        seen = [copy for visible, copy in job.history if visible <= now]
        seen = _attempts(seen) if "duplicates" in options else seen[-1:]
        for copy in seen:
            if states and copy.state not in states:
                continue
            if copy.array_id and copy.state == PENDING:
                waiting.setdefault(copy.array_id, []).append(copy)
                continue
            yield from _of_job(copy, options)
    for elements in waiting.values():
        yield Row(elements[0], pending=tuple(elements))


def _attempts(copies: list[Job]) -> list[Job]:
    last: dict[int, Job] = {copy.restarts: copy for copy in copies}
    return list(last.values())


def _of_job(job: Job, options: dict[str, str]) -> Iterable[Row]:
    part = options.get("_part", "")
    if not part:
        yield Row(job)
    if "allocations" in options or job.start is None:
        return
    if not job.allocation_only and part in {"", "batch"}:
        yield Row(job, "batch")
    for step in job.steps:
        if part in {"", str(step.id)}:
            yield Row(job, str(step.id), step)


def _asked(cluster: Cluster, caller: Caller, options: dict[str, str], now: float) -> Iterable[Job]:
    if "job" in options:
        for text in filter(None, options["job"].split(",")):
            if not re.fullmatch(r"\d+([_+]\[?[\d,-]+\]?)?(\.\w+)?", text.strip()):
                raise Refused(f"sacct: fatal: Bad job/step specified: {text}")
            jobs = cluster.find(text.strip().partition(".")[0])
            if jobs and jobs[0].array_id == jobs[0].id and "_" not in text:
                jobs = cluster.find(str(jobs[0].array_id))
            yield from jobs
        return
    since = _since(options, now)
    users = options.get("user", caller.user).split(",")
    for job in cluster.all_jobs():
        mine = "allusers" in options or caller.uid == 0 or bool({job.user, str(job.uid)} & {*users})
        if "user" in options:
            mine = bool({job.user, str(job.uid)} & {*users})
        named = "name" not in options or job.name in options["name"].split(",")
        if mine and named and (job.end is None or job.end >= since or job.state == RUNNING):
            yield job


def _since(options: dict[str, str], now: float) -> float:
    text = options.get("starttime")
    if text is None:
        return now - 86400 if options.get("state") is None else now
    try:
        return times.begin_time(text, now)
    except ValueError:
        raise Refused(f"sacct: error: Invalid time specification (pos=0): {text}") from None
