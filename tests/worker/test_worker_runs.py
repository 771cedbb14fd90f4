"""The worker, started as a job starts it: a file, a folder, an environment."""

from __future__ import annotations

import collections
import functools
import json
import math
import os
import shutil
import subprocess
import sys
import textwrap
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nemo_run import worker
from nemo_run.config.files import codec
from nemo_run.config.graph.node import Config, Partial
from nemo_run.config.graph.reference import Deferred, Reference, resolved

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX processes")


@dataclass
class Job:
    """A job's folder, and what its last run said."""

    folder: Path
    original: Path
    out: str = ""
    err: str = ""

    def task(self, target: str, /, *, kind: type = Partial, **arguments: Any) -> Job:
        module, _, qualname = target.partition(":")
        node = kind._restore(Reference(module, qualname), arguments, {})
        (self.folder / "task.json").write_text(codec.dumps(node), encoding="utf-8")
        return self

    def script(self, text: str, **settings: Any) -> Job:
        (self.folder / "configs").mkdir(exist_ok=True)
        (self.folder / "configs" / "__main__.py").write_text(textwrap.dedent(text))
        self.settings(
            main="configs/__main__.py",
            main_file=str(self.original),
            sys_path=[str(self.original.parent)],
            **settings,
        )
        return self

    def settings(self, **settings: Any) -> None:
        (self.folder / "worker.json").write_text(json.dumps(settings))

    def run(self, *, python: str = sys.executable, **environment: str) -> int:
        done = subprocess.run(
            [python, self.folder / "worker.py", self.folder],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.out, self.err = done.stdout, done.stderr
        return done.returncode

    def json(self, name: str) -> Any:
        return json.loads((self.folder / name).read_text(encoding="utf-8"))

    @property
    def result(self) -> Any:
        return codec.decode(self.json("result.json")["value"])


@pytest.fixture
def job(tmp_path: Path) -> Job:
    folder, home = tmp_path / "job", tmp_path / "users code"
    folder.mkdir()
    home.mkdir()
    (folder / "worker.py").write_text(worker.source(), encoding="utf-8")
    return Job(folder, home / "launch.py")


def pythons() -> list[str]:
    """Every other Python that can be found, oldest supported first."""
    found = [shutil.which(f"python3.{minor}") for minor in range(8, 15)]
    found += map(str, sorted(Path.home().glob(".pyenv/versions/3.*/bin/python")))
    return [p for p in dict.fromkeys(found) if p and _version(p) >= (3, 8)]


def _version(python: str) -> tuple[int, ...]:
    show = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", show], capture_output=True, text=True, check=False)
    return tuple(map(int, done.stdout.split()))


# --- Calling -----------------------------------------------------------------------------------


def test_a_partial_is_called_and_its_return_value_is_the_result(job: Job) -> None:
    job.script("def train(lr, path): return {'twice': lr * 2, 'path': path}")
    assert job.task("__main__:train", lr=0.5, path=Path("a/b")).run() == 0
    assert job.result == {"twice": 1.0, "path": Path("a/b")}


def test_a_config_is_built_and_what_it_builds_is_the_result(job: Job) -> None:
    job.task("builtins:dict", kind=Config, a=(1, 2))
    assert job.run() == 0
    assert job.result == {"a": (1, 2)}


def test_shared_nodes_are_built_once_and_partials_stay_partials(job: Job) -> None:
    job.script(
        """
        class Model: pass
        def train(a, b, make):
            return [a is b, a is make(), type(make).__name__, make.keywords]
        """
    )
    model = Config._restore(Reference("__main__", "Model"), {}, {})
    make = Partial._restore(Reference("builtins", "dict"), {"x": [model]}, {})
    assert job.task("__main__:train", a=model, b=model, make=make).run() == 0, job.err
    same, fresh, kind, keywords = job.json("result.json")["value"]
    assert (same, fresh, kind) == (True, False, "partial")
    assert keywords["x"][0]["$"] == "unavailable"


def test_arguments_by_position_arrive_in_order(job: Job) -> None:
    job.script("def f(a, b=2, /, c=3, *rest, d): return [a, b, c, rest, d]")
    document = {
        "$": "partial",
        "target": "__main__:f",
        "positional": [[0, 1], [1, 2], ["c", 3], [3, 4], [4, {"$": "tuple", "items": [5]}]],
        "arguments": {"d": 6},
    }
    text = json.dumps({"format": "nemo-run/graph", "version": 1, "value": document})
    (job.folder / "task.json").write_text(text)
    assert job.run() == 0, job.err
    assert job.result == [1, 2, 3, (4, (5,)), 6]


def test_an_async_function_is_awaited(job: Job) -> None:
    job.script(
        """
        import asyncio
        async def train():
            await asyncio.sleep(0)
            return "done"
        """
    )
    assert job.task("__main__:train").run() == 0
    assert job.result == "done"


@pytest.mark.parametrize("python", pythons())
def test_every_python_from_3_8_on_runs_a_task(job: Job, python: str) -> None:
    job.script(
        """
        import sys
        def train(values): return [sys.version_info[:2], values]
        """
    )
    values = {(1, "a"): {1, 2}, "p": Path("x"), "nan": float("inf"), "none": type(None)}
    assert job.task("__main__:train", values=values).run(python=python) == 0, job.err
    version, found = job.result
    assert version == _version(python)
    none = found.pop("none")
    assert getattr(none, "text", none) in ("<class 'NoneType'>", type(None))
    assert found == {key: value for key, value in values.items() if key != "none"}


# --- The launching script ----------------------------------------------------------------------


def test_a_module_next_to_the_script_is_found_and_the_jobs_own_folder_is_not(job: Job) -> None:
    (job.original.parent / "worker.py").write_text("name = 'the user has a worker.py too'")
    job.script(
        """
        def train():
            import worker
            return worker.name
        """
    )
    assert job.task("__main__:train").run() == 0, job.err
    assert job.result == "the user has a worker.py too"


def test_the_script_finds_its_own_file_name_and_package(job: Job) -> None:
    package = job.original.parent / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "near.py").write_text("value = 5")
    job.original.write_text("")
    job.script(
        """
        import sys
        from .near import value
        def train(): return [__name__, __file__, __package__, value, sys.argv]
        """,
        main_package="package",
    )
    assert job.task("__main__:train").run() == 0, job.err
    file = str(job.original)
    assert job.result == ["__main__", file, "package", 5, [str(job.folder / "worker.py")]]


