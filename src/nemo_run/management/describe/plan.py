"""The plan of an experiment: every byte that would be sent, before any is. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run import worker
from nemo_run.config.checks.check import check_task
from nemo_run.config.files import codec
from nemo_run.config.files.covering import secrets_of
from nemo_run.config.files.serializers import YamlSerializer
from nemo_run.config.graph.node import is_node
from nemo_run.execution.backend import Arrayed, Rendered
from nemo_run.execution.jobspec import ArrayPlace
from nemo_run.execution.planning import (
    PlanRequest,
    TaskRequest,
    current_folder,
    launching_path,
    plan_job,
)
from nemo_run.execution.registry import get_backend
from nemo_run.execution.secret_plans import check_code
from nemo_run.management.store import layout
from nemo_run.masking import hidden_by, is_secret, mask_arguments, without
from nemo_run.packaging import launching_script

from . import dag
from .imported import Imported
from .sweeping import sweep_tables
from .traveling import Traveling, described
from .varied import Varied

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nemo_run.execution.backend import Artifact
    from nemo_run.execution.jobspec import JobSpec
    from nemo_run.execution.jobspec import Member as SpecMember

    from .jobs import Job, Member


@dataclass(frozen=True)
class PlannedJob:
    """One job, ready to be sent.

    Attributes:
        document: What ``experiment.json`` says about it.
        spec: What its backend needs.
        artifacts: What its backend would send for the first attempt.
    """

    document: dict[str, Any]
    spec: JobSpec
    artifacts: tuple[Artifact, ...]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.document['id']!r})"


@dataclass(frozen=True)
class File:
    """One file of a plan."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o600


@dataclass(frozen=True)
class Plan:
    """An experiment, ready to be sent.

    Attributes:
        experiment: Its id.
        title: Its title.
        directory: Its folder.
        jobs: Its jobs, in order.
        warnings: What the person should know before it is sent.
        code: The code that travels; written nowhere before :meth:`Traveling.keep`.
        arrays: What backends would send for equal jobs that they start together.
    """

    experiment: str
    title: str
    directory: str
    jobs: tuple[PlannedJob, ...]
    warnings: tuple[str, ...] = ()
    code: Traveling | None = field(default=None, repr=False, compare=False)
    arrays: tuple[Artifact, ...] = ()

    def __repr__(self) -> str:
        jobs = [job.document["id"] for job in self.jobs]
        return f"{type(self).__name__}({self.title!r}, id={self.experiment!r}, jobs={jobs})"

    @property
    def hash(self) -> str:
        """A digest of everything that would be sent.

        Two plans of the same jobs have the same one: the id and the folder, which are new each
        time, do not count.
        """
        digest = hashlib.sha256()
        for job in self.jobs:
            digest.update(json.dumps(job.document, sort_keys=True).encode())
            for file in files_of(job):
                for part in (os.fsencode(file.path), oct(file.mode).encode(), file.content):
                    digest.update(self._without_names(part) + b"\0")
        for artifact in self.arrays:
            # Their folders are named by tokens, which are new each time.
            digest.update(self._without_names(artifact.content.replace(_folder_of(artifact), b"")))
        return digest.hexdigest()

    def _without_names(self, content: bytes) -> bytes:
        return content.replace(os.fsencode(self.directory), b"<folder>").replace(
            self.experiment.encode(), b"<experiment>"
        )

    def text(self, *, full: bool = False) -> str:
        """Return everything that would be sent, to be read: each file as it is, once.

        Of a file of our own that travels as it is, the size and a digest are told, and of a sweep
        its points and the first of them. What is secret by the name of a variable, an argument or
        a word of the command line is covered.

        Args:
            full: Our own files and every point, too.
        """
        text = "".join(self._pieces(b"" if full else worker.source().encode()))
        return without(text, self._secrets())

    def _secrets(self) -> set[str]:
        members = [member for job in self.jobs for member in job.spec.members]
        return set().union(*map(_secrets_of, members))

    def _pieces(self, own: bytes) -> Iterator[str]:
        yield f"Experiment {self.title!r}, id {self.experiment}\n"
        yield f"Plan sha256:{self.hash}\n"
        yield from sweep_tables([job.document for job in self.jobs])
        shown: dict[bytes, str] = {}
        told: set[str] = set()
        for job in self.jobs:
            varied = Varied.from_json(job.document.get("sweep"))
            if own and varied is not None and varied.sweep in told:
                continue
            if varied is not None:
                told.add(varied.sweep)
            yield f"\n== {_headline(job)}\n"
            code = job.document.get("code")
            if code:
                yield f"\n-- code of {code['root']}: {code.get('summary', '')}\n"
                yield f"git tree {code['tree']}\n"
            for member in job.spec.members:
                yield f"\n-- command of {member.name}, in {member.working_directory}\n"
                yield f"{json.dumps(member.command)}\n"
            for file in files_of(job):
                yield f"\n-- {file.path} (mode {file.mode:o}, {len(file.content)} bytes)\n"
                yield _digest(file) if own and file.content == own else _shown(file, shown)
        if self.arrays:
            yield "\n== equal jobs as job arrays\n"
        for one in self.arrays:
            yield f"\n-- {one.path} (mode {one.mode:o}, {len(one.content)} bytes)\n"
            yield _shown(File(one.path, one.content, one.mode), shown)


