"""Operations on whole graphs: broadcast, walk, paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import nemo_run as run
from nemo_run.config import set_value
from nemo_run.config.graph.traverse import children, nodes, walk_values
from nemo_run.exceptions import SerializationError, SetValueError


@dataclass
class Part:
    lr: float = 0.1
    inner: Any = None
    name: str = ""


def model(parts, lr=1.0, *, seed, options=None):
    return parts, lr, seed, options


def graph():
    return run.Config(
        model,
        [run.Config(Part, name="a"), (run.Config(Part, inner=run.Config(Part)), 3)],
        options={"k": run.Partial(Part), "plain": 1},
        seed=0,
    )


def test_broadcast_reaches_lists_tuples_and_dicts_in_place():
    cfg = graph()
    assert cfg.broadcast(lr=7) is cfg
    first, (second, _) = cfg.parts
    values = [cfg.lr, first.lr, second.lr, second.inner.lr, cfg.options["k"].lr]
    assert values == [7] * 5
    assert cfg.seed == 0


def test_broadcast_warns_of_a_name_that_no_node_takes_and_sets_the_others():
    cfg = graph()
    with pytest.warns(UserWarning, match="no node takes 'sede'. Did you mean 'seed'?") as caught:
        cfg.broadcast(sede=1, lr=3)
    assert caught[0].filename == __file__
    assert cfg.lr == 3


def test_walk_with_a_value_says_to_use_broadcast():
    cfg = graph()
    with pytest.raises(TypeError, match=r"lr=3 is not a function.* broadcast\(lr=...\)"):
        cfg.walk(seed=lambda node: 5, lr=3)
    assert cfg.seed == 0, "nothing was changed"


def test_broadcast_sets_what_has_no_value_yet():
    cfg = run.Config(model, [])
    assert cfg.broadcast(seed=3).seed == 3


def test_walk_gives_each_function_its_node():
    cfg = graph()
    cfg.lr = 4
    assert cfg.walk(lr=lambda node: node.lr * 2, name=lambda node: node.name + "!") is cfg
    assert cfg.lr == 8
    assert cfg.parts[0].lr == 0.2
    assert cfg.parts[0].name == "a!"
    assert cfg.parts[1][0].inner.name == "!"


def test_walk_leaves_arguments_without_value_alone():
    cfg = run.Config(model, [])
    cfg.walk(seed=lambda node: node.seed + 1)
    assert not hasattr(cfg, "seed")


def test_a_shared_node_is_visited_once():
    shared = run.Config(Part)
    cfg = run.Config(model, [shared, shared], seed=shared)
    cfg.walk(lr=lambda node: node.lr + 1)
    assert shared.lr == 1.1


def test_every_value_has_a_path():
    paths = dict(walk_values(graph()))
    assert paths[""].__fn_or_cls__ is model
    assert paths["parts[0].name"] == "a"
    assert paths["parts[1][0].inner"] == run.Config(Part)
    assert paths["options['plain']"] == 1
    assert [path for path, _ in nodes(graph())] == [
        "", "parts[0]", "parts[1][0]", "parts[1][0].inner", "options['k']",
    ]  # fmt: skip
    assert children(3) == []


def test_set_value_follows_names_indices_and_keys():
    cfg = graph()
    set_value(cfg, "parts[0].lr", 5)
    set_value(cfg, "parts[-1][0].inner.name", "deep")
    set_value(cfg, "options['k'].lr", 6)
    set_value(cfg, 'options["new"]', [1])
    set_value(cfg, "parts[0]", "replaced")
    set_value(cfg, "seed", 9)
    assert cfg.parts[0] == "replaced"
    assert cfg.parts[1][0].inner.name == "deep"
    assert cfg.options["k"].lr == 6
    assert cfg.options["new"] == [1]
    assert cfg.seed == 9
    plain = run.Config(dict, a=1)
    set_value(plain, "['a']", 2)
    assert plain.a == 2


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("parts[7]", "'parts[7]' cannot be set: parts is of type list: "),
        ("parts[7].lr", "parts is of type list"),
        ("pats", "Did you mean 'parts'"),
        ("parts[0].lrr", "at parts[0]: Part has no parameter 'lrr'. Did you mean 'lr'?"),
        ("parts[1][1].x", "parts[1][1] is of type int"),
        ("parts[1][0]", "parts[1] is of type tuple"),
        ("", "the path is empty"),
        ("parts[", "is neither .name nor [item]"),
        ("parts..lr", "is neither .name nor [item]"),
        ("parts[x]", "neither a number nor a quoted text"),
        (".parts", "is neither .name nor [item]"),
        ("a b", "is neither .name nor [item]"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_that_changes_nothing(path, said):
    cfg = graph()
    with pytest.raises(SetValueError) as caught:
        set_value(cfg, path, 1)
    assert said in str(caught.value)
    assert cfg == graph()


def test_a_copy_keeps_what_cannot_be_copied_and_adding_the_task_names_it(home, tmp_path):
    with (tmp_path / "data.txt").open("w") as file:
        task = run.Partial(model, (run.Config(Part, inner=file), (n for n in ())), seed=[file])
        copied = task.clone()
        assert copied.seed[0] is copied.parts[0].inner is file
        assert copied.parts[0] is not task.parts[0], "a node beside it is copied all the same"
        with run.Experiment("e") as exp, pytest.raises(SerializationError) as caught:
            exp.add(task, executor=run.LocalExecutor())
    message = str(caught.value)
    assert message.count("It is an open file. Give its path, and open it in the task.") == 2
    assert "\n  parts[0].inner: " in message
    assert "\n  parts[1]: " in message
    assert "It is an iterator, which can be read once. Make it a list." in message
    assert f"It was set at {__file__}:" in message


def test_a_tuple_that_holds_itself_through_a_list_is_copied():
    inside: list[Any] = []
    circle = (inside,)
    inside.append(circle)
    copied = run.Config(Part, inner=circle).clone().inner
    assert copied is not circle
    assert copied[0][0] is copied
