"""Defaults that can be changed in place, dataclass instances, and arguments filled when omitted."""

# ruff: noqa: UP045  (old spellings are what is tested)

from __future__ import annotations

import dataclasses
import typing
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional

import pytest

import nemo_run as run
from nemo_run.config import OptionalDefaultConfig, OptionalDefaultPartial, build
from nemo_run.exceptions import ArgumentError


@dataclass
class Optim:
    lr: float = 1e-3
    betas: tuple = (0.9, 0.95)


@dataclass
class Recipe:
    optim: Optim = field(default_factory=Optim)
    tags: list = field(default_factory=list)
    table: dict = field(default_factory=lambda: {"a": [1]})
    name: str = field(default_factory=lambda: "made")


@dataclass(frozen=True)
class Frozen:
    x: int
    y: int = 2


@dataclass(kw_only=True)
class KeywordOnly:
    a: int
    b: int = 2


@dataclass(slots=True)
class Slotted:
    a: int = 1
    inner: Optional[Frozen] = None


@dataclass
class Child(Optim):
    extra: Slotted = field(default_factory=Slotted)


@dataclass
class Computed:
    n: int
    square: int = field(init=False)

    def __post_init__(self):
        self.square = self.n**2


@dataclass
class Counted:
    n: int = 1
    hits: int = field(default=0, init=False)


@dataclass
class WithInitVar:
    n: int
    scale: InitVar[int] = 2

    def __post_init__(self, scale):
        self.n *= scale


@dataclass(init=False)
class OwnInit:
    n: int

    def __init__(self, text):
        self.n = len(text)


class Pair(NamedTuple):
    left: object
    right: object


def target(value=None, items=[1, 2], options={"k": [0]}, optim=Optim(), frozen=Frozen(1)):
    return value, items, options, optim, frozen


def test_a_list_default_can_be_changed_without_touching_the_function():
    cfg, other = run.Config(target), run.Config(target)
    cfg.items.append(3)
    cfg.options["k"].append(1)
    assert other.items == [1, 2]
    assert other.options == {"k": [0]}
    assert target()[1:3] == ([1, 2], {"k": [0]})
    assert build(cfg)[1:3] == ([1, 2, 3], {"k": [0, 1]})


def test_reading_a_default_changes_nothing_that_can_be_seen():
    cfg = run.Config(Recipe)
    untouched = cfg.clone()
    _ = cfg.tags, cfg.optim, cfg.table, cfg.name
    assert cfg == untouched
    assert build(cfg) == Recipe()


def test_a_dataclass_default_is_a_configuration_that_can_be_edited():
    cfg = run.Config(Recipe)
    assert isinstance(cfg.optim, run.Config)
    cfg.optim.lr = 0.5
    cfg.tags.append("x")
    assert build(cfg) == Recipe(optim=Optim(lr=0.5), tags=["x"])
    assert build(run.Config(Recipe)) == Recipe()
    fn = run.Config(target)
    fn.optim.lr = 7
    assert build(fn)[3] == Optim(lr=7)
    assert target()[3] == Optim()


def test_a_default_factory_that_makes_an_object_is_the_configuration_of_that_call():
    class Clock:
        pass

    @dataclass
    class Holder:
        clock: object = field(default_factory=Clock)
        path: Path = field(default_factory=Path)

    cfg = run.Config(Holder)
    assert isinstance(cfg.clock, run.Config)
    assert cfg.clock.__fn_or_cls__ is Clock
    assert cfg.path == Path()
    assert isinstance(build(cfg).clock, Clock)


def test_dataclass_instances_become_configurations_at_any_depth():
    value = [Optim(1), (Optim(2), {"k": [Optim(3)]}), Pair(Optim(4), 5)]
    cfg = run.Config(target, value)
    first, (second, third), pair = cfg.value
    assert first == run.Config(Optim, 1)
    assert second.lr == 2
    assert third["k"][0].lr == 3
    assert isinstance(pair, Pair)
    assert pair.left.lr == 4
    third["k"][0].lr = 33
    assert build(cfg)[0] == [Optim(1), (Optim(2), {"k": [Optim(33)]}), Pair(Optim(4), 5)]
    assert value[1][1]["k"][0] == Optim(3), "the user's own objects stay as they were"
    cfg.value = {"later": Optim(6)}
    assert isinstance(cfg.value["later"], run.Config)


