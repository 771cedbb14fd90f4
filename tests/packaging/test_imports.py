"""An import of the task that the snapshot does not hold is told before the job is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.packaging.import_statements import Import, imports_of
from nemo_run.packaging.imports import missing_imports


@pytest.fixture
def look(take):
    """Ask for the missing imports of a repository whose src folder is imported from."""

    def ask(repo, *modules, packager=None, scripts=None, sys_path=("src",)):
        snapshot = take(packager or run.GitArchivePackager(), repo.path)
        path = [str(repo.path / entry) for entry in sys_path]
        return missing_imports(snapshot, modules, scripts or {}, path)

    return ask


PACKAGE = {
    ".gitignore": "data.py\nbuild/\n*.so\n",
    "src/mylib/__init__.py": "",
    "src/mylib/train.py": "import os, yaml\nfrom mylib.model import Model\n",
    "src/mylib/model.py": "def make():\n    from . import data\n    return data\n",
}


def test_an_ignored_module_is_named_with_the_line_that_ignores_it(new_repository, look):
    repo = new_repository(files=PACKAGE)
    assert look(repo, "mylib.train") == []
    repo.write({"src/mylib/data.py": ""})
    assert look(repo, "mylib.train") == [
        (
            "src/mylib/model.py imports .data, which the code that travels does not hold: "
            "src/mylib/data.py is git-ignored (.gitignore, line 1: data.py)."
        )
    ]


def test_nothing_is_imported(new_repository, look):
    repo = new_repository(files=PACKAGE | {"src/mylib/train.py": "raise SystemExit(1)\n"})
    before = set(sys.modules)
    assert look(repo, "mylib.train") == []
    assert not {name for name in set(sys.modules) - before if name.startswith("mylib")}


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("import mylib.data", "mylib.data"),
        ("import os, mylib.data as d", "mylib.data"),
        ("from mylib import data, other", "mylib.data"),
        ("from mylib.data import x", "mylib.data"),
        ("from mylib.data import *", "mylib.data"),
        ("from .data import x", ".data"),
        ("from . import data", ".data"),
        (
            "class A:\n    def f(self):\n        with a:\n            import mylib.data",
            "mylib.data",
        ),
        ("match x:\n    case 1:\n        import mylib.data", "mylib.data"),
        ("try:\n    import x\nexcept ImportError:\n    import mylib.data", "mylib.data"),
        ("try:\n    import mylib.data\nexcept ValueError:\n    pass", "mylib.data"),
        ("try:\n    import mylib.data\nfinally:\n    pass", "mylib.data"),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import mylib.data", "mylib.data"),
    ],
)
def test_every_form_of_import_is_read(new_repository, look, statement, name):
    repo = new_repository(files=PACKAGE | {"src/mylib/train.py": statement})
    repo.write({"src/mylib/data.py": ""})
    assert look(repo, "mylib.train") == [
        (
            f"src/mylib/train.py imports {name}, which the code that travels does not hold: "
            "src/mylib/data.py is git-ignored (.gitignore, line 1: data.py)."
        )
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "try:\n    import mylib.data\nexcept ImportError:\n    pass",
        "try:\n    import mylib.data\nexcept (KeyError, ModuleNotFoundError):\n    pass",
        "try:\n    if x:\n        import mylib.data\nexcept:\n    pass",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mylib.data",
        "if __name__ == '__main__':\n    import mylib.data",
        "import installed_elsewhere.data, json, mylib.nothing",
        "import mylib.data (",
        "import nemo_run",
    ],
)
def test_imports_that_may_fail_are_not_told(new_repository, look, statement):
    repo = new_repository(files=PACKAGE | {"src/mylib/train.py": statement})
    repo.write({"src/mylib/data.py": ""})
    assert look(repo, "mylib.train") == []


def test_what_a_guarded_import_imports_is_looked_at(new_repository, look):
    files = {"src/mylib/train.py": "try:\n    import mylib.model\nexcept ImportError:\n    pass\n"}
    repo = new_repository(files=PACKAGE | files)
    repo.write({"src/mylib/data.py": ""})
    assert len(look(repo, "mylib.train")) == 1


def test_the_task_s_own_module_and_compiled_ones(new_repository, look):
    repo = new_repository(files=PACKAGE | {"src/mylib/train.py": "import mylib.ops\n"})
    repo.write(
        {"src/build/tool.py": "", "src/mylib/ops.cpython-311-x86_64-linux-gnu.so": b"\x7fELF"}
    )
    assert look(repo, "mylib.train", "build.tool") == [
        (
            "src/mylib/train.py imports mylib.ops, which the code that travels does not hold: "
            "src/mylib/ops.cpython-311-x86_64-linux-gnu.so is git-ignored (.gitignore, line 3: "
            "*.so)."
        ),
        (
            "The task imports build.tool, which the code that travels does not hold: "
            "src/build/tool.py is git-ignored (.gitignore, line 2: build/)."
        ),
    ]


def test_other_reasons(new_repository, look, tmp_path):
    repo = new_repository(
        files=PACKAGE | {"tools/helper.py": "", "src/mylib/train.py": "import helper"}
    )
    repo.write({"src/mylib/new.py": "", "src/mylib/model.py": "import mylib.new"})
    subpath = run.GitArchivePackager(subpath="src")
    assert look(repo, "mylib.train", packager=subpath, sys_path=("src", "tools")) == [
        (
            f"mylib/train.py imports helper, which does not travel: {repo.path}/tools/helper.py is "
            f"not below {repo.path}/src."
        )
    ]
    assert look(repo, "mylib.model", packager=run.GitArchivePackager(ref="HEAD")) == [
        (
            "src/mylib/model.py imports mylib.new, which the code that travels does not hold: "
            "src/mylib/new.py is not in the commit that ref='HEAD' stands for."
        )
    ]
    pattern = run.PatternPackager(include_pattern="src/mylib/[_tm]*.py", relative_path=".")
    assert look(repo, "mylib.model", packager=pattern) == [
        (
            "src/mylib/model.py imports mylib.new, which the code that travels does not hold: "
            "src/mylib/new.py is matched by no pattern."
        )
    ]


def test_a_submodule_that_is_left_out(new_repository, look):
    lib = new_repository("lib", {"lib/__init__.py": ""})
    repo = new_repository(files={"src/train.py": "import lib\n"})
    repo.git("submodule", "--quiet", "add", str(lib.path), "third_party/lib")
    path = ("src", "third_party/lib")
    assert look(repo, "train", sys_path=path) == []
    without = run.GitArchivePackager(include_submodules=False)
    assert look(repo, "train", packager=without, sys_path=path) == [
        (
            "src/train.py imports lib, which the code that travels does not hold: "
            "third_party/lib/lib/__init__.py is in the submodule third_party/lib, which is left "
            "out."
        )
    ]


def test_scripts(new_repository, look):
    repo = new_repository(
        files=PACKAGE | {"run.py": "if __name__ == '__main__':\n    import mylib.data\n"}
    )
    repo.write({"src/mylib/data.py": "", "build/main.py": ""})
    data = "src/mylib/data.py is git-ignored (.gitignore, line 1: data.py)."
    assert look(repo, scripts={str(repo.path / "run.py"): None}) == [
        f"run.py imports mylib.data, which the code that travels does not hold: {data}"
    ]
    # The launching script's text travels by itself, cut to what the task needs.
    assert look(repo, scripts={str(repo.path / "run.py"): "x = 1\n"}) == []
    assert look(repo, scripts={str(repo.path / "build/main.py"): None}) == [
        (
            "The job runs build/main.py, which the code that travels does not hold: "
            "build/main.py is git-ignored (.gitignore, line 2: build/)."
        )
    ]


def test_of_code_of_several_places_nothing_is_said(new_repository, look):
    repo = new_repository(files=PACKAGE)
    other = new_repository("other", {"x.py": ""})
    repo.write({"src/mylib/data.py": ""})
    git = run.GitArchivePackager()
    parts = {"a": git, "b": run.GitArchivePackager(include_pattern="*.md")}
    assert look(repo, "mylib.train", packager=run.HybridPackager(sub_packagers=parts)) == []
    at_root = run.HybridPackager(sub_packagers=parts, extract_at_root=True)
    assert len(look(repo, "mylib.train", packager=at_root)) == 1
    parts["c"] = run.GitArchivePackager(basepath=str(other.path))
    assert look(repo, "mylib.train", packager=at_root) == []


def test_many_are_summed_up_and_circles_end(new_repository, look):
    names = [f"gone{number}" for number in range(8)]
    files = {
        ".gitignore": "gone*\n",
        "src/a.py": "import b\n" + "".join(f"import {name}\n" for name in names),
        "src/b.py": "import a\n",
    }
    repo = new_repository(files=files)
    repo.write({f"src/{name}.py": "" for name in names})
    found = look(repo, "a")
    assert len(found) == 6
    assert found[-1] == "3 more imports of the task are not in the code that travels."


def test_folders_that_are_links_and_namespace_packages(new_repository, look):
    repo = new_repository(
        files={"lib/space/real/a.py": "from space.real import b\n", "lib/space/real/b.py": ""}
    )
    (repo.path / "linked").symlink_to("lib")
    assert look(repo, "space.real.a", sys_path=("elsewhere", "linked")) == []


def test_modules_that_are_loaded_from_elsewhere(new_repository, look, tmp_path, monkeypatch):
    """Editable installs are found by other means than sys.path."""
    import importlib.util

    place = tmp_path / "checkout" / "finder_made.py"
    place.parent.mkdir()
    place.write_text("")
    spec = importlib.util.spec_from_file_location("finder_made", place)
    monkeypatch.setitem(sys.modules, "finder_made", importlib.util.module_from_spec(spec))
    repo = new_repository(files={"src/a.py": "import finder_made, pytest, json\n"})
    assert look(repo, "a") == [
        f"src/a.py imports finder_made, which does not travel: {place} is not below {repo.path}."
    ]


def test_the_standard_library_parses_and_its_imports_are_found():
    """A large body of real programs: what is found is what the interpreter's own compiler sees."""
    found = 0
    for file in sorted(Path(subprocess.__file__).parent.glob("*.py")):
        found += len(imports_of(file.read_text(encoding="utf-8"), is_main=True))
    assert found > 1000
    assert imports_of("from ..a.b import c, d") == [Import("..a.b", ("c", "d"))]
