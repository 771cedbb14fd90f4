"""Whatever stands in the files of a record, it is shown, verified and explained without harm."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

import nemo_run as run
from nemo_run.cli.experiment.shared import page
from nemo_run.cli.experiment.shared.job_view import view
from nemo_run.cli.experiment.shared.left import left_by
from nemo_run.config.overrides.explaining import stored_chain
from nemo_run.console.terminal import Look
from nemo_run.exceptions import NemoRunError
from nemo_run.management import store
from nemo_run.management.capture import provenance
from nemo_run.management.capture.stored import task_of
from nemo_run.management.store.record import Record
from nemo_run.management.verifying import verify

ODD: tuple[Any, ...] = (
    None, 7, -1, 1e308, float("nan"), True, "", "\0", "\ud800", "a/../../b", "../../x",
    "/etc/passwd",
    "\x1b[2J", [], {}, [[]], {"a": {"b": []}}, ["x", 7, None], {"digest": "sha256:" + "0" * 64},
    {"kind": "ssh", "host": "127.0.0.1", "port": "x"}, "x" * 5000,
)  # fmt: skip
FILES = (
    "experiment.json", "jobs/train/spec.json", "jobs/train/task.json", "jobs/train/executor.json",
    "jobs/train/worker.json", "jobs/train/result.json",
)  # fmt: skip


def train(lr: float, layers: list[int]) -> dict[str, float]:
    """What the experiment runs."""
    return {"loss": lr * len(layers)}


@pytest.fixture
def record() -> Record:
    executor = run.LocalExecutor(env_vars={"A": "b"}, packager=run.Packager())
    task = run.Partial(train, lr=0.1, layers=[1, 2])
    run.run(task, executor=executor, name="train", log_level="ERROR")
    return store.find("train")


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths to every value in a document."""
    inside: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        inside = list(document.items())
    elif isinstance(document, list):
        inside = list(enumerate(document))
    return [path, *(found for key, value in inside for found in places(value, (*path, key)))]


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    here = document
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    return document


def look_at(record: Record) -> None:
    """Do all that the commands do; only our own errors may come."""
    look, status = Look(width=80), record.status()
    with contextlib.suppress(NemoRunError):
        source = provenance.of(record)
        page.head(record, status, source, look, time.time())
        page.failures(record, status, look, status.jobs)
        for job in record.jobs:
            one = view(record, status, str(job["id"]))
            left = left_by(record, one.id, [member.name for member in one.members])
            page.job_lines(record, status, one, source, left, look)
    with contextlib.suppress(NemoRunError):
        assert list(verify(record, connect=False))
    with contextlib.suppress(NemoRunError):
        stored_chain(task_of(record.job_dir("train") / "task.json"), "layers[0]")


@pytest.mark.parametrize("file", FILES)
def test_no_value_anywhere_does_harm(record: Record, file: str) -> None:
    path = record.path / file
    good = json.loads(path.read_text())
    random.seed(file)
    cases = [(place, odd) for place in places(good) for odd in ODD]
    for place, odd in random.sample(cases, min(len(cases), 80)):
        path.write_text(json.dumps(changed(good, place, odd)))
        try:
            look_at(Record(record.path))
        except Exception as error:
            raise AssertionError(f"{file} with {odd!r:.60} at {place}") from error
    path.write_text(json.dumps(good))


@pytest.mark.parametrize("file", FILES)
def test_no_bytes_in_place_of_a_file_do_harm(record: Record, file: str) -> None:
    path = record.path / file
    good = path.read_bytes()
    for bad in (b"", b"\xff\xfe", b"{", b"[" * 100_000, good[:-20], b"null", b"1e999"):
        path.write_bytes(bad)
        look_at(Record(record.path))
    path.unlink()
    look_at(Record(record.path))
    path.symlink_to("/etc/passwd")
    look_at(Record(record.path))
    Path(path).unlink()
    path.mkdir()
    look_at(Record(record.path))
