"""Building: what is shared, what is partial, and what an error says."""

# ruff: noqa: PYI024  (old spellings are what is tested)

from __future__ import annotations

import functools
import os
import sys
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass

import pytest

import nemo_run as run
from nemo_run.config import build
from nemo_run.config.checks.check import check_task
from nemo_run.exceptions import ConfigError


@dataclass
class Optim:
    lr: float = 0.1


Point = namedtuple("Point", "x y")


class Model:
    def __init__(self, layers, name="m"):
        self.layers, self.name = layers, name


class Layer:
    def __init__(self, width):
        if width < 0:
            raise ValueError(f"width is {width}")
        self.width = width


def message(error: BaseException) -> str:
    """What a user reads of an error."""
    return "\n".join([str(error), *getattr(error, "__notes__", [])])


def test_a_missing_argument_is_told_as_the_check_tells_it():
    task = run.Config(Model, [run.Config(Layer)])
    with pytest.raises(TypeError) as built:
        build(task)
    with pytest.raises(TypeError) as checked:
        check_task(task)
    sentence = f"{__name__}.Model: layers[0].width: {__name__}.Layer needs 'width'."
    assert str(checked.value) == sentence
    assert message(built.value).startswith(f"{sentence}\n(while building Config[")
    with pytest.raises(TypeError, match=rf"^{__name__}.Layer needs 'width'\."):
        build(run.Config(Layer))
    with pytest.raises(TypeError, match=r"^list: \[0\].width: .*Layer needs 'width'\."):
        build([run.Config(Layer)])
    with pytest.raises(TypeError, match="not supported between") as other:
        build(run.Config(Layer, "1"))
    assert type(other.value) is TypeError


def test_a_node_used_twice_is_built_once():
    shared = run.Config(Layer, 1)
    model = build(run.Config(Model, [shared, {"k": (shared, run.Config(Layer, 1))}], name=shared))
    first, table = model.layers
    assert first is table["k"][0] is model.name
    assert first is not table["k"][1]


def test_a_list_used_twice_is_one_list_and_not_the_configurations():
    items = [1, run.Config(Layer, 2)]
    built = build(run.Config(Model, items, name=items))
    assert built.layers is built.name
    assert built.layers is not items
    built.layers.append(3)
    assert len(items) == 2


def test_built_containers_are_new_so_that_building_twice_gives_the_same():
    cfg = run.Config(Model, {"a": [1], "s": {1, 2}}, name=[])
    one, two = build(cfg), build(cfg)
    one.layers["a"].append(2)
    one.layers["s"].add(3)
    one.name.append(1)
    assert (two.layers, two.name) == ({"a": [1], "s": {1, 2}}, [])
    assert build(cfg).layers == {"a": [1], "s": {1, 2}}


def test_partials_stay_partials_inside():
    cfg = run.Config(Model, run.Partial(Layer, width=3))
    make = build(cfg).layers
    assert isinstance(make, functools.partial)
    assert make().width == 3
    assert make(width=4).width == 4, "an argument given by name can be overridden by name"
    assert build(run.Partial(Layer, run.Config(int, 5)))().width == 5


def test_everything_but_nodes_and_containers_is_left_alone():
    marker = object()
    point = Point(run.Config(Layer, 1), marker)
    built = build([point, marker, None])
    assert isinstance(built[0], Point)
    assert built[0].x.width == 1
    assert built[1] is built[0].y is marker
    assert build(3) == 3


def test_every_container_that_holds_nodes_is_gone_through():
    status = os.stat(".")
    table = defaultdict(list, k=[run.Config(Layer, 1)])
    ordered = OrderedDict(b=run.Config(Layer, 2), a=Optim(3))
    cfg = run.Config(Model, {"t": table, "o": ordered, "n": Point(Optim(4), 5)}, name=status)
    assert cfg.layers["o"]["a"] == run.Config(Optim, 3)
    for one in (cfg, cfg.clone()):
        assert one == cfg
        built = build(one).layers
        assert built["t"]["k"][0].width == 1
        assert built["t"]["new"] == []
        assert list(built["o"]) == ["b", "a"]
        assert built["o"]["a"] == Optim(3)
        assert built["n"] == Point(Optim(4), 5)
        assert build(one).name == status
    cfg.broadcast(width=7)
    assert table["k"][0].width == ordered["b"].width == 7


def test_an_error_names_the_dotted_path_and_where_it_was_configured():
    cfg = run.Config(Model, {"deep": [run.Config(Layer, 1), run.Config(Layer, -1)]})
    with pytest.raises(ValueError, match="width is -1") as caught:
        build(run.Config(Model, cfg))
    text = message(caught.value)
    assert "at layers.layers['deep'][1]" in text
    assert "Config[test_core_build.Layer]" in text
    assert "test_core_build.py:" in text
    assert text.count("while building") == 1, "the innermost node only"
    assert isinstance(caught.value, ValueError)


def test_an_error_without_text_keeps_its_type_and_arguments():
    def fail():
        raise OSError(2, "no such file", "x.bin")

    with pytest.raises(FileNotFoundError) as e:
        build(run.Config(fail))
    assert e.value.errno == 2
    assert any("while building" in note for note in e.value.__notes__)


@pytest.mark.skipif(sys.version_info >= (3, 11), reason="newer Pythons show notes")
def test_python_3_10_shows_the_path_in_the_message():
    with pytest.raises(ValueError, match="while building"):
        build(run.Config(Layer, -1))


def test_a_graph_that_holds_itself_is_refused_by_name():
    cfg = run.Config(Model, [1])
    cfg.layers = [cfg]
    with pytest.raises(ConfigError, match=r"at layers\[0\] holds itself"):
        build(cfg)
    assert "<...>" in repr(cfg)
    assert cfg.clone() == cfg


def test_a_deep_chain_builds_copies_and_compares():
    cfg = None
    for depth in range(150):
        cfg = run.Config(Model, depth, name=cfg)
    copied = cfg.clone()
    assert copied == cfg
    built, depth = build(copied), 0
    while built is not None:
        built, depth = built.name, depth + 1
    assert depth == 150
