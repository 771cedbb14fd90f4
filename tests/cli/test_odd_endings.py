"""Code of users that ends the program, forks it, or raises what is no Exception."""

from __future__ import annotations

import json
import os
import shlex
import sys

import pytest
from scripts import Done, Folder

TASKS = """\
import os
import sys

import nemo_run as run


@run.cli.factory
def leaving() -> dict:
    sys.exit(0)


def ends(code: int = 0, d: dict = {}) -> int:
    sys.exit(code)


def interrupted() -> int:
    raise KeyboardInterrupt


def base() -> int:
    raise BaseException("b")


def forks(fails: bool = False) -> int:
    child = os.fork()
    if child == 0:
        if fails:
            raise ValueError("in the child")
        return 1
    os.waitpid(child, 0)
    return 2


def vanishes() -> int:
    os._exit(0)
"""


@pytest.fixture
def run(folder: Folder, program: list[str]):
    folder.write("tasks.py", TASKS)
    folder.write("leaves.py", "import sys\nsys.exit(0)\n\ndef f() -> int:\n    return 1\n")
    folder.write("base.py", "raise BaseException('b')\n")

    def started(*words: str) -> Done:
        return folder.run(*program, "run", *words)

    return started


@pytest.mark.parametrize("target", ["leaves.py:f", "leaves:f"])
def test_a_script_that_ends_the_program_while_it_is_loaded_is_refused(run, target) -> None:
    done = run(target, "--yes")
    assert (done.code, done.out) == (2, "")
    assert "leaves.py:2 ended the program with sys.exit(0) before anything ran." in done.err


def test_so_is_a_factory_that_does(run) -> None:
    done = run("tasks.py:ends", "d=leaving", "--yes", "--json")
    assert done.code == 2
    assert "tasks.py:9 ended the program with sys.exit(0)" in done.json["error"]["message"]


@pytest.mark.parametrize(
    ("words", "code", "state"),
    [
        (("tasks.py:ends",), 0, "SUCCEEDED"),
        (("tasks.py:ends", "code=3"), 3, "FAILED"),
        (("tasks.py:interrupted",), 130, "FAILED"),
        (("tasks.py:base",), 1, "FAILED"),
    ],
)
def test_a_task_in_this_process_has_one_document_however_it_ends(run, words, code, state) -> None:
    done = run(*words, "--direct", "--json")
    assert (done.code, done.json["state"]) == (code, state)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked there")
def test_a_child_that_the_task_forked_and_that_comes_back_prints_nothing(run) -> None:
    for words in ((), ("fails=true",)):
        done = run("tasks.py:forks", *words, "--direct", "--json")
        assert (done.code, json.loads(done.out)["results"]) == (0, {"forks": 2}), done.err


def test_what_is_no_exception_is_shown_from_the_users_first_line(run) -> None:
    done = run("tasks.py:base", "--direct", "--yes")
    assert done.code == 1
    assert done.err.count("File ") == 1
    assert done.err.endswith("BaseException: b\n")
    done = run("base:f", "--yes")
    assert done.code == 2
    assert done.err.count("File ") == 1


def test_the_exit_code_is_what_a_job_came_to_as_everywhere(run) -> None:
    # Programs leave with os._exit(0) where their teardown would hang.
    done = run("tasks.py:vanishes", "run.executor=local", "--yes", "--json")
    assert (done.code, done.json["state"]) == (0, "SUCCEEDED")
    assert done.json["results"] == {"vanishes": None}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_what_can_be_shown_nowhere_is_no_success(run, folder: Folder, program: list[str]) -> None:
    words = shlex.join([*program, "run", "tasks.py:vanishes", "--cfg"])
    done = folder.run("sh", "-c", f"{words} >&-")
    assert (done.code, done.err) == (
        2,
        "error: Standard output is closed, so there is nowhere to show it.\n",
    )
