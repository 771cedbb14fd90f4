"""Import statements of a block that import nothing, and what they bind."""

from __future__ import annotations

import builtins
import contextlib
import copy
import importlib
import pickle
import subprocess
import sys
import threading
import typing

import pytest

import nemo_run as run
from nemo_run.cli.lazy.names import LazyModule, LazyTarget
from nemo_run.config.files import codec
from nemo_run.exceptions import ConfigError


def test_what_is_not_installed_can_be_imported_and_named():
    with run.lazy_imports():
        import nowhere_at_all
        import nowhere_at_all.deep.inside as inside
        from nowhere_at_all.nets import Net
        from nowhere_at_all.nets import Net as Other

    assert isinstance(nowhere_at_all, LazyModule)
    assert str(nowhere_at_all.train) == "nowhere_at_all.train"
    assert isinstance(inside, LazyModule)
    assert str(inside.f) == "nowhere_at_all.deep.inside.f"
    assert inside is not None
    assert nowhere_at_all.deep.inside == inside
    assert Net == Other == LazyTarget("nowhere_at_all.nets.Net")
    assert not any(name.startswith("nowhere_at_all") for name in sys.modules)


def test_nothing_is_imported_even_where_it_could_be():
    sys.modules.pop("this", None)
    with run.lazy_imports():
        import this
    assert isinstance(this, LazyModule)
    assert "this" not in sys.modules


def test_the_real_import_is_back_after_the_block_and_after_an_error():
    before = builtins.__import__
    with run.lazy_imports():
        assert builtins.__import__ is not before
    assert builtins.__import__ is before
    with pytest.raises(RuntimeError), run.lazy_imports():
        raise RuntimeError
    assert builtins.__import__ is before
    import json

    assert json.dumps(1) == "1"


def test_functions_called_in_the_block_import_as_ever(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "imports_colorsys.py").write_text("import colorsys\nmodule = colorsys\n")

    def helper():
        import bisect

        return bisect

    with run.lazy_imports():
        found = importlib.import_module("imports_colorsys")
        bisect = helper()
        import colorsys

    assert bisect.bisect([1, 2], 1) == 1
    assert found.module.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0.0)
    assert isinstance(colorsys, LazyModule)


def test_other_threads_import_as_ever_while_a_block_is_open():
    opened, done = threading.Event(), threading.Event()
    found = []

    def elsewhere():
        opened.wait(10)
        import a_name_that_is_nowhere  # noqa: F401

    def really():
        opened.wait(10)
        import fractions

        found.append(fractions)
        with contextlib.suppress(ModuleNotFoundError):
            elsewhere()
            found.append("a module that is nowhere was imported")
        done.set()

    thread = threading.Thread(target=really)
    thread.start()
    with run.lazy_imports():
        opened.set()
        assert done.wait(10)
        import fractions
    thread.join()
    assert found == [sys.modules["fractions"]]
    assert isinstance(fractions, LazyModule)


def test_blocks_of_threads_that_overlap_do_not_disturb_each_other():
    before = builtins.__import__
    barrier = threading.Barrier(8, timeout=20)
    problems = []

    def work(index):
        for _ in range(50):
            barrier.wait()
            with run.lazy_imports():
                import nowhere_at_all
            if not isinstance(nowhere_at_all, LazyModule):
                problems.append(index)
            try:
                import nowhere_at_all
            except ModuleNotFoundError:
                continue
            problems.append(index)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert builtins.__import__ is before


def test_a_hook_that_somebody_puts_over_it_goes_on_working():
    before = builtins.__import__
    calls = []
    try:
        with run.lazy_imports():
            below = builtins.__import__

            def theirs(name, *args, **kwargs):
                calls.append(name)
                return below(name, *args, **kwargs)

            builtins.__import__ = theirs
        import fractions

        with run.lazy_imports():
            import nowhere_at_all
        import decimal
    finally:
        builtins.__import__ = before
    assert fractions is sys.modules["fractions"]
    assert decimal is sys.modules["decimal"]
    assert isinstance(nowhere_at_all, LazyModule)
    assert "fractions" in calls


def test_with_fallback_what_is_there_is_imported():
    with run.lazy_imports(fallback_to_lazy=True):
        import json as real

        import nowhere_at_all
    assert real.dumps([]) == "[]"
    assert isinstance(nowhere_at_all, LazyModule)


