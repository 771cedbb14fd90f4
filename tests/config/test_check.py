"""Everything wrong with a task is said at once, before it runs."""

from __future__ import annotations

import abc
import inspect
from dataclasses import dataclass, field
from typing import Any, Protocol

import pytest
from typing_extensions import TypedDict, Unpack

import nemo_run as run
from nemo_run.config.checks.check import check_task
from nemo_run.config.graph.node import Node
from nemo_run.exceptions import ArgumentError, CheckError


@dataclass
class Layer:
    width: int
    name: str = ""
    tags: list[str] = field(default_factory=list)


@dataclass
class Model:
    layers: list[Layer]
    scale: float = 1.0


def train(
    model: Model, lr: float = 0.1, flag: bool = True, text: str = "x", many: list[int] | None = None
):
    return model, lr, flag, text, many


def here() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def model(*widths: Any) -> run.Config[Model]:
    return run.Config(Model, [run.Config(Layer, w) for w in widths])


def test_a_right_task_passes_and_is_not_changed() -> None:
    task = run.Partial(train, model(1, 2), lr=1)
    before = repr(task)
    check_task(task)
    check_task(run.Config(train, model(1)))
    check_task(run.Script(inline="echo hello"))
    assert repr(task) == before


class Schedule(abc.ABC):
    @abc.abstractmethod
    def rate(self) -> float: ...


class Stops(Protocol):
    def stop(self) -> bool: ...


class Chooses(Schedule):
    def __new__(cls) -> Any:
        return 1.0


def use(what: Any) -> None: ...


@pytest.mark.parametrize("kind", [Schedule, Stops])
def test_a_class_without_objects_is_told_before_it_runs(kind: type) -> None:
    says = f"{kind.__name__} is abstract, so no object of it can be made"
    for task in (run.Partial(use, [run.Config(kind)]), run.Config(kind)):
        with pytest.raises(ArgumentError, match=says):
            check_task(task)
    check_task(run.Partial(use, run.Config(Chooses)))


def test_every_problem_is_in_one_error_with_path_value_and_place() -> None:
    line = here() + 1
    task = run.Partial(train, model(1, "two"), lr="fast")
    task.model.layers.append(run.Config(Layer))
    task.model.layers[0].tags = ["a", 5]
    with pytest.raises(CheckError) as error:
        check_task(task)
    assert isinstance(error.value, TypeError)
    name, inside = f"{__name__}.", inspect.getsourcelines(model)[1] + 1
    assert str(error.value).split("\n") == [
        f"{name}train has 4 problems:",
        f"  lr: 'fast' is given, float is expected (set at {__file__}:{line}).",
        f"  model.layers[0].tags[1]: 5 is given, str is expected (set at {__file__}:{line + 2}).",
        f"  model.layers[1].width: 'two' is given, int is expected (set at {__file__}:{inside}).",
        f"  model.layers[2].width: {name}Layer needs 'width'.",
    ]


def test_missing_arguments_are_found_anywhere() -> None:
    with pytest.raises(ArgumentError, match=rf"^{__name__}\.train needs 'model'\.$"):
        check_task(run.Partial(train))
    with pytest.raises(ArgumentError, match=r"model\.layers\[0\]\.width: .*Layer needs 'width'"):
        check_task(run.Config(train, run.Config(Model, [run.Config(Layer)])))

    def nested(a, /, b, *rest, c, **options): ...

    for value in ([run.Config(Layer)], (run.Config(Layer),), {"k": [run.Config(Layer)]}):
        with pytest.raises(ArgumentError, match=r"b.*width: .*needs 'width'"):
            check_task(run.Partial(nested, 1, value, c=1))
    with pytest.raises(ArgumentError) as error:
        check_task(run.Partial(nested))
    assert [line.split(":")[0].strip() for line in str(error.value).split("\n")[1:]] == [
        "a",
        "b",
        "c",
    ]


