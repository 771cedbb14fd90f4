"""Every type that people put into configurations comes back as it was."""

from __future__ import annotations

import pytest
from codec_values import same, train, values

from nemo_run.config.files import codec
from nemo_run.config.files.serializers import YamlSerializer, ZlibJSONSerializer
from nemo_run.config.graph.node import Partial
from nemo_run.worker import worker

VALUES = values()


@pytest.mark.parametrize("name", VALUES)
def test_value_of_an_argument_comes_back_through_json(name: str) -> None:
    task = Partial(train, value=VALUES[name], bind_args=False)
    read = codec.loads(codec.dumps(task))
    assert same(read.value, VALUES[name]), read.value
    assert read == task
    assert task == codec.loads(codec.dumps(task))


@pytest.mark.parametrize("name", VALUES)
def test_value_of_an_argument_comes_back_through_yaml(name: str) -> None:
    task = Partial(train, value=VALUES[name], bind_args=False)
    text = YamlSerializer().serialize(task)
    read = YamlSerializer().deserialize(text)
    assert same(read.value, VALUES[name]), text
    assert read == task


@pytest.mark.parametrize("name", VALUES)
def test_the_job_builds_the_same_value_that_was_configured(name: str) -> None:
    assert same(worker.Reader().read(codec.encode(VALUES[name])), VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_a_graph_that_was_only_read_is_written_as_the_same_bytes(name: str) -> None:
    text = codec.dumps(Partial(train, value=[VALUES[name], 1], bind_args=False))
    assert codec.dumps(codec.loads(text)) == text


def test_one_line_of_text_holds_everything() -> None:
    task = Partial(train, data=VALUES, bind_args=False)
    line = ZlibJSONSerializer().serialize(task)
    assert line.isascii()
    assert len(line.split()) == 1
    assert ZlibJSONSerializer().deserialize(line) == task
