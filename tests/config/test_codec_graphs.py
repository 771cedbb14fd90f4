"""Graphs: sharing, history, tags, names; and that reading runs nobody's code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import codec_values
import pytest
import yaml
from codec_values import Access, Color, Model, Plain, Point, train

import nemo_run
from nemo_run.config.files import codec
from nemo_run.config.files.serializers import YamlSerializer, ZlibJSONSerializer
from nemo_run.config.graph.history import setting
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.graph.reference import Reference
from nemo_run.config.script import Script
from nemo_run.exceptions import ConfigError
from nemo_run.worker import worker


def round_trips(value: Any) -> list[Any]:
    yaml, line = YamlSerializer(), ZlibJSONSerializer()
    return [
        codec.loads(codec.dumps(value)),
        yaml.deserialize(yaml.serialize(value)),
        line.deserialize(line.serialize(value)),
    ]


# --- Nodes -------------------------------------------------------------------------------------


def test_nodes_shared_in_a_graph_stay_one_node() -> None:
    model = Config(Model, size=1)
    task = Partial(train, model, again=model, deep=[{"m": (model,)}])
    for read in round_trips(task):
        assert read.lr is read.again
        assert read.again is read.deep[0]["m"][0]
        read.again.size = 7
        assert read.lr.size == 7


def test_equal_nodes_that_are_not_shared_stay_two() -> None:
    for read in round_trips(Partial(train, Config(Model), again=Config(Model))):
        assert read.lr is not read.again


def test_lists_and_dicts_used_twice_stay_one() -> None:
    shared: list[Any] = [1]
    mapping = {"k": shared, 1: 2}
    for read in round_trips(Partial(train, a=shared, b=mapping, c=[mapping, shared])):
        assert read.a is read.b["k"]
        assert read.c[0] is read.b
        assert read.c[1] is read.a


def test_a_value_that_needs_user_code_and_is_used_twice_stays_one() -> None:
    plain = Plain(1, [2])
    for read in round_trips(Partial(train, a=plain, b=[plain, plain.b], bind_args=False)):
        assert read.a is read.b[0]
        assert read.a.b is read.b[1]


def test_a_dataclass_keeps_its_slots_and_computes_again_what_was_cached() -> None:
    for read in round_trips(Partial(train, c=codec_values.Cached(3), bind_args=False)):
        assert (read.c.a, read.c.kept, read.c.computed) == (3, [3], [])


def test_a_node_inside_a_named_tuple_is_a_node_again() -> None:
    model = Config(Model, size=3)
    for read in round_trips(Partial(train, p=Point(model, [model]), m=model)):
        assert isinstance(read.p, Point)
        assert read.p.x is read.m
        assert read.p.y == [Config(Model, size=3)]


def positional(a: int, b: int = 2, /, c: int = 3, *rest: int, d: int = 4) -> Any:
    return a, b, c, rest, d


def test_positional_arguments_are_called_in_order_in_the_job() -> None:
    task = Config(positional, 1, 20, 30, 40, 50, d=5)
    for read in [task, *round_trips(task)]:
        document = codec.encode(read)
        assert worker.Reader().read(document) == (1, 20, 30, (40, 50), 5)
    for read in round_trips(task):
        assert read == task
        assert read[:] == [1, 20, 30, 40, 50]


def test_a_default_before_given_positions_is_filled_in() -> None:
    task = Config(positional, 1, 2, 3, 40)
    del task[1]
    assert worker.Reader().read(codec.encode(task)) == (1, 2, 3, (40,), 4)


def test_arguments_that_are_no_identifiers_are_kept() -> None:
    task = Partial(train, **{"a-b": 1, "$": 2, "_target_": 3, "0": 4, "": 5, "class": 6})
    for read in round_trips(task):
        assert read == task
        assert read.__arguments__ == task.__arguments__


def test_config_of_dict_round_trips() -> None:
    task = Config({"a": 1, "b": [Config(Model)]})
    for read in round_trips(task):
        assert read == task


def test_fiddle_nodes_are_read_as_ours() -> None:
    fdl = pytest.importorskip("fiddle")
    shared = fdl.Config(Model, size=2)
    task = Partial(train, shared, again=[shared], make=fdl.Partial(Model))
    for read in round_trips(task):
        assert type(read.lr) is Config
        assert type(read.make) is Partial
        assert read.lr is read.again[0]
        assert read.lr.size == 2


def test_script_round_trips() -> None:
    script = Script(inline="echo $HOME\n", args=["-x"], env={"A": "1"}, metadata={"p": (1, 2)})
    for read in round_trips(script):
        assert type(read) is Script
        assert read == script


# --- History -----------------------------------------------------------------------------------


def test_each_value_keeps_the_line_that_set_it() -> None:
    task = Partial(train, lr=0.1, model=Config(Model))
    task.lr = 0.2
    with setting("command line"):
        task.model.size = 8
    with setting("file", "conf.yaml", 12):
        task.batch = [1]
    read = codec.loads(codec.dumps(task))
    for key in ("lr", "batch"):
        ours, theirs = task.__argument_history__[key], read.__argument_history__[key]
        assert [e[1:] for e in theirs] == [e[1:] for e in ours]
    assert [e.new_value for e in read.__argument_history__["lr"]] == [0.1, 0.2]
    assert read.__argument_history__["lr"][0].file == __file__
    entry = read.model.__argument_history__["size"][-1]
    assert (entry.kind, entry.new_value) == ("command line", 8)
    assert read.__argument_history__["batch"][-1].where() == "file conf.yaml:12"


def test_history_read_from_a_file_comes_before_what_is_set_afterwards() -> None:
    read = codec.loads(codec.dumps(Partial(train, lr=0.1)))
    read.lr = 0.3
    first, second = read.__argument_history__["lr"]
    assert first.sequence_id < second.sequence_id


def test_a_graph_without_history_or_with_a_foreign_one_is_read() -> None:
    document = json.loads(codec.dumps(Config(Model, size=1)))
    document["history"]["nodes"]["not.there"] = [["x", "python", 1]]
    assert codec.loads(json.dumps(document)) == Config(Model, size=1)
    del document["history"]
    assert codec.loads(json.dumps(document)) == Config(Model, size=1)


# --- Nobody's code runs ------------------------------------------------------------------------


READ_ONLY = """
import sys
from pathlib import Path
from nemo_run.config.files import codec
from nemo_run.config.files.serializers import YamlSerializer
text, yaml = Path(sys.argv[1]).read_text("utf-8"), Path(sys.argv[2]).read_text("utf-8")
for read in (codec.loads(text), YamlSerializer().deserialize(yaml)):
    repr(read)
    assert codec.dumps(read)
    assert read.__arguments__["color"] != 5
