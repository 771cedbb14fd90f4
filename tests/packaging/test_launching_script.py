"""Functions of real launching programs run in another process, from the text that travels."""

from __future__ import annotations

import json
import subprocess
import sys
import zipapp
from pathlib import Path
from textwrap import dedent

import pytest

SOURCE = Path(__file__).parents[2] / "src"

CAPTURE = """
import json as _json, sys as _sys, dataclasses as _dataclasses
from nemo_run.packaging.launching_script import capture as _capture
def _travel(value):
    script = _capture(value)
    _sys.stdout.write(_json.dumps(script and _dataclasses.asdict(script)) + "\\n")
"""

# What a worker does: load the text as __main__ and call a function of it.
JOB = """
import json, pathlib, sys, types
script, call = json.load(sys.stdin)
main = types.ModuleType("__main__")
main.__file__, main.__package__ = script["original_path"], script["package"]
sys.modules["__main__"], argv = main, sys.argv
sys.argv = script["argv"]
copy = pathlib.Path("configs_main.py").absolute()
copy.write_text(script["text"], encoding="utf-8")
exec(compile(script["text"], str(copy), "exec"), main.__dict__)
print(json.dumps(eval(call, main.__dict__)))
"""


@pytest.fixture
def travel(tmp_path: Path) -> Path:
    """A folder with the module ``travel``, whose ``travel(value)`` prints what was captured."""
    (tmp_path / "travel.py").write_text(CAPTURE + "travel = _travel\n")
    return tmp_path


def python(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{SOURCE}:{cwd}", "PATH": "/usr/bin:/bin", "HOME": str(cwd)},
    )


