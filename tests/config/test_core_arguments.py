"""Arguments of a configuration: reading, setting, deleting, by name and by position."""

# ruff: noqa: UP045, PYI024  (old spellings are what is tested)

from __future__ import annotations

import functools
import typing
from collections import namedtuple

import pytest

import nemo_run as run
from nemo_run.config import build
from nemo_run.exceptions import ArgumentAttributeError, ArgumentError, ConfigError


class Model:
    def __init__(self, layers: int, hidden: int = 64, dropout: float = 0.1) -> None:
        self.layers, self.hidden, self.dropout = layers, hidden, dropout


def everything(a, b=2, /, c=3, *args, d=4, **extra):
    return a, b, c, args, d, extra


def test_arguments_are_attributes_with_defaults_visible():
    cfg = run.Config(Model, 12)
    assert (cfg.layers, cfg.hidden, cfg.dropout) == (12, 64, 0.1)
    cfg.hidden = 128
    model = build(cfg)
    assert (model.layers, model.hidden) == (12, 128)


def test_falsy_values_are_values_everywhere():
    def target(a=1, b=True, c="x", d=(1,), e=1.0, f=object):
        return a, b, c, d, e, f

    falsy = {"a": 0, "b": False, "c": "", "d": [], "e": 0.0, "f": None}
    outer = run.Config(dict, inner=run.Config(target, **falsy), many=[run.Config(target, **falsy)])
    expected = (0, False, "", [], 0.0, None)
    for cfg in (outer, outer.clone()):
        built = build(cfg)
        assert built["inner"] == expected
        assert built["many"] == [expected]


def test_deleting_restores_the_default():
    cfg = run.Config(Model, 1, hidden=2)
    del cfg.hidden
    assert cfg.hidden == 64
    with pytest.raises(ArgumentAttributeError, match="'hidden' of Model is not set"):
        del cfg.hidden


def test_an_unknown_argument_is_refused_with_the_nearest_name():
    with pytest.raises(ArgumentError, match=r"no parameter 'layer'. Did you mean 'layers'\?") as e:
        run.Config(Model, layer=1)
    assert "Its parameters: layers, hidden, dropout." in str(e.value)
    assert isinstance(e.value, TypeError)
    cfg = run.Partial(Model)
    with pytest.raises(ArgumentAttributeError, match="Did you mean 'hidden'"):
        cfg.hiden = 3
    with pytest.raises(AttributeError, match="Did you mean 'dropout'"):
        _ = cfg.drpout
    with pytest.raises(AttributeError):
        del cfg.nothing
    assert cfg.__arguments__ == {}


def test_an_argument_without_value_says_so():
    with pytest.raises(AttributeError, match="No parameter 'layers' has been set"):
        _ = run.Config(Model).layers
    assert not hasattr(run.Config(Model), "layers")


def test_reading_a_method_of_the_target_points_at_building():
    with pytest.raises(AttributeError, match="build the configuration first"):
        _ = run.Config(Trainer).fit


class Trainer:
    def fit(self):
        return "fitted"


def test_an_argument_given_twice_or_too_many_are_refused():
    with pytest.raises(ArgumentError, match="given 'layers' twice"):
        run.Config(Model, 1, layers=2)
    with pytest.raises(ArgumentError, match="at most 3 positional arguments and was given 4"):
        run.Config(Model, 1, 2, 3, 4)


def test_positional_arguments_are_items():
    cfg = run.Config(everything, 1, 2, 30, 40, 50, d=60, more=70)
    assert cfg[0] == 1
    assert cfg[-1] == 50
    assert cfg[:] == [1, 2, 30, 40, 50]
    assert cfg.c == cfg[2] == 30
    assert build(cfg) == (1, 2, 30, (40, 50), 60, {"more": 70})
    cfg[0], cfg[2], cfg[3] = "one", "three", "four"
    assert build(cfg) == ("one", 2, "three", ("four", 50), 60, {"more": 70})


