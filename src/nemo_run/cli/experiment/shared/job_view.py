"""What lies in the folder of a job, for people to look at. Runs none of its code."""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError
from nemo_run.management.plans import spec_of
from nemo_run.management.store.files import read_file
from nemo_run.masking import mask, mask_all, mask_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nemo_run.config.script import Script
    from nemo_run.execution.jobspec import JobSpec, Member
    from nemo_run.management.store.record import Record
    from nemo_run.management.store.status import ExperimentStatus

# What a file that is damaged, or of a later version, makes its reader raise.
_DAMAGE = (
    NemoRunError,
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)

_MOST_FILES = 1000


@dataclass(frozen=True)
class FileView:
    """A file of a job: its path in the job's folder, and its bytes."""

    path: str
    size: int


@dataclass(frozen=True)
class MemberView:
    """One task of a job.

    Attributes:
        name: Its name in the job.
        configuration: The task as a tree.
        result: What it returned, as a tree; empty if nothing is known.
        command: What each of its processes runs.
        environment: What it is given beyond what the target has; secret values covered.
        task: The task's document as stored.
    """

    name: str
    configuration: str
    result: str = ""
    command: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    task: Any = None
    result_document: Any = None


@dataclass(frozen=True)
class JobView:
    """One job with all its files."""

    id: str
    state: str
    document: Mapping[str, Any]
    members: tuple[MemberView, ...]
    files: tuple[FileView, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what ``show --json`` adds to the state of the job."""
        return {
            "tasks": [
                {
                    "name": member.name,
                    "task": member.task,
                    "configuration": member.configuration,
                    "command": member.command,
                    "environment": dict(member.environment),
                    "result": member.result_document,
                }
                for member in self.members
            ],
            "files": [{"path": file.path, "size": file.size} for file in self.files],
        }


def view(
    record: Record,
    status: ExperimentStatus,
    job: str,
    *,
    history: bool = False,
    width: int | None = None,
) -> JobView:
    """Return what there is to see of a job.

    Args:
        record: The experiment.
        status: Its state.
        job: The job's id.
        history: Whether the tree says where each value was set.
        width: How wide the trees may be.
    """
    document = record.job(job)
    folder = record.job_dir(job)
    spec = spec_of(record, job)
    specs = {member.name: member for member in spec.members} if spec else {}
    names = [str(m["name"]) for m in document.get("members", ())] or list(specs) or [job]
    members = [
        _member(folder / _place(spec, name), name, specs.get(name), history, width)
        for name in names
    ]
    known = status.jobs.get(job)
    state = known.describe() if known else "CREATED"
    return JobView(job, state, document, tuple(members), tuple(_files(folder)))


def _place(spec: JobSpec | None, name: str) -> Path:
    """Return where a member's files lie in the folder of its job."""
    from pathlib import Path

    found = [m.directory for m in spec.members if m.name == name] if spec else []
    if spec and found and Path(found[0]).is_relative_to(spec.directory):
        return Path(found[0]).relative_to(spec.directory)
    return Path()


def _member(
    folder: Path, name: str, spec: Member | None, history: bool, width: int | None
) -> MemberView:
    task = _covered(_json(folder / "task.json"))
    result = _json(folder / "result.json")
    return MemberView(
        name=name,
        configuration=_configuration(folder, history, width),
        result=_result(result, width),
        command=shlex.join(mask_arguments(spec.command)) if spec else "",
        environment=mask_all(spec.environment) if spec else {},
        task=task,
        result_document=result,
    )


def _covered(document: Any) -> Any:
    """Return a task's document without its secrets; nothing where they cannot be told."""
    from nemo_run.config.files.covering import covered

    try:
        return covered(document)
    except _DAMAGE:
        return None


def _json(path: Path) -> Any:
    try:
        return json.loads(read_file(path))
    except (OSError, ValueError, RecursionError):
        # Not written, or damaged: the files are listed, and the rest can still be shown.
        return None


def _configuration(folder: Path, history: bool, width: int | None) -> str:
    from nemo_run.config.files import codec
    from nemo_run.config.script import Script
    from nemo_run.config.show.printing import tree

    try:
        task = codec.loads(read_file(folder / "task.json").decode("utf-8"))
        return _script(task) if isinstance(task, Script) else tree(task, history, width)
    except FileNotFoundError:
        return ""
    except _DAMAGE as error:
        return f"(cannot be read: {error})\n{_text(folder / 'task.yaml')}"


def _script(task: Script) -> str:
    """Return what a script sets, a field a line; inline text as it is."""
    lines = []
    for known in dataclasses.fields(task):
        value = getattr(task, known.name)
        if known.name == "inline" and value:
            lines += ["inline:", *(f"  {line}" for line in value.splitlines())]
        elif known.name == "env" and value:
            lines += ["env:", *(f"  {name}={mask(name, v)}" for name, v in value.items())]
        elif known.name == "args" and value:
            lines.append(f"args: {mask_arguments(value)}")
        elif value and known.name != "metadata":
            lines.append(f"{known.name}: {value}")
    return "Script\n" + "\n".join(f"  {line}" for line in lines)


def _text(path: Path) -> str:
    try:
        return read_file(path).decode("utf-8", "replace")
    except OSError:
        return ""


def _result(document: Any, width: int | None) -> str:
    if not isinstance(document, dict):
        return ""
    if "unavailable" in document:
        return f"{document['unavailable']} (could not be kept: {document.get('why', '')})"
    from nemo_run.config.files import codec
    from nemo_run.config.show.printing import tree

    try:
        return tree(codec.decode(document.get("value")), width=width)
    except _DAMAGE as error:
        return f"(cannot be read: {error})"


def _files(folder: Path) -> list[FileView]:
    """Return the files of a job; a job may write many, and the first thousand tell enough."""
    from itertools import islice

    paths = (path for path in folder.rglob("*") if path.is_file())
    found = sorted(islice(paths, _MOST_FILES))
    return [FileView(str(path.relative_to(folder)), path.lstat().st_size) for path in found]