def launched(done: subprocess.CompletedProcess) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def in_job(script: dict, call: str, cwd: Path) -> object:
    done = python("-c", JOB, cwd=cwd, stdin=json.dumps([script, call]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def write(folder: Path, text: str, name: str = "train.py") -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(text))
    return str(path)


def test_a_function_of_a_script_runs_without_launching_again(travel: Path) -> None:
    path = write(
        travel,
        """\
        from travel import travel
        import math
        import nemo_run as run

        SCALE = 10
        unused = open("launched", "a").write("x")

        def helper(x):
            return math.floor(x) * SCALE

        def train(lr: float = 1.5):
            return helper(lr)

        travel(run.Partial(train, lr=2.5))
        """,
    )
    script = launched(python(path, cwd=travel))
    assert in_job(script, "train(2.5)", travel) == 20
    assert (travel / "launched").read_text() == "x"
    assert script["original_path"] == path
    assert script["names"] == ["train"]
    assert script["package"] is None
    assert "nemo_run" not in script["text"]
    lines = script["text"].split("\n")
    assert lines[10] == "def train(lr: float = 1.5):"


def test_a_graph_without_anything_of_main_needs_no_script(travel: Path) -> None:
    path = write(
        travel,
        """\
        import math
        import nemo_run as run
        from travel import travel
        travel(run.Partial(math.prod, [1, 2]))
        """,
    )
    done = python(path, cwd=travel)
    assert done.stdout == "null\n", done.stderr


def test_classes_enums_nested_nodes_and_callables_of_main_are_found(travel: Path) -> None:
    path = write(
        travel,
        """\
        import enum, functools
        from dataclasses import dataclass
        import nemo_run as run
        from travel import travel

        class Color(enum.Enum):
            RED = 1

        @dataclass
        class Model:
            size: int

        class Base:
            @classmethod
            def make(cls): ...

        def act(x): return x
        def loss(x): return x
        def train(*args, **kwargs): ...

        if __name__ == "__main__":
            travel(run.Partial(train, models=[run.Config(Model, 1)], color={"a": (Color.RED,)},
                               act=act, make=Base.make, loss=functools.partial(loss, 1)))
        """,
    )
    script = launched(python(path, cwd=travel))
    assert script["names"] == ["Base", "Color", "Model", "act", "loss", "train"]


def test_objects_that_answer_everything_are_not_asked(travel: Path) -> None:
    path = write(
        travel,
        """\
        from unittest import mock
        import nemo_run as run
        from travel import travel
        class Base: ...
        def train(*args): ...
        travel(run.Partial(train, mock.MagicMock(), list[Base], dict[str, type[Base]]))
        """,
    )
    assert launched(python(path, cwd=travel))["names"] == ["Base", "train"]


def test_decorated_functions_keep_their_decorators(travel: Path) -> None:
    path = write(
        travel,
        """\
        import functools
        from dataclasses import dataclass
        import nemo_run as run
        from travel import travel

        def twice(times):
            def decorate(fn):
                @functools.wraps(fn)
                def inner(*args):
                    return fn(*args) * times
                return inner
            return decorate

        TIMES = 3

        @twice(TIMES)
        def train(x): return x

        @dataclass
        class Optimizer:
            lr: float

        @run.autoconvert
        def optimizer(lr: float = 0.1) -> Optimizer:
            return Optimizer(lr=lr)

        def fit(optimizer): return optimizer.lr

        if __name__ == "__main__":
            travel([run.Partial(train, 2), run.Partial(fit, optimizer()), run.Partial(optimizer)])
        """,
    )
    script = launched(python(path, cwd=travel))
    assert in_job(script, "train(2)", travel) == 6
    assert in_job(script, "fit(Optimizer(0.5))", travel) == 0.5
    assert in_job(script, "optimizer(0.2).lr", travel) == 0.2


def test_a_module_of_a_package_keeps_its_relative_imports(travel: Path) -> None:
    write(travel, "RATE = 5\n", "pkg/settings.py")
    write(travel, "", "pkg/__init__.py")
    write(
        travel,
        """\
        from . import settings
        from .settings import RATE
        import nemo_run as run
        from travel import travel
        def train(): return RATE + settings.RATE
        travel(run.Partial(train))
        """,
        "pkg/train.py",
    )
    script = launched(python("-m", "pkg.train", cwd=travel))
    assert script["package"] == "pkg"
    assert in_job(script, "train()", travel) == 10


def test_a_script_run_by_runpy_is_found(travel: Path) -> None:
    write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        def train(): return 7
        travel(run.Partial(train))
        """,
    )
    command = "import runpy; runpy.run_path('train.py', run_name='__main__')"
    script = launched(python("-c", command, cwd=travel))
    assert in_job(script, "train()", travel) == 7
    assert script["original_path"] == str(travel / "train.py")


def test_the_text_of_python_dash_c_is_found(travel: Path) -> None:
    command = dedent(
        """\
        from travel import travel
        import nemo_run as run
        def train(): return 8
        travel(run.Partial(train))
        """
    )
    for flags in (["-c"], ["-W", "ignore", "-X", "utf8", "-c"], ["-Bc"]):
        script = launched(python(*flags, command, "an argument", cwd=travel))
        assert in_job(script, "train()", travel) == 8
        assert script["original_path"] is None


def test_a_zip_application_is_found(travel: Path) -> None:
    write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        def train(): return 9
        travel(run.Partial(train))
        """,
        "app/__main__.py",
    )
    zipapp.create_archive(travel / "app", travel / "app.pyz")
    script = launched(python("app.pyz", cwd=travel))
    assert in_job(script, "train()", travel) == 9
    script = launched(python("app", cwd=travel))
    assert in_job(script, "train()", travel) == 9


@pytest.mark.parametrize("arguments", [["-"], []])
def test_a_script_on_standard_input_is_refused_with_the_way_out(
    travel: Path, arguments: list[str]
) -> None:
    text = dedent(
        """\
        from travel import travel
        import nemo_run as run
        def train(): return 8
        travel(run.Partial(train))
        """
    )
    done = python(*arguments, cwd=travel, stdin=text)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "nemo_run.exceptions.ConfigError: The task uses train of the launching program, whose text "
        "cannot be had: it came through standard input. Put the function into a file and import "
        "it, or run that file."
    )


