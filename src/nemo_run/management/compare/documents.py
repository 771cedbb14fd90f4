"""Two records as plain documents: all that is compared, read once. Runs none of their code."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import NemoRunError, StoreError
from nemo_run.management.describe.varied import Varied
from nemo_run.management.store.files import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.management.store.record import Record

# What a file that is damaged, or of a later version, makes its reader raise.
_DAMAGE = (
    *(NemoRunError, OSError, ValueError, LookupError, TypeError, AttributeError),
    RecursionError,
)
_VERSION = re.compile(r"(?<=/python)[\d.]+$")
# What is new for each experiment, whatever runs.
_OF_EACH = frozenset({"experiment_id", "experiment_dir", "job_dir"})


@dataclass(frozen=True)
class Task:
    """One member of a job, as it is stored.

    Attributes:
        name: Of the member.
        task: ``task.json``; None where it is not there.
        executor: The value in ``executor.json``, without what is new for each experiment.
        environment: The variables that its processes are given; None where nobody knows.
        result: The value in ``result.json``; None where there is none.
        metrics: The last values that it logged.
    """

    name: str
    task: Any = None
    executor: Any = None
    environment: Mapping[str, str] | None = None
    result: Any = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        id: Its id.
        tasks: Its members.
        state: As the journal has it.
        over: Whether it has ended.
        tree: The git tree of its code; empty where none is kept.
        varied: What makes it a point of a sweep, if it is one.
        problems: Sentences about what cannot be read, by section.
    """

    id: str
    tasks: tuple[Task, ...] = ()
    state: str = ""
    over: bool = True
    tree: str = ""
    varied: Varied | None = None
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One experiment.

    Attributes:
        id: Its id.
        title: Its title.
        folder: Of the launching process.
        jobs: Its jobs, in order.
        packages: Installed packages of the launching Python; None where they are not known.
        surroundings: Python, system, machine and variables of the launching process.
        git: The state of the folder in git; None outside of a repository.
        problems: Sentences about what cannot be read, by section.
    """

    id: str
    title: str
    folder: str = ""
    jobs: tuple[Job, ...] = ()
    packages: Mapping[str, str] | None = None
    surroundings: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    problems: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(record: Record) -> Run:
    """Return an experiment as a plain document.

    What is missing or damaged is told in ``problems``.

    Raises:
        StoreError: ``experiment.json`` itself cannot be read.
    """
    from nemo_run.management.capture import packages

    meta, problems = record.meta, _Problems()
    try:
        status = record.status()
    except StoreError as error:
        problems.add("results", str(error))
        status = record.unstarted
    installed = packages.of(record) or None
    if installed is None:
        problems.add("packages", f"Which packages {record.id} ran with is not known.")
    git = meta.get("git")
    return Run(
        record.id,
        record.title,
        str(meta.get("cwd") or ""),
        tuple(_job(record, document, status.jobs.get(document["id"])) for document in record.jobs),
        installed,
        _surroundings(meta),
        git if isinstance(git, dict) else None,
        problems.told(),
    )


class _Problems:
    def __init__(self) -> None:
        self._by_section: dict[str, dict[str, None]] = {}

    def add(self, section: str, sentence: str) -> None:
        self._by_section.setdefault(section, {})[sentence] = None

    def told(self) -> dict[str, tuple[str, ...]]:
        return {section: tuple(said) for section, said in self._by_section.items()}


def _surroundings(meta: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: meta.get(name) for name in ("nemo_run", "python", "platform", "host", "user")}
    python = known.pop("python")
    if isinstance(python, dict):
        # The same interpreter goes by several names: python, python3, python3.11.
        plain = {**python, "executable": _VERSION.sub("", str(python.get("executable") or ""))}
        known |= {f"python.{name}": value for name, value in plain.items()}
    devices, images = meta.get("devices"), meta.get("images")
    return {
        **{name: value for name, value in known.items() if value},
        **_flat("devices", devices),
        **_flat("images", images),
        "variables": meta.get("environment") if isinstance(meta.get("environment"), dict) else {},
    }


def _flat(name: str, said: object) -> dict[str, Any]:
    return {f"{name}.{key}": item for key, item in said.items()} if isinstance(said, dict) else {}


def _job(record: Record, document: Mapping[str, Any], known: Any) -> Job:
    from nemo_run.management.plans import spec_of

    job, problems = str(document["id"]), _Problems()
    spec = None
    try:
        spec = spec_of(record, job)
    except _DAMAGE as error:
        problems.add("environment", str(error))
    code = document.get("code")
    return Job(
        job,
        tuple(_task(record, document, name, spec, problems) for name in _members(document, job)),
        str(known.state) if known is not None else "",
        known is not None and known.state.terminal,
        str(code.get("tree") or "") if isinstance(code, dict) else "",
        Varied.from_json(document.get("sweep")),
        problems.told(),
    )


def _members(document: Mapping[str, Any], job: str) -> list[str]:
    listed = document.get("members")
    names = [
        one["name"]
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    ]
    return names or [job]


def _task(
    record: Record,
    document: Mapping[str, Any],
    name: str,
    spec: JobSpec | None,
    problems: _Problems,
) -> Task:
    from nemo_run.management.store import names

    folder = record.job_dir(str(document["id"]))
    if document.get("group"):
        try:
            inside = names.folder(name)
        except _DAMAGE as error:
            problems.add("configuration", str(error))
            return Task(name)
        folder = folder / inside
    task = _document(folder / "task.json", "configuration", problems, needed=True)
    executor = _document(folder / "executor.json", "executor", problems, needed=True)
    own = next((m for m in spec.members if m.name == name), None) if spec else None
    if spec is not None and own is None:
        problems.add("environment", f"What {name} was given is not in its spec.json.")
    return Task(
        name,
        task,
        _executor(executor, record),
        _anonymous(dict(own.environment), record) if own else None,
        _result(folder / "result.json", problems),
        _metrics(record, document, name, problems),
    )


def _document(path: Path, section: str, problems: _Problems, *, needed: bool = False) -> Any:
    """Return the JSON object in a file; None where there is none, or it is damaged."""
    try:
        document = json.loads(read_file(path))
    except FileNotFoundError:
        if needed:
            problems.add(section, f"{path} is missing.")
        return None
    except OSError as error:
        problems.add(section, f"{path} cannot be read: {error.strerror or error}.")
        return None
    except (ValueError, RecursionError) as error:
        problems.add(section, f"{path} is damaged: {error}.")
        return None
    if isinstance(document, dict) and "value" in document:
        return document
    if isinstance(document, dict) and "unavailable" in document:
        return document
    problems.add(section, f"{path} is damaged: it holds no value.")
    return None


def _executor(document: Any, record: Record) -> Any:
    value = document.get("value") if document is not None else None
    return _anonymous(_without_own(value), record)


def _without_own(value: Any) -> Any:
    """Return an executor, and what it holds, without what is new for each experiment."""
    if isinstance(value, list):
        return [_without_own(item) for item in value]
    if not isinstance(value, dict):
        return value
    fields = value.get("fields")
    if value.get("$") == "dataclass" and isinstance(fields, dict):
        kept = {key: _without_own(item) for key, item in fields.items() if key not in _OF_EACH}
        return {**value, "fields": kept}
    return {key: _without_own(item) for key, item in value.items()}


def _anonymous(value: Any, record: Record) -> Any:
    """Return data in which the experiment goes by no name of its own."""
    if isinstance(value, str):
        return value.replace(str(record.path), "<experiment>").replace(record.id, "<id>")
    if isinstance(value, list):
        return [_anonymous(item, record) for item in value]
    if isinstance(value, dict):
        return {key: _anonymous(item, record) for key, item in value.items()}
    return value


def _result(path: Path, problems: _Problems) -> Any:
    document = _document(path, "results", problems)
    if document is None:
        return None
    return document.get("value", {"$": "unavailable", "repr": document.get("unavailable")})


def _metrics(
    record: Record, document: Mapping[str, Any], name: str, problems: _Problems
) -> dict[str, float]:
    from nemo_run.management import metrics

    job = str(document["id"])
    try:
        return metrics.read(record, job, name if document.get("group") else None).last()
    except _DAMAGE as error:
        problems.add("results", f"The metrics of {job} cannot be read: {error}")
        return {}