def _folder_of(artifact: Artifact) -> bytes:
    return os.fsencode(Path(artifact.path).parent)


def _secrets_of(member: SpecMember) -> set[str]:
    """Return what is secret by its name in the environment, the task and the command line."""
    found = {value for name, value in member.environment.items() if is_secret(name)}
    task = json.loads(member.files.get("task.json", "null"))
    words = json.loads(member.files.get("worker.json", "{}")).get("argv") or []
    return found | secrets_of(task) | hidden_by(words, mask_arguments(words))


def _headline(job: PlannedJob) -> str:
    after = [edge["job"] for edge in job.document["dependencies"]]
    return (
        f"job {job.document['id']} on {job.document['executor']}"
        + (f", after {', '.join(after)}" if after else "")
        + (f", {job.spec.retries} more tries" if job.spec.retries else "")
    )


def _shown(file: File, shown: dict[bytes, str]) -> str:
    first = shown.setdefault(file.content, file.path)
    if first != file.path:
        return f"(the same bytes as {first})\n"
    try:
        text = file.content.decode()
    except UnicodeDecodeError:
        return f"(binary, sha256:{hashlib.sha256(file.content).hexdigest()})\n"
    return text if text.endswith("\n") or not text else f"{text}\n"


def _digest(file: File) -> str:
    digest = hashlib.sha256(file.content).hexdigest()
    return f"(NeMo Run's own, as installed, sha256:{digest}; plan.text(full=True) shows it)\n"


def files_of(job: PlannedJob) -> Iterator[File]:
    """Yield the files of a job: what its backend sends, then what its worker reads."""
    for artifact in job.artifacts:
        yield File(artifact.path, artifact.content, artifact.mode)
    rendered = {artifact.path for artifact in job.artifacts}
    for member in job.spec.members:
        for name, text in member.files.items():
            path = str(Path(member.directory, name))
            if path not in rendered:
                yield File(path, text.encode("utf-8", "surrogateescape"))


def make(
    experiment: str,
    title: str,
    directory: Path,
    jobs: Sequence[Job],
    *,
    yaml_of_scripts: bool = True,
) -> Plan:
    """Plan all jobs; touches nothing.

    Args:
        experiment: The experiment's id.
        title: Its title.
        directory: Where its folder will be.
        jobs: Its jobs.
        yaml_of_scripts: Whether scripts get a ``task.yaml`` too.

    Raises:
        ConfigError: A task is wrong or cannot travel.
        PlanError: A job cannot run.
    """
    dag.validate([dag.Node(job.id, tuple(job.edges)) for job in jobs])
    shared = _Shared(yaml_of_scripts)
    places = array_places(jobs)
    planned = [_planned(experiment, directory, job, places.get(job.id), shared) for job in jobs]
    shared.warnings.update(dict.fromkeys(shared.traveling.warnings))
    for snapshot in shared.traveling.all():
        shared.warnings.update(dict.fromkeys(snapshot.warnings))
    return Plan(
        experiment,
        title,
        str(directory),
        tuple(planned),
        tuple(shared.warnings),
        shared.traveling,
        tuple(_arrays(planned)),
    )


def _arrays(jobs: Sequence[PlannedJob]) -> Iterator[Artifact]:
    """Yield what backends would send for the points of sweeps together."""
    by_backend: dict[str, list[Rendered]] = {}
    for job in jobs:
        if job.spec.array is not None:
            found = by_backend.setdefault(job.spec.backend, [])
            found.append(Rendered(job.spec, job.artifacts))
    for name, theirs in by_backend.items():
        backend = get_backend(name)
        if isinstance(backend, Arrayed):
            yield from backend.render_arrays(theirs)


