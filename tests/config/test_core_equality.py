"""Equality and copies."""

from __future__ import annotations

import copy
import enum
import pickle
import threading
from collections import deque
from dataclasses import dataclass, field
from unittest.mock import ANY

import pytest

import nemo_run as run
from nemo_run.config import build
from nemo_run.config.graph.node import Node
from nemo_run.config.graph.reference import Reference


class Colour(enum.Enum):
    RED = 1


@dataclass
class Optim:
    lr: float = 0.1
    tags: list = field(default_factory=list)


def target(a, b=2, *rest, c=None):
    return a, b, rest, c


def other(a, b=2, *rest, c=None):
    return a, b, rest, c


class Array:
    """Answers == for each element, as numpy does."""

    def __init__(self, *items):
        self.items = items
        self.shape = (len(items),)

    def __eq__(self, them):
        return Flags([a == b for a, b in zip(self.items, them.items, strict=False)])

    __hash__ = None


class Flags(list):
    def __bool__(self):
        raise ValueError("the truth value of an array is ambiguous")

    def all(self):
        return all(self[:])


class Explosive:
    def __eq__(self, them):
        raise RuntimeError("no comparison")

    __hash__ = None


def test_equality_is_by_structure():
    assert run.Config(target, 1) == run.Config(target, a=1)
    assert run.Config(target, 1) != run.Config(target, 2)
    assert run.Config(target, 1) != run.Config(other, 1)
    assert run.Config(target, 1) != run.Partial(target, 1)
    assert run.Config(target, [run.Config(Optim)]) == run.Config(target, [run.Config(Optim)])
    assert run.Config(target, [run.Config(Optim)]) != run.Config(target, [run.Config(Optim, 2)])
    assert run.Config(target, 1) != 1
    assert run.Config(target, 1) == ANY, "the other side may know better"


def test_an_explicit_default_equals_an_unset_one():
    assert run.Config(target, 1, 2, c=None) == run.Config(target, 1)
    assert run.Config(Optim, lr=0.1, tags=[]) == run.Config(Optim)
    assert run.Config(Optim, tags=[1]) != run.Config(Optim)
    assert run.Config(target) != run.Config(target, 1), "a has no default"


def test_sharing_is_part_of_the_structure():
    shared = run.Config(Optim)
    one = run.Config(target, shared, shared)
    two = run.Config(target, run.Config(Optim), run.Config(Optim))
    assert one != two
    assert two != one
    assert one == run.Config(target, *[run.Config(Optim)] * 2)


def test_odd_values_never_raise():
    nan = float("nan")
    assert run.Config(target, nan) == run.Config(target, float("nan"))
    assert run.Config(target, Array(1, 2)) == run.Config(target, Array(1, 2))
    assert run.Config(target, Array(1, 2)) != run.Config(target, Array(1, 3))
    assert run.Config(target, Array(1)) != run.Config(target, Array(1, 2))
    assert run.Config(target, Array(1)) != run.Config(target, 1)
    assert run.Config(target, Explosive()) != run.Config(target, Explosive())
    same = Explosive()
    assert run.Config(target, same) == run.Config(target, same)


def test_numpy_arrays_compare():
    np = pytest.importorskip("numpy")
    assert run.Config(target, np.arange(3)) == run.Config(target, np.arange(3))
    assert run.Config(target, np.arange(3)) != run.Config(target, np.arange(4))
    assert run.Config(target, np.arange(3)) != run.Config(target, [0, 1, 2, 3])
    nan = [np.float64("nan"), np.array([1.0, np.nan])]
    assert run.Config(target, nan) == run.Config(target, nan).clone()
    assert run.Config(target, nan[1]) != run.Config(target, np.array([np.nan, 1.0]))


def test_a_target_known_by_name_equals_the_target_itself():
    by_name = Node._restore.__func__(run.Config, Reference(__name__, "target"), {"a": 1})
    assert by_name == run.Config(target, 1)
    missing = run.Config._restore(Reference("no_such_module", "f"), {"a": 1})
    assert missing != run.Config(target, 1)
    assert missing == run.Config._restore(Reference("no_such_module", "f"), {"a": 1})


def test_a_clone_shares_nothing_that_can_change_and_keeps_sharing_inside():
    shared = run.Config(Optim, tags=["x"])
    values = [shared, {"k": shared}]
    cfg = run.Config(target, values, b=values, c=Colour.RED)
    copied = cfg.clone()
    assert copied == cfg
    assert copied.a is copied.b is not cfg.a
    assert copied.a[0] is copied.a[1]["k"] is not shared
    copied.a[0].lr = 9
    copied.a[0].tags.append("y")
    assert (shared.lr, shared.tags) == (0.1, ["x"])
    assert copied.c is Colour.RED


def test_a_shallow_copy_has_its_own_arguments_only():
    cfg = run.Config(target, run.Config(Optim))
    copied = copy.copy(cfg)
    copied.b = 5
    assert cfg.b == 2
    assert copied.a is cfg.a
    assert len(cfg.__argument_history__.get("b", [])) == 0


def test_pickle_keeps_everything():
    shared = run.Config(Optim)
    cfg = run.Partial(target, shared, 2, 3, c=[shared, Optim])
    cfg.b = 7
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        read = pickle.loads(pickle.dumps(cfg, protocol))
        assert read == cfg
        assert type(read) is run.Partial
        assert read.a is read.c[0]
        assert read.__argument_history__ == cfg.__argument_history__
        assert build(read)()[1] == 7


def test_pickling_imports_no_target_that_is_only_known_by_name():
    cfg = run.Config._restore(Reference("no_such_module", "f"), {"a": 1})
    read = pickle.loads(pickle.dumps(cfg))
    assert read == cfg
    assert read.a == 1


def test_a_clone_shares_what_cannot_be_copied():
    lock = threading.Lock()
    assert run.Config(target, lock).clone().__arguments__ == {"a": lock}


def test_nodes_can_be_made_by_subclasses():
    class MyConfig(run.Config):
        pass

    cfg = MyConfig(target, 1)
    assert type(cfg.clone()) is MyConfig
    assert cfg != run.Config(target, 1)
    assert build(cfg) == (1, 2, (), None)


def test_queues_are_compared_item_by_item_with_their_limits():
    def queue(*items, limit=None):
        return run.Config(dict, a=deque(items, limit))

    assert queue(float("nan"), complex("nanj")) == queue(float("nan"), complex("nanj"))
    assert queue(1) != queue(2)
    assert queue(1, limit=2) != queue(1, limit=3)
