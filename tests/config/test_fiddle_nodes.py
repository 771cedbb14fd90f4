"""A program that mixes fiddle's configurations with ours, node by node.

Runs with the fiddle that is installed, and again with each other supported version
(test_fiddle_versions.py).
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import itertools
import logging
import pickle
from typing import Annotated

import pytest

import nemo_run as run

fdl = pytest.importorskip("fiddle")


class Rate(fdl.Tag):
    """A learning rate."""


@dataclasses.dataclass
class Optimizer:
    lr: float = 0.1
    name: str = "adam"


class Model:
    def __init__(self, width: int, optimizer: Optimizer | None = None, layers: tuple = ()) -> None:
        self.width = width
        self.optimizer = optimizer
        self.layers = layers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and vars(self) == vars(other)


def train(model: Model, steps: int = 10, **options: object) -> tuple:
    return model, steps, options


def positional(a: int, b: int = 2, /, c: int = 3, *rest: int) -> tuple:
    return a, b, c, *rest


def tuned(lr: Annotated[float, Rate] = 0.1) -> float:
    return lr


class Wider(run.Config[Model]):
    """A program's own kind of configuration."""


_counter = itertools.count()


def fresh() -> int:
    return next(_counter)


def collect(value: object, more: object = None) -> tuple:
    return value, more


def test_our_nodes_are_instances_of_fiddles_classes():
    cfg, partial = run.Config(Model, width=1), run.Partial(train)
    assert isinstance(cfg, fdl.Buildable)
    assert isinstance(cfg, fdl.Config)
    assert not isinstance(cfg, fdl.Partial)
    assert isinstance(partial, fdl.Buildable)
    assert isinstance(partial, fdl.Partial)
    assert not isinstance(partial, fdl.Config)
    assert issubclass(run.Config, fdl.Config)
    assert issubclass(Wider, fdl.Config)
    assert isinstance(Wider(Model), fdl.Buildable)


def test_fiddles_nodes_are_not_instances_of_ours():
    # As with the reference implementation, whose classes derive from fiddle's.
    assert not isinstance(fdl.Config(Model), run.Config)
    assert not isinstance(run.Script("x.sh"), fdl.Buildable)


def test_fiddle_builds_our_nodes():
    assert fdl.build(run.Config(Model, width=3)) == Model(3)
    assert fdl.build([run.Config(Optimizer, lr=1.0)]) == [Optimizer(lr=1.0)]
    built = fdl.build(run.Partial(train, steps=2))
    assert isinstance(built, functools.partial)
    assert built.func is train
    assert built.keywords == {"steps": 2}


def test_fiddle_builds_positional_arguments_of_our_nodes():
    assert fdl.build(run.Config(positional, 1)) == (1, 2, 3)
    assert fdl.build(run.Config(positional, 1, 5, 6, 7, 8)) == (1, 5, 6, 7, 8)
    assert fdl.build(run.Partial(positional, 1, 5, 6, 7))(9) == (1, 5, 6, 7, 9)


def test_fiddle_builds_var_keyword_arguments_of_our_nodes():
    assert fdl.build(run.Config(train, model=1, colour="red")) == (1, 10, {"colour": "red"})


@pytest.mark.parametrize(
    "build", [fdl.build, lambda cfg: run.config.build(cfg)], ids=["fdl", "run"]
)
def test_nodes_nest_both_ways(build):
    ours_in_theirs = fdl.Config(train, model=run.Config(Model, 2, fdl.Config(Optimizer, lr=3.0)))
    theirs_in_ours = run.Config(train, model=fdl.Config(Model, 2, run.Config(Optimizer, lr=3.0)))
    expected = (Model(2, Optimizer(lr=3.0)), 10, {})
    assert build(ours_in_theirs) == expected
    assert build(theirs_in_ours) == expected
    in_containers = run.Config(Model, 1, layers=[fdl.Config(Model, 2), {"k": run.Config(Model, 3)}])
    assert build(in_containers).layers == [Model(2), {"k": Model(3)}]


