"""What one Python or one version of this library wrote, every other one reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import codec_values
import pytest

import nemo_run
from nemo_run.config.files import codec
from nemo_run.config.graph.node import Config, Partial
from nemo_run.exceptions import ConfigError

HERE = Path(__file__).parent
WRITTEN_ON_313 = HERE / "data" / "graph-version-1.json"
PROGRAM = HERE / "codec_values.py"


def other_pythons() -> list[str]:
    """One interpreter of each other version that can be found: on PATH, or pyenv's."""
    found: dict[tuple[int, ...], str] = {}
    named = [shutil.which(f"python3.{minor}") for minor in range(10, 15)]
    for python in [*named, *map(str, Path.home().glob(".pyenv/versions/3.*/bin/python"))]:
        if python:
            show = "import sys; print(*sys.version_info[:2])"
            done = subprocess.run([python, "-c", show], capture_output=True, text=True, check=False)
            found.setdefault(tuple(map(int, done.stdout.split())), python)
    return [p for v, p in sorted(found.items()) if v >= (3, 10) and v != sys.version_info[:2]]


NONE = pytest.param("", marks=pytest.mark.skip(reason="no other version of Python is installed"))
OTHERS = other_pythons() or [NONE]


def run_on(python: str, *arguments: object) -> None:
    folders = os.pathsep.join([str(Path(nemo_run.__file__).parent.parent), str(HERE)])
    subprocess.run(
        [python, PROGRAM, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": folders},
        check=True,
    )


def test_a_file_written_on_python_3_13_is_read_here() -> None:
    codec_values.main("compare", str(WRITTEN_ON_313))


@pytest.mark.parametrize("python", OTHERS)
def test_a_file_written_on_python_3_13_is_read_on_each_other_python(python: str) -> None:
    run_on(python, "compare", WRITTEN_ON_313)


@pytest.mark.parametrize("python", OTHERS)
def test_each_python_writes_the_same_bytes(python: str, tmp_path: Path) -> None:
    run_on(python, "write", tmp_path / "there.json")
    run_on(sys.executable, "write", tmp_path / "here.json")
    assert (tmp_path / "there.json").read_bytes() == (tmp_path / "here.json").read_bytes()


def test_the_format_has_not_changed_since_version_1() -> None:
    values = codec_values.values()
    task = Partial(
        codec_values.train, 0.5, Config(codec_values.Model, size=2), data=values, bind_args=False
    )
    committed = json.loads(WRITTEN_ON_313.read_text(encoding="utf-8"))
    assert codec.encode(task) == committed["value"]


def test_keys_that_a_later_minor_version_adds_are_ignored() -> None:
    document = json.loads(codec.dumps(Config(codec_values.Model, size=2)))
    document["signature"] = {"by": "somebody"}
    document["value"]["comment"] = "added later"
    document["history"]["hosts"] = ["a"]
    read = codec.loads(json.dumps(document))
    assert read == Config(codec_values.Model, size=2)


def test_a_newer_major_version_is_refused_by_name() -> None:
    document = json.loads(codec.dumps(Config(codec_values.Model)))
    document["version"] = 2
    with pytest.raises(ConfigError, match=r"version 2 .* reads version 1"):
        codec.loads(json.dumps(document))


def test_a_kind_of_value_that_is_not_known_yet_is_an_error_with_its_path() -> None:
    document = json.loads(codec.dumps(Config(codec_values.Model, size=[1])))
    document["value"]["arguments"]["size"][0] = {"$": "quaternion", "items": [1, 2, 3, 4]}
    with pytest.raises(ConfigError, match=r"at size\[0\].*'quaternion'"):
        codec.loads(json.dumps(document))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"format": "other", "version": 1}', "null"])
def test_a_text_that_is_no_graph_is_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError, match="not a configuration"):
        codec.loads(text)
