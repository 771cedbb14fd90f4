"""When fiddle is imported: before us, after us, twice, in a thread, or never."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fiddle")

CHECK = """
import functools
def f(a, b=2): return a, b
cfg, par = run.Config(f, 1), run.Partial(f, 1)
class Own(run.Config): pass
assert isinstance(cfg, fdl.Buildable) and isinstance(cfg, fdl.Config)
assert isinstance(par, fdl.Partial) and not isinstance(par, fdl.Config)
assert fdl.build(fdl.Config(f, cfg, Own(f, 3))) == ((1, 2), (3, 2))
assert fdl.build(fdl.cast(run.Partial, fdl.Config(f, 1)))() == (1, 2)
assert [str(v) for v, _ in fdl.daglish.iterate(cfg)][-1] == "1"
print("fine")
"""


def python(code: str, cwd: Path | None = None, *flags: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", *flags, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **env},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def check(*lines: str) -> None:
    code = "\n".join(lines)
    assert python(f"{code}\nimport fiddle.daglish\n{CHECK}").endswith("fine")


def test_fiddle_first():
    check("import fiddle as fdl", "import nemo_run as run")


def test_fiddle_second():
    check("import nemo_run as run", "import fiddle as fdl")


def test_fiddle_after_our_nodes_exist():
    check(
        "import nemo_run as run",
        "class Early(run.Partial): pass",
        "early = Early(print)",
        "import fiddle as fdl",
        "assert isinstance(early, fdl.Partial)",
        "import fiddle.daglish",
        "assert fiddle.daglish.find_node_traverser(Early)",
    )


def test_an_inner_module_of_fiddle_first():
    check(
        "import nemo_run as run",
        "run.Config",
        "from fiddle._src.experimental import serialization",
        "import fiddle as fdl",
    )


THREADS = """
import importlib, sys, threading
sys.setswitchinterval(1e-6)
start, errors = threading.Barrier(len(names)), []
def load(name):
    start.wait()
    try:
        importlib.import_module(name)
    except BaseException as error:
        errors.append(repr(error))
threads = [threading.Thread(target=load, args=(name,)) for name in names]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not errors, errors
import fiddle as fdl, nemo_run as run
"""


def test_fiddle_in_many_threads():
    check("import nemo_run as run; run.Config", "names = ['fiddle'] * 8", THREADS)


def test_both_imported_at_once():
    names = ["fiddle", "nemo_run.config.graph.node", "fiddle.selectors", "nemo_run.config.script"]
    check(f"names = {names}", THREADS)


def test_fiddle_reloaded():
    check(
        "import nemo_run as run, importlib",
        "run.Config",
        "import fiddle as fdl",
        "fdl = importlib.reload(fdl)",
    )


def test_fiddle_forgotten_and_imported_again():
    check(
        "import nemo_run as run, sys",
        "run.Config",
        "import fiddle as first",
        "for name in [n for n in sys.modules if n.partition('.')[0] == 'fiddle']:",
        "    del sys.modules[name]",
        "import fiddle as fdl",
        "assert fdl.Config is not first.Config",
    )


def test_looking_whether_fiddle_is_there_changes_nothing():
    check(
        "import nemo_run as run, importlib.util, sys",
        "run.Config",
        "assert importlib.util.find_spec('fiddle') is not None",
        "assert 'fiddle' not in sys.modules",
        "import fiddle as fdl",
        "from importlib.machinery import SourceFileLoader",
        "assert type(fdl.__loader__) is type(fdl.__spec__.loader) is SourceFileLoader",
        "assert 'exec_module' not in vars(fdl.__loader__)",
        "import inspect",
        "assert 'import build' in inspect.getsource(fdl)",
    )


def test_beside_another_import_hook_that_asks_all_finders():
    check(
        "import nemo_run as run, sys",
        "run.Config",
        "class Hook:",
        "    def find_spec(self, name, path=None, target=None):",
        "        for finder in sys.meta_path:",
        "            spec = None if finder is self else finder.find_spec(name, path, target)",
        "            if spec is not None: return spec",
        "sys.meta_path.insert(0, Hook())",
        "import fiddle as fdl",
    )


def test_a_lazy_import_of_fiddle():
    check(
        "import nemo_run as run, importlib.util, sys",
        "run.Config",
        "spec = importlib.util.find_spec('fiddle')",
        "spec.loader = importlib.util.LazyLoader(spec.loader)",
        "fdl = sys.modules['fiddle'] = importlib.util.module_from_spec(spec)",
        "spec.loader.exec_module(fdl)",
        "fdl.Config",
    )


def test_we_never_import_fiddle():
    code = """
import sys, nemo_run as run
cfg = run.Config(dict, a=run.Partial(print, 1))
cfg.clone(); repr(cfg); cfg == cfg.clone(); run.config.build(cfg); cfg.__flatten__()
class Own(run.Config): pass
assert not [name for name in sys.modules if name.partition('.')[0] in ('fiddle', 'absl', 'libcst')]
print("fine")
"""
    assert python(code) == "fine"


def test_without_fiddle_installed(tmp_path):
    # An empty module path entry in front cannot hide a package, so fiddle is made unfindable.
    code = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] == 'fiddle': raise ModuleNotFoundError(name=name)
sys.meta_path.insert(0, Hidden())
import nemo_run as run
assert run.config.build(run.Config(dict, a=1)) == {"a": 1}
try:
    import fiddle
except ModuleNotFoundError:
    print("fine")
"""
    assert python(code) == "fine"


def test_another_package_called_fiddle_is_left_alone(tmp_path):
    (tmp_path / "fiddle.py").write_text("VIOLIN = True\n")
    code = """
import nemo_run as run
run.Config
import fiddle
assert fiddle.VIOLIN
print(fiddle.__file__)
"""
    found = python(
        code, tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    )
    assert Path(found).parent == tmp_path


def test_a_fiddle_that_fails_to_import_fails_as_it_would_alone(tmp_path):
    (tmp_path / "fiddle").mkdir()
    (tmp_path / "fiddle" / "__init__.py").write_text("raise RuntimeError('broken string')\n")
    code = """
import nemo_run as run
run.Config
for _ in range(2):
    try:
        import fiddle
    except RuntimeError as error:
        print(error)
"""
    found = python(
        code, tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    )
    assert found.splitlines() == ["broken string", "broken string"]


def test_an_unknown_fiddle_is_imported_with_a_warning_that_says_what_is_lost(tmp_path):
    source = tmp_path / "fiddle" / "_src"
    source.mkdir(parents=True)
    (tmp_path / "fiddle" / "__init__.py").write_text(
        "__version__ = '9.0'\nfrom fiddle._src import config\n"
    )
    (source / "__init__.py").write_text("")
    (source / "config.py").write_text("class Buildable: pass\n")
    code = """
import warnings
import nemo_run as run
run.Config
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import fiddle
print(caught[0].message)
"""
    path = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    said = python(code, tmp_path, PYTHONPATH=path)
    assert "9.0" in said
    assert "fdl.build" in said
    assert "0.3.1" in said
