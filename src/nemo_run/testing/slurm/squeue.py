"""squeue(1): what waits and what runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from . import shown, times
from .model import ENDED, PENDING, SHORT, Job
from .submission import Caller, Refused

if TYPE_CHECKING:
    from .state import Cluster

_DEFAULT = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R"
_START = "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R"
_LONG = "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"

Value = Callable[[Job, float], str]


def _columns(cluster: Cluster) -> dict[str, tuple[str, Value]]:
    """Return the letters of ``-o``: the title of each and its value."""
    return {
        "a": ("ACCOUNT", lambda job, _: job.options.get("account", job.user)),
        "A": ("JOBID", lambda job, _: str(job.id)),
        "b": ("TRES_PER_NODE", lambda job, _: shown.tres(job)),
        "B": ("EXEC_HOST", lambda job, _: job.node_names[0] if job.node_names else "n/a"),
        "c": ("MIN_CPUS", lambda job, _: str(job.cpus)),
        "C": ("CPUS", lambda job, _: str(job.cpus * job.nodes)),
        "D": ("NODES", lambda job, _: str(job.nodes)),
        "e": ("END_TIME", shown.end),
        "E": ("DEPENDENCY", lambda job, _: shown.dependency(cluster, job)),
        "f": ("FEATURES", lambda job, _: job.options.get("constraint", shown.NULL)),
        "F": ("ARRAY_JOB_ID", lambda job, _: str(job.array_id or job.id)),
        "g": ("GROUP", lambda job, _: str(job.gid)),
        "h": ("OVER_SUBSCRIBE", lambda job, _: "NO" if "exclusive" in job.options else "OK"),
        "i": ("JOBID", lambda job, _: job.text_id),
        "j": ("NAME", lambda job, _: job.name),
        "k": ("COMMENT", lambda job, _: job.comment or shown.NULL),
        "K": ("ARRAY_TASK_ID", lambda job, _: _index(job)),
        "l": ("TIME_LIMIT", lambda job, _: times.short(job.time_limit)),
        "L": ("TIME_LEFT", shown.time_left),
        "m": ("MIN_MEMORY", lambda job, _: job.options.get("mem", "0")),
        "M": ("TIME", lambda job, now: times.short(job.elapsed(now))),
        "n": ("REQ_NODES", lambda job, _: job.options.get("nodelist", "")),
        "N": ("NODELIST", lambda job, _: job.node_list),
        "o": ("COMMAND", lambda job, _: shown.command(job)),
        "p": ("PRIORITY", lambda job, _: "0.00000000000000" if job.held else "0.99998474097810"),
        "P": ("PARTITION", lambda job, _: job.partition),
        "q": ("QOS", lambda job, _: job.options.get("qos", "normal")),
        "Q": ("PRIORITY", lambda job, _: "0" if job.held else str(4294901760 - job.id)),
        "r": ("REASON", lambda job, _: job.reason),
        "R": ("NODELIST(REASON)", lambda job, _: shown.where(job)),
        "S": ("START_TIME", shown.start),
        "t": ("ST", lambda job, _: shown.short_state(job)),
        "T": ("STATE", lambda job, _: shown.state(job)),
        "u": ("USER", lambda job, _: job.user),
        "U": ("USER", lambda job, _: str(job.uid)),
        "v": ("RESERVATION", lambda job, _: job.options.get("reservation", shown.NULL)),
        "V": ("SUBMIT_TIME", lambda job, _: times.iso(job.submit_time)),
        "w": ("WCKEY", lambda job, _: job.options.get("wckey", shown.NULL)),
        "x": ("EXC_NODES", lambda job, _: job.options.get("exclude", "")),
        "y": ("NICE", lambda job, _: job.options.get("nice", "0") or "100"),
        "Y": ("SCHEDNODES", lambda _job, _: shown.NULL),
        "Z": ("WORK_DIR", lambda job, _: job.directory),
    }


# squeue(1), --Format, for what -o has a letter.
_NAMES = {
    "account": "a",
    "jobid": "A",
    "jobarrayid": "i",
    "arrayjobid": "F",
    "arraytaskid": "K",
    "tres-per-node": "b",
    "batchhost": "B",
    "mincpus": "c",
    "numcpus": "C",
    "numnodes": "D",
    "endtime": "e",
    "dependency": "E",
    "feature": "f",
    "name": "j",
    "comment": "k",
    "timelimit": "l",
    "timeleft": "L",
    "minmemory": "m",
    "timeused": "M",
    "reqnodes": "n",
    "nodelist": "N",
    "command": "o",
    "priority": "p",
    "prioritylong": "Q",
    "partition": "P",
    "qos": "q",
    "reason": "r",
    "reasonlist": "R",
    "starttime": "S",
    "statecompact": "t",
    "state": "T",
    "username": "u",
    "userid": "U",
    "reservation": "v",
    "submittime": "V",
    "wckey": "w",
    "nice": "y",
    "schednodes": "Y",
    "workdir": "Z",
}
_ONLY_NAMED: dict[str, tuple[str, Value]] = {
    "restartcnt": ("RESTART_COUNT", lambda job, _: str(job.restarts)),
    "requeue": ("REQUEUE", lambda job, _: str(int(job.requeue))),
    "stdout": ("STDOUT", lambda job, _: shown.output(job, "output")),
    "stderr": ("STDERR", lambda job, _: shown.output(job, "error")),
    "exit_code": ("EXIT_CODE", lambda job, _: str(job.exit_code[0] * 256 + job.exit_code[1])),
    "eligibletime": ("ELIGIBLE_TIME", lambda job, _: times.iso(job.eligible or job.submit_time)),
    "numtasks": ("TASKS", lambda job, _: str(job.tasks)),
    "hetjobid": ("HET_JOB_ID", lambda job, _: str(job.het_id or "N/A")),
    "hetjoboffset": (
        "HET_JOB_OFFSET",
        lambda job, _: str(job.het_offset) if job.het_id else "N/A",
    ),
    "cluster": ("CLUSTER", lambda _job, _: "N/A"),
}


def squeue(cluster: Cluster, caller: Caller, options: dict[str, str], now: float) -> list[str]:
    """Return the lines of squeue.

    Raises:
        Refused: squeue ends with an error.
    """
    jobs = list(select(cluster, caller, options, now))
    if "array" not in options:
        jobs = list(_grouped(jobs))
    columns = _columns(cluster)
    if "Format" in options:
        fields = _named_fields(options["Format"], columns)
    else:
        fields = _lettered_fields(_form(options), columns)
    lines = []
    if "noheader" not in options:
        lines.append("".join(lead + fit(title) for lead, fit, title, _ in fields))
    for job in jobs:
        lines.append("".join(lead + fit(value(job, now)) for lead, fit, _, value in fields))
    return lines


def _form(options: dict[str, str]) -> str:
    if "format" in options:
        return options["format"]
    if "start" in options:
        return _START
    return _LONG if "long" in options else _DEFAULT


Field = tuple[str, Callable[[str], str], str, Value]


def _lettered_fields(form: str, columns: dict[str, tuple[str, Value]]) -> list[Field]:
    fields: list[Field] = []
    end = 0
    for found in re.finditer(r"%(\.?)(\d*)([A-Za-z])", form):
        lead, end = form[end : found.start()], found.end()
        title, value = columns.get(found[3], (found[0], lambda _job, _now: shown.NULL))
        fields.append((lead, _fitter(int(found[2] or 0), bool(found[1])), title, value))
    rest = form[end:]
    if rest:
        fields.append((rest, lambda _: "", "", lambda _job, _now: ""))
    return fields


def _fitter(width: int, right: bool) -> Callable[[str], str]:
    if not width:
        return lambda text: text
    if right:
        return lambda text: text[:width].rjust(width)
    return lambda text: text[:width].ljust(width)


def _named_fields(form: str, columns: dict[str, tuple[str, Value]]) -> list[Field]:
    fields: list[Field] = []
    for item in form.split(","):
        name, colon, size = item.partition(":")
        key = name.strip().lower()
        if key in _NAMES:
            title, value = columns[_NAMES[key]]
        elif key in _ONLY_NAMED:
            title, value = _ONLY_NAMED[key]
        else:
            raise Refused(f"squeue: error: Invalid job format specification: {name}")
        found = re.match(r"(\.?)(\d*)(.*)", size, re.DOTALL)
        right, width, suffix = found.groups() if found else ("", "", "")
        fit = _fitter(int(width or (0 if colon and suffix else 20)), bool(right))
        fields.append(("", lambda text, fit=fit, end=suffix: fit(text) + end, title, value))  # type: ignore[misc]
    return fields


def _index(job: Job) -> str:
    return "N/A" if job.array_index is None else str(job.array_index)


class _Rest(Job):
    """The waiting elements of an array, shown as one line."""

    elements: list[Job]

    @property
    def text_id(self) -> str:
        """The array and its waiting indices."""
        return f"{self.array_id}_[{shown.array_rest(self.elements)}]"


def _grouped(jobs: list[Job]) -> Iterable[Job]:
    def key(job: Job) -> tuple[int, str]:
        return (job.array_id, job.reason) if job.state == PENDING else (-id(job), "")

    for (array, _), run in groupby(jobs, key):
        same = list(run)
        if array <= 0:
            yield from same
            continue
        one = same[0].frozen()
        one.__class__ = _Rest
        assert isinstance(one, _Rest)
        one.elements = same
        one.array_index = shown.array_rest(same)  # type: ignore[assignment]
        yield one


def select(cluster: Cluster, caller: Caller, options: dict[str, str], now: float) -> Iterable[Job]:
    """Yield the jobs that squeue's filters leave, those that wait first.

    Raises:
        Refused: A filter names nothing, as ``-j`` of one unknown job does.
    """
    chosen = list(cluster.known(now))
    if "job" in options:
        wanted = options["job"].split(",")
        found = [job for text in wanted for job in cluster.find(text)]
        keep = {id(job) for job in found}
        chosen = [job for job in chosen if id(job) in keep]
        if not chosen and len(wanted) == 1:
            raise Refused("slurm_load_jobs error: Invalid job id specified")
    states = states_of(options.get("state", ""), "squeue")
    if not states:
        states = {*SHORT} - ENDED
    if "start" in options:
        states = {PENDING}
    chosen = [job for job in chosen if shown.state(job) in states or job.state in states]
    chosen = [job for job in chosen if _wanted(job, caller, options)]
    waiting = [job for job in chosen if job.state == PENDING]
    return [*waiting, *(job for job in chosen if job.state != PENDING)]


def _wanted(job: Job, caller: Caller, options: dict[str, str]) -> bool:
    users = options.get("user")
    if "me" in options:
        users = caller.user
    if users is not None and not {job.user, str(job.uid)} & set(users.split(",")):
        return False
    for option, value in (
        ("name", job.name),
        ("partition", job.partition),
        ("account", job.options.get("account", job.user)),
        ("qos", job.options.get("qos", "normal")),
    ):
        if option in options and value not in options[option].split(","):
            return False
    asked = options.get("nodelist")
    return asked is None or bool(set(asked.split(",")) & set(job.node_names))


def states_of(text: str, program: str) -> set[str]:
    """Return the states of a filter; empty for none given.

    Raises:
        Refused: There is no such state.
    """
    if text.lower() == "all":
        return set(SHORT)
    found = set()
    for item in filter(None, text.upper().split(",")):
        long = [name for name, short in SHORT.items() if item in (name, short)]
        if not long:
            raise _no_state(item, program)
        found.add(long[0])
    return found


def _no_state(item: str, program: str) -> Refused:
    if program == "sacct":
        return Refused(f"sacct: fatal: unrecognized job state value '{item}'")
    return Refused(
        f"{program}: error: Invalid job state specified: {item.lower()}",
        f"{program}: error: Valid job states include: {','.join(SHORT)}",
        "",
    )
