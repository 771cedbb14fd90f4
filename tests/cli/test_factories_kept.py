"""Factories that return what they keep: overrides change a copy of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import nemo_run as run
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.config.overrides.unset import filled


@dataclass
class Net:
    width: int = 1
    sizes: list[int] = field(default_factory=list)
    below: Net | None = None


@dataclass
class Usual:
    width: int = 1


def train(usual: Usual, net: Net | None = None, other: Net | None = None, table: dict = {}): ...


SAME = run.Config(Net, width=3)
KEPT = run.Config(Net, width=5, sizes=[1], below=SAME)
TABLE: dict[str, Any] = {"first": SAME, "again": SAME, "list": [1]}
USUAL = run.Config(Usual, width=7)
TASK = run.Partial(train, net=run.Config(Net, sizes=[2]))


@run.cli.factory
def kept() -> run.Config[Net]:
    return KEPT


@run.cli.factory(target=train, target_arg="table")
def tables() -> dict:
    return TABLE


@run.cli.factory(is_target_default=True)
def usual() -> run.Config[Usual]:
    return USUAL


@run.cli.factory(target=train)
def whole() -> run.Partial[train]:
    return TASK


def task(*texts: str) -> Any:
    return apply(run.Partial(train), [parse_override(text) for text in texts])


def test_what_a_factory_keeps_is_as_before_after_each_use():
    for _ in range(2):
        found = task("net=kept", "net.width=77", "net.sizes+=99", "net.below.width=0")
        assert (found.net.width, found.net.sizes, found.net.below.width) == (77, [1, 99], 0)
    assert run.Config(Net, width=5, sizes=[1], below=run.Config(Net, width=3)) == KEPT


def test_two_uses_are_not_one_value():
    found = task("net=kept", "other=kept", "other.width=9")
    assert (found.net.width, found.other.width) == (5, 9)


def test_containers_are_copied_and_what_they_share_stays_shared():
    found = task("table=tables", "table.first.width=8", "table.list+=2").table
    assert found["first"] is found["again"] is not SAME
    assert (found["again"].width, found["list"]) == (8, [1, 2])
    assert (SAME.width, TABLE["list"]) == (3, [1])


def test_what_a_default_factory_keeps_is_copied_too():
    made = filled(run.Partial(train))
    made.usual.width = 0
    assert task("usual.width=2").usual.width == 2
    assert USUAL.width == 7


def test_the_task_that_a_factory_keeps_is_copied_too():
    found = run.cli.parse_cli_args(train, ["whole", "net.sizes+=3"])
    assert (found.net.sizes, TASK.net.sizes) == ([2, 3], [2])