@pytest.mark.parametrize(
    "build", [fdl.build, lambda cfg: run.config.build(cfg)], ids=["fdl", "run"]
)
def test_a_node_used_twice_is_built_once_whoever_builds(build):
    shared = run.Config(Optimizer)
    first, second = build(
        fdl.Config(collect, run.Config(Model, 1, shared), fdl.Config(Model, 2, shared))
    )
    assert first.optimizer is second.optimizer


@pytest.mark.parametrize(
    "build", [fdl.build, lambda cfg: run.config.build(cfg)], ids=["fdl", "run"]
)
def test_an_arg_factory_in_our_partial_is_made_anew_on_each_call(build):
    call = build(run.Partial(collect, fdl.ArgFactory(fresh), more=[fdl.ArgFactory(fresh)]))
    first, second = call(), call()
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_fiddle_says_where_building_ours_failed():
    cfg = fdl.Config(train, model=run.Config(Model, optimizer=1))
    with pytest.raises(TypeError, match=r"(?s)width.*Fiddle context.*Model.*\.model"):
        fdl.build(cfg)


@pytest.mark.parametrize("goal", [run.Config, run.Partial, fdl.Config, fdl.Partial, fdl.ArgFactory])
@pytest.mark.parametrize("source", [run.Config, run.Partial, fdl.Config, fdl.Partial])
def test_cast_between_all_kinds(source, goal, caplog):
    cfg = source(train, model=fdl.Config(Model, 1), colour="red")
    caplog.set_level(logging.WARNING)
    done = fdl.cast(goal, cfg)
    assert type(done) is goal
    assert fdl.get_callable(done) is train
    assert dict(done.__arguments__) == dict(cfg.__arguments__)
    assert done.model is cfg.model
    done.steps = 3
    assert cfg.steps == 10
    assert not caplog.records, "a supported cast says nothing"


def test_cast_keeps_positional_arguments():
    cfg = fdl.cast(run.Config, fdl.Config(positional, 1, 2, 3, 4, 5))
    assert cfg[:] == [1, 2, 3, 4, 5]
    assert fdl.build(fdl.cast(fdl.Config, cfg)) == (1, 2, 3, 4, 5)


def test_cast_keeps_where_values_were_set():
    theirs = fdl.Config(Model, width=1)
    theirs.width = 2
    ours = fdl.cast(run.Config, theirs)
    entries = ours.__argument_history__["width"]
    assert [entry.new_value for entry in entries] == [1, 2]
    assert all(entry.location.filename == __file__ for entry in entries)
    assert {entry.kind for entry in entries} == {"python"}
    del theirs.width
    assert fdl.cast(run.Config, theirs).__argument_history__["width"][-1].kind == "deleted"
    back = fdl.cast(fdl.Config, ours)
    assert [entry.new_value for entry in back.__argument_history__["width"]] == [1, 2]


def test_cast_to_a_programs_own_class():
    assert type(fdl.cast(Wider, fdl.Config(Model, 1))) is Wider


def test_a_class_of_nodes_made_now_is_known_at_once():
    class Late(run.Partial):
        pass

    assert isinstance(fdl.build(Late(collect, value=1)), functools.partial)


def test_copy_with_and_deepcopy_with():
    cfg = run.Config(train, model=run.Config(Model, 1))
    shallow = fdl.copy_with(cfg, steps=5)
    assert type(shallow) is run.Config
    assert (shallow.steps, cfg.steps) == (5, 10)
    assert shallow.model is cfg.model
    deep = fdl.deepcopy_with(cfg, steps=6)
    assert deep.model == cfg.model
    assert deep.model is not cfg.model


@pytest.mark.parametrize("outer", [run.Config, fdl.Config])
@pytest.mark.parametrize("inner", [run.Config, fdl.Config])
def test_copies_of_mixed_graphs_keep_sharing(outer, inner):
    shared = inner(Optimizer)
    cfg = outer(collect, [shared], more=shared)
    deep = copy.deepcopy(cfg)
    assert deep == cfg
    assert deep.more is deep.value[0]
    assert deep.more is not shared
    assert copy.copy(cfg).more is shared
    again = pickle.loads(pickle.dumps(cfg))
    assert again == cfg
    assert again.more is again.value[0]


