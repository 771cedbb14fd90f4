"""The graph of jobs: what is wrong with it, what may start, what never can."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_run.exceptions import PlanError
from nemo_run.execution.observation import Reason, State
from nemo_run.management.describe import dag
from nemo_run.management.describe.dag import Edge, Node
from nemo_run.management.store.status import JobStatus


def graph(*described: str) -> list[Node]:
    """``"b: a c"`` is a job b after a and c."""
    parts = [text.partition(":") for text in described]
    return [dag.node(job, after.split()) for job, _, after in parts]


def jobs(**states: State) -> dict[str, JobStatus]:
    return {
        job: JobStatus(job, state, Reason.EXIT_CODE, 3)
        if state is State.FAILED
        else JobStatus(job, state)
        for job, state in states.items()
    }


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        (graph("a", "b", "a"), "2 jobs are called 'a'."),
        (graph("a: a"), "Job 'a' depends on itself."),
        (graph("train", "test: trian"), "no job of this experiment. Did you mean 'train'?"),
        (graph("a: x"), "Its jobs are: none."),
        (graph("a: c", "b: a", "c: b"), "circle: a -> c -> b -> a."),
        (graph("start", "a: start b", "b: a"), "circle: a -> b -> a."),
        ([Node("a"), Node("b", (Edge("a", "afterOK"),))], "Did you mean 'afterok'?"),  # type: ignore[arg-type]
    ],
)
def test_a_graph_that_cannot_run_is_refused_with_the_reason(nodes: list[Node], said: str) -> None:
    with pytest.raises(PlanError) as error:
        dag.validate(nodes)
    assert said in str(error.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(PlanError) as error:
        dag.validate(graph("a: a", "b: x", "c", "c"))
    assert len(str(error.value).splitlines()) == 3


def test_a_chain_of_thousands_needs_no_deep_stack() -> None:
    nodes = dag.sequential(str(n) for n in range(5000))
    dag.validate(nodes)
    assert dag.ordered(list(reversed(nodes))) == nodes


def test_a_wide_graph_is_entered_once_a_job() -> None:
    layers = [[f"{layer}.{n}" for n in range(30)] for layer in range(30)]
    nodes = [
        Node(j, tuple(Edge(b) for b in before))
        for before, layer in zip([[], *layers], layers)
        for j in layer
    ]
    dag.validate(nodes)
    assert [n.id for n in dag.ordered(nodes)] == [j for layer in layers for j in layer]


def test_jobs_become_ready_as_those_before_them_succeed() -> None:
    nodes = graph("a", "b: a", "c: a", "d: b c")
    assert dag.ready(nodes, {}) == ["a"]
    assert dag.ready(nodes, {"a": State.RUNNING}) == []
    assert dag.ready(nodes, {"a": State.SUCCEEDED}) == ["b", "c"]
    done = {"a": State.SUCCEEDED, "b": State.SUCCEEDED}
    assert dag.ready(nodes, {**done, "c": State.UNKNOWN}) == []
    assert dag.ready(nodes, {**done, "c": State.SUCCEEDED}) == ["d"]


@pytest.mark.parametrize(
    ("kind", "state", "outcome"),
    [
        ("afterok", State.SUCCEEDED, "ready"),
        ("afterok", State.FAILED, "skipped"),
        ("afterok", State.LOST, "skipped"),
        ("afterok", State.CANCELLED, "skipped"),
        ("afterok", State.SKIPPED, "skipped"),
        ("afterany", State.SUCCEEDED, "ready"),
        ("afterany", State.FAILED, "ready"),
        ("afterany", State.SKIPPED, "ready"),
        ("afternotok", State.SUCCEEDED, "skipped"),
        ("afternotok", State.FAILED, "ready"),
        ("afternotok", State.CANCELLED, "ready"),
        *(
            (kind, state, "waiting")
            for kind in dag.KINDS
            for state in (State.RUNNING, State.UNKNOWN)
        ),
    ],
)
def test_what_each_kind_of_edge_makes_of_each_end(kind: str, state: State, outcome: str) -> None:
    nodes = [Node("a"), dag.node("b", [{"job": "a", "kind": kind}])]
    known = jobs(a=state)
    ready = dag.ready(nodes, {"a": state}) == ["b"]
    skipped = list(dag.skips(nodes, known)) == ["b"]
    assert (ready, skipped) == (outcome == "ready", outcome == "skipped")


def test_a_skipped_job_names_the_job_that_failed_and_how() -> None:
    nodes = graph("c: b", "b: a", "a", "d: a", "other")
    assert dag.skips(nodes, jobs(a=State.FAILED)) == {
        "b": "a FAILED (exit code 3)",
        "c": "b SKIPPED: a FAILED (exit code 3)",
        "d": "a FAILED (exit code 3)",
    }


def test_a_job_skipped_before_passes_its_reason_on() -> None:
    nodes = graph("a", "b: a", "c: b")
    known = {
        "b": JobStatus("b", State.SKIPPED, Reason.DEPENDENCY, message="a FAILED (exit code 3)")
    }
    assert dag.skips(nodes, known) == {"c": "b SKIPPED: a FAILED (exit code 3)"}


def test_one_after_the_other() -> None:
    assert dag.sequential(["a", "b", "c"]) == graph("a", "b: a", "c: b")
    assert dag.sequential([]) == []


def test_edges_survive_json() -> None:
    made = dag.node("b", ["a", Edge("c", "afterany")])
    assert dag.node("b", json.loads(json.dumps(dag.to_json(made.edges)))) == made


@st.composite
def acyclic(draw: st.DrawFn) -> list[Node]:
    size = draw(st.integers(1, 8))
    kinds = st.sampled_from(dag.KINDS)
    nodes = [
        Node(str(n), tuple(Edge(str(b), draw(kinds)) for b in range(n) if draw(st.booleans())))
        for n in range(size)
    ]
    return draw(st.permutations(nodes))


@given(nodes=acyclic(), data=st.data())
def test_every_valid_graph_comes_to_an_end_whatever_its_jobs_do(
    nodes: list[Node], data: st.DataObject
) -> None:
    dag.validate(nodes)
    ends = st.sampled_from([State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST])
    known = {n.id: JobStatus(n.id) for n in nodes}
    for _ in nodes:
        for job, because in dag.skips(nodes, known).items():
            known[job] = JobStatus(job, State.SKIPPED, Reason.DEPENDENCY, message=because)
        for job in dag.ready(nodes, {k: v.state for k, v in known.items()}):
            known[job] = JobStatus(job, data.draw(ends))
    assert all(job.state.terminal for job in known.values())
