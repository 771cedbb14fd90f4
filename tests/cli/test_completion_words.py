"""Which words can stand in a command line."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

import nemo_run as run
from nemo_run.cli.completion import candidates
from nemo_run.config.factories import register


class Act(enum.Enum):
    RELU = "relu"
    GELU = "gelu"


@dataclass
class Layer:
    act: Act = Act.RELU
    width: int = 4


@dataclass
class Model:
    """A network.

    Attributes:
        layers: One on another.
    """

    layers: list[Layer] = field(default_factory=list)
    first: Layer | None = None
    kind: Literal["a b", 3] = 3


@dataclass
class Deep(Model):
    depth: int = 9


@dataclass(kw_only=True)
class Farm(run.LocalExecutor):
    cows: int = 3
    mode: Literal["milk", "rest"] = "milk"


def calls_nothing() -> Model:
    """Never called.

    More.
    """
    raise AssertionError("completion called a factory")


def deep_one() -> Deep:
    raise AssertionError("completion called a factory")


def train(model: Model, lr: float = 0.1, fast: bool = False, note: str | None = None, **more: int):
    raise AssertionError("completion called the function")


def small() -> run.Partial[train]:
    """A small run."""
    raise AssertionError("completion called a factory")


register(calls_nothing, name="big")
register(deep_one, name="deep")
register(small, train)


def texts(incomplete: str, *words: str) -> list[str]:
    return [one.text for one in candidates(train, words, incomplete)]


def test_at_the_start_stand_keys_and_factories_of_the_function():
    assert texts("") == [
        "model=", "model.", "lr=", "fast=", "note=", "run.executor=", "run.plugins=", "small",
    ]  # fmt: skip
    assert texts("l") == ["lr="]
    assert texts("x") == []
    # A factory of the function can only stand first.
    assert "small" not in texts("s", "lr=1")


def test_each_has_a_line_about_it_and_says_whether_more_follows():
    lr, *_ = candidates(train, [], "lr")
    assert (lr.help, lr.complete) == ("float  = 0.1", False)
    factory, *_ = candidates(train, [], "sm")
    assert (factory.help, factory.complete) == ("A small run.", True)
    layers, *_ = candidates(train, [], "model.la")
    assert layers.help == "list[Layer]  = []  One on another."


def test_what_is_said_already_is_not_offered_again():
    assert "lr=" not in texts("", "lr=3")
    assert "model=" in texts("", "lr=3")


def test_keys_inside_of_arguments_as_deep_as_it_goes():
    assert texts("model.") == ["model.layers=", "model.first=", "model.first.", "model.kind="]
    assert texts("model.first.") == ["model.first.act=", "model.first.width="]
    assert texts("model.first.w") == ["model.first.width="]
    assert texts("model.layers[0].") == []  # there is none yet
    assert texts("model.layers[") == []
    assert texts("model.nothing.") == []
    assert texts("lr.") == []


def test_what_an_earlier_factory_makes_has_its_own_keys():
    assert "model.depth=" not in texts("model.")
    assert "model.depth=" in texts("model.", "model=deep(x=1)")


def test_values_are_factories_members_choices_and_truths():
    assert texts("model=") == ["model=big", "model=deep"]
    assert texts("model=b") == ["model=big"]
    assert texts("model.first.act=") == ["model.first.act=RELU", "model.first.act=GELU"]
    assert texts("model.first.act=G") == ["model.first.act=GELU"]
    assert texts("model.kind=") == ["model.kind=a b", "model.kind=3"]
    assert texts("fast=") == ["fast=true", "fast=false"]
    assert texts("note=") == ["note=none"]
    assert texts("lr=") == texts("lr+=") == texts("nothing=") == texts("model.x.y=") == []
    assert candidates(train, [], "model=b")[0].help == "Never called."


def test_executors_are_kinds_factories_and_profiles(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("nemo-run.toml").write_text('[executors.h100]\nexecutor = "local"\n')

    def on_my_desk() -> run.LocalExecutor:
        raise AssertionError

    register(on_my_desk, name="desk")
    found = texts("run.executor=")
    assert {"run.executor=local", "run.executor=h100", "run.executor=desk"} <= set(found)
    assert texts("run.executor=h1") == ["run.executor=h100"]


def test_fields_of_the_run_and_of_its_executor():
    assert {"run.executor=", "run.name=", "run.detach="} <= set(texts("run."))
    assert texts("run.det") == ["run.detach="]
    assert texts("run.detach=") == ["run.detach=true", "run.detach=false"]
    assert {"run.executor.env_vars=", "run.executor.retries="} <= set(texts("run.executor."))


def test_fields_are_those_of_the_executor_that_is_named_or_meant(tmp_path, monkeypatch):
    def on_a_farm() -> Farm:
        raise AssertionError

    register(on_a_farm, name="farm")
    monkeypatch.chdir(tmp_path)
    Path("nemo-run.toml").write_text('[executors.h100]\nexecutor = "local"\n')
    for words in ([], ["run.executor=local"], ["run.executor=h100(retries=2)"]):
        found = texts("run.executor.", *words)
        assert {"run.executor.ntasks_per_node=", "run.executor.nodes="} <= set(found)
        assert not {"run.executor.job_dir=", "run.executor.experiment_id="} & set(found)
        assert "run.executor.cows=" not in found
    assert "run.executor.cows=" in texts("run.executor.", "run.executor=farm")
    modes = texts("run.executor.mode=", "run.executor=farm")
    assert modes == ["run.executor.mode=milk", "run.executor.mode=rest"]
    entry = run.cli.Entrypoint(train, default_executor=run.Config(Farm))
    assert "run.executor.cows=" in [one.text for one in candidates(entry, [], "run.executor.c")]
    assert "run.executor.packager." in texts("run.executor.p")


def test_keys_to_be_explained_have_no_operator_and_may_be_set_already():
    from nemo_run.cli.completion.words import keys

    assert [one.text for one in keys(train, ["lr=1"], "l")] == ["lr"]
    assert [(one.text, one.complete) for one in keys(train, [], "model")] == [
        ("model", True), ("model.", False),
    ]  # fmt: skip
    assert "run.executor.retries" in [one.text for one in keys(train, [], "run.executor.")]
    assert keys(train, [], "nothing.") == []


@pytest.mark.parametrize(
    "incomplete",
    ["", "=", "==", ".", "[", "]", "model..", "model[", "a[0", "é=", "'", '"', "\\", "x=y=z", "@",
     "run..", "run.=", "run.executor.x.y=", "model.layers[0].act=", "model.first.act.x="],
)  # fmt: skip
def test_no_beginning_of_a_word_makes_it_fail(incomplete):
    assert isinstance(candidates(train, ["odd", "=", "a[=1"], incomplete), list)