def array_places(jobs: Sequence[Job]) -> dict[str, ArrayPlace]:
    """Return the place of each job that is a point of a sweep, among the points of its sweep."""
    sweeps: dict[str, list[Job]] = {}
    for job in jobs:
        if job.varied is not None:
            sweeps.setdefault(job.varied.sweep, []).append(job)
    return {
        job.id: ArrayPlace(name, index, len(points), (job.varied and job.varied.max_parallel) or 0)
        for name, points in sweeps.items()
        for index, job in enumerate(points)
    }


@dataclass
class _Shared:
    """What the plans of one experiment's jobs have in common, found out once."""

    yaml_of_scripts: bool
    working_directory: str = field(default_factory=current_folder)
    python: str = sys.executable
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    warnings: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sys_path = launching_path(sys.path, self.working_directory)
        self.traveling = Traveling(self.working_directory)
        self.imported = Imported(self.sys_path)

    def surroundings(self, job: Job) -> dict[str, Any]:
        """Return folder, interpreter and import path of a job; a stored one keeps its own."""
        origin = job.members[0].origin or self
        return {
            "working_directory": origin.working_directory,
            "python": origin.python,
            "sys_path": origin.sys_path,
        }


def _planned(
    experiment: str, directory: Path, job: Job, place: ArrayPlace | None, shared: _Shared
) -> PlannedJob:
    from .jobs import JobGroup

    folder = layout.job_folder(directory, job.id)
    code = shared.traveling.of(job)
    first = job.members[0].executor
    members = tuple(_request(member, shared) for member in job.members)
    snapshot = shared.traveling.snapshot(job) if code is not None else None
    if snapshot is not None:
        shared.warnings.update(dict.fromkeys(shared.imported.missing(snapshot, members)))
    spec = plan_job(
        PlanRequest(
            experiment=experiment,
            job=job.id,
            directory=str(folder),
            members=members,
            policy=job.policy,
            group=isinstance(job, JobGroup),
            environment=shared.environment,
            target=first.target(str(directory), directory.parent.name, experiment, folder.name),
            code=code,
            array=place,
            **shared.surroundings(job),
        )
    )
    if snapshot is not None and spec.secrets:
        check_code(spec, shared.environment, snapshot.files_with)
    about = {"code": described(snapshot, code)} if code is not None else {}
    return PlannedJob(
        {**document(job), **about}, spec, tuple(get_backend(spec.backend).render(spec))
    )


def _request(member: Member, shared: _Shared) -> TaskRequest:
    if member.origin is not None:
        # It was checked when it was first added; its launching script is not loaded here.
        script = member.origin.launching_script
    else:
        check_task(member.task)
        script = launching_script.capture(member.task) if is_node(member.task) else None
    if script and script.warning:
        shared.warnings[script.warning] = None
    with_yaml = shared.yaml_of_scripts or is_node(member.task)
    return TaskRequest(
        name=member.name,
        task=member.task,
        executor=member.executor,
        task_json=codec.dumps(member.task),
        task_yaml=(YamlSerializer().serialize(member.task) or "") if with_yaml else "",
        executor_json=codec.dumps(member.executor),
        launching_script=script,
        role=member.role,
    )


def document(job: Job) -> dict[str, Any]:
    """Return what ``experiment.json`` says about a job: all that listings need of it."""
    from .jobs import JobGroup, task_name

    return {
        "id": job.id,
        "name": job.name,
        "group": isinstance(job, JobGroup),
        "members": [
            {
                "name": m.name,
                "task": task_name(m.task),
                "role": m.role,
                **({"outputs": list(m.outputs)} if m.outputs else {}),
            }
            for m in job.members
        ],
        "executor": job.executor.info(),
        "dependencies": dag.to_json(job.edges),
        "policy": job.policy,
        "tail_logs": job.tail_logs,
        "plugins": [type(plugin).__qualname__ for plugin in job.plugins],
        **({"sweep": job.varied.to_json()} if job.varied else {}),
    }


def spec_document(spec: JobSpec) -> str:
    """Return the text of ``spec.json``; the files that lie beside it are not repeated in it."""
    bare = [dataclasses.replace(member, files={}) for member in spec.members]
    data = dataclasses.replace(spec, members=tuple(bare)).to_json()
    return json.dumps(data) + "\n"
