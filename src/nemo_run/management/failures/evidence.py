"""What the processes of a failed job left behind: errors of the worker, and the ends of logs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.management.plans import holds
from nemo_run.management.store import layout, names
from nemo_run.management.store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nemo_run.execution.backend import LogFile
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import JobStatus

_TAIL_BYTES = 1 << 16
_MOST_LOGS = 64
_LATEST = float("inf")
# They only say that a program that was called has failed: its log says why.
_HIDE_THEIR_CAUSE = frozenset({"CalledProcessError", "ChildFailedError", "ProcessRaisedException"})

# PyTorch puts this before the lines of a traceback (torch/distributed, "[rank3]:").
_RANK = re.compile(r"^\[rank(\d+)\]:\s?", re.MULTILINE)
_BEGIN = "Traceback (most recent call last):"
_RAISED = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")
# https://docs.pytorch.org/docs/stable/elastic/errors.html: what torchrun prints at its end.
_ROOT_CAUSE = re.compile(r"Root Cause \(first observed failure\):.*?rank\s+: (\d+)", re.DOTALL)


@dataclass(frozen=True)
class Evidence:
    """What one process left of how it ended.

    Attributes:
        member: The member it belongs to.
        rank: Its number, from 0.
        time: When, in seconds since the epoch; infinite where nobody knows.
        exception: The name of the class that ended it, without module; empty if there is none.
        full_exception: The same with its module.
        text: Traceback, message, or the last lines of its log: what patterns are searched in.
        traceback: The traceback alone; empty if there is none.
        exit_code: Of the process, if known.
        reason: What the engine says, if it says anything.
        document: What the worker wrote of the error; empty if it wrote nothing.
    """

    member: str = ""
    rank: int = 0
    time: float = _LATEST
    exception: str = ""
    full_exception: str = ""
    text: str = ""
    traceback: str = ""
    exit_code: int | None = None
    reason: str = ""
    document: dict[str, Any] = field(default_factory=dict)


def collect(record: Record, job: JobStatus) -> list[Evidence]:
    """Return what the processes of the last attempt left, the first to fail first.

    Args:
        record: The experiment.
        job: A job that failed.
    """
    from nemo_run.management.watch.logs import log_files
    from nemo_run.management.watch.ranks import failed_ranks

    errors = {(one.member, one.rank): one for one in _errors(record, job)}
    failed = set(failed_ranks(record, job, job.attempt))
    files = [f for f in log_files(record, job.id, job.attempt) if not _is_told(errors, f)]
    # Those that are known to have failed come first, should there be more than are read.
    files.sort(key=lambda file: (file.member, file.rank) not in failed)
    found, root = dict(errors), None
    for file in files[:_MOST_LOGS]:
        text, changed = _end_of(file)
        own = (file.member, file.rank)
        named = _ROOT_CAUSE.search(text)
        root = (file.member, int(named[1])) if named else root
        if own in errors:
            found[own] = _of_called(errors[own], file, text)
            continue
        seen = _of_log(file, text, changed, job.exit_code if own in failed else None)
        if seen.traceback or own in failed or len(files) == 1:
            found[(seen.member, seen.rank)] = seen
    order = found.values()
    return sorted(order, key=lambda one: ((one.member, one.rank) != root, one.time, one.rank))


def _is_told(errors: Mapping[tuple[str, int], Evidence], file: LogFile) -> bool:
    """Whether the process of this log left an error that says all."""
    error = errors.get((file.member, file.rank))
    return error is not None and error.exception not in _HIDE_THEIR_CAUSE


def errors_of(record: Record, job: JobStatus) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield member and document of each error that the worker left in the last attempt."""
    root = layout.attempt_folder(record.path, job.id, job.attempt)
    for path in [*root.glob("error.*.json"), *root.glob("*/error.*.json")]:
        try:
            document = json.loads(read_file(path))
        except (OSError, ValueError, RecursionError):
            # A full disk leaves none; the log tells the same.
            continue
        if isinstance(document, dict) and holds(record, path):
            yield "" if path.parent == root else path.parent.name, document


def _errors(record: Record, job: JobStatus) -> Iterator[Evidence]:
    for member, document in errors_of(record, job):
        kind, module = (str(document.get(key) or "") for key in ("type", "module"))
        rank, time = document.get("rank"), document.get("time")
        traceback = str(document.get("traceback") or "")
        yield Evidence(
            # The member of a job that is no group is called like the job's folder.
            member=member or names.folder(job.id),
            rank=rank if type(rank) is int else 0,
            time=float(time) if isinstance(time, (int, float)) else _LATEST,
            exception=kind,
            full_exception=f"{module}.{kind}",
            text=f"{traceback}\n{kind}: {document.get('message') or ''}",
            traceback=traceback,
            document=document,
        )


def _of_called(error: Evidence, file: LogFile, text: str) -> Evidence:
    """Return what ended the program whose failure an exception reports, as its log shows it."""
    before, own, _ = text.rpartition(_BEGIN)
    called = _of_log(file, before if own else text, error.time, None)
    if not called.traceback:
        return replace(error, text=called.text)
    return replace(called, rank=error.rank, document=error.document)


def _of_log(file: LogFile, text: str, changed: float, exit_code: int | None) -> Evidence:
    prefixed = _RANK.search(text)
    plain = _RANK.sub("", text)
    traceback = last_traceback(plain)
    raised = _RAISED.match(_last_line(traceback)) if traceback else None
    full = raised[1] if raised else ""
    return Evidence(
        member=file.member,
        rank=int(prefixed[1]) if prefixed and traceback else file.rank,
        time=changed,
        exception=full.rpartition(".")[2],
        full_exception=full,
        text=plain,
        traceback=traceback,
        exit_code=exit_code,
    )


def last_traceback(text: str) -> str:
    """Return the last Python traceback of a text, with what followed from it; else nothing.

    An exception that was raised while another was handled has two, with a line between them that
    ends with a colon; both are returned.
    """
    lines = text.splitlines()
    begins = [at for at, line in enumerate(lines) if line.strip() == _BEGIN]
    if not begins:
        return ""
    begin = begins[-1]
    end = begin + 1
    # Lines of the stack are indented; the first that is not names the exception.
    while end < len(lines) and (not lines[end] or lines[end][:1].isspace()):
        end += 1
    while begin in begins and begin >= 4 and "exception" in lines[begin - 2]:
        before = [at for at in begins if at < begin]
        if not before:
            break
        begin = before[-1]
    return "\n".join(lines[begin : end + 1])


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def _end_of(file: LogFile) -> tuple[str, float]:
    from nemo_run.management.watch.tail import Cursor, read

    path = Path(file.path)
    try:
        found = path.stat()
        begin = max(0, found.st_size - _TAIL_BYTES)
        data, _ = read(Cursor(file.path, begin), _TAIL_BYTES)
    except OSError:
        return "", _LATEST
    return data.decode("utf-8", "replace"), found.st_mtime
