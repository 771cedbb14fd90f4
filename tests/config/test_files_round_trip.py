"""A task that was written to a file is the same task again, whichever form the file has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from codec_values import Color, Model, Plain, same, train, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_codec_generated import alike, anything, graphs

from nemo_run.config.files import codec
from nemo_run.config.files.layers import overrides_of, read_file_value, task_of
from nemo_run.config.files.load import load
from nemo_run.config.files.written_forms import export, text_of
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.graph.reference import resolved
from nemo_run.config.overrides.apply import apply
from nemo_run.config.overrides.grammar import parse_override
from nemo_run.exceptions import OverrideError, SerializationError

FORMS = ["yaml", "toml", "json"]
VALUES = values()


def written(graph: Any, form: str, folder: Path) -> str:
    file = folder / f"task.{form}"
    export(graph, str(file))
    return str(file)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", VALUES)
def test_every_value_comes_back_with_its_type(name: str, form: str, tmp_path: Path) -> None:
    task = Partial(train, value=VALUES[name], deep=[{"k": VALUES[name]}], bind_args=False)
    loaded = load(written(task, form, tmp_path))
    read = task_of(loaded)
    assert same(resolved(read.value), VALUES[name])
    assert same(resolved(read.deep), [{"k": VALUES[name]}])
    assert read == task
    # Setting an argument makes a configuration of an instance of a dataclass.
    task.value, task.deep = task.value, task.deep
    assert apply(Partial(train), overrides_of(loaded, train)) == task


@pytest.mark.parametrize("form", FORMS)
def test_generated_graphs_come_back_shared_as_they_were(
    form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")

    @settings(max_examples=40, deadline=None)
    @given(graphs())
    def comes_back(graph: Any) -> None:
        read = task_of(load(written(graph, form, folder)))
        assert read == graph
        # Tables come last in TOML, so the order of the arguments of a call may differ.
        assert form == "toml" or codec.encode(read) == codec.encode(graph)
        assert form == "toml" or alike(graph, read, {})

    comes_back()


@pytest.mark.parametrize("form", FORMS)
def test_one_key_overridden_changes_that_key_alone(form: str, tmp_path: Path) -> None:
    model = Config(Model, size=2, name="${not} a reference")
    task = Partial(train, lr=0.1, model=model, teacher=model, layers=[model, Config(Model)])
    task.options = {"color": Color.RED, "path": Path("x"), "none": None, "pair": (1, 2)}
    loaded = load(written(task, form, tmp_path))
    read = apply(Partial(train), [*overrides_of(loaded, train), parse_override("lr=0.5")])
    assert read.lr == 0.5
    assert [str(change) for change in read.diff(task).changes] == ["~ lr: 0.1 → 0.5"]
    read = apply(Partial(train), [*overrides_of(loaded, train), parse_override("model.size=9")])
    assert (read.model.size, read.teacher.size, read.layers[0].size) == (9, 9, 9)


@pytest.mark.parametrize("form", FORMS)
def test_the_text_is_what_a_person_would_write(form: str, tmp_path: Path) -> None:
    model = Config(Model, size=2, name="1e3")
    task = Partial(train, lr=1e-4, model=model, betas=(0.9, 0.95), teacher=model, note="a\nb\n")
    task.opts = {"warmup": None, "root": Path("/data"), "kind": Color.RED, "make": Model}
    assert text_of(task, form) == EXPECTED[form]


EXPECTED = {
    "yaml": """\
_target_: codec_values.train
_partial_: true
lr: 0.0001
model: &id001
  _target_: codec_values.Model
  size: 2
  name: '1e3'
betas: {_type_: tuple, items: [0.9, 0.95]}
teacher: *id001
note: |
  a
  b
opts:
  warmup: null
  root: {_type_: path, class: PosixPath, value: /data}
  kind: {_type_: enum, class: 'codec_values:Color', name: RED}
  make: {_target_: codec_values.Model, _call_: false}
