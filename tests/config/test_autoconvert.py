"""Functions that return objects, called for their configurations."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import functools
import importlib
import inspect
import logging
import math
import os.path
import sys
import typing
from dataclasses import dataclass
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.config import build
from nemo_run.config.convert.autoconvert import AutoConfigProtocol, default_autoconfig_buildable


@dataclass
class Layer:
    width: int = 1
    name: str = ""
    activation: typing.Any = None


@dataclass
class Model:
    layers: typing.Any = None
    scale: float = 1.0
    extra: typing.Any = None

    @classmethod
    def tiny(cls, n: int) -> Model:
        return cls(n)

    def freeze(self) -> None: ...


class Color(enum.Enum):
    RED = "red"


def helper(x: int) -> int:
    return x + 1


SIZES = [1, 2]


@run.autoconvert
def layer(width: int = 4, *, name: str = "l") -> Layer:
    return Layer(width, name=name)


def test_a_constructor_call_becomes_a_config() -> None:
    assert layer(8) == run.Config(Layer, 8, name="l")
    assert build(layer(8)) == Layer(8, "l")


def test_the_wrapper_keeps_name_docs_signature_and_original() -> None:
    @run.autoconvert
    def model(n: int, *args: int, k: str = "k") -> Model:
        """A model."""
        return Model()

    assert model.__name__ == "model"
    assert model.__doc__ == "A model."
    assert model.__auto_config__ is True
    assert model.wrapped(1) == Model()
    assert str(inspect.signature(layer)).startswith("(width: 'int' = 4, *, name: 'str' = 'l')")
    hints = typing.get_type_hints(layer)
    assert hints["return"] == run.Config[Layer]
    assert hints["width"] is int


def returns_config() -> run.Config[Layer]:
    return run.Config(Layer)


def returns_list() -> list[Layer]:
    return [Layer()]


def test_a_return_annotation_that_is_a_configuration_already_stays() -> None:
    assert typing.get_type_hints(run.autoconvert(returns_config))["return"] == run.Config[Layer]
    assert run.autoconvert(returns_config)() == run.Config(Layer)


def test_comprehensions_conditions_loops_and_texts_are_pythons_own() -> None:
    @run.autoconvert
    def model(n: int, deep: bool = True) -> Model:
        widths = [2**i for i in range(n)]
        layers = [Layer(width=w, name=f"layer {i:02d}") for i, w in enumerate(widths) if w != 2]
        if deep and n > 1:
            layers.append(Layer(len(widths)))
        else:
            layers += [Layer(0)]
        for i, item in enumerate(layers):
            item.name += "!" if i % 2 else "?"
        while len(layers) < 4:
            layers.append(Layer(-1))
        by_name = {f"{k}": Layer(v) for k, v in zip("ab", (1, 2), strict=True)}
        first, *_rest = layers
        match n:
            case 3:
                scale = 0.5
            case _ if n > 5:
                scale = max(w for w in widths) / 2
            case _:
                scale = -1.0
        return Model(layers=layers, scale=scale, extra=(first, by_name, {*widths}))

    made = model(3)
    assert isinstance(made, run.Config)
    assert build(made) == Model(
        layers=[Layer(1, "layer 00?"), Layer(4, "layer 02!"), Layer(3, "?"), Layer(-1)],
        scale=0.5,
        extra=(Layer(1, "layer 00?"), {"a": Layer(1), "b": Layer(2)}, {1, 2, 4}),
    )
    assert model(6).scale == 16.0
    assert model(1, deep=False).layers[1].name == "!"


def test_an_object_used_twice_is_built_once() -> None:
    @run.autoconvert
    def model() -> Model:
        shared = Layer(3)
        return Model(layers=[shared, shared], extra=shared)

    built = build(model())
    assert built.layers[0] is built.layers[1] is built.extra


def test_autoconverted_functions_are_inlined_and_helpers_are_configured() -> None:
    @run.autoconvert
    def model() -> Model:
        return Model(layers=[layer(1), layer(width=2, name="z")], scale=helper(2))

    made = model()
    assert made.layers == [run.Config(Layer, 1, "l"), run.Config(Layer, 2, "z")]
    assert made.scale == run.Config(helper, 2)
    assert build(made).scale == 3


def test_an_autoconverted_helper_may_return_plain_values_to_another() -> None:
    @run.autoconvert
    def half(n):
        return n // 2

    @run.autoconvert
    def widen(item):
        item.width *= 10

    @run.autoconvert
    def model(n) -> Model:
        item = Layer(width=half(n))
        widen(item)
        return Model(layers=[item] if half(n) else [])

    assert model(6) == run.Config(Model, layers=[run.Config(Layer, 30)])
    assert model(1) == run.Config(Model, layers=[])


def test_recursion_ends_where_python_ends_it() -> None:
    @run.autoconvert
    def tree(depth: int) -> Model:
        return Model(layers=[tree(depth - 1), tree(depth - 1)] if depth else [])

    assert build(tree(2)) == Model([Model([Model([]), Model([])]), Model([Model([]), Model([])])])


def test_lists_tuples_and_dicts_of_objects_are_returned_as_such() -> None:
    @run.autoconvert
    def many(kind):
        if kind == "list":
            return [Layer(i) for i in SIZES]
        if kind == "tuple":
            return Layer(1), Model()
        return {"a": Layer(1), "b": [Layer(2)]}

    assert many("list") == [run.Config(Layer, 1), run.Config(Layer, 2)]
    assert many("tuple") == (run.Config(Layer, 1), run.Config(Model))
    assert many("dict") == {"a": run.Config(Layer, 1), "b": [run.Config(Layer, 2)]}


def test_partial_makes_the_root_a_partial() -> None:
    @run.autoconvert(partial=True)
    def train(lr: float = 0.1) -> Model:
        return Model(layers=[Layer(1)], scale=lr)

    made = train(lr=0.5)
    assert isinstance(made, run.Partial)
    assert isinstance(made.layers[0], run.Config)
    assert build(made)() == Model([Layer(1)], 0.5)
    assert typing.get_type_hints(train)["return"] == run.Partial[Model]

    @run.autoconvert(partial=True)
    def both() -> list[Layer]:
        return [Layer(1), Layer(2)]

    assert [type(item) for item in both()] == [run.Partial, run.Partial]


def test_configurations_written_out_are_kept() -> None:
    @run.autoconvert
    def model() -> Model:
        return Model(
            layers=run.Config(Layer, 2),
            extra=[run.Partial(helper, 1), functools.partial(helper, x=2)],
        )

    made = model()
    assert made.layers == run.Config(Layer, 2)
    assert made.extra == [run.Partial(helper, 1), run.Partial(helper, x=2)]

    @run.autoconvert
    def task():
        return run.Partial(helper, 3)

    assert task() == run.Partial(helper, 3)


def test_plain_values_are_evaluated() -> None:
    @run.autoconvert
    def model(n: int) -> Model:
        names = []
        names.append("{}-{}".format("a", n))
        names.extend(sorted({"b", "c"}))
        logging.getLogger("x").debug("made %s", names)
        print("", end="")
        return Model(
            layers=[int(7 / n), len("abc"), math.sqrt(4), os.path.join("a", "b")],
            scale=round(2.5 * n, 1),
            extra={
                "path": Path("a") / "b",
                "time": dt.timedelta(days=1),
                "color": Color("red"),
                "names": names,
                "dict": dict(a=1, layer=Layer(1)),  # noqa: C408
                "here": Path.cwd().is_absolute(),
                "mapped": list(map(Layer, range(2))),
                "picked": sorted(["aa", "b"], key=len),
            },
        )

    made = model(2)
    assert made.layers == [3, 3, 2.0, "a/b"]
    assert made.scale == 5.0
    assert made.extra == {
        "path": Path("a/b"),
        "time": dt.timedelta(days=1),
        "color": Color.RED,
        "names": ["a-2", "b", "c"],
        "dict": {"a": 1, "layer": run.Config(Layer, 1)},
        "here": True,
        "mapped": [run.Config(Layer, 0), run.Config(Layer, 1)],
        "picked": ["b", "aa"],
    }


def test_live_objects_of_the_standard_library_are_made_in_the_job() -> None:
    @run.autoconvert
    def model() -> Model:
        return Model(extra=logging.StreamHandler(), layers=Model.tiny(3))

    made = model()
    assert made.extra == run.Config(logging.StreamHandler)
    assert made.layers == run.Config(Model.tiny, 3)
    assert build(made).layers == Model(3)


def test_a_file_of_the_user_named_like_a_standard_module_is_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "this.py").write_text("def make(x): return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "this", raising=False)
    this = importlib.import_module("this")

    @run.autoconvert
    def model() -> Model:
        return Model(layers=this.make(3))

    assert model().layers == run.Config(this.make, 3)
    monkeypatch.delitem(sys.modules, "this")


def test_attributes_can_be_set_and_read() -> None:
    @run.autoconvert
    def model() -> Model:
        made = Model(layers=[Layer(1)])
        made.scale = 3.0
        made.layers[0].width = int(made.scale) + 1
        if made.extra is None:
            made.extra = made.layers[0].name or "none"
        del made.scale
        return made

    assert model() == run.Config(Model, layers=[run.Config(Layer, 4)], extra="none")


def test_varargs_and_keywords_are_spread() -> None:
    @run.autoconvert
    def model(*widths: int, **options) -> Model:
        return Model([Layer(*pair) for pair in zip(widths, "ab")], **{"scale": 2.0, **options})

    assert model(1, 2, extra="e") == run.Config(
        Model, [run.Config(Layer, 1, "a"), run.Config(Layer, 2, "b")], scale=2.0, extra="e"
    )


def test_closures_nested_functions_and_lambdas_that_stay_inside_work() -> None:
    width = 7

    @run.autoconvert
    def model(count: int = 2) -> Model:
        def one(i: int, base: int = 1) -> Layer:
            nonlocal made
            made += 1
            return Layer(width + i * base)

        made = 0
        named = lambda i: Layer(i, name="named")
        return Model(layers=[one(i) for i in range(count)] + [named(9)], scale=made)

    assert model() == run.Config(
        Model,
        layers=[run.Config(Layer, 7), run.Config(Layer, 8), run.Config(Layer, 9, "named")],
        scale=2,
    )
    width = 100
    assert model(1).layers[0].width == 100


class Family:
    width = 5
    __private = 6

    @run.autoconvert
    def member(self, n: int) -> Layer:
        return Layer(self.width + n + self.__private + self.plus_one(1))

    def plus_one(self, n: int) -> int:
        return n + 1

    @classmethod
    @run.autoconvert
    def of_class(cls) -> Layer:
        return Layer(cls.width)

    @run.autoconvert
    @classmethod
    def of_class_too(cls) -> Layer:
        return Layer(cls.width)

    @staticmethod
    @run.autoconvert
    def free(n) -> Layer:
        return Layer(n)


class Child(Family):
    width = 50

    @run.autoconvert
    def member(self, n: int) -> Model:
        return Model(layers=[super().member(n)])


def test_methods_class_methods_and_super_work() -> None:
    assert Family().member(1) == run.Config(Layer, 5 + 1 + 6 + 2)
    assert Family.of_class() == run.Config(Layer, 5)
    assert Child.of_class_too() == run.Config(Layer, 50)
    assert Family.free(3) == run.Config(Layer, 3)
    assert Child().member(1) == run.Config(Model, layers=[run.Config(Layer, 50 + 1 + 6 + 2)])


def test_with_and_try_are_pythons_own(tmp_path: Path) -> None:
    (tmp_path / "n").write_text("5")

    @run.autoconvert
    def model(path: Path) -> Model:
        try:
            with open(path) as file:
                n = int(file.read())
        except FileNotFoundError:
            n = -1
        finally:
            scale = 2.0
        return Model(layers=n, scale=scale)

    assert model(tmp_path / "n").layers == 5
    assert model(tmp_path / "missing").layers == -1


def test_exceptions_of_the_function_are_its_own() -> None:
    @run.autoconvert
    def model(n: int) -> Model:
        if n < 0:
            raise ValueError(f"n is {n}")
        return Model(n)

    with pytest.raises(ValueError, match="n is -1"):
        model(-1)


def test_values_remember_the_line_of_the_function_that_set_them() -> None:
    made = layer(3)
    entry = made.__argument_history__["width"][-1]
    line = inspect.getsourcelines(layer.wrapped)[1] + 2
    assert (entry.kind, entry.file, entry.line) == ("factory", __file__, line)


def test_another_converter_can_be_given() -> None:
    seen = []

    def mine(fn, cls, *args, **kwargs):
        seen.append((cls, args, kwargs))
        return default_autoconfig_buildable(fn, cls, *args, **kwargs)

    @run.autoconvert(to_buildable_fn=mine)
    def model(n) -> Model:
        return Model(n)

    assert model(n=1) == run.Config(Model, 1)
    assert seen == [(run.Config, (), {"n": 1})]
    marked: AutoConfigProtocol = model
    assert marked.wrapped(2) == Model(2)


def test_texts_with_less_indentation_than_the_function_stay_as_they_are() -> None:
    @run.autoconvert
    def model() -> Model:
        return Model(
            extra="""
first
  second
"""
        )

    assert model().extra == "\nfirst\n  second\n"


def test_dataclass_instances_from_elsewhere_become_configurations() -> None:
    ready = Layer(3)

    @run.autoconvert
    def model() -> Model:
        return Model(layers=[ready])

    @run.autoconvert
    def itself() -> Layer:
        return ready

    assert model() == run.Config(Model, layers=[run.Config(Layer, 3)])
    assert itself() == run.Config(Layer, 3)
    assert dataclasses.is_dataclass(ready)