def test_variadic_arguments_grow_and_shrink_by_slices():
    cfg = run.Config(everything, 1)
    assert cfg[1] == 2, "the default of a positional-only parameter"
    cfg[3:] = ["x", "y", "z"]
    assert build(cfg) == (1, 2, 3, ("x", "y", "z"), 4, {})
    del cfg[4]
    assert cfg[3:] == ["x", "z"]
    del cfg[3:]
    assert build(cfg) == (1, 2, 3, (), 4, {})
    with pytest.raises(IndexError, match=r"To add to \*args, set cfg\[3:\]"):
        cfg[7] = 1
    with pytest.raises(ArgumentError, match=r"Only \*args can grow"):
        cfg[0:2] = [1]
    with pytest.raises(IndexError):
        _ = cfg[9]


def test_positional_only_parameters_can_be_named_where_no_kwargs_could_mean_them():
    def target(x, y=2, /):
        return x, y

    cfg = run.Config(target)
    cfg.x = 5
    assert (cfg.x, cfg[0], cfg.y) == (5, 5, 2)
    assert build(cfg) == (5, 2)
    assert build(run.Config(target, x=1, y=3)) == (1, 3)


def test_a_hole_before_variadic_arguments_is_filled_with_its_default():
    cfg = run.Config(everything, 1, 2, 3, "rest")
    del cfg.c
    assert build(cfg) == (1, 2, 3, ("rest",), 4, {})


def test_variadic_arguments_have_no_name():
    with pytest.raises(AttributeError, match=r"use cfg\[3\], cfg\[3:\]"):
        _ = run.Config(everything, 1).args


def test_keyword_targets_take_any_name():
    cfg = run.Config(everything, 1, anything="goes")
    cfg.other = 0
    assert (cfg.anything, cfg.other) == ("goes", 0)
    with pytest.raises(AttributeError, match="has been set"):
        _ = cfg.missing
    del cfg.other
    assert build(cfg)[-1] == {"anything": "goes"}


def test_parameters_called_self_or_like_ours_reach_the_target():
    def target(self, fn_or_cls, cls=1):
        return self, fn_or_cls, cls

    assert build(run.Config(target, self=1, fn_or_cls=2, cls=3)) == (1, 2, 3)


def test_a_parameter_wins_over_an_operation_of_the_same_name():
    def target(clone, walk=1, diff=None, broadcast="b", visualize=False):
        return clone, walk, diff, broadcast, visualize

    cfg = run.Config(target, clone=7, diff="d")
    assert (cfg.clone, cfg.walk, cfg.diff, cfg.broadcast, cfg.visualize) == (7, 1, "d", "b", False)
    cfg.walk = 9
    del cfg.diff
    assert build(cfg) == (7, 9, None, "b", False)
    copied = run.Config.clone(cfg)
    assert copied == cfg
    assert copied is not cfg
    assert not run.Config.diff(copied, cfg)
    run.Config.broadcast(copied, visualize=True)
    assert copied.visualize is True


def test_the_operations_are_there_for_everybody_else():
    cfg = run.Config(everything, 1)
    assert cfg.clone() == cfg
    with pytest.raises(AttributeError):
        del cfg.clone


def test_subscripts_are_annotations_and_constructors():
    def recipe() -> run.Config[Model]:
        return run.Config[Model](Model, layers=3)

    cfg = recipe()
    assert isinstance(cfg, run.Config)
    assert not isinstance(cfg, run.Partial)
    assert typing.get_args(typing.get_type_hints(recipe, localns={"run": run})["return"]) == (
        Model,
    )
    assert build(cfg).layers == 3
    # typing marks what a subscript made; that is no argument, not even of **kwargs.
    assert run.Config[dict](everything, 1).__arguments__ == {0: 1}


