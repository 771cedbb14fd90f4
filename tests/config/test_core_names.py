"""The home folder, references, types and plain dicts."""

# ruff: noqa: UP007, UP045  (old spellings are what is tested)

from __future__ import annotations

import functools
import math
import os
import subprocess
import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Optional, Union

import pytest

import nemo_run as run
import nemo_run.config as config
from nemo_run.config.graph.node import is_node, target_name
from nemo_run.config.graph.reference import Deferred, Reference, resolved
from nemo_run.exceptions import CheckError, ConfigError


class Outer:
    class Inner:
        @classmethod
        def make(cls):
            return cls

        @staticmethod
        def free(): ...

        def method(self): ...


class Heir(Outer.Inner): ...


def decorated(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)

    return wrapper


@decorated
def target(x=1):
    return x


@dataclass
class Inner:
    n: int = 0


@dataclass
class Whole:
    inner: Optional[Inner] = None
    many: list[Inner] | None = None
    table: dict[str, Inner] | None = None
    pair: tuple[Inner, int] | None = None
    plain: object = None


@pytest.mark.parametrize(
    "value",
    [
        target, Outer, Outer.Inner, Outer.Inner.make, Heir.make, Outer.Inner.free,
        Outer.Inner.method, len, dict, dict.fromkeys, math.sqrt, os.path.join, Path, OrderedDict,
        functools.partial, str.upper, type(None),
    ],
)  # fmt: skip
def test_everything_with_a_name_is_found_again_by_it(value):
    reference = Reference.of(value)
    assert reference.resolve() == value
    assert Reference.of(reference.resolve()) == reference


def test_what_has_no_name_says_why():
    def inside(): ...

    with pytest.raises(ValueError, match="it is a lambda; give it a name"):
        Reference.of(lambda: 1)
    with pytest.raises(ValueError, match=r"inside a function, as .*inside; move it to the top"):
        Reference.of(inside)
    with pytest.raises(ValueError, match="no name to import it by"):
        Reference.of(functools.partial(target))
    with pytest.raises(ValueError, match="no module knows"):
        Reference.of(target.__wrapped__)


def test_a_name_that_leads_nowhere_says_which_part():
    with pytest.raises(ConfigError, match=r"has no 'Iner'. Did you mean 'Inner'"):
        Reference(__name__, "Outer.Iner").resolve()
    with pytest.raises(ConfigError, match="importing 'no_such_module' failed"):
        Reference("no_such_module", "f").resolve()
    assert str(Reference("a.b", "C.d")) == "a.b.C.d"


def test_a_node_from_a_file_imports_its_target_only_when_needed(tmp_path, monkeypatch):
    (tmp_path / "late_module.py").write_text("def f(a, b=5):\n    return a, b\n")
    monkeypatch.syspath_prepend(tmp_path)
    cfg = run.Partial._restore(Reference("late_module", "f"), {"a": 1})
    assert (cfg.a, target_name(cfg)) == (1, "late_module.f")
    _ = repr(cfg), str(cfg), cfg.clone(), cfg == cfg.clone(), cfg._repr_svg_()
    assert "late_module" not in sys.modules
    assert cfg.b == 5
    assert config.build(cfg)() == (1, 5)
    assert cfg == run.Partial(sys.modules.pop("late_module").f, 1)


def test_values_from_a_file_are_made_when_they_are_read():
    made = []

    def make(document, children):
        made.append(document)
        return (document, *children)

    late = Deferred({"kind": "x"}, [1], make)
    cfg = run.Config._restore(target, {"x": [late, {"k": (late, 2)}]})
    copied = cfg.clone()
    _ = str(cfg), repr(cfg), cfg == copied
    assert made == []
    assert cfg.x == [({"kind": "x"}, 1), {"k": (({"kind": "x"}, 1), 2)}]
    assert len(made) == 1, "one value used twice is made once"
    assert cfg.x is cfg.x
    assert config.build(copied)[0] == ({"kind": "x"}, 1)
    assert resolved((1, 2)) == (1, 2)


