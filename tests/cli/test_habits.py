"""What people write who come from other tools: it is refused with what to write here."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

import nemo_run as run
from nemo_run.cli.entrypoints.entrypoint import Entrypoint
from nemo_run.cli.flow.command import run_as_program
from nemo_run.exceptions import OverrideError


@dataclass
class Model:
    width: int = 8
    activation: str = "relu"


@dataclass
class Trainer:
    max_epochs: int = 3


def train(model: Model, trainer: Trainer, lr: float = 0.1, seed: int = 0) -> float:
    raise AssertionError("it ran")


def echo(text: str, seed: int = 0) -> None:
    """Print a text."""


@pytest.fixture
def said(capsys, monkeypatch, tmp_path):
    """Return what is said of words that are refused."""
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.yaml").write_text("max_epochs: 9\n")

    def refused(*words: str) -> str:
        code = run_as_program(Entrypoint(train), [*words, "--cfg"], {})
        seen = capsys.readouterr()
        assert (code, seen.out) == (2, "")
        return seen.err

    return refused


@pytest.mark.parametrize(
    "words",
    [
        "+seed=3", "lr=1 ++seed=3", "~seed", "seed 3", "seed", "help", "job", "=3",
        "trainer..max_epochs=3", "lr = 0.1", "lr= 0.1", "lr =0.1", "seed=1 lr = 0.1",
        "trainer.max_epochs = 3", "--seed 3", "--trainer.max_epochs=3", "--trainer.max-epochs 3",
        "--seed", "-m", "lr=1,2 --multirun", "lr=0.1,0.2 --sweep", "model.activation=a,b --sweep",
        "trainer=long.yaml", "lr=long.yaml:trainer", "Model(wdth=3)",
    ],
)  # fmt: skip
def test_the_habits_of_other_tools_are_told_what_to_write(words, said, error_snapshot):
    error_snapshot(f"habit: {words}", said(*words.split()))


@pytest.mark.parametrize("word", ["help", "seed", "job", "=3", "a b = c", "a..b=3", "x.yaml", "~x"])
def test_what_is_a_text_stays_one(word):
    assert run.cli.parse_partial(echo, word) == run.Partial(echo, text=word)


@pytest.mark.parametrize("words", [["+seed=3"], ["~seed"], ["seed", "=", "3"], ["seed", "=3"]])
def test_a_change_of_a_parameter_is_no_text(words):
    with pytest.raises(OverrideError, match="seed"):
        run.cli.parse_partial(echo, *words)


@pytest.mark.parametrize("words", [["--seed", "3"], ["--seed=3"]])
def test_an_option_in_a_simple_command_is_told_apart_too(words):
    with pytest.raises(OverrideError, match="write seed=3, without dashes"):
        run.cli.parse_partial(train, *words)


def test_a_value_with_an_equals_sign_inside_is_a_value():
    made = run.cli.parse_partial(train, "Model(width=3)", "{max_epochs=4}")
    assert made == run.Partial(train, run.Config(Model, width=3), run.Config(Trainer, 4))
