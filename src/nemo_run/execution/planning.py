"""From tasks and executors to a :class:`~nemo_run.execution.jobspec.JobSpec`.

Planning is pure: the same request gives the same bytes, nothing is written, and neither a task
nor an executor is changed. It looks at cheap facts, so that what cannot run is refused before
anything has: whether a script is there, a program is found, torch is installed.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nemo_run.exceptions import PlanError, shown

from . import environment as variables
from . import secret_plans
from .code import Code, import_path, moved, start_folder
from .commands import (
    Launch,
    check_positive,
    launched,
    profiled,
    rendezvous_id,
    starts_ranks,
)
from .jobspec import ArrayPlace, JobSpec, Member, Policy
from .launcher import FaultTolerance, Launcher, Torchrun, resolve_launcher
from .scripts import Place, Program, check_program, is_script, program
from .target import Target
from .task_variables import variables_of
from .templates import transformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .executor import Executor


@dataclass(frozen=True)
class TaskRequest:
    """One task of a job, with the texts that its worker reads.

    Attributes:
        name: The member's name; the job's id where the job is no group.
        task: What to run.
        executor: Where and how.
        task_json: The task, without loss.
        task_yaml: The task, to read.
        executor_json: The executor, to read.
        launching_script: What the worker loads as ``__main__``: an object with ``text``,
            ``original_path``, ``package`` and ``argv``.
        role: See :data:`~nemo_run.execution.jobspec.Policy`.
    """

    name: str
    task: Any
    executor: Executor
    task_json: str = ""
    task_yaml: str = ""
    executor_json: str = ""
    launching_script: Any = None
    role: Literal["main", "sidecar"] = "main"


def _environment() -> dict[str, str]:
    return dict(os.environ)


def current_folder() -> str:
    """Return the folder that this program is in, where processes will start.

    Raises:
        PlanError: It was removed.
    """
    try:
        return os.getcwd()  # noqa: PTH109  (the name as it is, no Path)
    except FileNotFoundError as error:
        raise PlanError(
            "The folder that this program was started in was removed, so nothing can start there. "
            "Change to one that exists."
        ) from error


def _sys_path() -> tuple[str, ...]:
    return launching_path(sys.path, current_folder())


@dataclass(frozen=True)
class PlanRequest:
    """One job, and what its plan depends on beside it.

    Attributes:
        experiment: The experiment's id.
        job: The job's id.
        directory: The job's folder in the record; absolute.
        members: Its tasks.
        policy: How a group ends.
        group: Whether the members have folders of their own; by default when there are several.
        working_directory: The caller's folder.
        python: The interpreter that launches.
        sys_path: What the caller imports from.
        environment: What the launcher was started with.
        target: Where the processes find things; by default in the record, on this machine.
        code: The code that travels, if any does.
        array: The job's place among equal ones, if it has one.
    """

    experiment: str
    job: str
    directory: str
    members: tuple[TaskRequest, ...]
    policy: Policy = "all"
    group: bool | None = None
    working_directory: str = field(default_factory=current_folder)
    python: str = field(default_factory=lambda: sys.executable)
    sys_path: tuple[str, ...] = field(default_factory=_sys_path)
    environment: Mapping[str, str] = field(default_factory=_environment)
    target: Target = field(default_factory=lambda: Target("", ""))
    code: Code | None = None
    array: ArrayPlace | None = None

    def __post_init__(self) -> None:
        if not self.target.directory:
            object.__setattr__(self, "target", Target(self.directory, self.directory))

    @property
    def is_group(self) -> bool:
        """Whether each member has a folder of its own."""
        return len(self.members) > 1 if self.group is None else self.group


def plan_job(request: PlanRequest) -> JobSpec:
    """Return everything a backend needs to run a job.

    Args:
        request: The job.

    Raises:
        PlanError: Something that cannot run: a missing script or program, an executor or
            environment that makes no sense.
    """
    first = _first_executor(request)
    _check_names(request)
    members = [_member(request, task) for task in request.members]
    sources = [found for _, found in members]
    spec = JobSpec(
        experiment=request.experiment,
        job=request.job,
        backend=first.backend,
        directory=request.target.directory,
        members=tuple(member for member, _ in members),
        retries=_retries(request),
        policy=request.policy,
        inside="" if request.target.inside == request.target.directory else request.target.inside,
        code=request.code.tree if request.code else "",
        array=request.array,
        options=_options(request),
        secrets=secret_plans.sources_of(sources, request.working_directory, request.job),
    )
    secret_plans.check(spec, request.environment, request.code)
    return spec


def _options(request: PlanRequest) -> dict[str, Any]:
    """Return what the backend has to know; of several executors, what they make together."""
    first = request.members[0].executor
    others = [task.executor for task in request.members[1:]]
    whole = first.together(others) if any(one is not first for one in others) else first
    options = whole.backend_options(request.environment)
    return {**options, "store": request.target.store} if request.code else options


def _check_names(request: PlanRequest) -> None:
    names = [m.name for m in request.members]
    for name in names:
        if names.count(name) > 1:
            raise PlanError(f"Job {request.job!r} has two members called {name!r}.")
        if name in {"", ".", ".."} or "/" in name or not name.isprintable():
            raise PlanError(f"Job {request.job!r} has a member called {name!r}, which is no name.")
    if request.policy == "main" and all(m.role != "main" for m in request.members):
        raise PlanError(f"Job {request.job!r} ends with its main members, and has sidecars only.")


def _first_executor(request: PlanRequest) -> Executor:
    if not request.members:
        raise PlanError(f"Job {request.job!r} has no task.")
    first = request.members[0].executor
    if not first.backend:
        raise PlanError(
            f"{type(first).__name__} of job {request.job!r} says nowhere to run. Use LocalExecutor "
            f"or another executor, or derive from one."
        )
    for task in request.members:
        if task.executor.backend != first.backend:
            raise PlanError(
                f"The members of job {request.job!r} run on {first.backend!r} and on "
                f"{task.executor.backend!r}; a group runs in one place."
            )
    return first


def _retries(request: PlanRequest) -> int:
    most = 0
    for task in request.members:
        retries = task.executor.retries
        if type(retries) is not int or retries < 0:
            raise PlanError(
                f"retries of job {request.job!r} is {shown(retries)}; it must be a whole number "
                f"from 0 up."
            )
        most = max(most, retries)
    return most


def _member(request: PlanRequest, task: TaskRequest) -> tuple[Member, secret_plans.Sources]:
    target = request.target
    below = f"/{task.name}" if request.is_group else ""
    executor = task.executor
    launcher = resolve_launcher(executor.launcher)
    nodes, processes = executor.nnodes(), executor.nproc_per_node()
    check_positive([(f"nodes of {task.name!r}", nodes)])
    check_positive([(f"processes per node of {task.name!r}", processes)])
    environment, sources = variables_of(task, launcher, target)
    place = _place(request, task.name, f"{target.inside}{below}", environment)
    runs = _program(task, place, request)
    through = transformed(executor, launcher, _profiled(task, launcher, runs.command, place), place)
    inner = through.command
    by_launcher = starts_ranks(launcher)
    if by_launcher:
        _check_launcher(launcher, place)
    member = Member(
        name=task.name,
        directory=f"{target.directory}{below}",
        command=_launched(request, task, launcher, inner, environment) if by_launcher else inner,
        environment=environment,
        working_directory=place.working_directory,
        nodes=nodes,
        processes_per_node=1 if by_launcher else processes,
        ranks_per_process=processes if by_launcher else 1,
        role=task.role,
        files={**runs.files, **through.files, **_documents(task), **_profile_folder(launcher)},
        secrets={variable: secret.name for variable, secret in sources.items()},
    )
    return member, sources


def _place(
    request: PlanRequest, name: str, directory: str, environment: Mapping[str, str]
) -> Place:
    target = request.target
    return Place(
        name=name,
        directory=directory,
        working_directory=start_folder(request.working_directory, request.code, target),
        python=target.python or request.python,
        path=environment.get("PATH", request.environment.get("PATH", os.defpath)),
        python_path=_python_path({**request.environment, **environment}),
        code=request.code,
        target=target,
    )


def _profiled(
    task: TaskRequest, launcher: Launcher, command: tuple[str, ...], place: Place
) -> tuple[str, ...]:
    for word in command:
        variables.check_text(word, f"The argument {word!r} of {task.name!r}")
    nsys = task.executor.get_nsys_entrypoint()
    found = profiled(launcher, command, place.directory, nsys)
    if found != command:
        check_program(found[0], place)
    return found


def _launched(
    request: PlanRequest,
    task: TaskRequest,
    launcher: Launcher,
    inner: tuple[str, ...],
    environment: Mapping[str, str],
) -> tuple[str, ...]:
    assert isinstance(launcher, (Torchrun, FaultTolerance))
    known = {**request.environment, **environment}
    launch = Launch(
        program=inner,
        python=request.target.python or request.python,
        nodes=task.executor.nnodes(),
        processes=task.executor.nproc_per_node(),
        meeting=task.executor.meeting(launcher.rdzv_port, known),
        rendezvous_id=rendezvous_id(request.experiment, request.job, task.name),
    )
    return launched(launcher, launch)


def _program(task: TaskRequest, place: Place, request: PlanRequest) -> Program:
    if is_script(task.task):
        _check_metadata(task)
        return program(task.task, place)
    script = task.launching_script
    settings = {
        "sys_path": import_path(request.sys_path, request.code, request.target),
        "main": "configs/__main__.py" if script else None,
        "main_file": _main_file(script.original_path, request) if script else None,
        "main_package": script.package if script else None,
        "argv": list(script.argv) if script else None,
        "result": "result.json",
    }
    files = {
        "worker.py": worker_source(),
        "worker.json": json.dumps(settings, indent=2) + "\n",
        STAND_IN: stand_in_source(),
    }
    if script:
        files["configs/__main__.py"] = script.text
    worker = str(Path(place.directory, "worker.py"))
    return Program((place.python, worker, place.directory), files)


def _main_file(path: str | None, request: PlanRequest) -> str | None:
    """Return what ``__file__`` of the launching script is in the job."""
    if path is None or request.code is None:
        return path
    return moved(path, request.code.root, request.target.code) or path


def _check_metadata(task: TaskRequest) -> None:
    from nemo_run.config import USE_WITH_RAY_CLUSTER_KEY

    if task.task.metadata.get(USE_WITH_RAY_CLUSTER_KEY):
        kind = type(task.executor).__name__
        raise PlanError(
            f"The Script of {task.name!r} asks for a Ray cluster in its metadata "
            f"({USE_WITH_RAY_CLUSTER_KEY!r}), and {kind} starts none."
        )


def _python_path(environment: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(p for p in environment.get("PYTHONPATH", "").split(os.pathsep) if p)


def _documents(task: TaskRequest) -> dict[str, str]:
    texts = {
        "task.json": task.task_json,
        "task.yaml": task.task_yaml,
        "executor.json": task.executor_json,
    }
    return {name: text for name, text in texts.items() if text}


def _profile_folder(launcher: Launcher) -> dict[str, str]:
    # nsys writes into folders, it does not make them.
    if not launcher.nsys_profile:
        return {}
    return {f"{launcher.nsys_folder}/README": "Profiles of this task; open them with nsys-ui.\n"}


def _check_launcher(launcher: Launcher, place: Place) -> None:
    if isinstance(launcher, FaultTolerance):
        try:
            check_program("ft_launcher", place)
        except PlanError as error:
            hint = "It comes with nvidia-resiliency-ext (pip install nvidia-resiliency-ext)."
            raise PlanError(f"{error} {hint}") from None
    elif place.python == sys.executable and not place.is_elsewhere and not _has_torch():
        raise PlanError(
            f"The launcher 'torchrun' needs PyTorch, which {place.python} does not have. Install "
            f"it there (pip install torch), or leave the launcher out."
        )


def _has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None


STAND_IN = "stand_in/nemo_run.py"
"""What ``import nemo_run`` finds in a job whose Python has none."""


@cache
def stand_in_source() -> str:
    """Return the text of that file."""
    from importlib.resources import files

    return files("nemo_run.worker").joinpath("inside.py").read_text("utf-8")


@cache
def worker_source() -> str:
    """Return the text of the file that runs inside the job."""
    from importlib.resources import files

    return files("nemo_run.worker").joinpath("worker.py").read_text("utf-8")


def launching_path(path: list[str], working_directory: str) -> tuple[str, ...]:
    """Return what the launching process imports from and a bare interpreter would not.

    Args:
        path: Its ``sys.path``.
        working_directory: What an empty entry means.
    """
    own = {os.path.realpath(p) for p in (sys.prefix, sys.base_prefix)}
    entries = [p or working_directory for p in path]
    kept = [str(Path(working_directory, p)) for p in entries if not _belongs(p, own)]
    return tuple(dict.fromkeys(kept))


def _belongs(entry: str, prefixes: set[str]) -> bool:
    """Whether ``entry`` is part of the interpreter: its library and its installed packages."""
    real = Path(os.path.realpath(entry))
    return any(real.is_relative_to(Path(p, name)) for p in prefixes for name in ("lib", "lib64"))
