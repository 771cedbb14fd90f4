"""What a command refuses: one sentence on standard error, code 2, and nothing has run."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass

import pytest

import nemo_run as run
from nemo_run.cli.entrypoints.entrypoint import Entrypoint
from nemo_run.cli.flow.command import run_as_program


@dataclass
class Model:
    layers: int = 2
    width: int = 8


def train(model: Model, lr: float = 0.1, note: str = "", fail: str = "") -> int:
    raise AssertionError("it ran")


@pytest.fixture
def refused(capsys, monkeypatch, tmp_path):
    """Run the command with words, and return what it said."""
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, entry: Entrypoint | None = None) -> str:
        code = run_as_program(entry or Entrypoint(train), words, {})
        seen = capsys.readouterr()
        assert (code, seen.out) == (2, "")
        return seen.err

    return run


@pytest.mark.parametrize(
    ("words", "case"),
    [
        (["model.layer=64"], "main: unknown key"),
        (["model.layers=many"], "main: value of another type"),
        (["modle.layers=1"], "main: unknown parameter"),
        (["--driyrun"], "main: unknown option"),
        (["--hepl"], "main: an option with two letters exchanged"),
        (["--moddle"], "main: an option like none"),
        (["lr=1", "small"], "main: positional word behind an override"),
        (["small"], "main: word that is no factory"),
        (["--factory", "small"], "main: unknown factory"),
        (["run.nam=x"], "main: unknown field of the run"),
        (["run.max_parallel=2"], "main: option that is no field of the run"),
        (["--explain", "run.nam"], "main: explain an unknown field of the run"),
        (["run.load=x"], "main: load"),
        (["run.detach=maybe"], "main: value of a field of the run"),
        (["--config", "nowhere.yaml"], "main: missing file"),
        (["--explain", "lrr"], "main: explain an unknown key"),
        (["--export", "x.txt", "model.layers=1"], "main: export of an unknown form"),
        (["--detach", "--direct", "model.layers=1"], "main: detach and direct"),
        (["model.layers=1"], "main: nobody to ask"),
        (["--max-parallel", "2", "model.layers=1"], "main: max-parallel without a sweep"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(refused, error_snapshot, words, case):
    asked = [] if "nobody" in case else ["--yes"]
    error_snapshot(case, refused(*words, *asked))


def test_a_missing_argument_is_said_before_anybody_is_asked(refused, error_snapshot):
    error_snapshot("main: missing argument", refused())


def describe(ctx, count: int = 2):
    raise AssertionError("it ran")


def test_the_context_of_an_experiment_is_given_here(refused, error_snapshot):
    entry = Entrypoint(describe, type="experiment")
    error_snapshot("main: the context is set", refused("ctx.name=x", "--yes", entry=entry))
    error_snapshot("main: a lazy experiment", refused("--lazy", "--yes", entry=entry))


async def waits(): ...


def yields():
    yield


def runs_on(executor: str = "here"):
    raise AssertionError("it ran")


@pytest.mark.parametrize(
    ("options", "case"),
    [
        ({"fn": runs_on}, "entrypoint: a parameter executor"),
        ({"fn": train, "type": "experimnet"}, "entrypoint: unknown type"),
        ({"fn": 3}, "entrypoint: no function"),
        ({"fn": functools.partial(train, lr=1)}, "entrypoint: without a name"),
        ({"fn": waits}, "entrypoint: a coroutine"),
        ({"fn": yields}, "entrypoint: a generator"),
        ({"fn": train, "run_ctx_cls": Model}, "entrypoint: another context"),
        ({"fn": int}, "entrypoint: without known parameters"),
        ({"fn": train, "default_executor": "slurm(1"}, "entrypoint: default executor"),
        ({"fn": train, "default_executor": Model}, "entrypoint: default executor is a class"),
        ({"fn": train, "default_plugins": [Model()]}, "entrypoint: default plugins"),
        ({"fn": train, "default_factory": "small"}, "entrypoint: default factory"),
    ],
)
def test_what_makes_no_entrypoint_is_a_value_error_with_a_sentence(error_snapshot, options, case):
    with pytest.raises(ValueError) as caught:
        Entrypoint(**options)
    error_snapshot(case, str(caught.value))


def test_defaults_of_options_that_there_are_not_are_a_value_error(error_snapshot):
    with pytest.raises(ValueError) as caught:
        run.cli.main(train, cmd_defaults={"dry_run": True})
    error_snapshot("entrypoint: unknown command default", str(caught.value))
