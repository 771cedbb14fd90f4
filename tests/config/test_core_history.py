"""Each value knows where it was set."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import dataclass, field

import nemo_run as run
from nemo_run.config.graph.history import setting
from nemo_run.config.show.printing import tree


@dataclass
class Optim:
    lr: float = 0.1
    tags: list = field(default_factory=list)


def target(a, b=2, c=None):
    return a, b, c


def line_above() -> int:
    """The number of the line above the caller's."""
    return sys._getframe(1).f_lineno - 1


def last(cfg, name):
    return cfg.__argument_history__[name][-1]


def test_every_set_value_knows_its_line():
    cfg = run.Config(target, 1, b=3)
    made = line_above()
    cfg.b = 4
    changed = line_above()
    for name in ("__fn_or_cls__", "a"):
        assert (last(cfg, name).file, last(cfg, name).line) == (__file__, made)
    first, second = cfg.__argument_history__["b"]
    assert (first.value, first.line, second.value, second.line) == (3, made, 4, changed)
    assert second.kind == "python"
    assert second.location.function_name == "test_every_set_value_knows_its_line"
    assert second.sequence_id > first.sequence_id
    assert "c" not in cfg.__argument_history__


def test_what_was_set_by_operations_points_at_the_users_line():
    cfg = run.Config(target, Optim(3))
    cfg.broadcast(lr=5)
    line = line_above()
    assert (last(cfg.a, "lr").file, last(cfg.a, "lr").line) == (__file__, line)
    run.config.set_value(cfg, "a.lr", 6)
    line = line_above()
    assert last(cfg.a, "lr").line == line
    cfg[1] = 8
    line = line_above()
    assert last(cfg, "b").line == line


def test_a_deletion_is_remembered():
    cfg = run.Config(target, 1, 2)
    del cfg.b
    assert [entry.kind for entry in cfg.__argument_history__["b"]] == ["python", "deleted"]


def test_a_default_that_became_the_nodes_own_is_known_as_default():
    cfg = run.Config(Optim)
    cfg.tags.append(1)
    assert last(cfg, "tags").kind == "default"


def test_later_rooms_say_where_their_values_come_from():
    cfg = run.Config(target, 1)
    with setting("file", "conf.yaml", 12):
        cfg.b = 5
        with setting("command line"):
            cfg.c = 6
        cfg.a = run.Config(Optim, lr=3)
    cfg.a.lr = 4
    assert last(cfg, "b").where() == "file conf.yaml:12"
    assert last(cfg, "c").where() == "command line"
    assert last(cfg, "a").where() == "file conf.yaml:12"
    assert [e.kind for e in cfg.a.__argument_history__["lr"]] == ["file", "python"]


def test_history_survives_copies_and_stays_apart():
    cfg = run.Config(target, Optim(3), b=3)
    copies = [
        cfg.clone(),
        copy.copy(cfg),
        copy.deepcopy(cfg),
        pickle.loads(pickle.dumps(cfg)),
    ]
    for copied in copies:
        assert copied.__argument_history__ == cfg.__argument_history__
        copied.b = 9
        assert len(copied.__argument_history__["b"]) == 2
    assert len(cfg.__argument_history__["b"]) == 1


def test_history_keeps_no_object_alive_and_can_always_be_written():
    class Big:
        pass

    values = [Big(), [Big()], {"k": 1}, [1, 2], run.Config(Optim), Optim, [10**5000], range(3)]
    said = []
    for value in values:
        cfg = run.Config(target, value)
        cfg.a = 0
        said.append(cfg.__argument_history__["a"][0].value)
        assert said[-1] is not value
        pickle.dumps(cfg.__argument_history__)
    assert [str(text) for text in said[2:6]] == ["{'k': 1}", "[1, 2]", "Config(Optim)", "Optim"]


def test_the_tree_shows_history_on_demand():
    cfg = run.Config(target, Optim(3), c="x")
    line = line_above()
    assert "test_core_history" not in tree(cfg)
    shown = tree(cfg, history=True, width=300)
    assert f"├─ a = Config[Optim]  ({__file__}:{line})" in shown
    assert f"└─ c = 'x'  ({__file__}:{line})" in shown