def test_ours_never_equals_theirs():
    # fiddle compares types first, and so do we: a cast makes them comparable.
    ours, theirs = run.Config(Model, 1), fdl.Config(Model, 1)
    assert ours != theirs
    assert theirs != ours
    assert fdl.cast(fdl.Config, ours) == theirs
    assert ours == fdl.cast(run.Config, theirs)


def test_mixed_graphs_compare_by_structure():
    def make(width: int) -> tuple:
        return (
            run.Config(train, model=fdl.Config(Model, run.Config(collect, width))),
            fdl.Config(train, model=run.Config(Model, fdl.Config(collect, width))),
        )

    assert make(1)[0] == make(1)[0]
    assert make(1)[1] == make(1)[1]
    assert make(1)[0] != make(2)[0]
    assert make(1)[1] != make(2)[1]


def test_fiddles_equality_sees_defaults_and_sharing_of_ours_inside_theirs():
    assert fdl.Config(collect, run.Config(Optimizer)) == fdl.Config(
        collect, run.Config(Optimizer, 0.1)
    )
    one = run.Config(Optimizer)
    shared = fdl.Config(collect, one, one)
    apart = fdl.Config(collect, run.Config(Optimizer), run.Config(Optimizer))
    assert shared != apart


def test_get_callable_and_ordered_arguments():
    cfg = run.Config(train, colour="red", steps=1, model=2)
    assert fdl.get_callable(cfg) is train
    assert list(fdl.ordered_arguments(cfg).items()) == [
        ("model", 2),
        ("steps", 1),
        ("colour", "red"),
    ]
    with_defaults = fdl.ordered_arguments(run.Config(Optimizer), include_defaults=True)
    assert with_defaults == {"lr": 0.1, "name": "adam"}
    unset = fdl.ordered_arguments(run.Config(Model), include_unset=True)
    assert unset["width"] is fdl.NO_VALUE
    assert fdl.ordered_arguments(run.Config(positional, 1, 5, 6, 7)) == {0: 1, 1: 5, "c": 6, 3: 7}


def test_varargs_handle():
    cfg = run.Config(positional, 1, 2, 3, 4)
    assert cfg[fdl.VARARGS :] == [4]
    cfg[fdl.VARARGS :] = [8, 9]
    assert fdl.build(cfg) == (1, 2, 3, 8, 9)


def test_assign_and_update_callable():
    def other(model: object, steps: int, extra: int = 0) -> tuple:
        return model, steps, extra

    cfg = run.Config(train, model=1, colour="red")
    fdl.assign(cfg, steps=3)
    with pytest.raises(TypeError, match="colour"):
        fdl.update_callable(cfg, other)
    fdl.update_callable(cfg, other, drop_invalid_args=True)
    cfg.extra = 4
    assert fdl.build(cfg) == (1, 3, 4)
    assert len(cfg.__argument_history__["__fn_or_cls__"]) == 2


def test_move_buildable_internals():
    mutate = pytest.importorskip("fiddle._src.mutate_buildable")
    source, destination = run.Config(Optimizer, 0.4), run.Config(Model, 1)
    mutate.move_buildable_internals(source=source, destination=destination)
    assert destination == source
    destination.name = "sgd"
    assert fdl.build(destination) == Optimizer(0.4, "sgd")


def test_materialize_defaults():
    cfg = run.Config(collect, run.Config(Optimizer))
    fdl.materialize_defaults(cfg)
    assert cfg.value.__arguments__ == {"lr": 0.1, "name": "adam"}
    assert cfg.__arguments__["more"] is None


def test_a_configuration_of_a_configuration_is_refused_both_ways():
    with pytest.raises(ValueError, match="cast"):
        fdl.Config(run.Config(Model))
    with pytest.raises(TypeError, match="configuration"):
        run.Config(fdl.Config(Model))


def test_unflatten_as_programs_call_it():
    values, metadata = run.Config(Model, 1).__flatten__()
    theirs = fdl.Config.__unflatten__(values, metadata)
    assert theirs == fdl.Config(Model, 1)
    ours = run.Partial.__unflatten__(*theirs.__flatten__())
    assert ours == run.Partial(Model, 1)


