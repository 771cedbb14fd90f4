"""Factories: found by what they make, called once, and told where they are when they fail."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Any, Optional, Protocol, Union

import pytest

import nemo_run as run
from nemo_run.config import factories
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.exceptions import OverrideError


@dataclass
class Model:
    size: int = 1
    inner: Model | None = None


@dataclass
class Big(Model):
    depth: int = 3


@dataclass
class Callback:
    a: int = 0
    b: int = 0


class Named(Protocol):
    size: int


def train(
    model: Model | None = None,
    callbacks: list[Callback] = [],
    several: Sequence[Model] = (),
    pair: tuple[Model, int] | None = None,
    table: dict[str, Model] = {},
    big: Big | None = None,
    either: Union[int, Callback, None] = None,  # noqa: UP007
    old: Optional[Model] = None,  # noqa: UP045
    name: str = "x",
    maybe: str | None = None,
    n: int = 1,
    loose=None,
    wide: Any = None,
    call: Callable[..., Any] | None = None,
):
    """Take what factories make."""


calls: list[tuple[Any, ...]] = []


@run.cli.factory
@run.autoconvert
def mk(size: int = 7, inner: Model | None = None) -> Model:
    """Make a model."""
    return Model(size=size, inner=inner)


@run.cli.factory
def f(x: int) -> run.Config[Model]:
    calls.append(("f", x))
    return run.Config(Model, size=x)


@run.cli.factory
def huge() -> run.Config[Big]:
    return run.Config(Big, depth=99)


@run.cli.factory
def cb(a: int = 1, b: int = 1) -> Callback:
    return Callback(a, b)


@run.cli.factory
def other() -> Callback:
    return Callback(5)


@run.cli.factory
def all_of_them() -> list[run.Config[Callback]]:
    return [run.Config(Callback, a=8), run.Config(Callback, a=9)]


@run.cli.factory(target=train, target_arg="n")
def seven() -> int:
    return 7


@run.cli.factory
def text() -> str:
    return "made"


def task(*texts: str) -> Any:
    return apply(run.Partial(train), [parse_override(text) for text in texts])


def model(size: int, **more: Any) -> run.Config[Model]:
    return run.Config(Model, size=size, **more)


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("model=mk", "model", model(7, inner=None)),
        ("model=mk()", "model", model(7, inner=None)),
        ("model=mk(size=3)", "model", model(3, inner=None)),
        ("model=mk(3)", "model", model(3, inner=None)),
        ("model=mk(size=1, inner=f(x=2))", "model", model(1, inner=model(2))),
        ("model=mk(inner=mk(inner=f(2)))", "model", None),
        ("model=mk(inner.size=4)", "model", model(7, inner=model(4))),
        ("old=f(2)", "old", model(2)),
        # A class below the annotation, and one above it.
        ("model=huge", "model", run.Config(Big, depth=99)),
        ("big=huge", "big", run.Config(Big, depth=99)),
        # Items.
        (
            "callbacks=[cb(a=1,b=2),other]",
            "callbacks",
            [run.Config(Callback, a=1, b=2), run.Config(Callback, a=5)],
        ),
        ("callbacks=[cb,cb(3)]", "callbacks", [run.Config(Callback, a=1, b=1), None]),
        ("callbacks=other", "callbacks", [run.Config(Callback, a=5)]),
        ("callbacks+=other", "callbacks", [run.Config(Callback, a=5)]),
        ("callbacks+=[other, cb(a=1,b=2)]", "callbacks", [run.Config(Callback, a=5), None]),
        ("callbacks+=cb(a=1,b=2)", "callbacks", [run.Config(Callback, a=1, b=2)]),
        ("callbacks=all_of_them", "callbacks", [run.Config(Callback, a=8), None]),
        ("several=[f(1), f(2)]", "several", [model(1), model(2)]),
        ("several=f(1)", "several", [model(1)]),
        ("pair=(f(1), 2)", "pair", (model(1), 2)),
        ("table={a: f(1), 'b c': mk(size=2)}", "table", None),
        ("table.a=f(1)", "table", {"a": model(1)}),
        # One of several.
        ("either=other", "either", run.Config(Callback, a=5)),
        ("either=3", "either", 3),
        # A plain value.
        ("n=seven", "n", 7),
        # A text is a text.
        ("name=text", "name", "text"),
        ("maybe=text", "maybe", "text"),
        ("name=f(1)", "name", "f(1)"),
        ("name=mk", "name", "mk"),
        # Where nothing is said of the type, a name is no factory.
        ("loose=mk", "loose", "mk"),
        ("wide=mk", "wide", "mk"),
    ],
)
def test_a_name_is_what_the_factory_makes(text, name, expected):
    found = getattr(task(text), name)
    if expected is None:
        assert "mk" not in repr(found)
    elif isinstance(expected, list) and None in expected:
        assert found[0] == expected[0]
        assert len(found) == len(expected)
    else:
        assert found == expected


def test_a_table_of_factories():
    assert task("table={a: f(1), 'b c': mk(size=2)}").table == {
        "a": model(1),
        "b c": model(2, inner=None),
    }
    assert task("model=mk(inner=mk(inner=f(2)))").model == model(7, inner=model(7, inner=model(2)))


def test_the_parts_of_what_a_factory_makes_are_set_in_either_order():
    for texts in (["model=mk", "model.size=3"], ["model.size=3", "model=mk"]):
        assert task(*texts).model == model(3, inner=None)
    assert task("callbacks=[cb,other]", "callbacks[1].b=4").callbacks[1] == run.Config(
        Callback, a=5, b=4
    )


@pytest.mark.parametrize(
    "text",
    ["model=f(4)", "several=[f(4)]", "either=none", "table={a: f(4)}", "big=f(4)", "pair=(f(4),1)"],
)
def test_a_factory_is_called_once(text):
    calls.clear()
    if text.startswith("big"):
        with pytest.raises(OverrideError):
            task(text)
    else:
        task(text)
    assert calls == ([] if "none" in text else [("f", 4)])


def test_each_use_is_a_value_of_its_own():
    found = task("several=[mk, mk]").several
    assert found[0] == found[1]
    assert found[0] is not found[1]


def test_the_history_says_the_factory_and_what_was_typed():
    found = task("model=f(4)", "model.size*=2")
    (said,) = found.__argument_history__["model"]
    assert (said.kind, str(said.new_value), said.file) == ("command line", "f(4)", None)
    made, changed = found.model.__argument_history__["size"]
    assert (made.kind, made.new_value, made.file, made.function) == ("factory", 4, __file__, "f")
    assert (changed.kind, changed.new_value) == ("command line", 8)


# Where they are registered.


def test_a_factory_for_one_argument_is_for_it_alone():
    @run.cli.factory(target=train, target_arg="model", name="for_model")
    def special() -> run.Config[Model]:
        return run.Config(Model, size=77)

    assert task("model=for_model").model.size == 77
    with pytest.raises(OverrideError):
        task("old=for_model")
    assert run.cli.list_factories(Model).count(special) == 0


@dataclass
class Net:
    width: int = 1
    depth: int = 1


@dataclass
class Wide(Net):
    pass


def fit_net(net: Net | None = None, wide: Wide | None = None): ...


def test_the_default_is_used_when_a_part_of_nothing_is_set():
    @run.cli.factory(is_target_default=True)
    def first() -> run.Config[Net]:
        return run.Config(Net, depth=5)

    @run.cli.factory(is_target_default=True)
    def second() -> run.Config[Net]:
        return run.Config(Net, depth=6)

    def fit(net: Net | None = None, wide: Wide | None = None): ...

    found = apply(run.Config(fit), [parse_override("net.width=3"), parse_override("wide.width=4")])
    assert found.net == run.Config(Net, depth=6, width=3)
    assert found.wide == run.Config(Wide, width=4)
    assert run.cli.resolve_factory(Net, "default") is second
    assert run.cli.resolve_factory(Net, "first") is first


def test_a_namespace_is_a_place_of_its_own():
    @run.cli.factory(namespace="my.recipes", name="best")
    def recipe() -> run.Config[Model]:
        return run.Config(Model)

    assert run.cli.resolve_factory("my.recipes", "best") is recipe
    assert run.cli.list_factories("my.recipes") == [recipe]
    assert recipe not in run.cli.list_factories(Model)
    with pytest.raises(ValueError, match=r"has no factory 'bset'\. Did you mean 'best'"):
        run.cli.resolve_factory("my.recipes", "bset")


def test_a_factory_of_a_namespace_is_called_by_its_whole_name_where_its_result_fits():
    @run.cli.factory(namespace="their.recipes")
    def tall(size: int = 4) -> run.Config[Model]:
        return run.Config(Model, size=size)

    @run.cli.factory(namespace="their.recipes")
    def any_callback() -> Callback:
        return Callback(6)

    assert task("model=their.recipes.tall").model == model(4)
    assert task("model=their.recipes.tall(size=9)", "model.size+=1").model == model(10)
    assert task("callbacks=[their.recipes.any_callback(),other]").callbacks[1].a == 5
    assert task("name=their.recipes.tall").name == "their.recipes.tall"
    for word in ("model=tall", "model=their.recipes.tal", "model=their.recipes.any_callback"):
        with pytest.raises(OverrideError, match=r"their\.recipes\.tall"):
            task(word)


def test_an_argument_that_the_target_lacks_is_refused():
    with pytest.raises(OverrideError, match=r"'modell' of train, which has none .*'model'"):
        run.cli.factory(target=train, target_arg="modell")(text)

    def takes_all(**more: int): ...

    run.cli.factory(target=takes_all, target_arg="anything", name="one")(seven)
    run.cli.factory(target="their.module.Class", target_arg="any", name="one")(seven)


def test_two_functions_of_one_name_are_told_apart_by_nobody():
    @run.cli.factory(name="twice")
    def one() -> run.Config[Target]:
        return run.Config(Target, size=1)

    @run.cli.factory(name="twice")
    def two() -> run.Config[Target]:
        return run.Config(Target, size=2)

    with pytest.raises(OverrideError, match=r"'twice' is the name of 2 factories"):
        run.cli.resolve_factory(Target, "twice")


@dataclass
class Target:
    size: int = 0


def test_a_target_is_a_class_a_function_a_configuration_or_a_name():
    for index, target in enumerate(
        [Target, run.Config(Target), f"{__name__}.Target", run.Config[Target], Target | None]
    ):

        @run.cli.factory(target=target, name=f"way{index}")
        def make(index=index):
            return run.Config(Target, size=index)

        assert run.cli.resolve_factory(Target, f"way{index}") is make

    def use(target: Target): ...

    found = apply(run.Config(use), [parse_override("target=way2")])
    assert found.target == run.Config(Target, size=2)


def test_the_decorator_gives_the_function_back():
    def plain() -> Model:
        return Model()

    assert run.cli.factory(plain, name="plain1") is plain
    assert run.cli.factory(name="plain2")(plain) is plain
    assert {plain} <= set(run.cli.list_factories(Model))


def use_named(what: Named | None = None): ...


def test_a_protocol_is_fitted_by_what_has_its_members():
    assert {mk, huge} <= set(run.cli.list_factories(Named))
    assert cb not in run.cli.list_factories(Named)
    found = apply(run.Config(use_named), [parse_override("what=mk")])
    assert found.what == model(7, inner=None)


def test_those_that_fit_are_listed_best_first():
    names = [factory.name for factory in factories.fitting(Model | None)]
    assert names.index("mk") < names.index("huge")
    assert "cb" not in names
    big = [factory.name for factory in factories.fitting(Big)]
    assert big.index("huge") < big.index("mk")
    many = [factory.name for factory in factories.fitting(list[Callback])]
    assert many.index("all_of_them") < many.index("cb")
    assert factories.fitting(str) == factories.fitting(Any) == []
    (found,) = [factory for factory in factories.fitting(Model) if factory.name == "mk"]
    assert (found.doc, found.file, found.target) == ("Make a model.", __file__, Model)


def square(x: float) -> float:
    return x * x


def use_function(call: Callable[..., Any] = print, made: run.Partial[square] | None = None): ...


def squared() -> Callable[..., Any]:
    return square


@run.cli.factory(target=square)
def of_three() -> run.Partial[square]:
    return run.Partial(square, x=3)


def test_functions_are_made_too():
    run.cli.factory(squared)
    found = apply(
        run.Config(use_function),
        [parse_override(text) for text in ("call=squared", "made=of_three")],
    )
    assert found.call is square
    assert found.made == run.Partial(square, x=3)
    found = apply(run.Config(use_function), [parse_override("made.x=4")])
    assert found.made == run.Partial(square, x=4.0)


# The function of a command.


def fit(model: Model, lr: float = 0.1, steps: int = 10):
    """Train."""


@run.cli.factory(target=fit)
def small(width: int = 2) -> run.Partial[fit]:
    return run.Partial(fit, model=run.Config(Model, size=width), steps=5)


@run.cli.factory(target=fit)
@run.autoconvert
def converted() -> fit:
    return fit(model=Model(size=3))


@run.cli.factory(target=fit)
def wrong() -> run.Config[Model]:
    return run.Config(Model)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["small"], run.Partial(fit, model=model(2), steps=5)),
        (["small", "lr=1"], run.Partial(fit, model=model(2), steps=5, lr=1.0)),
        (["small(width=8)", "lr=1"], run.Partial(fit, model=model(8), steps=5, lr=1.0)),
        (["converted", "lr=1"], run.Partial(fit, model=model(3), lr=1.0)),
        (["mk", "0.5"], run.Partial(fit, model=model(7, inner=None), lr=0.5)),
        (["f(2)", "0.5", "7"], run.Partial(fit, model=model(2), lr=0.5, steps=7)),
        (["f(2)", "steps+=2"], run.Partial(fit, model=model(2), steps=12)),
        (["model.size=3"], run.Partial(fit, model=model(3))),
    ],
)
def test_words_without_a_key(args, expected):
    assert run.cli.parse_cli_args(fit, args) == expected
    assert run.cli.parse_partial(fit, *args) == expected
    config = run.cli.parse_config(fit, *args)
    assert type(config) is run.Config
    assert config.__arguments__ == expected.__arguments__


def test_a_word_that_is_no_call_is_a_value():
    def say(text: str, other: str = "x"): ...

    for text in ("f(a,,b)", "f(", "a,b", "'q'", "", "f('a"):
        assert run.cli.parse_config(say, text) == run.Config(say, text=text)


def test_a_script_and_what_imports_it_are_one(tmp_path):
    (tmp_path / "recipes_of_fa.py").write_text(
        dedent(
            """
            import nemo_run as run
            from script_of_fa import train

            @run.cli.factory(target=train)
            def recipe() -> run.Partial[train]:
                return run.Partial(train, steps=4)
            """
        ),
        "utf-8",
    )
    script = tmp_path / "script_of_fa.py"
    script.write_text(
        dedent(
            """
            import nemo_run as run

            def train(steps: int): ...

            if __name__ == "__main__":
                import recipes_of_fa
                task = run.cli.parse_partial(train, "recipe", "steps*=2")
                print(task.steps, task.__fn_or_cls__ is train)
            """
        ),
        "utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=os.environ
    )
    assert (done.stdout, done.returncode) == ("8 True\n", 0), done.stderr


def test_a_configuration_is_where_words_begin_too():
    begin = run.Config(fit, model=model(3), lr=1.0)
    found = run.cli.parse_cli_args(begin, ["steps=3"], run.Config)
    assert found == run.Config(fit, model=model(3), lr=1.0, steps=3)
    assert begin == run.Config(fit, model=model(3), lr=1.0)


def test_values_by_position_may_be_many():
    def add(a: int, /, *rest: float, scale: int = 1): ...

    found = run.cli.parse_config(add, "1", "2", "3", "scale=4")
    assert found[:] == [1, 2.0, 3.0]
    assert found.scale == 4


# Modules of their own.


def module(folder, name: str, source: str) -> Any:
    (folder / f"{name}.py").write_text(dedent(source), "utf-8")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    return importlib.import_module(name)


@pytest.fixture(autouse=True)
def path():
    before = list(sys.path)
    yield
    sys.path[:] = before


def test_annotations_that_are_texts(tmp_path):
    module(
        tmp_path, "layers_of_fa", "class Layer:\n    def __init__(self, n: int = 1): self.n = n\n"
    )
    found = module(
        tmp_path,
        "strings_of_fa",
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        import nemo_run as run

        if TYPE_CHECKING:
            from layers_of_fa import Layer

        @run.cli.factory
        def layer(n: int = 4) -> run.Config[Layer]:
            import layers_of_fa
            return run.Config(layers_of_fa.Layer, n=n)

        @run.cli.factory
        def later() -> run.Config[Later]:
            return run.Config(Later, k=2)

        class Later:
            def __init__(self, k: int = 1): self.k = k

        def build(layer: Layer, later: Later, n: int | None = None): ...
        """,
    )
    made = apply(
        run.Config(found.build),
        [parse_override(text) for text in ("layer=layer(n=6)", "later=later", "n=3")],
    )
    assert made.layer.n == 6
    assert made.later == run.Config(found.Later, k=2)
    assert made.n == 3


