"""The fields of the run, ``run.…``: which there are, and who has set them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from scripts import TRAIN, Folder

import nemo_run as run

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_run_itself_is_explained_like_its_values(folder: Folder) -> None:
    folder.write("train.py", TRAIN)
    folder.write("run.yaml", "run: {name: first, executor: local, yes: true}\n")
    keys = [f"run.{name}" for name in ("name", "executor", "yes", "direct", "executor.retries")]
    words = [word for key in keys for word in ("--explain", key)]
    done = folder.python("train.py", "-c", "run.yaml", "run.name=second", *words, "--json")
    told = {
        key: [(one["kind"], one["value"], one["file"]) for one in chain]
        for key, chain in done.json.items()
    }
    assert [one[:2] for one in told["run.name"]] == [
        ("default", None), ("file", "first"), ("command line", "second"),
    ]  # fmt: skip
    assert told["run.executor"][0][0] == "default"
    assert told["run.executor"][1:] == [("file", "local", "run.yaml")]
    assert told["run.yes"][-1] == ("file", True, "run.yaml")
    assert [one[:2] for one in told["run.direct"]] == [("default", False)]
    assert [one[:2] for one in told["run.executor.retries"]] == [("default", 0)]


def test_a_file_answers_the_question_whether_to_run(folder: Folder) -> None:
    folder.write("train.py", TRAIN)
    folder.write("run.yaml", "model: {layers: 1}\nrun: {yes: true}\n")
    assert folder.python("train.py", "-c", "run.yaml").code == 0


def test_the_page_lists_the_fields_that_there_are() -> None:
    table = DOCS.read_text("utf-8").partition("| `run.` | |\n")[2].partition("\n\n")[0]
    listed = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row[:200])}
    fields = {field.name for field in dataclasses.fields(run.cli.RunContext) if field.init}
    fields = {name for name in fields if name != "load"} | {"executor", "plugins"}
    assert listed == fields | {"yes", "config"}