def test_tags_in_annotations_reach_our_nodes():
    cfg = run.Config(tuned)
    assert fdl.get_tags(cfg, "lr") == {Rate}
    fdl.set_tagged(cfg, tag=Rate, value=0.5)
    assert fdl.build(cfg) == 0.5


def test_tagged_values_give_our_arguments_their_tags():
    cfg = run.Config(collect, Rate.new(1.0), more=Rate.new())
    assert cfg.value == 1.0
    assert fdl.get_tags(cfg, "value") == fdl.get_tags(cfg, "more") == {Rate}
    cfg.value = Rate.new(2.0)
    assert cfg.value == 2.0
    fdl.set_tagged(cfg, tag=Rate, value=3.0)
    assert fdl.build(cfg) == (3.0, 3.0)


def test_tags_can_be_edited_and_travel_with_casts_and_copies():
    cfg = run.Config(collect, 1)
    fdl.add_tag(cfg, "value", Rate)
    fdl.set_tags(cfg, "more", {Rate})
    for kept in (fdl.cast(fdl.Config, cfg), copy.deepcopy(cfg), copy.copy(cfg), fdl.copy_with(cfg)):
        assert fdl.get_tags(kept, "value") == {Rate}
    fdl.remove_tag(cfg, "more", Rate)
    fdl.clear_tags(cfg, "value")
    assert not fdl.get_tags(cfg, "value")


def test_operations_of_ours_reach_fiddles_nodes_inside():
    cfg = run.Config(train, model=fdl.Config(Model, 1, fdl.Config(Optimizer)))
    cfg.broadcast(lr=0.7)
    assert cfg.model.optimizer.lr == 0.7
    cfg.walk(lr=lambda node: node.lr * 2)
    assert cfg.model.optimizer.lr == 1.4


def test_fiddles_auto_config_keeps_our_nodes():
    auto_config = pytest.importorskip("fiddle.experimental.auto_config")

    @auto_config.auto_config(experimental_allow_control_flow=True)
    def recipe() -> tuple:
        return train(Model(1, Optimizer()))

    cfg = fdl.cast(run.Partial, recipe.as_buildable())
    cfg.model = fdl.cast(run.Config, cfg.model)
    assert fdl.build(cfg)() == (Model(1, Optimizer()), 10, {})


@run.autoconvert
def converted() -> Model:
    return Model(1, Optimizer(lr=0.3), layers=[Optimizer(lr=rate) for rate in (0.1, 0.2)])


def test_what_our_autoconvert_makes_is_fiddles_too():
    cfg = converted()
    assert isinstance(cfg, fdl.Config)
    assert fdl.build(cfg) == Model(1, Optimizer(0.3), [Optimizer(0.1), Optimizer(0.2)])
    assert fdl.build(fdl.Config(collect, cfg))[0].optimizer == Optimizer(0.3)


def everything() -> run.Config:
    """Every kind of fiddle's nodes inside ours."""
    inside = [fdl.ArgFactory(Optimizer), Rate.new(3), fdl.Partial(positional, 1, 2, 3, 4)]
    return run.Config(Model, 1, fdl.Config(Optimizer, 0.2), layers=inside)


def test_our_own_operations_take_every_kind_of_fiddles_nodes():
    cfg, old = everything(), everything()
    run.config.set_value(cfg, "layers[2][1]", 9)
    cfg.optimizer.lr = 0.3
    assert cfg.clone() == cfg != old
    difference = cfg.diff(old).text
    assert "optimizer.lr" in difference
    assert "layers[2][1]" in difference
    for text in (str(cfg), repr(cfg), cfg._repr_svg_()):
        assert "ArgFactory" in text
        assert "0.3" in text


def test_fiddles_own_nodes_are_tasks(capsys):
    assert run.run(fdl.Partial(collect, 1, more=run.Config(Optimizer)), direct=True)[0] == 1
    assert run.run(fdl.Config(collect, 2), direct=True) == (2, None)
    run.dryrun_fn(fdl.Partial(collect, run.Config(Optimizer, 0.7)))
    assert "0.7" in capsys.readouterr().out
