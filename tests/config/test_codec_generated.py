"""Generated graphs come back equal, of the same types, and shared where they were shared."""

from __future__ import annotations

from collections import OrderedDict, deque
from pathlib import PurePosixPath
from typing import Any

from codec_values import Access, Color, Frozen, Model, Plain, Point, same, train
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_run.config.files import codec
from nemo_run.config.files.serializers import YamlSerializer
from nemo_run.config.graph.node import Config, Partial, is_node
from nemo_run.config.graph.reference import resolved
from nemo_run.worker import worker

TEXT = st.text(st.characters(exclude_categories=()), max_size=8) | st.sampled_from(
    [
        "$",
        "_target_",
        "yes",
        "1e3",
        "0o7",
        "~",
        "<<",
        "=",
        "2020-01-01",
        " x ",
        "a: b",
        "#",
        "-",
        "",
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | TEXT
    | st.binary(max_size=8)
)
KEYS = (
    st.booleans()
    | st.integers()
    | TEXT
    | st.tuples(TEXT, st.integers())
    | st.frozensets(st.integers(), max_size=3)
    | st.sampled_from([*Color, Frozen(1), Point(1, 2), PurePosixPath("a"), None, int])
)
LEAVES = (
    SCALARS
    | st.sampled_from([*Color, Access.BOTH, train, Model, Model.small, int, list[int], ...])
    | st.datetimes(timezones=st.none() | st.timezones())
    | st.timedeltas()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.uuids()
    | TEXT.map(PurePosixPath)
    | st.sets(KEYS, max_size=3)
    | st.builds(bytearray, st.binary(max_size=3))
)
NAMES = st.sampled_from(["a", "b", "model", "self", "cls", "_target_", "_args_", "a-b", "$", "id"])


@st.composite
def graphs(draw: Any) -> Any:
    """A node over a pool of values, each of which may be used many times."""
    pool: list[Any] = [draw(LEAVES)]
    for _ in range(draw(st.integers(1, 8))):
        part = st.sampled_from(pool) | LEAVES
        parts = st.lists(part, max_size=3)
        made = draw(
            st.one_of(
                parts,
                parts.map(tuple),
                st.dictionaries(KEYS, part, max_size=3),
                st.dictionaries(TEXT, part, max_size=3),
                st.builds(Point, part, part),
                st.builds(Plain, part, parts),
                st.builds(deque, parts),
                st.dictionaries(KEYS, part, max_size=3).map(OrderedDict),
                st.dictionaries(NAMES, part, max_size=3).map(lambda kw: node(Config, [], kw)),
                st.builds(node, st.just(Partial), parts, st.dictionaries(NAMES, part, max_size=2)),
            )
        )
        pool.append(made)
    return node(Partial, draw(st.lists(st.sampled_from(pool), max_size=3)), {"last": pool[-1]})


def node(kind: Any, positional: list[Any], named: dict[str, Any]) -> Any:
    """A node whose values are those of the pool themselves."""
    named = dict(named)
    made = kind(anything, *positional, bind_args=False)
    made.__arguments__.update(named)
    return made


def anything(*args: Any, **kwargs: Any) -> Any:
    """Takes everything."""


MUTABLE = (list, dict, set, bytearray, deque, Plain)


def alike(left: Any, right: Any, pairs: dict[int, tuple[Any, Any]]) -> bool:
    """Same types and values, and two parts are one object here where they are one there."""
    right = resolved(right)
    if isinstance(left, MUTABLE) or is_node(left):
        if id(left) in pairs:
            return pairs[id(left)][1] is right
        pairs[id(left)] = (left, right)  # kept alive, so that each id stays its own
    if type(left) is not type(right):
        return False
    if is_node(left):
        return alike(dict(left.__arguments__), dict(right.__arguments__), pairs)
    if isinstance(left, Plain):
        return alike(vars(left), vars(right), pairs)
    if isinstance(left, dict):
        keys = same(list(left), list(right))
        return keys and alike(list(left.values()), list(right.values()), pairs)
    if isinstance(left, (list, tuple, deque)):
        return len(left) == len(right) and all(
            alike(a, b, pairs) for a, b in zip(left, right, strict=True)
        )
    return same(left, right)


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_json_keeps_values_types_and_sharing(graph: Any) -> None:
    text = codec.dumps(graph)
    read = codec.loads(text)
    assert codec.dumps(read) == text
    assert read == graph
    assert alike(graph, read, {}), text


@settings(max_examples=40, deadline=None)
@given(graphs())
def test_yaml_keeps_values_types_and_sharing(graph: Any) -> None:
    text = YamlSerializer().serialize(graph)
    read = YamlSerializer().deserialize(text)
    assert codec.encode(read) == codec.encode(graph), text
    assert alike(graph, read, {}), text


@settings(max_examples=40, deadline=None)
@given(LEAVES)
def test_the_job_reads_what_the_control_plane_wrote(value: Any) -> None:
    assert same(worker.Reader().read(worker.parse_json(codec.dumps(value))["value"]), value)


@settings(max_examples=40, deadline=None)
@given(st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3)))
def test_results_come_back_or_are_named_as_unavailable(value: Any) -> None:
    writer = worker.Writer()
    text = worker.json_text(writer.document(value))
    read = resolved(codec.decode(worker.parse_json(text)))
    assert writer.problems or same(read, value)
