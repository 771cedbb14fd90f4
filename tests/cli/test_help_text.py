"""What help shows of a function: every kind of annotation, default and docstring."""

from __future__ import annotations

import enum
import functools
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol, TypeVar

import pytest

import nemo_run as run
from nemo_run.cli.help import help_of
from nemo_run.console.terminal import Look, cells

T = TypeVar("T")


class Stops(Protocol):
    def stop(self) -> bool: ...


class Colour(enum.Enum):
    RED = "red"


class Sulky:
    def __repr__(self) -> str:
        raise RuntimeError("not today")


@dataclass
class Model:
    """A network.

    Attributes:
        hidden: Width of each layer.
        layers: How many layers,
            one on another.
    """

    hidden: int = 128
    layers: int = 2
    tags: list[str] = field(default_factory=list)


def line_of(text: str, name: str) -> str:
    """The one line of the table that begins with ``name``."""
    (found,) = [line for line in text.splitlines() if line.split()[:1] == [name]]
    return " ".join(found.split())


def odd(
    any_call: Callable,
    of_int: Callable[..., int],
    of_one: Callable[[int], str] = str,
    bare: callable = print,  # type: ignore[valid-type]
    maybe: int | None = None,
    generic: T = None,
    protocol: Stops | None = None,
    untyped=7,
    unknown: Nowhere[int] = None,  # noqa: F821
    noted: Annotated[int, "How often it is tried."] = 5,
    either: Literal["a", "b"] = "a",
    colour: Colour = Colour.RED,
    sulky: Any = Sulky(),
    huge: list[int] = list(range(100_000)),
    text: str = "x" * 10_000,
    lambda_: Callable[[int], int] = lambda x: x,
):
    """Take all there is."""


def test_every_kind_of_annotation_and_default_is_shown():
    text = help_of(odd, width=100)
    assert line_of(text, "any_call") == "any_call Callable required"
    assert line_of(text, "of_int") == "of_int Callable[..., int] required"
    assert line_of(text, "of_one") == "of_one Callable[[int], str] = str"
    assert line_of(text, "bare") == "bare callable = print"
    assert line_of(text, "maybe") == "maybe int | None = None"
    assert line_of(text, "generic") == "generic T = None"
    assert line_of(text, "protocol") == "protocol Stops | None = None"
    assert line_of(text, "untyped") == "untyped = 7"
    assert line_of(text, "unknown") == "unknown Nowhere[int] = None"
    assert line_of(text, "noted") == "noted int = 5 How often it is tried."
    assert line_of(text, "either") == "either one of 'a', 'b' = 'a'"
    assert line_of(text, "colour") == "colour Colour = Colour.RED One of RED."
    assert line_of(text, "sulky") == "sulky Any = <Sulky>"
    assert "<list of 100000 items>" in " ".join(text.split())
    assert line_of(text, "lambda_").endswith("= odd.lambda") or "= lambda" in text
    assert len(text) < 4000