""",
    "toml": '''\
_target_ = "codec_values.train"
_partial_ = true
lr = 0.0001
betas = {_type_ = "tuple", items = [0.9, 0.95]}
teacher = {_same_as_ = "model"}
note = """
a
b
"""

[model]
_target_ = "codec_values.Model"
size = 2
name = "1e3"

[opts]
warmup = {_type_ = "none"}
root = {_type_ = "path", class = "PosixPath", value = "/data"}
kind = {_type_ = "enum", class = "codec_values:Color", name = "RED"}
make = {_target_ = "codec_values.Model", _call_ = false}
''',
    "json": """\
{
  "_target_": "codec_values.train",
  "_partial_": true,
  "lr": 0.0001,
  "model": {"_target_": "codec_values.Model", "size": 2, "name": "1e3"},
  "betas": {"_type_": "tuple", "items": [0.9, 0.95]},
  "teacher": {"_same_as_": "model"},
  "note": "a\\nb\\n",
  "opts": {
    "warmup": null,
    "root": {"_type_": "path", "class": "PosixPath", "value": "/data"},
    "kind": {"_type_": "enum", "class": "codec_values:Color", "name": "RED"},
    "make": {"_target_": "codec_values.Model", "_call_": false}
  }
}
""",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_written_and_read_alone(form: str, tmp_path: Path) -> None:
    task = Partial(train, model=Config(Model, size=3), layers=[1, [2, {"odd key": 4}]])
    for key, value in [("model", task.model), ("layers[1][1]", {"odd key": 4})]:
        export(task, f"{tmp_path}/part.{form}:{key}")
        assert read_file_value(f"@{tmp_path}/part.{form}") == value
    whole = written(task, form, tmp_path)
    assert read_file_value(f"@{whole}:model") == task.model
    assert read_file_value(f"@{whole}:layers[-1][0]") == 2
    assert read_file_value(f"@{whole}:layers[1][1]['odd key']") == 4


def test_a_part_that_is_no_mapping_has_no_place_in_toml(tmp_path: Path) -> None:
    with pytest.raises(SerializationError, match="Use YAML or JSON"):
        export(Partial(train, layers=[1]), f"{tmp_path}/part.toml:layers")
    assert not list(tmp_path.glob("*.toml"))


@pytest.mark.parametrize("form", FORMS)
def test_arguments_with_names_that_mean_something_else_are_kept(form: str, tmp_path: Path) -> None:
    odd = {"_target_": 1, "_factory_": "f", "run": {"executor": 2}, "n*=": 3, "a.b": 4, "$": 5}
    task = Partial(anything, "first", Plain)
    task.__arguments__.update({**odd, "inner": Config(anything), "plain": dict(odd)})
    loaded = load(written(task, form, tmp_path))
    assert task_of(loaded) == task
    assert apply(Partial(anything), overrides_of(loaded, anything)) == task


TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
PIECES = st.lists(TEXTS | st.sampled_from(["${", "}", "\\", "${a}", '"""', "'''", "\r\n", " \n"]))


@pytest.mark.parametrize("form", FORMS)
def test_texts_come_back_to_the_last_character(
    form: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(PIECES.map("".join), TEXTS)
    def comes_back(text: str, key: str) -> None:
        task = Partial(train, text=text, deep={key: [text], "more": 1})
        assert task_of(load(written(task, form, folder))) == task

    comes_back()


@pytest.mark.parametrize("form", FORMS)
def test_the_command_line_changes_a_written_task_as_it_changes_the_task(
    form: str, tmp_path: Path
) -> None:
    task = Partial(train, model=Config(Model, size=2), options={"a": [1, 2]})
    loaded = load(written(task, form, tmp_path))
    words = ["model.size+=1", "options.a+=[3]", "model.name=x", "new=1"]
    changes = [parse_override(word) for word in words]
    assert apply(Partial(train), [*overrides_of(loaded), *changes]) == apply(task, changes)


def test_a_form_that_nobody_knows_is_named(tmp_path: Path) -> None:
    with pytest.raises(OverrideError, match=r"'.*/task.yml2' is no file of configuration.*'.yml'"):
        export(Partial(train), f"{tmp_path}/task.yml2")
    export(Partial(train), f"{tmp_path}/task.conf", "json")
    assert (tmp_path / "task.conf").read_text().startswith("{")
