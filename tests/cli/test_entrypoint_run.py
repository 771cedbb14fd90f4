"""``nemo-run run``: functions of files and modules that nobody made a command."""

from __future__ import annotations

import pytest
from scripts import TRAIN

PLAIN = """
    import sys

    DEVICE = "cpu"

    class Scale:
        def __init__(self, by: int = 2):
            self.by = by

    def work(scale: Scale, n: int = 1) -> int:
        print("work", scale.by * n, DEVICE, sys.argv[1:], __name__)
        return scale.by * n

    if __name__ == "__main__":
        raise SystemExit("the main block ran")
"""


@pytest.fixture
def nemo(folder, program):
    return lambda *words, **more: folder.run(*program, *words, **more)


def test_a_function_of_a_file_runs_with_values_and_its_main_block_does_not(nemo, folder):
    folder.write("plain.py", PLAIN)
    done = nemo("run", "plain.py:work", "scale.by=3", "n=2", "--yes")
    assert done.code == 0, done.err
    assert done.out == "work 6 cpu ['scale.by=3', 'n=2', '--yes'] __main__\n"


def test_it_runs_in_a_job_as_a_script_does(nemo, folder):
    folder.write("plain.py", PLAIN)
    folder.write("beside.py", "FACTOR = 10\n")
    folder.write(
        "uses.py", "import beside\n\ndef work(n: int) -> int:\n    return n * beside.FACTOR\n"
    )
    done = nemo("run", "plain.py:work", "scale.by=3", "run.executor=local", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["results"] == {"work": 3}
    (folder.path / "deeper").mkdir()
    done = folder.run(
        "sh", "-c", "cd deeper && nemo-run run ../uses.py:work n=2 run.executor=local -y --json"
    )
    assert done.code == 0, done.err
    assert done.json["results"] == {"work": 20}


def test_a_script_that_calls_main_is_a_file_like_any_other(nemo, folder):
    folder.write("train.py", TRAIN)
    assert "layers=4" in nemo("run", "train.py:train", "model.layers=4", "--yes").out
    unguarded = TRAIN.replace('if __name__ == "__main__":\n        run', "if True:\n        run")
    folder.write("bare.py", unguarded)
    assert "layers=4" in nemo("run", "bare.py:train", "model.layers=4", "--yes").out


def test_a_function_of_a_module_runs_from_the_folder_it_lies_in(nemo, folder):
    folder.write("pkg/__init__.py", "")
    folder.write(
        "pkg/tools.py", "from .names import NAME\n\ndef hello(n: int = 1):\n    print(NAME * n)\n"
    )
    folder.write("pkg/names.py", "NAME = 'ho'\n")
    assert nemo("run", "pkg.tools:hello", "n=2", "--yes").out == "hoho\n"
    assert nemo("run", "json:dumps", "obj=[1,2]", "--json", "--yes").json["results"] == {
        "json.dumps": "[1, 2]"
    }


def test_the_only_entrypoint_of_a_file_needs_no_name(nemo, folder):
    folder.write(
        "one.py",
        """
        import nemo_run as run

        @run.cli.entrypoint(skip_confirmation=True)
        def only(n: int):
            print("n", n)

        def other():
            pass
        """,
    )
    assert nemo("run", "one.py", "n=3").out == "n 3\n"
    folder.write("two.py", (folder.path / "one.py").read_text() + "run.cli.entrypoint(other)\n")
    done = nemo("run", "two.py", "n=3")
    assert done.code == 2
    assert "2 entrypoints: only, other" in done.err


def test_what_the_file_prints_does_not_stand_in_a_document(nemo, folder):
    folder.write("loud.py", "print('loaded')\n\ndef work(n: int = 1) -> int:\n    return n\n")
    assert (
        nemo("run", "loud.py:work", "--cfg").out == "_target_: loud.work\n_partial_: true\n# n: 1\n"
    )
    assert nemo("run", "loud.py:work", "n=2", "--json", "--yes").json["results"] == {"work": 2}
    assert nemo("run", "loud.py:work", "n=2", "--yes").out == "loaded\n"


def test_the_help_is_that_of_the_function(nemo, folder):
    folder.write("train.py", TRAIN)
    helped = nemo("run", "train.py:train", "--help").out
    assert helped.startswith("Usage: nemo-run run train.py:train [OPTIONS]")
    assert "What is trained." in helped
    assert "FILE.py[:FUNCTION]" in nemo("run", "--help").out


def test_the_only_function_of_a_file_needs_no_name(nemo, folder):
    folder.write(
        "slow.py",
        """
        from math import sqrt

        import nemo_run as run

        def slow(n: int) -> float:
            return _half(sqrt(n))

        def _half(n: float) -> float:
            return n / 2

        @run.cli.factory
        def usual() -> run.Partial[slow]:
            return run.Partial(slow, n=4)
        """,
    )
    assert (
        nemo("run", "slow.py", "usual", "--cfg").out
        == "_target_: slow.slow\n_partial_: true\nn: 4\n"
    )


@pytest.mark.parametrize(
    ("words", "case"),
    [
        (["trian.py:train"], "run: missing file"),
        (["nowhere/trian.py:train"], "run: missing folder"),
        (["folder.py:train"], "run: no regular file"),
        (["train.py:trian"], "run: missing function"),
        (["train.py:DEFAULT"], "run: no function"),
        (["two.py"], "run: file with several functions"),
        (["nomodule:train"], "run: missing module"),
        (["broken.py:train"], "run: broken file"),
        (["--yes", "train.py:train"], "run: option before the function"),
        ([], "run: nothing to run"),
    ],
)
def test_what_is_not_there_is_said_with_the_nearest(nemo, folder, error_snapshot, words, case):
    folder.write("train.py", TRAIN.replace("@dataclass", "DEFAULT = 3\n\n    @dataclass", 1))
    folder.write("broken.py", "def train(:\n")
    (folder.path / "folder.py").mkdir()
    folder.write("two.py", "def train() -> int: ...\ndef test() -> int: ...\n")
    done = nemo("run", *words)
    assert (done.code, done.out) == (2, "")
    error_snapshot(case, done.err, {str(folder.path): "<folder>"})


def test_an_error_while_the_file_is_loaded_is_its_traceback(nemo, folder):
    folder.write("bad.py", "import nothing_of_the_kind\n")
    done = nemo("run", "bad.py:train")
    assert done.code == 2  # nothing was started
    lines = done.err.splitlines()
    assert lines[-1] == "ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    assert "bad.py" in lines[1]


def test_an_error_of_a_function_of_pythons_library_is_no_bug_of_ours(nemo):
    done = nemo("run", "json:loads", "s={", "--direct")
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("json.decoder.JSONDecodeError")


def test_lazily_the_file_is_run_in_the_job_only(nemo, folder):
    folder.write(
        "heavy.py",
        """
        import os

        if "NEMORUN_JOB" not in os.environ:
            raise RuntimeError("imported where it should not be")

        class Net:
            def __init__(self, layers: int = 1):
                self.layers = layers

        def train(net: Net, lr: float = 0.1) -> list:
            return [net.layers, lr]
        """,
    )
    words = ["heavy.py:train", "net.layers=3", "lr=1e-2", "run.executor=local", "--yes", "--json"]
    done = nemo("run", *words, "--lazy")
    assert done.code == 0, done.err
    assert list(done.json["results"].values()) == [[3, 0.01]]
    assert nemo("run", *words).code == 2


def test_a_function_of_a_module_of_this_folder_runs_in_a_job(nemo, folder):
    folder.write("pkg/__init__.py", "")
    folder.write("pkg/tools.py", "def double(n: int) -> int:\n    return 2 * n\n")
    done = nemo("run", "pkg.tools:double", "n=4", "run.executor=local", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.json["results"] == {"pkg.tools.double": 8}


def test_an_experiment_is_no_lazy_task_and_a_lazy_script_imports_what_lies_beside_it(nemo, folder):
    folder.write(
        "lab/study.py",
        """
        import nemo_run as run
        from shared import WIDTH

        def width() -> int:
            print(WIDTH)

        @run.cli.entrypoint(type="experiment")
        def study(ctx: run.cli.RunContext) -> None: ...
        """,
    )
    folder.write("lab/shared.py", "WIDTH = 5\n")
    assert nemo("run", "lab/study.py:width", "--lazy", "--direct").out == "5\n"
    done = nemo("run", "lab/study.py:study", "--lazy", "--direct")
    assert done.code != 0
    assert "study describes an experiment" in done.err
    assert "Leave --lazy out" in done.err


def test_the_recorded_command_runs_the_same_once_more(nemo, folder):
    folder.write("plain.py", PLAIN)
    first = nemo("run", "plain.py:work", "scale.by=3", "--yes", "--json", "run.executor=local")
    shown = nemo("experiment", "show", first.json["id"], "--json")
    again = folder.run(*shown.json["argv"])
    assert again.code == 0, again.err
    assert again.json["results"] == first.json["results"] == {"work": 3}
    assert again.json["id"] != first.json["id"]