@pytest.mark.parametrize("width", [40, 47, 60, 79, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width):
    text = help_of(
        odd, width=width, options=[("--a-rather-long-option NAME", "Does a thing. " * 9)]
    )
    assert max(cells(line) for line in text.splitlines()) <= width


def train(
    model: Model,
    opt: Model | None = None,
    made: run.config.OptionalDefaultConfig[Model] = None,
    lr: float = 1e-3,
    *files: str,
    **extra: int,
) -> None:
    """Train a model.

    It runs until it is good.

    Args:
        model: What is trained.
        lr (float, optional): Step size,
            not too large.
        *files: What to read.

    Returns:
        Nothing.
    """


def test_what_is_inside_an_argument_is_shown_with_its_texts():
    text = help_of(train, width=100)
    assert line_of(text, "model") == "model Model required What is trained."
    assert line_of(text, "model.hidden") == "model.hidden int = 128 Width of each layer."
    assert "How many layers, one on another." in " ".join(text.split())
    assert line_of(text, "model.tags") == "model.tags list[str] = []"
    assert line_of(text, "opt.hidden") == "opt.hidden int = 128 Width of each layer."
    assert line_of(text, "made") == "made Model | None = {}"
    assert line_of(text, "lr") == "lr float = 0.001 Step size, not too large."
    assert line_of(text, "*files") == "*files str What to read."
    assert line_of(text, "**extra") == "**extra int"
    assert text.startswith(
        "Usage: train model=… [KEY=VALUE ...]\n\nTrain a model.\n\nIt runs until"
    )
    assert "Returns" not in text


def test_a_configuration_shows_its_values_as_the_defaults():
    task = run.Partial(train, model=run.Config(Model, hidden=7), lr=0.5)
    text = help_of(task, width=100)
    assert line_of(text, "lr").startswith("lr float = 0.5")
    assert line_of(text, "model.hidden").startswith("model.hidden int = 7")
    assert "required" not in text


def test_a_default_that_is_an_object_shows_what_is_in_it():
    def fit(model: Model = Model(hidden=3)):
        pass

    assert "model.hidden int = 3" in " ".join(help_of(fit).split())


class Plain:
    """Made by hand."""

    def __init__(self, size: int = 1) -> None:
        """Make it.

        Args:
            size: How big.
        """


THINGS = {
    "a dataclass": Model,
    "a class": Plain,
    "a partial": functools.partial(train, lr=3),
    "a method": Plain().__init__,
    "a Config": run.Config(Model),
    "a Config of a dict": run.Config(dict, a=1),
    "a lambda": lambda x, /, y=1: 0,
    "a cached function": functools.cache(train),
    "a class that cannot be shown": Sulky,
    **{f"{kind.__name__} of Python": kind for kind in (print, len, dict, int, type, range)},
}


@pytest.mark.parametrize("thing", THINGS)
def test_help_of_anything_that_can_be_called_is_printed(thing, capsys):
    run.help(THINGS[thing])
    out = capsys.readouterr().out
    assert out.startswith("Usage: ")


def test_texts_of_a_constructor_are_found():
    assert "size int = 1 How big." in " ".join(help_of(Plain).split())


def test_without_docs_the_texts_of_arguments_are_left_out(capsys):
    run.help(train, with_docs=False)
    assert "What is trained" not in capsys.readouterr().out


def test_a_context_of_the_run_is_nothing_to_type():
    from nemo_run.cli import RunContext

    def experiment(ctx: RunContext, size: int = 1):
        pass

    text = help_of(experiment)
    assert "ctx" not in text
    assert "size" in text


def test_colours_only_where_they_may_be():
    assert "\x1b" not in help_of(train)
    assert "\x1b[1mUsage:\x1b[0m" in help_of(train, look=Look(terminal=True, colour=True, width=80))


def test_control_characters_of_a_docstring_do_not_reach_the_terminal():
    def evil(x: int = 1):
        pass

    evil.__doc__ = "Looks \x1b[31mred\x07.\n\nArgs:\n    x: Rings \x07."
    assert not set("\x1b\x07") & set(help_of(evil))


def test_factories_are_shown_with_what_to_type():
    from nemo_run.config.factories import register

    def wide() -> Model:
        """A wide one.

        Wider than it is deep.
        """
        return Model(width=64)

    def usual() -> run.Partial[train]:
        """As most people train."""
        return run.Partial(train)

    def of_files() -> list[str]:
        return []

    register(wide, name="wide-one", is_target_default=True)
    register(usual, train)
    register(of_files, train, target_arg="lr", name="for_lr")
    text = help_of(train, width=100)
    before, _, after = text.partition("Factories, as the first word or with --factory:")
    own, _, each = after.partition("Factories for arguments:")
    assert line_of(own, "usual").endswith("As most people train.")
    assert "Factories" not in before
    lines = [" ".join(line.split()) for line in each.splitlines()]
    assert any(line.startswith("model=wide-one (default)") for line in lines)
    assert any(line.startswith("opt=wide-one (default)") for line in lines)
    assert any(line.startswith("lr=for_lr") for line in lines)
    assert "A wide one." in text
    assert "Wider than" not in text
    assert "Factories" not in help_of(train, factories=False)


@dataclass
class Stop:
    patience: int = 3


@dataclass
class Trainer:
    model: Model
    callbacks: list[Stop]
    colours: list[Colour] | None = None
    inner: Trainer | None = None


def fit(trainer: Trainer, others: list[Stop], lr: float, steps: int = 3) -> None:
    """Fit."""


def test_what_a_command_begins_with_is_shown_as_its_defaults_level_by_level():
    from nemo_run.config.factories import register

    def begun() -> run.Partial[fit]:
        print("nobody asked")
        model = run.Config(Model, hidden=9)
        return run.Partial(fit, run.Config(Trainer, model, [run.Config(Stop)]), others=[], lr=0.5)

    register(begun, fit, is_target_default=True)
    text = help_of(fit, width=100)
    assert line_of(text, "trainer") == "trainer Trainer = {…}"
    assert line_of(text, "trainer.model") == "trainer.model Model = {…}"
    assert line_of(text, "trainer.model.hidden").startswith("trainer.model.hidden int = 9")
    assert line_of(text, "trainer.model.layers").startswith("trainer.model.layers int = 2")
    assert line_of(text, "trainer.callbacks") == "trainer.callbacks list[Stop] = [Stop()]"
    assert line_of(text, "others") == "others list[Stop] = []"
    assert line_of(text, "lr") == "lr float = 0.5"
    assert line_of(text, "steps") == "steps int = 3"
    assert "trainer.inner.model" not in text
    assert "required" not in text


def test_help_is_the_same_without_a_default_factory_where_it_fails():
    from nemo_run.config.factories import register

    def one(stop: Stop, n: int) -> None: ...

    def broken() -> run.Partial[one]:
        raise SystemError("not now")

    before = help_of(one, factories=False)
    register(broken, one, is_target_default=True)
    assert help_of(one, factories=False) == before


def test_factories_of_inner_places_and_of_items_and_namespaces_are_shown():
    from nemo_run.config.factories import register

    def early() -> run.Config[Stop]:
        """Stop early."""
        return run.Config(Stop, patience=1)

    register(early)
    register(early, namespace="my.recipes")
    text = help_of(fit, width=200)
    for key in ("others", "trainer.callbacks"):
        for name in ("early", "my.recipes.early"):
            assert line_of(text, f"{key}={name}").endswith("Stop early.")


def test_executors_and_plugins_that_have_a_name_are_shown():
    from nemo_run.config.factories import register

    def my_cluster() -> run.LocalExecutor:
        """Four machines."""
        return run.LocalExecutor()

    register(my_cluster, name="cluster")
    text = help_of(train, width=200)
    line = line_of(text, "run.executor=cluster")
    assert line.endswith("my_cluster Four machines.")


def test_help_goes_to_a_console_of_rich_or_a_file_as_it_is():
    from rich.console import Console

    told = io.StringIO()
    run.help(train, console=Console(file=told, width=300))
    written = io.StringIO()
    run.help(train, console=written)
    assert told.getvalue() == written.getvalue()
    assert "list[str]" in told.getvalue()  # no markup of rich
    assert run.cli.Entrypoint(train).help(console=written) is None
    assert written.getvalue() == told.getvalue() * 2