def test_a_partial_inside_may_wait_for_arguments_but_a_config_in_it_may_not() -> None:
    def use(make: Any): ...

    check_task(run.Partial(use, run.Partial(Layer)))
    with pytest.raises(ArgumentError, match=r"make\.layers\[0\]\.width"):
        check_task(run.Partial(use, run.Partial(Model, [run.Config(Layer)])))


def test_an_unknown_argument_names_the_nearest_one() -> None:
    # As after reading a file that was written before the function changed.
    task = Node.__new__(run.Partial)._restore(train, {"model": model(1), "modle": 1, "lrr": 2})
    with pytest.raises(ArgumentError) as error:
        check_task(task)
    text = str(error.value)
    assert "modle: " in text
    assert "train has no parameter 'modle'. Did you mean 'model'?" in text
    assert "Did you mean 'lr'? Its parameters: model, lr, flag, text, many." in text
    extra = Node.__new__(run.Partial)._restore(Layer, {"width": 1, 5: 2})
    with pytest.raises(ArgumentError, match="takes 3 positional arguments, and number 6 was given"):
        check_task(extra)


def test_falsy_values_are_values() -> None:
    def falsy(a: int = 1, b: bool = True, c: str = "x", d: list[int] = [1], e: float = 1.0):
        return a, b, c, d, e

    task = run.Partial(falsy, a=0, b=False, c="", d=[], e=0.0)
    check_task(task)
    for name, value in {"a": "", "b": "", "c": 0, "d": 0, "e": ""}.items():
        with pytest.raises(CheckError, match=f"{name}: {value!r} is given"):
            check_task(run.Partial(falsy, **{name: value}))


def test_a_default_is_right_whatever_its_annotation_says() -> None:
    missing = object()

    def lenient(a: int = None, b: str = missing, c: list[int] = ()): ...  # noqa: RUF013

    check_task(run.Partial(lenient, a=None, b=missing))
    with pytest.raises(CheckError, match="a: 'x' is given"):
        check_task(run.Partial(lenient, a="x"))
    with pytest.raises(CheckError, match="b: None is given"):
        check_task(run.Partial(lenient, b=None))


class Options(TypedDict):
    size: int


def test_variadic_arguments_are_checked_one_by_one() -> None:
    def variadic(first: int, *rest: int, **options: float): ...
    def typed(**options: Unpack[Options]): ...

    check_task(run.Partial(variadic, 1, 2, 3, a=1.5))
    with pytest.raises(CheckError) as error:
        check_task(run.Partial(variadic, 1, 2, "three", a="x"))
    assert "[2]: 'three' is given, int" in str(error.value)
    assert "a: 'x' is given, float" in str(error.value)
    check_task(run.Partial(typed, size=1))
    with pytest.raises(CheckError, match="size: 'x' is given, int is expected"):
        check_task(run.Partial(typed, size="x"))


def test_a_node_used_twice_is_reported_once() -> None:
    shared = run.Config(Layer, "wide")
    with pytest.raises(CheckError) as error:
        check_task(run.Partial(train, run.Config(Model, [shared, shared])))
    assert str(error.value).count("'wide'") == 1


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(CheckError) as error:
        check_task(run.Partial(train, model(1), lr="x" * 500))
    assert len(str(error.value)) < 400


def test_a_union_shows_what_is_wrong_inside_the_one_that_fits() -> None:
    with pytest.raises(CheckError, match=r"many\[1\]: 'x' is given, int is expected"):
        check_task(run.Partial(train, model(1), many=[1, "x"]))


def test_targets_that_say_little_about_themselves_pass() -> None:
    class Calls:
        def __call__(self, x: int): ...

    class Parent:
        def __init__(self, size: int, **rest: Any): ...

    class Passes(Parent):
        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)

    for task in (
        run.Partial(dict, a=1),
        run.Partial(print, "x", sep=""),
        run.Partial(range, 3),
        run.Partial(Passes, 3),
        run.Config(Calls),
        run.Config({}, a=1),
    ):
        check_task(task)
