"""The graph of an experiment's jobs: what may start, what never can. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from nemo_run.exceptions import PlanError, nearest
from nemo_run.execution.observation import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from nemo_run.management.store.status import JobStatus

Kind = Literal["afterok", "afterany", "afternotok"]
"""When a dependency lets its dependant start: after it succeeded, after it ended in any way,
after it ended in any way but well."""

KINDS: tuple[str, ...] = get_args(Kind)


class Edge(NamedTuple):
    """A dependency on another job."""

    job: str
    kind: Kind = "afterok"


class Node(NamedTuple):
    """A job and what it depends on."""

    id: str
    edges: tuple[Edge, ...] = ()


def node(job_id: str, dependencies: Iterable[str | Mapping[str, Any] | Edge] = ()) -> Node:
    """Return the node of a job whose dependencies are names, edges, or JSON of edges."""
    return Node(job_id, tuple(map(_edge, dependencies)))


def to_json(edges: Iterable[Edge]) -> list[dict[str, str]]:
    """Return edges as data that JSON can hold; :func:`node` reads it."""
    return [{"job": edge.job, "kind": edge.kind} for edge in edges]


def sequential(job_ids: Iterable[str]) -> list[Node]:
    """Return the chain in which each job starts after the one before it succeeded."""
    ids = list(job_ids)
    return [Node(job, (Edge(ids[i - 1]),) if i else ()) for i, job in enumerate(ids)]


def validate(nodes: Sequence[Node]) -> None:
    """Refuse a graph that could not be run.

    Raises:
        PlanError: With one sentence for each id used twice, unknown dependency, unknown kind of
            edge, job that depends on itself, and cycle.
    """
    problems = [*_duplicates(nodes), *_bad_edges(nodes)]
    if not problems:
        problems = _cycle(nodes)
    if problems:
        raise PlanError("\n".join(problems))


def ready(nodes: Iterable[Node], states: Mapping[str, State]) -> list[str]:
    """Return the jobs that are CREATED and whose dependencies all let them start.

    Args:
        nodes: A valid graph.
        states: The state of each job; a job without one is CREATED.
    """
    return [
        n.id
        for n in nodes
        if states.get(n.id, State.CREATED) is State.CREATED
        and all(allows(e, states.get(e.job, State.CREATED)) for e in n.edges)
    ]


def skips(nodes: Sequence[Node], jobs: Mapping[str, JobStatus]) -> dict[str, str]:
    """Return the jobs that can never start any more, and why.

    Args:
        nodes: A valid graph.
        jobs: What is known of each job.

    Returns:
        For each of those jobs that is still CREATED, a reason such as ``a FAILED (exit code 3)``;
        for those that depend on such a job, ``b SKIPPED: a FAILED (exit code 3)``.
    """
    if not any(n.edges for n in nodes):
        # A sweep of a thousand jobs, asked each time that one of them moves.
        return {}
    states = {n.id: jobs[n.id].state if n.id in jobs else State.CREATED for n in nodes}
    found: dict[str, str] = {}
    for current in ordered(nodes):
        if states[current.id] is not State.CREATED:
            continue
        forbids = next((e.job for e in current.edges if _forbids(e, states[e.job])), None)
        if forbids is not None:
            states[current.id] = State.SKIPPED
            found[current.id] = (
                f"{forbids} SKIPPED: {found[forbids]}" if forbids in found else _told(jobs[forbids])
            )
    return found


def ordered(nodes: Sequence[Node]) -> list[Node]:
    """Return the nodes of a valid graph so that each comes after its dependencies.

    Beyond that, their order is kept.
    """
    left = {n.id: n for n in nodes}
    done: dict[str, Node] = {}
    for first in nodes:
        stack = [first.id] if first.id in left else []
        while stack:
            open_edges = [e.job for e in left[stack[-1]].edges if e.job in left]
            if open_edges:
                stack.extend(reversed(open_edges[:1]))
                continue
            job = stack.pop()
            done[job] = left.pop(job)
    return list(done.values())


def _edge(value: str | Mapping[str, Any] | Edge) -> Edge:
    if isinstance(value, Edge):
        return value
    if isinstance(value, str):
        return Edge(value)
    return Edge(value["job"], value.get("kind", "afterok"))


def allows(edge: Edge, state: State) -> bool:
    """Whether a dependency lets its dependant start, now that its job is in ``state``."""
    if not state.terminal:
        return False
    return edge.kind == "afterany" or (edge.kind == "afterok") == (state is State.SUCCEEDED)


def _forbids(edge: Edge, state: State) -> bool:
    return state.terminal and not allows(edge, state)


def _told(job: JobStatus) -> str:
    because = f": {job.message}" if job.state is State.SKIPPED and job.message else ""
    words = str(job.state) if job.state is State.SKIPPED else job.describe()
    return f"{job.id} {words}{because}"


def _duplicates(nodes: Sequence[Node]) -> list[str]:
    counts = Counter(n.id for n in nodes)
    return [
        f"{count} jobs are called {job!r}. Give each its own name: add(task, name=...)."
        for job, count in counts.items()
        if count > 1
    ]


def _bad_edges(nodes: Sequence[Node]) -> list[str]:
    ids = [n.id for n in nodes]
    return [problem for n in nodes for e in n.edges if (problem := _bad_edge(n.id, e, ids))]


def _bad_edge(job: str, edge: Edge, ids: Sequence[str]) -> str:
    if edge.kind not in KINDS:
        return (
            f"Job {job!r} depends on {edge.job!r} by {edge.kind!r}, which is no kind of "
            f"dependency; use one of {', '.join(KINDS)}.{nearest(str(edge.kind), KINDS)}"
        )
    if edge.job == job:
        return f"Job {job!r} depends on itself. Take it out of its dependencies."
    if edge.job not in ids:
        others = [i for i in ids if i != job]
        return (
            f"Job {job!r} depends on {edge.job!r}, which is no job of this experiment."
            f"{nearest(edge.job, others)} Its jobs are: {', '.join(others) or 'none'}."
        )
    return ""


def _cycle(nodes: Sequence[Node]) -> list[str]:
    edges = {n.id: [e.job for e in n.edges] for n in nodes}
    state: dict[str, bool] = {}
    for start in edges:
        path = _find_cycle(start, edges, state)
        if path:
            chain = " -> ".join(path)
            return [f"The jobs wait for each other in a circle: {chain}. Remove one dependency."]
    return []


def _find_cycle(
    start: str, edges: Mapping[str, Sequence[str]], finished: dict[str, bool]
) -> list[str]:
    """Return a cycle met from ``start``; each job is entered once (``finished``: and left)."""
    if start in finished:
        return []
    path, todo = [start], [iter(edges[start])]
    finished[start] = False
    while path:
        following = next(todo[-1], None)
        if following is None:
            finished[path.pop()] = True
            todo.pop()
        elif following not in finished:
            finished[following] = False
            path.append(following)
            todo.append(iter(edges[following]))
        elif not finished[following]:
            return [*path[path.index(following) :], following]
    return []