@posix
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_processes_that_the_task_starts_see_the_copy_and_never_launch_again(
    job: Job, method: str
) -> None:
    job.original.write_text("raise SystemExit('the original launching script ran again')")
    job.script(
        """
        import multiprocessing
        from dataclasses import dataclass
        @dataclass
        class Sample:
            n: int
        def square(sample): return Sample(sample.n ** 2)
        def train(method):
            with multiprocessing.get_context(method).Pool(2) as pool:
                return pool.map(square, [Sample(2), Sample(3)])[1].n
        """
    )
    assert job.task("__main__:train", method=method).run() == 0, job.err
    assert job.result == 9
    assert job.err == ""


def test_objects_of_the_script_can_be_pickled(job: Job) -> None:
    job.script(
        """
        import pickle
        class Model: pass
        def train(): return type(pickle.loads(pickle.dumps(Model()))) is Model
        """
    )
    assert job.task("__main__:train").run() == 0, job.err
    assert job.result is True


# --- Failing -----------------------------------------------------------------------------------


def test_a_traceback_is_pythons_own_without_the_workers_frames(job: Job) -> None:
    job.script(
        """
        def deep():
            raise KeyError("lr")

        def train():
            try:
                deep()
            except KeyError as error:
                raise ValueError("no rate") from error
        """
    )
    job.original.write_text("the file was changed after the launch\n" * 20)
    assert job.task("__main__:train").run() == 1
    file = job.original
    # Python 3.13 underlines more of a line than earlier ones.
    shown = "".join(
        line for line in job.err.splitlines(keepends=True) if line == "\n" or line.strip("~^ \n")
    )
    assert shown == textwrap.dedent(f"""\
        Traceback (most recent call last):
          File "{file}", line 7, in train
            deep()
          File "{file}", line 3, in deep
            raise KeyError("lr")
        KeyError: 'lr'

        The above exception was the direct cause of the following exception:

        Traceback (most recent call last):
          File "{file}", line 9, in train
            raise ValueError("no rate") from error
        ValueError: no rate
        """)
    record = job.json("error.0.json")
    assert record["traceback"] == job.err
    assert (record["type"], record["module"], record["message"]) == (
        "ValueError",
        "builtins",
        "no rate",
    )
    assert not (job.folder / "result.json").exists()


