"""fiddle's JSON and its conversion of dataclasses, as checkpoint code in the wild uses them."""

from __future__ import annotations

import dataclasses
import enum
import json
from typing import NamedTuple

import pytest

import nemo_run as run

fdl = pytest.importorskip("fiddle")

from fiddle._src import config as config_lib  # noqa: E402
from fiddle._src import partial as partial_lib  # noqa: E402
from fiddle._src.experimental import dataclasses as fdl_dc  # noqa: E402
from fiddle._src.experimental import serialization  # noqa: E402


@dataclasses.dataclass
class Inner:
    rate: float = 0.1
    names: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Outer:
    size: int
    inner: Inner | None = None
    others: list = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.size = int(self.size)


def step(outer: Outer, count: int = 1) -> tuple:
    return outer, count


class Own(run.Config[Outer]):
    """A program's own kind of configuration."""


def mixed() -> run.Partial:
    shared = run.Config(Inner, rate=0.5)
    return run.Partial(
        step, outer=run.Config(Outer, 1, shared, [fdl.Config(Inner), shared, Own(Outer, 2)])
    )


def test_round_trip_through_fiddles_json():
    cfg = mixed()
    again = serialization.load_json(serialization.dump_json(cfg))
    assert again == cfg
    assert type(again) is run.Partial
    assert type(again.outer.others[0]) is fdl.Config
    assert type(again.outer.others[2]) is Own
    assert again.outer.inner is again.outer.others[1]


def test_the_json_says_fiddles_metadata_and_leaves_history_out():
    cfg = run.Config(Outer, 1)
    cfg.size = 4711
    cfg.size = 2
    text = serialization.dump_json(cfg)
    assert "BuildableTraverserMetadata" in text
    assert "4711" not in text


def test_json_that_names_our_classes_by_the_references_path_is_read():
    document = json.loads(serialization.dump_json(run.Config(Outer, 1, run.Config(Inner))))
    text = json.dumps(document).replace(run.Config.__module__, "nemo_run.config")
    assert serialization.load_json(text) == run.Config(Outer, 1, run.Config(Inner))


def test_clear_argument_history():
    cfg = serialization.clear_argument_history(mixed())
    assert cfg == mixed()
    assert not cfg.__argument_history__.get("outer")


def test_a_value_that_json_cannot_hold_is_named_by_its_path():
    with pytest.raises(serialization.UnserializableValueError, match=r"<root>\.inner\.rate"):
        serialization.dump_json(run.Config(Outer, 1, run.Config(Inner, rate=object())))


def test_dataclasses_become_configurations_and_are_cast_to_ours():
    source = Outer(3, Inner(0.2, ["a"]), [Inner(0.3)])
    cfg = fdl.cast(run.Config, fdl_dc.convert_dataclasses_to_configs(source, allow_post_init=True))
    assert type(cfg) is run.Config
    assert cfg.inner.rate == 0.2
    cfg.inner.rate = 0.9
    cfg.others.append(run.Config(Inner, 0.4))
    assert fdl.build(cfg) == Outer(3, Inner(0.9, ["a"]), [Inner(0.3), Inner(0.4)])
    assert run.config.build(cfg) == fdl.build(cfg)


def test_our_nodes_inside_dataclasses_stay_through_the_conversion():
    cfg = fdl_dc.convert_dataclasses_to_configs(
        Outer(1, run.Config(Inner, 0.7)), allow_post_init=True
    )
    assert fdl.build(cfg).inner == Inner(0.7)


class Tokenizer:
    """An object that checkpoint code saves as the call that made it."""

    def __init__(self, path: str, inner: Inner | None = None) -> None:
        self.path, self.inner = path, inner
        self.__io__ = fdl.Config(Tokenizer, path=path, **({"inner": inner} if inner else {}))


def _flatten_io(value):
    return value.__io__.__flatten__()


def _unflatten_io(values, metadata):
    return fdl.build(fdl.Config.__unflatten__(values, metadata))