def test_a_function_typed_at_the_prompt_is_refused_with_the_way_out(travel: Path) -> None:
    text = "from travel import travel\nimport nemo_run as run\ndef train(): return 8\n\n"
    done = python("-i", "-q", cwd=travel, stdin=text + "travel(run.Partial(train))\n")
    assert "it was typed at the Python prompt. Put the function into a file" in done.stderr


def test_a_name_that_main_does_not_define_is_refused(travel: Path) -> None:
    path = write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        def trains(): return 1
        exec("def train(): return 8")
        travel(run.Partial(train))
        """,
    )
    done = python(path, cwd=travel)
    assert f"'train' is not defined at the top level of {path}" in done.stderr
    assert "Did you mean 'trains'?" in done.stderr


def test_a_function_inside_a_function_is_refused(travel: Path) -> None:
    path = write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        def main():
            def train(): ...
            travel(run.Partial(train))
        main()
        """,
    )
    assert "main.<locals>.train is made inside a function" in python(path, cwd=travel).stderr


def test_a_lambda_is_refused(travel: Path) -> None:
    path = write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        travel(run.Partial(map, lambda x: x))
        """,
    )
    assert "<lambda> is a lambda of the launching script" in python(path, cwd=travel).stderr


def test_what_the_running_statement_makes_is_refused_with_its_line(travel: Path) -> None:
    path = write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        import other
        def train(): return result
        result = other.start(train)
        """,
    )
    write(travel, "from travel import travel\ndef start(task): travel(task)\n", "other.py")
    done = python(path, cwd=travel)
    assert (
        f"the statement that makes it is the one that launches: {path}:5: result =" in done.stderr
    )


def test_the_command_line_travels_for_statements_that_read_it(travel: Path) -> None:
    path = write(
        travel,
        """\
        import argparse
        import nemo_run as run
        from travel import travel
        parser = argparse.ArgumentParser()
        parser.add_argument("--lr", type=float, default=1.0)
        args = parser.parse_args()
        def train(): return args.lr
        travel(run.Partial(train))
        """,
    )
    script = launched(python(path, "--lr=0.25", cwd=travel))
    assert in_job(script, "train()", travel) == 0.25


def test_a_file_that_was_edited_after_it_started_is_refused(travel: Path) -> None:
    path = write(
        travel,
        """\
        import nemo_run as run
        from travel import travel
        def train(): return 1
        from pathlib import Path
        Path(__file__).write_text("#\\n" + Path(__file__).read_text())
        travel(run.Partial(train))
        """,
    )
    done = python(path, cwd=travel)
    assert f"{path} was changed after it was started: 'train' was on line 3" in done.stderr


def test_a_script_under_the_profiler_is_the_script(travel: Path) -> None:
    path = write(
        travel,
        """\
        import sys
        import nemo_run as run
        from travel import travel
        def train(): return 12
        travel(run.Partial(train))
        """,
    )
    done = python("-m", "cProfile", path, cwd=travel)
    script = json.loads(next(x for x in done.stdout.splitlines() if x.startswith("{")))
    assert in_job(script, "train()", travel) == 12


def test_an_encoding_other_than_utf8_is_read_and_the_text_says_so_no_more(travel: Path) -> None:
    text = dedent(
        """\
        # -*- coding: latin-1 -*-
        import nemo_run as run
        from travel import travel
        def train(): return "\xe9"
        travel(run.Partial(train))
        """
    )
    (travel / "train.py").write_bytes(text.encode("latin-1"))
    script = launched(python("train.py", cwd=travel))
    assert in_job(script, "train()", travel) == "\xe9"
    (travel / "copy.py").write_text(script["text"], encoding="utf-8")
    done = python("-c", "import sys, tokenize; print(tokenize.open('copy.py').read())", cwd=travel)
    assert "coding" not in done.stdout, done.stderr