def test_texts_are_read_of_converted_functions_too(tmp_path):
    layer = "class Neck:\n    def __init__(self, n: int = 1): self.n = n\n"
    module(tmp_path, "necks_of_fa", layer)
    found = module(
        tmp_path,
        "converted_of_fa",
        """
        from __future__ import annotations
        from typing import TYPE_CHECKING
        import nemo_run as run
        import necks_of_fa

        if TYPE_CHECKING:
            from necks_of_fa import Neck

        @run.cli.factory
        @run.autoconvert
        def neck(n: int = 4) -> Neck:
            return necks_of_fa.Neck(n=n)

        @run.cli.factory
        @run.autoconvert
        def necks(n: int = 4) -> list[Neck]:
            return [necks_of_fa.Neck(n=i) for i in range(n)]

        def build(neck: Neck, several: list[Neck] | None = None): ...
        """,
    )
    made = apply(
        run.Config(found.build),
        [parse_override(text) for text in ("neck=neck(n=6)", "several=necks(2)")],
    )
    assert made.neck.n == 6
    assert [neck.n for neck in made.several] == [0, 1]


def test_the_same_file_again_replaces_its_factories(tmp_path):
    source = """
        import nemo_run as run
        class Thing:
            def __init__(self, n: int): self.n = n
        @run.cli.factory
        def thing() -> run.Config[Thing]:
            return run.Config(Thing, n={n})
        """
    found = module(tmp_path, "again_of_fa", source.format(n=1))
    (tmp_path / "again_of_fa.py").write_text(dedent(source.format(n=22)), "utf-8")
    importlib.reload(found)
    assert run.cli.resolve_factory(found.Thing, "thing")().n == 22
    assert len(run.cli.list_factories(found.Thing)) == 1


