"""``--config -``: the configuration comes from another program."""

from __future__ import annotations

import json

import pytest
from scripts import TRAIN, Folder


@pytest.fixture
def train(folder: Folder) -> Folder:
    folder.write("train.py", TRAIN)
    return folder


def test_yaml_and_json_come_in_through_a_pipe(train: Folder) -> None:
    for text in ("lr: 0.5\nmodel: {width: 3}\n", json.dumps({"lr": 0.5, "model": {"width": 3}})):
        done = train.python("train.py", "--config", "-", "lr*=2", "--yes", text_in=text)
        assert (done.code, done.out) == (0, "layers=2 width=3 lr=1.0 note=''\n"), done.err


def test_a_section_of_it_and_a_mistake_in_it(train: Folder) -> None:
    done = train.python("train.py", "-c", "-:big", "--cfg", text_in="big:\n  lr: fast\n")
    assert done.code == 2
    assert done.err.startswith("error: <standard input>:2: lr: 'fast' is no float.")


def test_nothing_in_it_is_said(train: Folder) -> None:
    done = train.python("train.py", "-c", "-", "--cfg")
    assert (done.code, done.err) == (2, "error: <standard input>: The file is empty.\n")