def test_dict_and_list_configurations():
    for cfg in (run.Config({}, a=1), run.Config(dict, a=1), run.Config(dict[str, int], a=1)):
        assert cfg.__fn_or_cls__ is dict
        assert cfg.a == cfg["a"] == 1
        assert build(cfg) == {"a": 1}
    mixed = run.Config({"b": run.Config(Model, 1)}, a=1)
    mixed["c"] = 3
    assert build(mixed)["b"].layers == 1
    assert build(run.Config({1: "one"})) == {1: "one"}
    assert build(run.Config(list, [1, run.Config(dict)])) == [1, {}]
    assert build(run.Config([1, 2])) == [1, 2]
    assert build(run.Config(list)) == []
    assert run.Config(dict, a=1) == run.Config({}, a=1)


def test_builtins_without_signature_take_what_they_are_given():
    assert build(run.Config(range, 2, 5)) == range(2, 5)
    assert build(run.Config(int, "ff", base=16)) == 255
    assert build(run.Config(max, 3, 9)) == 9


def test_targets_of_every_kind():
    class Meta(type):
        def __call__(cls, *args, **kwargs):
            return super().__call__(*args, **kwargs)

    class WithMeta(metaclass=Meta):
        def __init__(self, size=3):
            self.size = size

    class WithNew:
        def __new__(cls, *args, **kwargs):
            return super().__new__(cls)

        def __init__(self, size=4):
            self.size = size

    class OnlyNew:
        def __new__(cls, size=5):
            made = super().__new__(cls)
            made.size = size
            return made

    for target, size in ((WithMeta, 3), (WithNew, 4), (OnlyNew, 5)):
        assert run.Config(target).size == size
        assert build(run.Config(target)).size == size
        with pytest.raises(ArgumentError, match="Did you mean 'size'"):
            run.Config(target, sise=1)

    @functools.wraps(everything)
    def wrapped(*args, **kwargs):
        return everything(*args, **kwargs)

    class Callable:
        def __call__(self, x, y=2):
            return x, y

        def method(self, x):
            return "method", x

        @classmethod
        def make(cls, x=1):
            return cls.__name__, x

        @staticmethod
        def free(x=1):
            return x

    thing = Callable()
    Pair = namedtuple("Pair", "x y", defaults=[0])
    assert run.Config(wrapped, 1).c == 3
    assert build(run.Config(thing, 1)) == (1, 2)
    assert build(run.Config(thing.method, x=1)) == ("method", 1)
    assert build(run.Config(Callable.make, x=2)) == ("Callable", 2)
    assert build(run.Config(Callable.free)) == 1
    assert build(run.Config(Pair, 1)) == (1, 0)
    assert build(run.Config(functools.partial(everything, 1), d=9)) == (1, 2, 3, (), 9, {})
    assert build(run.Config(lambda x: x + 1, 1)) == 2


def test_what_cannot_be_called_is_refused():
    for wrong in (3, "train.py", None, 1.5):
        with pytest.raises(ArgumentError, match="cannot be called"):
            run.Config(wrong)
    for wrong in (typing.Optional[Model], Model | None, typing.Literal[1]):
        with pytest.raises(ArgumentError, match="Configure one class of it"):
            run.Config(wrong)
    assert build(run.Config(typing.Annotated[Model, "doc"], 1)).layers == 1


def test_a_configuration_of_a_configuration_is_refused_with_the_way_out():
    with pytest.raises(ArgumentError, match=r"cannot configure another one, Config.*clone\(\)"):
        run.Partial(run.Config(Model, 1))


def test_the_machinery_of_a_node_cannot_be_overwritten_by_accident():
    cfg = run.Config(everything, 1)
    with pytest.raises(ConfigError, match="cannot be set"):
        cfg.__fn_or_cls__ = Model
    assert cfg.__fn_or_cls__ is everything
    assert not hasattr(cfg, "__wrapped__")


def test_a_node_is_no_sequence():
    with pytest.raises(TypeError):
        list(run.Config(everything, 1, 2))
    with pytest.raises(TypeError):
        hash(run.Config(everything, 1))
    with pytest.raises(TypeError, match="is no position"):
        _ = run.Config(everything, 1)[1.5]


def test_completion_shows_parameters_and_operations():
    names = dir(run.Config(everything, 1, more=2))
    assert {"c", "d", "more", "clone", "diff", "broadcast"} <= set(names)
