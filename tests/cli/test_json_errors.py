"""What programs read under ``--json`` when something is wrong: one document, and the exit code."""

from __future__ import annotations

import json

import pytest
from scripts import TRAIN, Done, Folder


@pytest.fixture
def train(folder: Folder, program: list[str]):
    folder.write("train.py", TRAIN)
    folder.write("broken.py", "import nothing_of_the_kind\n")

    def run(*words: str) -> Done:
        return folder.run(*program, *words)

    return run


def _error(done: Done) -> tuple[str, str]:
    document = json.loads(done.out)
    assert document["exit_code"] == done.code
    return document["error"]["type"], document["error"]["message"]


def test_what_is_refused_is_a_document_and_a_line(train) -> None:
    done = train("run", "train.py:train", "lr=fast", "--json", "--yes")
    kind, message = _error(done)
    assert (done.code, kind, done.err) == (2, "OverrideError", f"error: {message}\n")
    assert message.startswith("lr: 'fast' is no float.")
    kind, message = _error(train("run", "train.py:train", "--jsno", "--json"))
    assert (kind, message) == ("NoSuchOption", "No option '--jsno'. Did you mean '--json'?")


def test_a_file_that_cannot_be_loaded(train) -> None:
    done = train("run", "broken.py:train", "--json", "--yes")
    assert done.code == 2
    assert _error(done) == ("ModuleNotFoundError", "No module named 'nothing_of_the_kind'")
    assert done.err.startswith("Traceback")


def test_an_experiment_that_is_not_there(train) -> None:
    done = train("experiment", "show", "nowhere", "--json")
    assert done.code == 1
    assert _error(done)[0] == "NotFoundError"


def test_a_task_that_fails_has_one_document_about_the_run(train) -> None:
    words = ("run", "train.py:train", "model.layers=1", "fail=raise", "--json", "--yes")
    done = train(*words)
    assert (done.code, done.json["state"]) == (1, "FAILED")


def test_the_exit_code_that_a_task_chooses_here_is_passed_on(train) -> None:
    assert train("run", "train.py:train", "model.layers=1", "fail=exit", "--direct").code == 7
