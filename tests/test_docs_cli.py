"""The tables of docs/cli.md say what is so, row by row."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any, Literal, TypedDict

import click
import pytest

import nemo_run as run
from nemo_run.cli.entrypoints.entrypoint import Entrypoint
from nemo_run.config.values.parse import parse

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"


class Precision(Enum):
    FULL = "fp32"
    HALF = "bf16"


@dataclass
class Layer:
    width: int = 8
    name: str = "dense"


class Limits(TypedDict, total=False):
    low: float
    high: float


NAMES = {
    **{kind.__name__: kind for kind in (Precision, Layer, Limits, Path, Decimal)},
    **{kind.__name__: kind for kind in (dt.date, dt.datetime, dt.time, dt.timedelta)},
    "run": run,
    "math": math,
    "Any": Any,
    "Literal": Literal,
    "Callable": Callable,
}


def table(header: str) -> list[list[str]]:
    """Return the cells of the rows below a header."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index(header) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells = re.split(r"(?<!\\)\|", line.strip("|"))
        rows.append([cell.strip().replace(r"\|", "|") for cell in cells])
    return rows


def ticks(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


VALUES = table("| annotation | words | value |")
OPERATORS = table("| operator | words | become |")


@pytest.mark.parametrize("row", VALUES, ids=lambda row: row[0].replace("`", ""))
def test_each_text_becomes_the_value_that_the_table_says(row: list[str]) -> None:
    hint = eval(ticks(row[0])[0], NAMES)
    words, values = ticks(row[1]), ticks(row[2])
    assert len(words) == len(values) > 0
    for text, value in zip(words, values):
        expected = eval(value, NAMES)
        seen = parse(text, hint)
        assert seen == expected
        assert type(seen) is type(expected)


def some(
    n: int = 0,
    rate: float = 0.0,
    names: list[str] | None = None,
    options: dict[str, int] | None = None,
    tags: set[str] | None = None,
) -> None:
    """What the operators are tried on."""


@pytest.mark.parametrize("row", OPERATORS, ids=lambda row: row[1].replace("`", ""))
def test_each_operator_does_what_the_table_says(row: list[str]) -> None:
    words = re.findall(r"\w+[-+*/|&]?=(?:\{[^}]*\}|\[[^]]*\]|\S+)", ticks(row[1])[0])
    name, _, value = ticks(row[2])[0].partition("=")
    assert " ".join(words) == ticks(row[1])[0]
    task = Entrypoint(some).parse_partial(words)
    assert getattr(task, name) == eval(value, NAMES)


def test_every_option_is_in_the_table_and_no_other() -> None:
    cells = " ".join(" ".join(row) for row in table("| option | |"))
    told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", cells))
    command = Entrypoint(some).command()
    with command.make_context("train", [], resilient_parsing=True) as context:
        options = [o for o in command.get_params(context) if isinstance(o, click.Option)]
    known = {name for o in options if not o.hidden for name in (*o.opts, *o.secondary_opts)}
    assert told == known