def test_an_error_while_building_names_the_path_and_keeps_its_type(job: Job) -> None:
    job.script(
        """
        class Layer:
            def __init__(self, size):
                if size < 0: raise ValueError("negative size")
        def train(model): ...
        """
    )
    layers = [Config._restore(Reference("__main__", "Layer"), {"size": n}, {}) for n in (1, -1)]
    assert job.task("__main__:train", model={"layers": layers}).run() == 1
    record = job.json("error.0.json")
    assert record["type"] == "ValueError"
    assert "model['layers'][1]" in record["traceback"]
    assert "worker.py" not in record["traceback"]


def test_a_damaged_history_hides_no_error_of_the_task(job: Job) -> None:
    job.task("operator:truediv", a=1)
    task = job.json("task.json")
    task["value"]["arguments"] = {
        "a": {"$": "config", "target": "builtins:int", "positional": [["", "x"]]}
    }
    for history in ([], {"nodes": []}, {"nodes": {"a": [["__fn_or_cls__", "python", 1, 9, 1]]}}):
        (job.folder / "task.json").write_text(json.dumps({**task, "history": history}))
        assert job.run() == 1
        assert job.json("error.0.json")["type"] == "ValueError"


def test_a_missing_module_is_an_error_of_the_job(job: Job) -> None:
    assert job.task("no_such_module:train").run() == 1
    assert job.json("error.0.json")["type"] == "ModuleNotFoundError"
    assert "No module named 'no_such_module'" in job.err


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        ("SystemExit(3)", 3),
        ("SystemExit('out of data')", 1),
        ("KeyboardInterrupt()", 130),
        ("SystemExit(0)", 0),
        ("SystemExit()", 0),
        ("BaseException('x')", 1),
    ],
)
def test_the_exit_code_is_what_the_task_says(job: Job, raised: str, code: int) -> None:
    job.script(f"def train(): raise {raised}")
    assert job.task("__main__:train").run() == code
    assert (job.folder / "error.0.json").exists() is (code != 0)
    assert (job.folder / "result.json").exists() is (code == 0)
    assert ("out of data" in job.err) is ("out of data" in raised)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes came with Python 3.11")
def test_notes_and_groups_are_shown(job: Job) -> None:
    job.script(
        """
        def train():
            error = ExceptionGroup("both", [ValueError("a"), OSError(2, "b")])
            error.add_note("look at the disk")
            raise error
        """
    )
    assert job.task("__main__:train").run() == 1
    assert job.json("error.0.json")["notes"] == ["look at the disk"]
    assert "look at the disk" in job.err
    assert "FileNotFoundError: [Errno 2] b" in job.err


def test_an_excepthook_of_the_task_shows_its_errors(job: Job) -> None:
    job.script(
        """
        import sys
        def train():
            sys.excepthook = lambda kind, error, frames: print("mine:", error)
            raise ValueError("x")
        """
    )
    assert job.task("__main__:train").run() == 1
    assert (job.out, job.err) == ("mine: x\n", "")
    assert job.json("error.0.json")["message"] == "x"


def test_an_exception_whose_text_cannot_be_made_is_still_recorded(job: Job) -> None:
    job.script(
        """
        class Broken(Exception):
            def __str__(self): raise RuntimeError
        def train(): raise Broken
        """
    )
    assert job.task("__main__:train").run() == 1
    assert "RuntimeError" in job.json("error.0.json")["message"]


