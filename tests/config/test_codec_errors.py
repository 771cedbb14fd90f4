"""What cannot travel is named, with its path, its type and the way out, before anything runs."""

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import codec_values
import pytest
from codec_values import Box, Model, Plain, train

from nemo_run.config.files import codec
from nemo_run.config.files.serializers import YamlSerializer, ZlibJSONSerializer
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.script import Script
from nemo_run.exceptions import ConfigError, SerializationError


class Tokenizer:
    def __repr__(self) -> str:
        return "Tokenizer()"

    def encode(self) -> None: ...


class MyStr(str):
    pass


class MyList(list):
    pass


class MyDict(OrderedDict):
    pass


@dataclasses.dataclass
class Loud(dict):
    a: int = 1


def local_class() -> type:
    class Local: ...

    return Local


def local_member() -> Any:
    class Local(enum.Enum):
        A = 1

    return Local.A


def local_instance() -> Any:
    @dataclasses.dataclass
    class Local:
        a: int = 1

    return Local()


def circle() -> list[Any]:
    items: list[Any] = []
    items.append({"again": items})
    return items


CASES = {
    "plain object": (Tokenizer(), "Tokenizer()", r"Wrap it: run.Config\(Tokenizer, ...\)"),
    "lambda": (lambda x: x, "<lambda>", "give it a name with def"),
    "local function": (codec_values.nested(), "inside", "move it to the top of its module"),
    "local class": (local_class(), "Local", "top of its module"),
    "member of a local enum": (local_member(), "Local.A", "at the top of a module"),
    "instance of a local dataclass": (local_instance(), "Local", "at the top of a module"),
    "file": (io.StringIO("x"), "StringIO", "Give its path"),
    "lock": (threading.Lock(), "lock", "Make it in the task"),
    "thread": (threading.current_thread(), "Thread", "Make it in the task"),
    "iterator": (iter([1]), "list_iterator", "Make it a list"),
    "generator": ((x for x in ()), "generator", "Make it a list"),
    "count": (itertools.count(), "count", "Make it a list"),
    "subclass of str": (MyStr("x"), "MyStr", "subclass of str, which would be lost"),
    "subclass of list": (MyList([1]), "MyList", "subclass of list, which would be lost"),
    "subclass of a standard dict": (MyDict(a=1), "MyDict", "subclass of dict"),
    "dataclass that is a dict": (Loud(), "Loud", "built-in type at once"),
    "unbound": (object(), "object", "only its own code can make"),
    "method of a plain object": (Tokenizer().__repr__, "Tokenizer", "Wrap it"),
    "type parameter of a plain object": (Box[local_class()], "Local", "top of its module"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_value_that_cannot_travel_is_named_with_path_type_and_way_out(case: str) -> None:
    value, shown, way_out = CASES[case]
    task = Partial(train, data={"tok": [0, value]}, bind_args=False)
    with pytest.raises(SerializationError, match=way_out) as caught:
        codec.check(task)
    message = str(caught.value)
    assert "data['tok'][1]" in message
    assert shown in message
    assert type(value).__name__ in message or "method" in case or "parameter" in case


def test_the_path_goes_through_nodes_and_dataclasses_and_names_the_line() -> None:
    task = Partial(train, model=Config(Model, size=Plain(1, [Tokenizer()])), bind_args=False)
    task.model.name = Tokenizer()
    with pytest.raises(SerializationError) as caught:
        codec.check(task, where="task 'train'")
    message = str(caught.value)
    assert message.startswith("2 values of task 'train' cannot be written to a file")
    assert "\n  model.size.b[0]: Tokenizer()" in message
    assert "\n  model.name: Tokenizer()" in message
    assert message.count(f"It was set at {__file__}:") == 2


def test_all_problems_are_told_at_once() -> None:
    task = Partial(train, Tokenizer(), a=[lambda: 1], b={"x": Tokenizer(), "fine": 1})
    with pytest.raises(SerializationError) as caught:
        codec.check(task)
    message = str(caught.value)
    assert [f"\n  {path}: " in message for path in ("lr", "a[0]", "b['x']")] == [True] * 3
    assert message.startswith("3 values")


@pytest.mark.parametrize("write", [codec.dumps, codec.encode, codec.check])
def test_every_way_of_writing_refuses(write: Any) -> None:
    with pytest.raises(SerializationError, match="Tokenizer"):
        write(Config(Model, size=Tokenizer()))


@pytest.mark.parametrize("serializer", [ZlibJSONSerializer(), YamlSerializer()])
def test_both_serializers_refuse(serializer: Any) -> None:
    with pytest.raises(SerializationError, match="Tokenizer"):
        serializer.serialize(Config(Model, size=Tokenizer()))


def test_a_list_that_holds_itself_is_named() -> None:
    with pytest.raises(SerializationError, match=r"data\[0\]\['again'\].*It contains itself"):
        codec.check(Partial(train, data=circle(), bind_args=False))


def test_a_node_that_holds_itself_is_named() -> None:
    node = Config(Model)
    node.__arguments__["size"] = [node]
    with pytest.raises(SerializationError, match=r"size\[0\].*contains itself"):
        codec.check(node)


def test_a_target_that_cannot_be_imported_is_named() -> None:
    with pytest.raises(SerializationError, match=r"model .*lambda"):
        codec.check(Partial(train, model=Config(lambda: 1)))


def test_a_graph_that_is_nested_too_deeply_is_a_sentence() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(SerializationError, match="nested too deeply"):
        codec.check(value)


@pytest.mark.parametrize("text", ["", "abc", "!!", "eJw="])
def test_a_line_that_is_no_configuration_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="no serialized configuration"):
        ZlibJSONSerializer().deserialize(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "_target_: 3",
        "_target_: ''",
        "!!python/object:os.system {}",
        "_type_: path",
        "[" * 50_000,
        "_target_: a.b\n_positional_: 3",
        "_type_: tuple\nitems: 3",
        "_type_: dict\nentries: [1]",
        "_type_: [1]",
        "&a [*a]",
    ],
)
def test_yaml_that_is_no_configuration_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError):
        YamlSerializer().deserialize(text)