def test_objects_saved_as_the_call_that_made_them():
    # The pattern of libraries that save a checkpoint's objects beside its weights.
    if serialization.find_node_traverser(Tokenizer) is None:
        serialization.register_node_traverser(
            Tokenizer,
            flatten_fn=_flatten_io,
            unflatten_fn=_unflatten_io,
            path_elements_fn=lambda value: value.__io__.__path_elements__(),
        )
    cfg = run.Config(Outer, 1, Tokenizer("t.model", run.Config(Inner, 0.6)))
    text = serialization.dump_json(cfg)
    again = serialization.Deserialization(json.loads(text)).result
    assert type(again) is run.Config
    assert again.inner.path == "t.model"
    assert again.inner.inner == Inner(0.6)


def test_identity_elements_as_checkpoint_code_uses_them():
    @dataclasses.dataclass
    class Blob:
        text: str

    serialization.register_node_traverser(
        Blob,
        flatten_fn=lambda value: ((value.text,), None),
        unflatten_fn=lambda values, _: Blob(values[0]),
        path_elements_fn=lambda _: (serialization.IdentityElement(),),
    )
    traverser = serialization.find_node_traverser(Blob)
    assert traverser.unflatten(*traverser.flatten(Blob("x"))) == Blob("x")


def test_private_names_that_programs_check_against():
    assert isinstance(run.Config(Outer), config_lib.Config)
    assert isinstance(run.Partial(step), partial_lib.Partial)
    assert config_lib.get_callable(run.Config(Outer)) is Outer
    assert list(config_lib.ordered_arguments(run.Config(Outer, 1))) == ["size"]


def test_our_own_json_reads_fiddles_nodes_back_as_ours():
    # Reading imports nothing, fiddle included, so there is one kind of node to come back.
    cfg = run.Partial(step, outer=fdl.Config(Outer, 1, run.Config(Inner, 0.5)))
    serializer = run.config.ZlibJSONSerializer()
    again = serializer.deserialize(serializer.serialize(cfg))
    assert again == run.Partial(step, outer=run.Config(Outer, 1, run.Config(Inner, 0.5)))


def test_fiddle_takes_what_was_read_from_our_json():
    serializer = run.config.ZlibJSONSerializer()
    again = serializer.deserialize(serializer.serialize(mixed()))
    assert fdl.build(again)() == fdl.build(mixed())()
    assert serialization.load_json(serialization.dump_json(again)) == again


class Level(enum.Enum):
    LOW = 1


class Pair(NamedTuple):
    left: int
    right: object


def test_fiddle_sees_values_that_our_reader_makes_late():
    # Enum members and named tuples need the user's code, which reading does not import.
    serializer = run.config.ZlibJSONSerializer()
    cfg = run.Config(Outer, 1, others=[Level.LOW, Pair(1, Level.LOW), Tokenizer])
    read = [serializer.deserialize(serializer.serialize(cfg)) for _ in range(4)]
    assert fdl.build(read[0]).others == [Level.LOW, Pair(1, Level.LOW), Tokenizer]
    assert fdl.cast(fdl.Config, read[1]) == fdl.cast(fdl.Config, cfg)
    assert serialization.load_json(serialization.dump_json(read[2])) == cfg
    assert fdl.build(fdl.Config(step, read[3]))[0].others[0] is Level.LOW


def test_a_kind_of_node_that_only_fiddle_builds_is_refused_with_its_path():
    cfg = run.Partial(step, outer=run.Config(Outer, 1, others=[fdl.ArgFactory(Inner)]))
    with pytest.raises(run.exceptions.SerializationError, match=r"outer\.others\[0\]"):
        run.config.ZlibJSONSerializer().serialize(cfg)


def test_our_yaml_takes_fiddles_nodes():
    serializer = run.config.YamlSerializer()
    again = serializer.deserialize(serializer.serialize(fdl.Config(Outer, 1, run.Config(Inner))))
    assert again == run.Config(Outer, 1, run.Config(Inner))
