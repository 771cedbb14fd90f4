"""The jobs of an experiment as its author describes them: tasks, executors, what comes before."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from nemo_run.config.graph.node import is_node, target_name
from nemo_run.exceptions import PlanError, shown
from nemo_run.management.store import layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution import Executor
    from nemo_run.execution.code import Code
    from nemo_run.execution.jobspec import Policy
    from nemo_run.execution.observation import State
    from nemo_run.management.experiment import Experiment
    from nemo_run.packaging.launching_script import LaunchingScript

    from .dag import Edge
    from .plugin import Plugin
    from .varied import Varied

_LONGEST_NAME = 24


@dataclass
class Member:
    """One task of a job, with the executor that says where and how it runs.

    A stored task also has its ``origin``.

    Attributes:
        name: Unique in the job.
        task: The job's own copy of the task.
        executor: The job's own copy of the executor.
        role: ``main``, or ``sidecar`` for one that ends when the main ones have.
        outputs: Patterns of the files that count as what it leaves; empty for all.
    """

    name: str
    task: Any
    executor: Executor
    role: Literal["main", "sidecar"] = "main"
    outputs: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Origin:
    """What surrounded a stored task when it was planned, to plan it again in the same way.

    Attributes:
        working_directory: Where its processes started.
        python: The interpreter that ran it.
        sys_path: What it imported from.
        launching_script: The part of the launching script that it needs, if it needs any.
        code: The code that traveled with it, if any did.
    """

    working_directory: str
    python: str
    sys_path: tuple[str, ...]
    launching_script: LaunchingScript | None = None
    code: Code | None = None


@dataclass(eq=False)
class Job:
    """One node of an experiment's graph.

    Attributes:
        id: Unique in the experiment; also the name of its folder.
        members: Its tasks; one, or several for a :class:`JobGroup`.
        edges: What it waits for.
        plugins: The plugins that were applied.
        tail_logs: Whether its output is shown while the experiment is followed.
        name: The name that was asked for; empty when it was derived from the task.
        policy: How a group ends.
        varied: What makes it a point of a sweep, if it is one.
    """

    id: str
    members: list[Member]
    edges: list[Edge] = field(default_factory=list)
    plugins: list[Plugin] = field(default_factory=list)
    tail_logs: bool = False
    name: str = ""
    policy: Policy = "all"
    varied: Varied | None = None
    experiment: Experiment | None = field(default=None, repr=False)
    # Each member's task and executor before and after the plugins, to be able to apply them anew.
    _before: list[tuple[Any, Any]] = field(default_factory=list, repr=False)
    _after: list[tuple[Any, Any]] = field(default_factory=list, repr=False)

    def apply(self, plugins: Sequence[Plugin], experiment: str, directory: str) -> None:
        """Let plugins edit the job's own copies.

        Args:
            plugins: In the order in which they are applied.
            experiment: The experiment's id.
            directory: The experiment's folder.
        """
        self.plugins = list(plugins)
        if plugins:
            self._before = self._copies()
        self._set_up(experiment, directory)
        if plugins:
            self._after = self._copies()

    def assign(self, experiment: str, directory: str) -> None:
        """Make the job part of another experiment.

        What plugins wrote may hold the old experiment's id. So they are applied anew, unless
        somebody has changed the job since: that change is kept.
        """
        if self._before and self._parts() == self._after:
            for member, (task, executor) in zip(self.members, self._before, strict=True):
                member.task, member.executor = clone(task), clone(executor)
            self._set_up(experiment, directory)
            self._after = self._copies()
            return
        self._assign(experiment, directory)

    def _set_up(self, experiment: str, directory: str) -> None:
        from nemo_run.config.graph.history import setting

        self._assign(experiment, directory)
        for member in self.members:
            for plugin in self.plugins:
                with setting("plugin"):
                    _set_up_by(plugin, member)

    def _assign(self, experiment: str, directory: str) -> None:
        folder = str(layout.job_folder(Path(directory), self.id))
        for member in self.members:
            member.executor.assign(experiment, directory, self.id, folder)
        for plugin in self.plugins:
            plugin.assign(experiment)

    def _parts(self) -> list[tuple[Any, Any]]:
        return [(member.task, member.executor) for member in self.members]

    def _copies(self) -> list[tuple[Any, Any]]:
        return [(clone(task), clone(executor)) for task, executor in self._parts()]

    def copy(self) -> Job:
        """Return an equal job that belongs to no experiment and shares no task or executor."""
        members = [
            replace(member, task=clone(member.task), executor=clone(member.executor))
            for member in self.members
        ]
        return replace(
            self,
            members=members,
            edges=list(self.edges),
            plugins=list(self.plugins),
            experiment=None,
        )

    def check(self) -> None:
        """Refuse what can be known to fail, before anything is written.

        Raises:
            ConfigError: A task is wrong or cannot travel; every such place is named.
        """
        from nemo_run.config.checks.check import check_task
        from nemo_run.config.files import codec

        for member in self.members:
            check_task(member.task)
            codec.check(member.task, where=f"task {member.name!r}")
            codec.check(member.executor, where=f"executor of {member.name!r}")

    @property
    def dependencies(self) -> list[str]:
        """The jobs that must have ended before."""
        return [edge.job for edge in self.edges]

    @property
    def task(self) -> Any:
        """The task; of a group, the first."""
        return self.members[0].task

    @task.setter
    def task(self, task: Any) -> None:
        self.members[0].task = task

    @property
    def executor(self) -> Executor:
        """The executor; of a group, the first."""
        return self.members[0].executor

    @executor.setter
    def executor(self, executor: Executor) -> None:
        self.members[0].executor = executor

    @property
    def launched(self) -> bool:
        """Whether the experiment was started."""
        return bool(self.experiment and self.experiment.started)

    @property
    def state(self) -> State:
        """Where it stands now."""
        return self.status()

    @property
    def handle(self) -> str:
        """What the engine calls it; empty before it was submitted."""
        return self._experiment().job_status(self.id).handle or "" if self.launched else ""

    def status(self, _runner: object = None) -> State:
        """Return where it stands now."""
        return self._experiment().job_status(self.id).state

    def logs(self, _runner: object = None, regex: str | None = None) -> None:
        """Print its output so far."""
        self._experiment().logs(self.id, regex=regex)

    def cancel(self, _runner: object = None) -> None:
        """End it with all its processes."""
        self._experiment().cancel(self.id)

    def wait(self, _runner: object = None) -> State:
        """Return its state once it has ended."""
        return self._experiment().wait(self.id)

    def _experiment(self) -> Experiment:
        if self.experiment is None:
            raise PlanError(f"Job {self.id!r} belongs to no experiment, so it has no state.")
        return self.experiment


@dataclass(eq=False)
class JobGroup(Job):
    """Several tasks that run together as one job."""

    @property
    def tasks(self) -> list[Any]:
        """The task of each member."""
        return [member.task for member in self.members]

    @property
    def executors(self) -> list[Executor]:
        """The executor of each member."""
        return [member.executor for member in self.members]


def checked_jobs(given: Any) -> list[Job]:
    """Return the jobs of another experiment that were given to begin with; None is none.

    Raises:
        TypeError: It is no list of jobs.
    """
    if given is None:
        return []
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else None
    wrong = next((one for one in listed or () if not isinstance(one, Job)), None)
    if listed is not None and wrong is None:
        return listed
    what = f"jobs is {_seen(given)}" if listed is None else f"jobs holds {_seen(wrong)}"
    raise TypeError(
        f"{what}; it must be a list of jobs of another experiment: jobs=other.jobs. Add tasks with "
        "exp.add(task)."
    )


def _set_up_by(plugin: Plugin, member: Member) -> None:
    from nemo_run.config.graph.build import tell

    try:
        plugin.setup(member.task, member.executor)
    except Exception as error:
        kind = type(plugin)
        tell(
            error, f"(in {kind.__module__}.{kind.__qualname__}.setup, a plugin of {member.name!r})"
        )
        raise


def check_kind(task: Any) -> None:
    """Refuse what is no task, and say how to spell it.

    Raises:
        TypeError: ``task`` is neither a ``Partial``, a ``Config`` nor a ``Script``.
    """
    from nemo_run.config.script import Script

    if isinstance(task, Script) or is_node(task):
        return
    if isinstance(task, type) or callable(task):
        name = getattr(task, "__qualname__", None) or type(task).__name__
        if "<lambda>" in name:
            raise TypeError(
                "A lambda cannot be a task. Define a function at the top level of a module, and "
                "write run.Partial(function, ...) with the arguments it is to be called with."
            )
        raise TypeError(
            f"{name} is a plain {_kind(task)}, and a task is a run.Partial, run.Config or "
            f"run.Script. Write run.Partial({name}, ...) with the arguments it is to be called "
            "with."
        )
    shell = isinstance(task, str)
    raise TypeError(
        f"A task is a run.Partial, run.Config or run.Script, not {_seen(task)}."
        + (f" For a shell command write run.Script(inline={task!r})." if shell else "")
    )


def _kind(value: Any) -> str:
    if isinstance(value, type):
        return "class"
    from inspect import isroutine

    return "function" if isroutine(value) else "callable"


def _seen(value: Any) -> str:
    return f"{shown(value, 61)} ({type(value).__name__})"


def task_name(task: Any) -> str:
    """Return the name that a job gets from its task."""
    if is_node(task):
        # A function of the launching script is known by its own name; "__main__" tells nothing.
        return target_name(task).removeprefix("__main__.")
    return _name_of_text(task.inline) if task.inline else str(task.get_name())


def _name_of_text(program: str) -> str:
    """Return the first words of a program, readable: ``set-e`` of ``set -e; make``."""
    lines = [line for line in program.splitlines() if not line.lstrip().startswith("#")]
    first = next((line for line in lines if line.strip()), "")
    words = re.findall(r"[A-Za-z0-9]+", first)[:2]
    return "-".join(words)[:_LONGEST_NAME] or "script"


def clone(value: Any) -> Any:
    """Return a deep copy of a task or an executor, by its own ``clone`` where it has one."""
    if hasattr(type(value), "clone"):
        # Through the type: a task may have an argument called "clone".
        return type(value).clone(value)
    from copy import deepcopy

    return deepcopy(value)


def executors_of(tasks: Sequence[Any], executor: Executor | Sequence[Executor]) -> list[Executor]:
    """Return one executor for each task of a group.

    Raises:
        PlanError: Their number is neither one nor that of the tasks, or their kinds differ.
    """
    given = cast(
        "list[Executor]", list(executor) if isinstance(executor, list | tuple) else [executor]
    )
    if len(given) not in {1, len(tasks)}:
        raise PlanError(
            f"A group of {len(tasks)} tasks needs one executor for all or {len(tasks)}, one for "
            f"each; it was given {len(given)}."
        )
    kinds = sorted({type(one).__name__ for one in given})
    if len(kinds) > 1:
        raise PlanError(
            f"The members of a group run on one kind of executor, not on {' and '.join(kinds)}. "
            "Add them as jobs of their own, or give each the same kind."
        )
    return given * len(tasks) if len(given) == 1 else given


class Names:
    """The names that are taken in an experiment, and the next free one for each."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return ``name``, or ``name_1``, ``name_2`` and so on when it is taken."""
        # Folders are named after jobs, and two names that differ in case only are one folder on
        # macOS and Windows.
        folded = name.casefold()
        number = self._next.get(folded, 0)
        candidate = f"{name}_{number}" if number else name
        while number and candidate.casefold() in self._next:
            number += 1
            candidate = f"{name}_{number}"
        self._next[folded] = number + 1
        self._next.setdefault(candidate.casefold(), 1)
        return candidate
