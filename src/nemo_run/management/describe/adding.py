"""From what was given to ``Experiment.add`` to a job with its own copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from nemo_run.config.graph.node import is_node
from nemo_run.exceptions import PlanError, nearest, shown
from nemo_run.execution.executor import Executor
from nemo_run.management.artifacts import patterns
from nemo_run.management.store import names

from . import dag, elsewhere
from .jobs import Job, JobGroup, Member, Names, check_kind, clone, executors_of, task_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nemo_run.execution.jobspec import Policy

    from .plugin import Plugin

# What else lies in the folders in which members have theirs.
_RESERVED = (
    *("attempts", "logs", "artifacts", "configs", "scripts"),
    *("claim", "exit", "cancelled", "stopped", "launch", "outputs", "stand_in", "secrets"),
)
_ROLES = ("main", "sidecar")
_POLICIES = ("all", "main")


def described_job(
    task: Any,
    executor: Any,
    *,
    name: str,
    taken: Names,
    known: Sequence[str],
    dependencies: Sequence[str | dag.Edge],
    policy: Policy,
    roles: Sequence[str] | None,
    members: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
) -> Job:
    """Return the job that was described, with copies of its task and executor.

    Args:
        task: A task, or a list of them for a group.
        executor: Its executor; for a group one, or one for each task.
        name: What to call it; empty to derive that from the task.
        taken: The names of the experiment's jobs.
        known: The ids of the jobs that it may depend on.
        dependencies: What it waits for.
        policy: How a group ends.
        roles: For each member of a group.
        members: What to call each member of a group; by default after its task.
        outputs: Which files of ``$NEMORUN_OUTPUT_DIR`` count; of a group, those of each member.

    Raises:
        TypeError: What was given is no task or no executor.
        PlanError: A name, a dependency, a role or the number of executors is wrong.
    """
    given = [_parsed(one, known) for one in _listed(dependencies)]
    outside = [e for e in given if e.job not in known and elsewhere.is_elsewhere(e.job)]
    for edge in outside:
        _check_kind_of(edge)
    edges = [_checked_edge(edge, known) for edge in given if edge not in outside]
    kept = patterns.checked(outputs)
    if policy not in _POLICIES:
        raise PlanError(
            f"policy={shown(policy)} is none of {', '.join(map(repr, _POLICIES))}."
            f"{nearest(shown(policy), _POLICIES)}"
        )
    if isinstance(task, list | tuple):
        tasks = list(task)
        group = _members(tasks, executors_of(tasks, executor), roles, members)
        for member in group:
            member.outputs = kept
        elsewhere.add_to(group[0].executor, outside)
        proposed = name or f"{group[0].name}_group"
        return JobGroup(taken.take(_job_id(proposed)), group, edges=edges, name=name, policy=policy)
    check_kind(task)
    own = Member("", clone(task), _executor(executor), outputs=kept)
    elsewhere.add_to(own.executor, outside)
    job = Job(taken.take(_job_id(name or task_name(task))), [own], edges=edges, name=name)
    own.name = names.folder(job.id)
    return job


def job_alone(task: Any, executor: Executor | None, plugins: Sequence[Plugin]) -> Job:
    """Return a job that belongs to no experiment, after plugins have edited it.

    Args:
        task: A task.
        executor: Its executor; None for one on this machine.
        plugins: What edits the job's own copies of both.
    """
    if executor is None:
        from nemo_run.execution import LocalExecutor

        executor = LocalExecutor()
    job = described_job(
        task,
        executor,
        name="",
        taken=Names(),
        known=(),
        dependencies=(),
        policy="all",
        roles=None,
    )
    job.apply(plugins, "", "")
    return job


def _job_id(name: str) -> str:
    names.check(name, "job name")
    return name


def _members(
    tasks: list[Any],
    executors: list[Executor],
    roles: Sequence[str] | None,
    called: Sequence[str] | None,
) -> list[Member]:
    if not tasks:
        raise PlanError("A group needs at least one task; an empty list was given.")
    for task in tasks:
        check_kind(task)
    taken = Names()
    for name in _RESERVED:
        taken.take(name)
    proposed = _called(called, len(tasks)) or [task_name(task) for task in tasks]
    rows = zip(proposed, tasks, executors, _roles(roles, len(tasks)), strict=True)
    return [
        Member(names.folder(taken.take(name)), clone(task), _executor(executor), role)
        for name, task, executor, role in rows
    ]


def _called(members: Sequence[str] | None, count: int) -> list[str]:
    """Return the names that were given to members; none where they go by their tasks."""
    if members is None:
        return []
    if isinstance(members, str) or not all(isinstance(name, str) for name in members):
        raise TypeError(
            f"members is {shown(members)}; it must be a list with a name for each member."
        )
    given = list(members)
    if len(given) != count or len(set(given)) != count:
        raise PlanError(
            f"A group of {count} tasks needs {count} different names; members is {shown(given)}."
        )
    for name in given:
        names.check(name, "member name")
        if name in _RESERVED:
            raise PlanError(f"A member cannot be called {name!r}: a folder of the job is.")
    return given


def _roles(roles: Sequence[str] | None, count: int) -> list[Literal["main", "sidecar"]]:
    if isinstance(roles, str) or not isinstance(roles or (), Iterable):
        raise TypeError(
            f"roles is {shown(roles)} ({type(roles).__name__}); it must be a list with 'main' or "
            "'sidecar' for each member."
        )
    given = list(roles or ["main"] * count)
    if len(given) != count:
        raise PlanError(f"A group of {count} tasks needs {count} roles; {len(given)} were given.")
    checked: list[Literal["main", "sidecar"]] = []
    for role in given:
        if role not in _ROLES:
            raise PlanError(
                f"The role {shown(role)} is none of {', '.join(map(repr, _ROLES))}."
                f"{nearest(shown(role), _ROLES)}"
            )
        checked.append("sidecar" if role == "sidecar" else "main")
    return checked


def _executor(executor: Any) -> Executor:
    if is_node(executor):
        from nemo_run.config.graph.build import build

        executor = build(executor)
    if isinstance(executor, type) and issubclass(executor, Executor):
        raise TypeError(
            f"executor is the class {executor.__name__}; give an object: {executor.__name__}()."
        )
    if not isinstance(executor, Executor):
        raise TypeError(
            f"executor is {shown(executor)}, a {type(executor).__name__}; it must be an executor "
            "such as run.LocalExecutor()."
        )
    copy: Executor = clone(executor)
    return copy


def _listed(dependencies: Any) -> Sequence[str | dag.Edge]:
    if isinstance(dependencies, str):
        raise PlanError(
            f"dependencies is the text {dependencies!r}; it must be a list: "
            f"dependencies=[{dependencies!r}]."
        )
    if not isinstance(dependencies, Iterable):
        raise TypeError(
            f"dependencies is {shown(dependencies)} ({type(dependencies).__name__}); it must be "
            "a list of what add() returned: dependencies=[job]."
        )
    return list(dependencies)


def _checked_edge(edge: dag.Edge, known: Sequence[str]) -> dag.Edge:
    _check_kind_of(edge)
    if edge.job not in known:
        jobs = f" Jobs so far: {', '.join(known)}." if known else " There are no jobs yet."
        raise PlanError(
            f"The dependency {edge.job!r} is no job of this experiment."
            f"{nearest(edge.job, known)}{jobs} Add a job after those it depends on."
        )
    return edge


def _check_kind_of(edge: dag.Edge) -> None:
    if edge.kind not in dag.KINDS:
        raise PlanError(
            f"The dependency on {edge.job!r} is of the kind {shown(edge.kind)}, which is no kind "
            f"of dependency; use one of {', '.join(dag.KINDS)}."
            f"{nearest(shown(edge.kind), dag.KINDS)}"
        )


def _parsed(given: str | dag.Edge, known: Sequence[str]) -> dag.Edge:
    if isinstance(given, dag.Edge) and isinstance(given.job, str):
        return given
    if not isinstance(given, str):
        raise PlanError(
            f"A dependency is the id that add() returned, not {shown(given)} "
            f"({type(given).__name__})."
        )
    kind, colon, job = given.partition(":")
    if colon and given not in known and (kind in dag.KINDS or job in known):
        return dag.node("", [{"job": job, "kind": kind}]).edges[0]
    return dag.Edge(given)