def test_two_files_with_one_name_are_told(tmp_path):
    first = module(tmp_path, "one_of_fa", "class Thing: ...\n")
    source = """
        import nemo_run as run
        from one_of_fa import Thing
        @run.cli.factory
        def twin() -> run.Config[Thing]:
            return run.Config(Thing)
        """
    sys.modules.pop("two_of_fa", None)
    module(tmp_path, "two_of_fa", source)
    module(tmp_path, "three_of_fa", source)
    with pytest.raises(OverrideError, match=r"2 factories that fit: .*two_of_fa\.py:4.*three_of"):
        run.cli.resolve_factory(first.Thing, "twin")


# What goes wrong.


class Opaque:
    """Cannot be turned into a configuration."""

    def __init__(self, n: int = 1):
        self.n = n


@run.cli.factory
def instance() -> Opaque:
    return Opaque(3)


@run.cli.factory
def failing(n: int = 1) -> run.Config[Opaque]:
    if n > 1:
        raise RuntimeError("no disk")
    return run.Config(Opaque, m=n)


@run.cli.factory
def lying() -> run.Config[Opaque]:
    return run.Config(Model)  # type: ignore[arg-type]


@run.cli.factory
def asking(n: int) -> run.Config[Opaque]:
    return run.Config(Opaque, n=n)


