"""Hydra and OmegaConf: their files are read, and ours by them, each by the real library."""

from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_run.config.files.layers import overrides_of, task_of
from nemo_run.config.files.load import load
from nemo_run.config.files.written_forms import export
from nemo_run.config.graph.build import build
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.overrides.apply import apply
from nemo_run.exceptions import OverrideError

hydra = pytest.importorskip("hydra.utils")
omegaconf = pytest.importorskip("omegaconf")


@dataclasses.dataclass(eq=True)
class Layer:
    width: int = 1
    act: Any = None


class Net:
    """Not a dataclass, as most classes of others."""

    def __init__(self, *layers: Layer, name: str = "net", options: Any = None) -> None:
        self.layers, self.name, self.options = layers, name, options

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Net) and vars(self) == vars(other)


def fit(
    net: Any = None,
    lr: float = 0.1,
    make: Any = None,
    tree: Any = None,
    rest: Any = None,
    note: str = "",
) -> tuple[Any, ...]:
    return net, lr, make, tree, rest, note


def instantiated(file: Path) -> Any:
    return hydra.instantiate(omegaconf.OmegaConf.load(file), _convert_="all")


OTHERS = """
_target_: test_files_hydra.fit
lr: ${base.lr}
net:
  _target_: test_files_hydra.Net
  _args_:
    - _target_: test_files_hydra.Layer
      width: ${oc.env:WIDTH_OF_TEST,8}
    - {_target_: test_files_hydra.Layer, act: {_target_: hydra.utils.get_method, path: os.getcwd}}
  name: net-${base.lr}
  options: {a: [1, 2.5, null, true, text], b: {c: 1e-3}}
make:
  _target_: test_files_hydra.Layer
  _partial_: true
  _convert_: all
  width: 3
tree:
  _target_: builtins.dict
  _recursive_: false
  inner: {_target_: test_files_hydra.Layer, width: 2}
rest:
  _target_: hydra.utils.get_class
  path: test_files_hydra.Net
base: {lr: 0.25}
"""


def test_a_tree_that_others_wrote_builds_what_hydra_makes_of_it(tmp_path: Path) -> None:
    file = tmp_path / "theirs.yaml"
    file.write_text(OTHERS)
    theirs = hydra.instantiate(omegaconf.OmegaConf.load(file).net, _convert_="all")
    loaded = load(str(file))
    del loaded.data["base"]
    net, lr, make, tree, rest, _ = build(task_of(loaded))
    assert net == theirs
    assert net.name == "net-0.25"
    assert net.layers[1].act is os.getcwd
    assert lr == 0.25
    assert (make.func, make.keywords) == (Layer, {"width": 3})
    assert tree == {"inner": {"_target_": "test_files_hydra.Layer", "width": 2}}
    assert rest is Net


def test_ours_is_instantiated_by_hydra(tmp_path: Path) -> None:
    layer = Config(Layer, width=2, act="gelu")
    task = Config(
        fit,
        net=Config(Net, layer, Config(Layer), name="a $b \\c {d}", options={"x": [1, None]}),
        lr=1e-5,
        make=Partial(Layer, width=4),
        tree={"deep": [{"k": Config(Layer, width=5)}], "yes": "no", "1e3": "1e3"},
        note="line one\nline two\n",
    )
    file = export(task, f"{tmp_path}/ours.yaml")
    theirs, ours = instantiated(file), build(task)
    partial = theirs[2]
    assert isinstance(partial, functools.partial)
    assert (partial.func, partial.keywords) == (ours[2].func, ours[2].keywords)
    assert (*theirs[:2], *theirs[3:]) == (*ours[:2], *ours[3:])


# Hydra resolves a file as a whole, after which no text may have ${ in it, escaped or not.
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8).filter(
    lambda text: "${" not in text
) | st.sampled_from(
    ["$a", "{a}", "\\", "\\\\", "yes", "1e3", "0o7", "null", "2020-01-01", "1:30", "$", "a\\"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS.filter(lambda text: not text.startswith("_")), inner, max_size=3)
        | st.builds(lambda w, a: Config(Layer, width=w, act=a), inner, inner)
    ),
    max_leaves=5,
)


def test_generated_plain_graphs_are_instantiated_by_hydra(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("hydra")

    @settings(max_examples=20, deadline=None)
    @given(PLAIN, PLAIN)
    def equal(net: Any, tree: Any) -> None:
        task = Config(fit, net=net, tree=tree)
        file = export(task, f"{folder}/task.yaml")
        assert instantiated(file) == build(task)

    equal()


def test_a_list_of_defaults_is_refused_but_an_argument_of_that_name_is_not(tmp_path: Path) -> None:
    def own(defaults: list[str]) -> None: ...

    file = tmp_path / "config.yaml"
    file.write_text("defaults: [base, _self_]\n")
    assert apply(Partial(own), overrides_of(load(str(file)), own)).defaults == ["base", "_self_"]
    with pytest.raises(OverrideError, match=r"config\.yaml:1: `defaults` is Hydra's list"):
        overrides_of(load(str(file)), fit)
