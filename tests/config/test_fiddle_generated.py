"""Any mixture of fiddle's nodes and ours: both build it alike, and fiddle's tools keep it."""

from __future__ import annotations

import copy
import functools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nemo_run as run

fdl = pytest.importorskip("fiddle")

from fiddle import daglish, diffing, printing  # noqa: E402
from fiddle._src.experimental import serialization  # noqa: E402


def make(first: object = 0, *rest: object, named: object = None, **others: object) -> tuple:
    return first, rest, named, tuple(sorted(others.items(), key=lambda item: item[0]))


class Pair:
    def __init__(self, left: object, /, right: object = "r") -> None:
        self.parts = (left, right)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pair) and self.parts == other.parts

    def __hash__(self) -> int:
        return 1


# On a busy machine making a graph may take long; that is no finding.
SLOW = (HealthCheck.too_slow,)
LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.floats(-1, 1)
KINDS = st.sampled_from([run.Config, fdl.Config, run.Partial, fdl.Partial])
NAMES = st.sampled_from(["a", "b", "c"])


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    node = st.builds(
        lambda kind, values, named, others: kind(make, *values, named=named, **others),
        KINDS,
        st.lists(inner, max_size=3),
        inner,
        st.dictionaries(NAMES, inner, max_size=2),
    )
    pair = st.builds(lambda kind, left, right: kind(Pair, left, right=right), KINDS, inner, inner)
    return (
        node
        | pair
        | st.lists(inner, max_size=2)
        | st.tuples(inner, inner)
        | st.dictionaries(NAMES, inner, max_size=2)
    )


VALUES = st.recursive(LEAVES, containers, max_leaves=8)


@st.composite
def graphs(draw: st.DrawFn) -> object:
    """A node that holds the same value twice, and others."""
    shared = draw(VALUES)
    return draw(KINDS)(make, shared, draw(VALUES), named=[shared, draw(VALUES)])


def plain(value: object) -> object:
    """What was built, with partials as data, so that two builds can be compared."""
    if isinstance(value, functools.partial):
        return value.func, plain(value.args), plain(value.keywords)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(plain, value))
    return plain(value.parts) if isinstance(value, Pair) else value


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_both_build_the_same(cfg):
    assert plain(fdl.build(cfg)) == plain(run.config.build(cfg))


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_fiddles_json_and_copies_keep_the_graph(cfg):
    assert serialization.load_json(serialization.dump_json(cfg)) == cfg
    assert copy.deepcopy(cfg) == cfg
    assert (
        daglish.MemoizedTraversal.run(
            lambda v, s: s.map_children(v) if s.is_traversable(v) else v, cfg
        )
        == cfg
    )


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(graphs(), KINDS)
def test_casting_there_and_back_changes_nothing(cfg, goal):
    assert fdl.cast(type(cfg), fdl.cast(goal, cfg)) == cfg


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_a_diff_to_a_copy_is_empty_and_printing_never_fails(cfg):
    if fdl.__version__ != "0.3.0":  # whose diffs cannot take positional arguments of any node
        assert not diffing.build_diff(cfg, copy.deepcopy(cfg)).changes
    assert printing.as_str_flattened(cfg)
    assert repr(cfg)
    assert str(cfg)