def test_dataclasses_of_every_kind_survive_the_round():
    for instance in (
        Frozen(3),
        KeywordOnly(a=1),
        Slotted(2, Frozen(1)),
        Child(lr=0, extra=Slotted(5)),
        Computed(4),
        Recipe(tags=["a"]),
    ):
        cfg = run.Config(target, instance)
        assert isinstance(cfg.value, run.Config)
        assert build(cfg)[0] == instance


def test_what_an_instance_cannot_tell_stays_an_instance():
    for instance in (WithInitVar(3), OwnInit("abc")):
        cfg = run.Config(target, instance)
        assert cfg.value is instance
        assert build(cfg)[0] is instance


def test_a_changed_field_that_the_constructor_does_not_take_is_not_lost_silently():
    changed = Counted(2)
    assert run.Config(target, changed).value.n == 2
    changed.hits = 5
    with pytest.raises(ArgumentError, match=r"no argument 'hits' \(init=False\).*5 would be lost"):
        run.Config(target, changed)


def test_one_instance_used_twice_in_a_call_stays_one():
    shared = Optim(9)
    cfg = run.Config(target, [shared, shared], optim=shared)
    assert cfg.value[0] is cfg.value[1] is cfg.optim
    built = build(cfg)
    assert built[0][0] is built[0][1] is built[3]


def test_containers_without_dataclasses_are_kept_as_they_are():
    items = [1, {"a": (2, 3)}]
    a, b = run.Config(target, items), run.Config(target, items)
    assert a.value is b.value is items


def test_bind_args_false_takes_values_as_they_are():
    instance = Optim(2)
    cfg = run.Config(target, instance, bind_args=False)
    assert cfg.value is instance
    assert build(cfg)[0] is instance


def fit(epochs: int = 1) -> int:
    return epochs


def train(
    model: OptionalDefaultConfig[Optim] = None,
    loop: OptionalDefaultPartial[fit] = None,
    other: Optional[Optim] = None,
):
    return model, loop, other


class Tree:
    def __init__(self, left: OptionalDefaultConfig[Tree] = None, value: int = 1):
        self.left, self.value = left, value


def test_optional_default_arguments_are_filled_when_omitted():
    cfg = run.Partial(train)
    assert cfg.model == run.Config(Optim)
    assert cfg.loop == run.Partial(fit)
    assert cfg.other is None
    cfg.model.lr = 3
    model, loop, _ = build(cfg)()
    assert model == Optim(lr=3)
    assert loop(epochs=4) == 4


def test_optional_default_arguments_that_are_given_stay_as_given():
    assert run.Partial(train, model=None).model is None
    assert run.Partial(train, None).model is None
    assert run.Partial(train, model=Optim(5)).model.lr == 5
    assert run.Partial(train, bind_args=False).model is None


def test_optional_default_works_with_real_annotations_too():
    def plain(model=None): ...

    plain.__annotations__["model"] = OptionalDefaultConfig[Optim]
    assert run.Config(plain).model == run.Config(Optim)
    assert OptionalDefaultConfig[Optim] == typing.Annotated[Optional[Optim], run.Config[Optim]]


def test_a_type_with_an_optional_default_of_itself_ends():
    cfg = run.Config(Tree)
    assert cfg.left.value == 1
    assert cfg.left.left is None
    assert build(cfg).left.left is None


def test_annotations_that_only_type_checkers_know_harm_nobody():
    def odd(x: OptionalDefaultConfig[Unknown] = None, y: Missing = 1): ...  # noqa: F821

    assert run.Config(odd).x is None


def test_to_config_of_our_own_dataclasses_goes_all_the_way_down():
    @dataclass
    class Place(run.ConfigurableMixin):
        optims: list = field(default_factory=list)
        mode: str = "a"

    place = Place([Optim(2)], mode="b")
    cfg = place.to_config()
    assert isinstance(cfg, run.Config)
    assert cfg.optims[0].lr == 2
    assert build(cfg) == place
    assert str(dataclasses.replace(place, mode="c").diff(place)) == "~ mode: 'b' → 'c'"
    assert "Config[" in str(place.visualize())
    assert place._repr_svg_().startswith("<svg")


def test_a_class_that_cannot_be_derived_asks_for_its_own_to_config():
    class Plain(run.ConfigurableMixin):
        def __init__(self, x):
            self.y = x

    class Own(Plain):
        def to_config(self):
            return run.Config(Own, self.y)

    with pytest.raises(NotImplementedError, match="override to_config"):
        Plain(1).to_config()
    assert build(Own(3).to_config()).y == 3