def test_nodes_of_fiddle_are_nodes():
    fdl = pytest.importorskip("fiddle")
    inner = fdl.Config(Inner, n=fdl.Partial(Inner, 3))
    cfg = run.Config(target, [inner])
    assert is_node(inner)
    assert not is_node(fdl.Config)
    assert not is_node(Inner())
    built = config.build(cfg)
    assert built[0].n() == Inner(3)
    assert "Config[Inner]" in str(cfg)
    cfg.broadcast(n=4)
    assert inner.n == 4
    assert cfg.clone() == cfg


def test_the_home_folder_is_read_when_it_is_used(tmp_path, monkeypatch):
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "a"))
    assert config.get_nemorun_home() == config.NEMORUN_HOME == str(tmp_path / "a")
    config.set_nemorun_home(str(tmp_path / "b"))
    assert config.get_nemorun_home() == config.NEMORUN_HOME == str(tmp_path / "b")
    child = [sys.executable, "-c", "from nemo_run.config import get_nemorun_home as g; print(g())"]
    shown = subprocess.run(child, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == str(tmp_path / "b"), "programs started from here use it too"
    monkeypatch.delenv("NEMORUN_HOME")
    assert config.get_nemorun_home() == str(Path.home() / ".nemo_run")
    monkeypatch.setenv("HOME", str(tmp_path))
    config.set_nemorun_home("~/c")
    assert config.get_nemorun_home() == str(tmp_path / "c")


def test_the_names_inside_a_job():
    assert config.RUNDIR_NAME == "nemo_run"
    assert config.RUNDIR_SPECIAL_NAME == "/$nemo_run"
    assert config.SCRIPTS_DIR == "scripts"
    assert config.USE_WITH_RAY_CLUSTER_KEY == "use_with_ray_cluster"


def test_every_name_of_the_package_is_there():
    for name in config.__all__:
        assert getattr(config, name) is not None
        assert name in dir(config)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = config.Nothing


def test_a_class_and_its_configuration_have_one_namespace():
    for same in (Inner, run.Config(Inner), run.Partial(Inner), run.Config[Inner].__args__[0]):
        assert config.get_type_namespace(same) == f"{__name__}.Inner"
    assert config.get_type_namespace(dict[str, int]) == "builtins.dict"


def test_the_launching_script_goes_by_its_file_name(tmp_path):
    file = tmp_path / "my_script.py"
    file.write_text(
        "from nemo_run.config import get_type_namespace\nclass A: ...\nprint(get_type_namespace(A))"
    )
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=True)
    assert done.stdout == "my_script.A\n"


def test_underlying_types_of_unions_old_and_new():
    expected = {int, str, type(None)}
    for hint in (
        Optional[Union[int, str]],
        int | str | None,
        Annotated[Optional[int | str], "doc"],
        Union[int, Annotated[str, 1], None],
    ):
        assert config.get_underlying_types(hint) == expected
    assert config.get_underlying_types(int) == {int}
    assert config.get_underlying_types(list[int]) == {list[int]}
    assert config.get_underlying_types(Literal[1]) == {Literal[1]}


def test_objects_from_plain_dicts():
    raw = {
        "inner": {"n": 1},
        "many": [{"n": 2}, {}],
        "table": {"k": {"n": 3}},
        "pair": [{"n": 4}, 5],
        "plain": {"n": 6},
    }
    assert config.from_dict(raw, Whole) == Whole(
        Inner(1), [Inner(2), Inner()], {"k": Inner(3)}, (Inner(4), 5), {"n": 6}
    )
    assert config.from_dict({}, Optional[Whole]) == Whole()
    assert config.from_dict(None, Whole) is None
    with pytest.raises(CheckError, match=r"has no field 'iner'\. Did you mean 'inner'"):
        config.from_dict({"iner": 1}, Whole)
    with pytest.raises(CheckError, match="could be any of Inner, Whole"):
        config.from_dict({}, Union[Inner, Whole])


def test_functions_of_a_program_under_a_profiler_have_their_names(tmp_path):
    (tmp_path / "program.py").write_text(
        "from nemo_run.config.graph.reference import Reference\n"
        "class Model:\n"
        "    def fit(self): ...\n"
        "def train(): ...\n"
        "print(*map(Reference.of, [train, Model, Model.fit]))\n"
    )
    for runner in (["-m", "cProfile"], ["-m", "trace", "--count", "--coverdir", "out"]):
        done = subprocess.run(
            [sys.executable, *runner, "program.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "__main__.train __main__.Model __main__.Model.fit\n" in done.stdout