def test_relative_imports_and_exit_stacks(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    package = tmp_path / "lazy_pkg" / "sub"
    package.mkdir(parents=True)
    (tmp_path / "lazy_pkg" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("")
    (package / "it.py").write_text(
        "import contextlib\nimport nemo_run as run\n"
        "with contextlib.ExitStack() as stack:\n"
        "    stack.enter_context(run.lazy_imports())\n"
        "    from . import near\n    from ..far import away\n    from .model import Net\n"
    )
    it = importlib.import_module("lazy_pkg.sub.it")
    assert str(it.near) == "lazy_pkg.sub.near"
    assert str(it.away) == "lazy_pkg.far.away"
    assert str(it.Net) == "lazy_pkg.sub.model.Net"


def test_what_cannot_be_lazy_is_a_sentence():
    with pytest.raises(ImportError, match=r"from os\.path import \* cannot be lazy.*Name them"):
        exec(
            "import nemo_run as run\nwith run.lazy_imports():\n    from os.path import *\n",
            {"__name__": "somewhere"},
        )
    lazy = LazyModule("torch")
    with pytest.raises(AttributeError, match="torch is not imported"):
        lazy.backend = 1
    with pytest.raises(TypeError, match=r"Import torch\.Module outside of lazy_imports"):

        class Mine(lazy.Module):
            pass


def test_calling_imports():
    with run.lazy_imports():
        import colorsys
        from os import path
    assert colorsys.rgb_to_hsv(0, 0, 0) == (0.0, 0.0, 0.0)
    assert path.basename("a/b") == "b"
    assert LazyTarget("math.pi").target == pytest.approx(3.14159, abs=1e-4)
    with pytest.raises(ConfigError, match=r"math\.sqr cannot be loaded.*Did you mean 'sqrt'"):
        _ = LazyTarget("math.sqr").target
    with pytest.raises(ConfigError, match=r"nowhere\.f cannot be loaded"):
        LazyTarget("nowhere.f")()


def test_a_module_of_a_package_is_found_though_nobody_imported_it():
    sys.modules.pop("xml.dom.minicompat", None)
    with run.lazy_imports():
        from xml.dom import minicompat
    assert minicompat.NodeList.target.__name__ == "NodeList"


@pytest.mark.parametrize("thing", [LazyModule("a.b", {"a.b.c"}), LazyTarget("a.b.f")], ids=str)
def test_stand_ins_can_be_pickled_copied_and_compared(thing):
    for same in (pickle.loads(pickle.dumps(thing)), copy.deepcopy(thing)):
        assert same == thing
        assert hash(same) == hash(thing)
        assert str(same.c) == str(thing.c)


def test_stand_ins_are_annotations():
    with run.lazy_imports():
        from nowhere_at_all import Net

    def f(a: Net, b: Net | None = None, c: list[Net] | None = None, d: Net[int] = None):
        pass

    f.__annotations__ = {
        "a": Net, "b": Net | None, "c": list[Net], "d": Net[int], "e": None | Net,
    }  # fmt: skip
    assert typing.get_args(Net | None) == (Net, type(None))
    run.Partial(f, a=run.Config(Net, 1))
    run.help(f)


def test_a_task_of_targets_that_are_not_here_is_described_and_written():
    with run.lazy_imports():
        import nowhere_at_all as away

    task = run.Partial(
        away.llm.pretrain, model=run.Config(away.Net, width=3), activation=away.nn.relu
    )
    task.steps = 5
    copied = pickle.loads(pickle.dumps(copy.deepcopy(task)))
    text = codec.dumps(copied)
    assert '"nowhere_at_all:llm.pretrain"' in text
    back = codec.loads(text)
    assert back.steps == 5
    assert codec.dumps(back) == text
    assert back == task
    assert "nowhere_at_all" not in sys.modules


SCRIPT = """\
import nemo_run as run

with run.lazy_imports():
    import far_library
    from far_library import SCALE, Net

def train(n: int, net: Net = None) -> list:
    return [far_library.double(n) * SCALE, type(far_library).__name__, type(net).__name__]

if __name__ == "__main__":
    executor = run.LocalExecutor(env_vars={"PYTHONPATH": "library"})
    print(run.run(run.Partial(train, 3, run.Config(Net, 2)), executor, tail_logs=False))
"""


def test_a_function_of_a_script_finds_the_real_modules_in_its_job(tmp_path):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "far_library.py").write_text(
        "SCALE = 10\n\ndef double(n):\n    return 2 * n\n\n"
        "class Net:\n    def __init__(self, width):\n        self.width = width\n"
    )
    (tmp_path / "job.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "job.py"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[60, 'module', 'Net']"