def use(what: Opaque | None = None, many: list[Opaque] = [], n: int = 1): ...


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("returns an object", "what=instance"),
        ("raises", "what=failing(n=2)"),
        ("sets what is not there", "what=failing"),
        ("makes something else", "what=lying"),
        ("needs an argument", "what=asking"),
        ("wrong value", "what=asking(n=abc)"),
        ("wrong argument", "what=asking(m=1)"),
        ("too many arguments", "what=asking(1, 2)"),
        ("given twice", "what=asking(1, n=2)"),
        ("unknown name", "what=askin"),
        ("unknown call", "what=askin(n=1)"),
        ("unknown inside a list", "many=[asking(1), askin(2)]"),
        ("none fits", "n=some"),
    ],
)
def test_a_factory_that_cannot_be_used_is_told_with_its_place(case, text, error_snapshot):
    with pytest.raises(OverrideError) as caught:
        apply(run.Config(use), [parse_override(text)])
    message = str(caught.value)
    lines = {f":{factory.line})": ":<line>)" for factory in factories.fitting(Opaque)}
    import re

    message = re.sub(r"at line \d+", "at line <n>", message)
    error_snapshot(f"factory: {case}", message, {__file__: "<file>", __name__: "<module>", **lines})


def test_the_cause_of_a_failure_is_kept():
    with pytest.raises(OverrideError) as caught:
        apply(run.Config(use), [parse_override("what=failing(n=2)")])
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.mark.parametrize("args", [["wrong"], ["1", "2", "3", "4"], ["lr=1", "small"], ["tiny"]])
def test_words_that_cannot_be_used(args, error_snapshot):
    with pytest.raises(OverrideError) as caught:
        run.cli.parse_cli_args(fit, args)
    found = factories.find(fit, "wrong")
    assert found is not None
    error_snapshot(
        f"words: {' '.join(args)}",
        str(caught.value),
        {found.place: "<file>:<line>", __name__: "<module>"},
    )