assert "codec_values" not in sys.modules, "the user's module was imported"
assert "torch" not in sys.modules
"""


def test_reading_and_writing_again_never_import_the_users_code(tmp_path: Path) -> None:
    data = dict(codec_values.values())
    task = Partial(train, color=Color.RED, data=data, m=Config(Model), bind_args=False)
    (tmp_path / "task.json").write_text(codec.dumps(task), encoding="utf-8")
    (tmp_path / "task.yaml").write_text(YamlSerializer().serialize(task), encoding="utf-8")
    source = str(Path(nemo_run.__file__).parent.parent)
    subprocess.run(
        [sys.executable, "-c", READ_ONLY, tmp_path / "task.json", tmp_path / "task.yaml"],
        env={**os.environ, "PYTHONPATH": source},
        check=True,
        cwd=tmp_path,
    )


@pytest.mark.parametrize(
    "document",
    [
        {"$": "object", "name": "this:c"},
        {"$": "enum", "class": "this:c", "name": "x"},
        {"$": "dataclass", "class": "this:c", "fields": {}},
        {"$": "functools.partial", "items": [{"$": "object", "name": "this:c"}], "fields": {}},
        {"$": "defaultdict", "items": [{"$": "object", "name": "this:c"}], "fields": {}},
        {"$": "generic", "items": [{"$": "object", "name": "this:c"}, []]},
        {"$": "method", "name": "x", "items": [{"$": "module", "name": "this"}]},
        {"$": "config", "target": "this:c", "arguments": {"x": {"$": "module", "name": "this"}}},
        {"$": "method", "name": "x", "items": [{"$": "config", "target": "this:c"}]},
        {"$": "generic", "items": [{"$": "config", "target": "this:c"}, [0]]},
        {"$": "mappingproxy", "items": [{"$": "config", "target": "this:c"}]},
        {"$": "chainmap", "items": [{"$": "config", "target": "this:c"}]},
        {"$": "set", "items": [{"$": "object", "name": "this:c"}]},
        {"$": "dict", "entries": [[{"$": "object", "name": "this:c"}, 1]]},
    ],
)
def test_no_document_makes_a_reader_import_a_module(document: Any) -> None:
    sys.modules.pop("this", None)
    read = codec.decode(document)
    repr(read)
    assert codec.encode(read)
    assert "this" not in sys.modules


def test_a_value_whose_code_is_gone_is_an_error_only_when_it_is_used() -> None:
    text = codec.dumps(Partial(train, lr=0.1, color=Color.RED))
    read = codec.loads(text.replace("codec_values:Color", "codec_gone:Color"))
    assert read.lr == 0.1
    with pytest.raises(ConfigError, match=r"codec_gone\.Color.*Make its module importable"):
        _ = read.color


def test_a_value_that_is_not_loaded_equals_the_real_one_and_no_other() -> None:
    read = codec.loads(codec.dumps(Partial(train, c=Color.RED, a=Access.BOTH)))
    waiting = read.__arguments__["c"]
    assert waiting == Color.RED
    assert Color.RED == waiting  # noqa: SIM300
    assert waiting != Color.BLUE
    assert waiting != "r"
    assert waiting != object()
    assert read.__arguments__["a"] == Access.BOTH


def test_a_reference_is_written_without_loading_it() -> None:
    node = Partial._restore(Reference("not_there", "train"), {"lr": 1}, {})
    assert codec.loads(codec.dumps(node)) == node


# --- The text ----------------------------------------------------------------------------------


def test_the_text_is_the_same_every_time_and_short_things_stand_on_one_line() -> None:
    task = Partial(train, lr=0.1, names={"b", "a", "c"}, betas=(0.9, 0.95), bind_args=False)
    document = json.loads(codec.dumps(task))
    del document["history"]
    lines = codec.dumps(codec.decode(document["value"])).splitlines()
    assert lines == [
        "{",
        '  "format": "nemo-run/graph",',
        '  "version": 1,',
        '  "value": {',
        '    "$": "partial",',
        '    "target": "codec_values:train",',
        '    "arguments": {',
        '      "lr": 0.1,',
        '      "names": {"$": "set", "items": ["a", "b", "c"]},',
        '      "betas": {"$": "tuple", "items": [0.9, 0.95]}',
        "    }",
        "  }",
        "}",
    ]


def test_yaml_is_what_a_person_would_write() -> None:
    task = Partial(train, lr=0.1, model=Config(Model, size=2, name="1e3"), note="a\nb\n")
    task.opts = {"warmup": None, "betas": [0.9, 0.95], "make": Model, "p": Path("x")}
    assert YamlSerializer().serialize(task) == (
        "_target_: codec_values.train\n"
        "_partial_: true\n"
        "lr: 0.1\n"
        "model:\n"
        "  _target_: codec_values.Model\n"
        "  size: 2\n"
        "  name: '1e3'\n"
        "note: |\n"
        "  a\n"
        "  b\n"
        "opts:\n"
        "  warmup: null\n"
        "  betas: [0.9, 0.95]\n"
        "  make: {_target_: codec_values.Model, _call_: false}\n"
        "  p: {_type_: path, class: PosixPath, value: x}\n"
    )


def test_yaml_written_by_hand_is_read() -> None:
    read = YamlSerializer().deserialize(
        """
        _target_: codec_values.train
        lr: 1e-3
        model: &m
          _target_: codec_values.Model
          _args_: [3]
        again: *m
        layers: {1: a, 2: b}
        day: 2024-01-02
        kind: {_target_: builtins.int, _call_: false}
        """
    )
    assert read.model is read.again
    assert read.model.__arguments__ == {0: 3}
    assert read.layers == {1: "a", 2: "b"}
    assert read.day.isoformat() == "2024-01-02"
    assert read.kind is int


def test_yaml_goes_to_a_stream_and_touches_nobody_elses_yaml() -> None:
    import io

    before = yaml.safe_dump({"a": ["1e3", "x\ny"]})
    stream = io.StringIO()
    assert YamlSerializer().serialize(Config(Model), stream) is None
    assert stream.getvalue() == "_target_: codec_values.Model\n"
    assert yaml.safe_dump({"a": ["1e3", "x\ny"]}) == before
    with pytest.raises(yaml.YAMLError):
        yaml.safe_dump(Path("x"))


@pytest.mark.torch
def test_torch_and_numpy_types_travel_by_name() -> None:
    torch, numpy = pytest.importorskip("torch"), pytest.importorskip("numpy")
    values = [
        torch.bfloat16,
        torch.device("cuda:1"),
        torch.channels_last,
        torch.strided,
        torch.Size([2, 3]),
        torch.optim.Adam,
        torch.nn.functional.relu,
        torch.tanh,
        numpy.dtype("float32"),
        numpy.dtype([("a", "<i4"), ("b", "f8", (2,))]),
        numpy.float32,
        numpy.add,
    ]
    for read in round_trips(Partial(train, values=values, bind_args=False)):
        assert read.values == values
    scalars = [
        numpy.float32(0.1),
        numpy.int8(-1),
        numpy.bool_(True),
        numpy.str_("x"),
        numpy.complex64(1j),
        numpy.longdouble("0.1"),
        numpy.datetime64("2024-01-01T00:00", "ns"),
        numpy.timedelta64(3, "25s"),
        numpy.float16("inf"),
    ]
    for read in round_trips(Partial(train, scalars=scalars, bind_args=False)):
        assert [(type(v), v.dtype, v) for v in read.scalars] == [
            (type(v), v.dtype, v) for v in scalars
        ]


@pytest.mark.parametrize("text", ["3e-4", "1e3", "3E5", "+1e-3", "-2.5e8", ".5e1", "1.e2"])
def test_yaml_has_the_exponents_of_yaml_1_2_and_quotes_text_that_looks_so(text: str) -> None:
    read = YamlSerializer().deserialize(f"_target_: codec_values.Model\nsize: {text}\n")
    assert (type(read.size), read.size) == (float, float(text))
    kept = YamlSerializer().serialize(Config(Model, size=text))
    assert YamlSerializer().deserialize(kept).size == text
    assert yaml.safe_load(kept)["size"] == text
