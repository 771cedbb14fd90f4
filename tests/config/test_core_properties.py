"""What holds for every graph."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import nemo_run as run
from nemo_run.config import build, set_value
from nemo_run.config.graph.compare import same
from nemo_run.config.graph.traverse import nodes, walk_values
from nemo_run.config.show.printing import tree


def make(a=1, b=(), *rest, c=None, **more):
    return a, b, rest, c, more


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.binary(max_size=3),
    st.sampled_from([int, len, make]),
)


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    keys = st.text(max_size=3) | st.integers()
    arguments = st.dictionaries(st.sampled_from(["a", "c", "extra", "diff"]), inner, max_size=3)
    kind = st.sampled_from([run.Config, run.Partial])
    # One node used twice, so that sharing is met often.
    doubled = inner.map(lambda value: [value, value])
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        doubled,
        st.builds(lambda k, args: k(make, **args), kind, arguments),
        st.builds(lambda args: run.Config(make, 1, 2, *args), st.lists(inner, max_size=2)),
    )


values = st.recursive(scalars, grown, max_leaves=12)
graphs = st.builds(lambda a, c: run.Config(make, a, c=c), values, values)
quick = settings(max_examples=60, deadline=None)


@quick
@given(graphs)
def test_copies_equal_and_share_no_node(cfg):
    for copied in (cfg.clone(), copy.deepcopy(cfg), pickle.loads(pickle.dumps(cfg))):
        assert copied == cfg
        assert not run.Config.diff(copied, cfg)
        assert repr(copied) == repr(cfg)
        assert tree(copied, history=True) == tree(cfg, history=True)
        ours = {id(node) for _, node in nodes(cfg)}
        assert not ours & {id(node) for _, node in nodes(copied)}


@quick
@given(graphs, graphs)
def test_a_diff_is_empty_exactly_when_two_graphs_are_equal(one, two):
    assert bool(run.Config.diff(one, two)) is (one != two)
    assert (one == two) is (two == one)


@quick
@given(graphs, st.data())
def test_one_change_is_found_where_it_was_made(cfg, data):
    changed = cfg.clone()
    paths = [path for path, node in nodes(cfg)]
    path = data.draw(st.sampled_from(paths))
    place = f"{path}.a" if path else "a"
    set_value(changed, place, object)
    assert changed != cfg
    found = [change.path for change in run.Config.diff(changed, cfg).changes]
    # Where a shared node was changed, its first path stands for all of them.
    assert any(place.startswith(p) or p.startswith(place) for p in found)


@quick
@given(graphs)
def test_building_twice_gives_equal_things_and_leaves_the_graph_alone(cfg):
    before = cfg.clone()
    one, two = build(cfg), build(cfg)
    assert cfg == before
    assert same(_plain(one), _plain(two))


@quick
@given(graphs)
def test_every_path_leads_to_its_value(cfg):
    for path, value in walk_values(cfg):
        if path and not any(mark in path for mark in "{}()"):
            assert eval(f"cfg.{path}" if path[0] != "[" else f"cfg{path}") is value


@quick
@given(graphs)
def test_every_graph_can_be_drawn(cfg):
    import xml.etree.ElementTree as ET

    ET.fromstring(run.Config._repr_svg_(cfg))
    assert run.Config.visualize(cfg).png.startswith(b"\x89PNG")


def _plain(value: Any) -> Any:
    """Partials compare by identity; look at what they hold."""
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if hasattr(value, "keywords"):
        return [value.func, _plain(value.args), _plain(value.keywords)]
    return value