# --- Ranks, logs, results ----------------------------------------------------------------------


def test_only_rank_0_leaves_a_result_and_each_rank_its_own_error(job: Job) -> None:
    job.script(
        """
        import os
        def train(fail):
            if fail: raise ValueError(os.environ["RANK"])
            return os.environ["RANK"]
        """
    )
    job.task("__main__:train", fail=False)
    assert job.run(RANK="1") == 0
    assert not (job.folder / "result.json").exists()
    assert job.run(RANK="0", SLURM_PROCID="7") == 0
    assert job.result == "0"
    job.task("__main__:train", fail=True)
    assert [job.run(RANK=str(rank)) for rank in range(2)] == [1, 1]
    assert [job.json(f"error.{rank}.json")["message"] for rank in range(2)] == ["0", "1"]


def test_an_attempt_that_succeeds_after_a_restart_leaves_no_error(job: Job) -> None:
    job.script(
        """
        import os
        def train():
            if os.environ["TRY"] == "1": raise ValueError
        """
    )
    job.task("__main__:train")
    assert [job.run(TRY=attempt) for attempt in "12"] == [1, 0]
    assert not (job.folder / "error.0.json").exists()


def test_files_go_to_the_attempts_folder(job: Job, tmp_path: Path) -> None:
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    job.task("builtins:dict", kind=Config).run(NEMORUN_ATTEMPT_DIR=str(attempt))
    assert [path.name for path in attempt.iterdir()] == ["result.json"]