def deepest_that_is_written() -> str:
    node = Config(Model)
    text = codec.dumps(node)
    while True:
        for _ in range(5):
            node = Config(Model, size=node)
        try:
            text = codec.dumps(node)
        except SerializationError:
            return text


def test_the_deepest_graph_that_can_be_written_can_be_read_and_built() -> None:
    text = deepest_that_is_written()
    assert text.count('"target"') > 150
    assert codec.dumps(codec.loads(text)) == text
    lines = [f"import sys; sys.path[:0] = {sys.path!r}", "from nemo_run.worker import worker"]
    program = "\n".join([*lines, "sys.exit(worker.main(sys.argv))"])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "task.json").write_text(text, encoding="utf-8")
        subprocess.run([sys.executable, "-c", program, folder], check=True, capture_output=True)


def nested_train() -> Any:
    def train() -> None: ...

    return train


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (
            nested_train(),
            "It is defined inside a function, as nested_train.<locals>.train; move it",
        ),
        (lambda: 1, "It is a lambda; give it a name with def, at the top of a module."),
        (
            Tokenizer().encode,
            "run.Partial(Tokenizer.encode, run.Config(Tokenizer, ...)), or write a function that",
        ),
    ],
)
def test_a_target_without_a_name_says_the_way_out(target: Any, sentence: str) -> None:
    with pytest.raises(SerializationError) as caught:
        codec.check(Partial(target))
    assert sentence in str(caught.value)


NODE = {"$": "config", "target": "builtins:dict"}
DAMAGED: dict[str, Any] = {
    "no value": {},
    "a reference to nothing": {"value": {"$": "ref", "id": 10**30}},
    "a reference without id": {"value": {"$": "ref"}},
    "an id of a wrong type": {"value": {"$": "dict", "id": [1], "fields": {}}},
    "a kind of a wrong type": {"value": {"$": [1]}},
    "no target": {"value": {"$": "config"}},
    "a target of a wrong type": {"value": {"$": "config", "target": ["a"]}},
    "arguments of a wrong type": {"value": {**NODE, "arguments": [1]}},
    "positional of a wrong type": {"value": {**NODE, "positional": [[{"a": 1}, 2]]}},
    "tags of a wrong type": {"value": {**NODE, "tags": {"a": [5]}}},
    "no items": {"value": {"$": "tuple"}},
    "entries of a wrong shape": {"value": {"$": "dict", "entries": [[1, 2, 3]]}},
    "a key that is no key": {"value": {"$": "dict", "entries": [[[1], 2]]}},
    "a path of another class": {"value": {"$": "path", "class": "__class__", "value": "x"}},
    "a time zone outside": {"value": {"$": "zoneinfo", "key": "../../etc/passwd"}},
    "a script without text": {"value": {"$": "script", "fields": {"args": 5}}},
    "a text that is none": {"value": {"$": "str", "value": 5}},
    "deep lists": {"value": functools.reduce(lambda inner, _: [inner], range(900), [])},
    "history of a wrong type": {"value": NODE, "history": [1]},
    "history without entries": {"value": NODE, "history": {"nodes": {"": [1]}}},
    "history of no file": {
        "value": NODE,
        "history": {"nodes": {"": [["a", "python", 1, 10**9, 3, None]]}},
    },
    "history of a file of a wrong type": {
        "value": NODE,
        "history": {"files": [{}], "nodes": {"": [["a", "python", 1, 0, 3, None]]}},
    },
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_document_is_a_sentence(case: str) -> None:
    text = json.dumps({"format": "nemo-run/graph", "version": 1, **DAMAGED[case]})
    with pytest.raises(ConfigError) as caught:
        codec.loads(text)
    assert len(str(caught.value)) < 500


def test_no_history_makes_the_reader_import_anything(tmp_path: Path) -> None:
    value = {"$": "object", "name": "not_to_be_imported:x"}
    entry = ["a", "python", value, 0, 3, None]
    history = {"files": ["train.py"], "nodes": {"": [entry]}}
    document = {"format": "nemo-run/graph", "version": 1, "value": NODE, "history": history}
    (tmp_path / "not_to_be_imported.py").write_text("raise SystemExit('imported')")
    program = "\n".join(
        [
            "import sys; from nemo_run.config.files import codec",
            "print(codec.dumps(codec.loads(sys.stdin.read())))",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(document),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        check=True,
        capture_output=True,
        text=True,
    )
    assert '["a", "python", ' in done.stdout


def test_a_script_keeps_metadata_that_only_its_own_code_can_make() -> None:
    script = Script(inline="true", metadata={"color": codec_values.Color.RED})
    read = codec.loads(codec.dumps(script))
    assert type(read) is Script
    assert codec.dumps(read) == codec.dumps(script)
