"""The scripts that lead local jobs, as files that are reviewed like code.

To accept new ones: ``NEMO_RUN_UPDATE_SNAPSHOTS=1 python -m pytest tests/execution``.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

import pytest

from nemo_run.execution import processes
from nemo_run.execution.jobspec import JobSpec, Member
from nemo_run.execution.local.render import render

GOLDENS = Path(__file__).parent / "goldens"


def member(name: str, *command: str, directory: str, **more) -> Member:
    return Member(name, directory, command, working_directory="/home/me/my project", **more)


def single() -> JobSpec:
    environment = {"LR": "3e-4", "TEXT": "it's\ntwo lines", "my.name": "x"}
    one = member(
        "train", "/usr/bin/python", "worker.py", "/e/train", directory="/e/train",
        environment=environment,
    )  # fmt: skip
    return JobSpec("digits_1", "train", "local", "/e/train", (one,), attempt=2)


def group() -> JobSpec:
    server = member("server", "serve", directory="/e/eval/server", role="sidecar")
    client = member("client", "ask", "$it", directory="/e/eval/client", processes_per_node=2)
    return JobSpec("digits_1", "eval", "local", "/e/eval", (server, client), policy="main")


@pytest.mark.parametrize("spec", [single(), group()], ids=["single", "group"])
def test_the_script_is_the_one_that_was_reviewed(spec: JobSpec) -> None:
    [artifact] = render(spec)
    text = artifact.content.decode()
    for path, name in ((processes.__file__, "<processes.py>"), (sys.executable, "<python>")):
        text = text.replace(shlex.quote(path), name)
    golden = GOLDENS / f"{spec.job}.sh"
    if os.environ.get("NEMO_RUN_UPDATE_SNAPSHOTS"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")