def test_a_log_line_arrives_while_the_task_still_runs(job: Job) -> None:
    job.script(
        """
        import sys
        def train():
            print("epoch 1")
            sys.stdin.readline()
        """
    )
    job.task("__main__:train")
    command = [sys.executable, job.folder / "worker.py", job.folder]
    with subprocess.Popen(command, stdout=-1, stdin=-1, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "epoch 1\n"
        assert process.poll() is None
        process.communicate("\n", timeout=30)
    assert process.returncode == 0


def test_what_cannot_be_written_is_noted_and_the_rest_is_kept(job: Job) -> None:
    job.script(
        """
        class Model:
            def __repr__(self): raise RuntimeError("no repr")
        def train():
            circle = []
            circle.append(circle)
            return {"accuracy": 0.5, "model": Model(), "circle": circle}
        """
    )
    assert job.task("__main__:train").run() == 0
    result = job.result
    assert result["accuracy"] == 0.5
    assert "RuntimeError" in result["model"].text
    assert "result['model'] is not kept" in job.err
    assert "result['circle'][0] is not kept: it contains itself" in job.err


def test_a_result_that_cannot_be_written_at_all_says_so(job: Job) -> None:
    job.script("def train(): return open(__file__)")
    assert job.task("__main__:train").run() == 0
    document = job.json("result.json")
    assert "TextIOWrapper" in document["unavailable"]
    assert document["why"]
    assert "value" not in document


@pytest.mark.torch
def test_tensors_and_numpy_numbers_of_no_dimension_are_numbers(job: Job) -> None:
    pytest.importorskip("torch")
    job.script(
        """
        import numpy, torch
        def train():
            return [torch.tensor(2.5), numpy.float32(0.5), numpy.int64(3), numpy.array(True)]
        """
    )
    assert job.task("__main__:train").run() == 0, job.err
    assert job.json("result.json")["value"] == [2.5, 0.5, 3, True]


def test_what_the_standard_library_offers_as_a_value_comes_back_as_a_result(job: Job) -> None:
    job.script(
        """
        import array, collections, functools, ipaddress, math, re, types
        def train():
            return [
                collections.OrderedDict(b=1, a=(2,)),
                collections.Counter("aab"),
                collections.defaultdict(list, {1: [2]}),
                collections.deque([1, 2], maxlen=3),
                collections.ChainMap({"a": 1}, {"b": 2}),
                range(1, 9, 2),
                slice(None, 3),
                types.SimpleNamespace(loss=0.5, at=[1]),
                types.MappingProxyType({"a": 1}),
                array.array("d", [0.5, float("inf")]),
                re.compile("a+", re.I),
                ipaddress.ip_address("10.0.0.1"),
                int, collections.Counter, math.sqrt, functools.reduce, ...,
            ]
        """
    )
    assert job.task("__main__:train").run() == 0
    assert job.err == ""
    result = resolved(job.result)
    kinds = [type(value).__name__ for value in result[:12]]
    assert " ".join(kinds) == (
        "OrderedDict Counter defaultdict deque ChainMap range slice SimpleNamespace mappingproxy "
        "array Pattern IPv4Address"
    )
    assert result[:8] == [
        collections.OrderedDict(b=1, a=(2,)),
        collections.Counter("aab"),
        {1: [2]},
        collections.deque([1, 2], maxlen=3),
        collections.ChainMap({"a": 1}, {"b": 2}),
        range(1, 9, 2),
        slice(None, 3),
        types.SimpleNamespace(loss=0.5, at=[1]),
    ]
    assert result[2].default_factory is list
    assert result[12:] == [int, collections.Counter, math.sqrt, functools.reduce, ...]


def test_a_class_or_function_that_no_module_has_is_noted(job: Job) -> None:
    job.script(
        """
        def train():
            class Local: ...
            return {"class": Local, "function": lambda: 1, "classes": [dict]}
        """
    )
    assert job.task("__main__:train").run() == 0
    assert "result['class'] is not kept: it, __main__.train.<locals>.Local, cannot" in job.err
    assert "result['function'] is not kept" in job.err
    assert job.result["classes"] == [dict]


@pytest.mark.torch
def test_a_small_array_comes_back_and_what_is_larger_says_the_way_out(job: Job) -> None:
    numpy = pytest.importorskip("numpy")
    pytest.importorskip("torch")
    job.script(
        """
        import numpy, torch
        def train():
            return {
                "half": numpy.array([[1.5, float("nan")], [-float("inf"), 0]], dtype="float16"),
                "words": numpy.array(["a", "bcd"]),
                "complex": numpy.arange(2) * 1j,
                "empty": numpy.zeros((0, 3), dtype="int8"),
                "long": numpy.zeros(10_001),
                "things": numpy.array([object()]),
                "tensor": torch.ones(2),
            }
        """
    )
    assert job.task("__main__:train").run() == 0
    assert job.json("result.json")["value"]["words"] == {
        "$": "numpy.array",
        "dtype": "<U3",
        "shape": [2],
        "items": ["a", "bcd"],
    }
    assert isinstance(job.result["half"], Deferred), "reading alone does not load NumPy"
    result = resolved(job.result)
    half = result["half"]
    assert half.dtype == numpy.float16
    assert numpy.array_equal(half, [[1.5, numpy.nan], [-numpy.inf, 0]], equal_nan=True)
    assert result["complex"].tolist() == [0, 1j]
    assert (result["empty"].shape, result["empty"].dtype) == ((0, 3), numpy.int8)
    for name in ("long", "things", "tensor"):
        assert "Return its numbers, with .tolist() or .item(), or save it" in result[name].why


@posix
def test_a_result_that_the_disk_has_no_room_for_fails_the_job_and_says_so(job: Job) -> None:
    job.script(
        """
        import resource
        def train():
            resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
            return "x" * 100_000
        """
    )
    (job.folder / "result.json").write_text("the result of before")
    assert job.task("__main__:train").run() == 1
    assert "The task ended well, but its result could not be written" in job.err
    assert (job.folder / "result.json").read_text() == "the result of before"
    assert job.json("error.0.json")["type"] == "OSError"
    assert not list(job.folder.glob("*.tmp"))


@posix
def test_a_copy_of_the_process_that_comes_back_leaves_no_second_result(job: Job) -> None:
    job.script(
        """
        import os
        def train():
            child = os.fork()
            if not child: return "child"
            os.waitpid(child, 0)
            return "parent"
        """
    )
    assert job.task("__main__:train").run() == 0
    assert job.result == "parent"


def test_odd_text_in_a_result_is_kept(job: Job) -> None:
    job.script("def train(): return ['h\\xe9', 'x\\udc80', '\\ud83d\\ude00', float('nan')]")
    assert job.task("__main__:train").run() == 0
    assert job.result[:3] == ["h\xe9", "x\udc80", "\ud83d\ude00"]


def test_the_worker_imports_nothing_that_the_task_does_not_need(job: Job) -> None:
    job.script(
        """
        import sys
        def train(): return sorted(sys.modules)
        """
    )
    bare = [sys.executable, "-c", "import sys; print(*sys.modules)"]
    before = subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split()
    assert job.task("__main__:train", kind=Partial).run() == 0
    added = set(job.result) - set(before) - set(sys.builtin_module_names)
    assert added <= {"__future__", "_json"}


def test_a_result_nested_too_deeply_is_noted_and_the_job_succeeds(job: Job) -> None:
    job.script(
        """
        def train():
            value = []
            for _ in range(100_000): value = [value]
            return value
        """
    )
    assert job.task("__main__:train").run() == 0
    assert job.json("result.json")["why"] == "it is nested too deeply"


def test_a_value_whose_own_code_raises_is_noted(job: Job) -> None:
    job.script(
        """
        class Evil:
            def __getattr__(self, name): raise RuntimeError("do not look")
            @property
            def __class__(self): raise ValueError("nor here")
        def train(): return {"x": Evil(), "y": 1}
        """
    )
    assert job.task("__main__:train").run() == 0, job.err
    assert job.result["y"] == 1


def test_a_task_without_a_script_never_finds_the_workers_own_names(job: Job) -> None:
    assert job.task("__main__:main").run() == 1
    assert "module '__main__' has no attribute 'main'" in job.err


def test_the_script_is_loaded_with_the_arguments_of_the_launch(job: Job) -> None:
    job.script(
        """
        import sys
        at_load = list(sys.argv)
        def train(): return at_load, sys.argv[1:]
        """,
        argv=["launch.py", "--fast"],
    )
    assert job.task("__main__:train").run() == 0
    assert job.result == (["launch.py", "--fast"], ["--fast"])


def test_a_library_that_starts_further_ranks_runs_the_task_again_and_not_the_launch(
    job: Job,
) -> None:
    job.original.write_text("raise SystemExit('the original launching script ran again')")
    job.script(
        """
        import os, subprocess, sys
        def train():
            if os.environ.get("LOCAL_RANK", "0") == "0":
                # As PyTorch Lightning starts the other ranks of a machine.
                environment = {**os.environ, "LOCAL_RANK": "1"}
                subprocess.run([sys.executable, *sys.argv], env=environment, check=True)
            else:
                print("the second rank")
            return os.environ.get("LOCAL_RANK", "0")
        """,
        argv=["launch.py", "--devices=2"],
    )
    assert job.task("__main__:train").run(RANK="0") == 0, job.err
    assert job.out == "the second rank\n"
    assert job.result == "0"


def test_starting_the_worker_without_a_task_is_wrong_use(job: Job) -> None:
    assert job.run() == 2
    assert "There is no task.json in" in job.err


@posix
def test_a_crash_in_native_code_leaves_the_python_lines_in_the_log(job: Job) -> None:
    job.script(
        """
        import os, signal
        def train(): os.kill(os.getpid(), signal.SIGSEGV)
        """
    )
    assert job.task("__main__:train").run() == -11
    assert "Segmentation fault" in job.err
    assert f'File "{job.original}", line 3 in train' in job.err


def test_an_error_while_building_says_where_the_node_was_configured(job: Job) -> None:
    job.script("def train(model): ...")
    job.task("__main__:train", model=[Config(int, "x")])
    assert job.run() == 1
    assert "ValueError: invalid literal" in job.err
    assert f"(while building builtins.int at model[0], configured at {__file__}:" in job.err
