"""``run.plugins…`` as a command line gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.cli.run_overrides.plugins import plugins_of
from nemo_run.config import factories
from nemo_run.config.files.layers import run_overrides_of
from nemo_run.config.files.load import load
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.exceptions import OverrideError


@dataclass(kw_only=True)
class Trace(run.Plugin):
    ranks: int = 1
    tags: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Again(run.Plugin):
    times: int = 3


def for_tests_trace(ranks: int = 1) -> run.Config[Trace]:
    return run.Config(Trace, ranks=ranks)


def for_tests_both() -> list[run.Plugin]:
    return [Trace(), Again(times=5)]


for _factory in (for_tests_trace, for_tests_both):
    factories.register(_factory)


def plugins(*texts: str, default: object = None) -> list[run.Plugin]:
    return plugins_of([parse_override(text) for text in texts], default)


def test_one_by_name() -> None:
    assert plugins("run.plugins=for_tests_trace") == [Trace()]
    assert plugins("run.plugins=for_tests_trace(ranks=4)") == [Trace(ranks=4)]


def test_several_with_arguments() -> None:
    again = f"{__name__}.Again"
    found = plugins(f"run.plugins=[for_tests_trace(ranks=2), {again}(times=1)]")
    assert found == [Trace(ranks=2), Again(times=1)]


def test_a_factory_of_several() -> None:
    assert plugins("run.plugins=for_tests_both") == [Trace(), Again(times=5)]
    assert plugins("run.plugins=[for_tests_trace,for_tests_both]") == [
        Trace(),
        Trace(),
        Again(times=5),
    ]


def test_a_field_of_the_only_one() -> None:
    assert plugins("run.plugins=for_tests_trace", "run.plugins.ranks=2") == [Trace(ranks=2)]
    assert plugins("run.plugins.ranks=2", "run.plugins=for_tests_trace") == [Trace(ranks=2)]


def test_fields_by_index_in_order() -> None:
    found = plugins(
        "run.plugins=for_tests_both", "run.plugins[0].ranks=2", "run.plugins[0].ranks*=3",
        "run.plugins[-1].times=1", "run.plugins[0].tags=[a,b]",
    )  # fmt: skip
    assert found == [Trace(ranks=6, tags=["a", "b"]), Again(times=1)]


def test_the_default_is_changed_as_a_copy() -> None:
    default = [Trace(tags=["x"])]
    assert plugins("run.plugins.tags+=[y]", default=default) == [Trace(tags=["x", "y"])]
    assert default == [Trace(tags=["x"])]
    assert plugins(default=default) == default
    assert plugins(default=default)[0] is not default[0]
    assert plugins(default=Again()) == [Again()]
    assert plugins("run.plugins.times=1", default=run.Config(Again)) == [Again(times=1)]


def test_more_are_added_and_one_is_replaced() -> None:
    assert plugins("run.plugins+=for_tests_trace", default=[Again()]) == [Again(), Trace()]
    replaced = plugins("run.plugins[0]=for_tests_trace(ranks=2)", default=[Again(), Again()])
    assert replaced == [Trace(ranks=2), Again()]


def test_none_can_be_asked_for() -> None:
    assert plugins("run.plugins=none", default=[Again()]) == []
    assert plugins("run.plugins=[]", default=[Again()]) == []
    assert plugins() == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("for_tests_trace", [Trace()]),
        ("['for_tests_trace(ranks=2)', for_tests_both]", [Trace(ranks=2), Trace(), Again(times=5)]),
        (f"[{{_target_: {__name__}.Again, times: 1}}]", [Again(times=1)]),
        ("[{_factory_: for_tests_trace(ranks=2)}]", [Trace(ranks=2)]),
        ("null", []),
    ],
)
def test_a_file_says_the_same_in_its_section_run(
    tmp_path: Path, text: str, wanted: list[run.Plugin]
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"run:\n  plugins: {text}\n")
    assert plugins_of(run_overrides_of(load(str(file))), [Again()]) == wanted


@pytest.mark.parametrize("text", ["3", "[3]", "[{_target_: pathlib.Path}]"])
def test_a_file_that_names_no_plugin_is_told_its_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(f"run:\n  plugins: {text}\n")
    with pytest.raises(OverrideError, match=r"run\.yaml:2: run\.plugins"):
        plugins_of(run_overrides_of(load(str(file))))


@pytest.mark.parametrize(
    ("case", "texts"),
    [
        ("unknown name", ["run.plugins=for_tests_trac"]),
        ("no plugin", ["run.plugins=pathlib.Path"]),
        ("field of nobody", ["run.plugins.ranks=2"]),
        ("field of several", ["run.plugins=for_tests_both", "run.plugins.ranks=2"]),
        ("index that is not there", ["run.plugins=for_tests_trace", "run.plugins[1].ranks=2"]),
        ("unknown field", ["run.plugins=for_tests_trace", "run.plugins.rank=2"]),
        ("wrong value", ["run.plugins=for_tests_trace(ranks=two)"]),
        ("a field without its name", [f"run.plugins={__name__}.Again(2)"]),
        ("another operator", ["run.plugins*=for_tests_trace"]),
    ],
)
def test_what_cannot_be_used_is_said(
    case: str, texts: list[str], error_snapshot: Callable[..., None]
) -> None:
    with pytest.raises(OverrideError) as caught:
        plugins(*texts)
    said = str(caught.value)
    start, end = said.find("Factories: "), said.find("; a class goes")
    if start >= 0:
        assert "for_tests_trace" in said[start:end]
        said = f"{said[:start]}Factories: <factories>{said[end:]}"
    error_snapshot(f"run.plugins: {case}", said)