def test_a_factory_that_does_not_say_what_it_makes_is_refused(error_snapshot):
    def silent():
        return Model()

    with pytest.raises(OverrideError) as caught:
        run.cli.factory(silent)
    line = silent.__code__.co_firstlineno
    error_snapshot("factory: silent", str(caught.value), {f"{__file__}:{line}": "<file>:<line>"})
    with pytest.raises(OverrideError) as caught:
        run.cli.factory(silent, target_arg="model")
    error_snapshot(
        "factory: argument of what", str(caught.value), {f"{__file__}:{line}": "<file>:<line>"}
    )


@pytest.mark.parametrize("name", ["my model", "3", "none", "f()", "", None])
def test_a_name_that_a_command_line_cannot_say_is_refused(name):
    with pytest.raises(OverrideError, match=r"(cannot be called|has no name)"):
        run.cli.factory(lambda: Model(), target=Model, name=name)


@pytest.mark.parametrize("name", ["llama3.1-8b", "7b", "größe", "_x"])
def test_names_may_be_those_of_models(name):
    run.cli.factory(lambda: run.Config(Model, size=8), target=Model, name=name)
    assert task(f"model={name}").model.size == 8


def test_an_annotation_that_cannot_be_read_is_told_when_it_is_asked_for():
    def mystery() -> Nowhere:  # type: ignore[name-defined]  # noqa: F821
        return None

    run.cli.factory(mystery)
    with pytest.raises(OverrideError, match="'Nowhere', which cannot be read; give it target="):
        apply(run.Config(use), [parse_override("what=mystery")])
    assert task("model=mk").model.size == 7
