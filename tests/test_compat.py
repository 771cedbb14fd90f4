"""Programs written for the reference implementation import its module paths."""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import pydoc
import subprocess
import sys
from unittest import mock

import pytest

import nemo_run as run
from nemo_run.compat import absence
from nemo_run.compat.table import LATER, NEVER, PATHS

NAMES = [
    (path, name, home)
    for path, names in PATHS.items()
    for name, home in names.items()
    if name != "*"
]
CONFIG_NAMES = """
    RECURSIVE_TYPES RUNDIR_NAME RUNDIR_SPECIAL_NAME SCRIPTS_DIR USE_WITH_RAY_CLUSTER_KEY Config
    ConfigurableMixin OptionalDefaultConfig OptionalDefaultPartial Partial Script from_dict
    get_nemorun_home get_type_namespace get_underlying_types set_nemorun_home set_value
"""
ABSENT = [path for table in (LATER, NEVER) for paths in table.values() for path in paths]


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("path", PATHS)
def test_each_path_is_a_module(path):
    module = importlib.import_module(path)
    assert module.__name__ == path
    assert sys.modules[path] is module
    parent, _, child = path.rpartition(".")
    assert getattr(importlib.import_module(parent), child) is module


@pytest.mark.parametrize(("path", "name", "home"), NAMES)
def test_each_name_is_the_object_of_its_room(path, name, home):
    module, _, attribute = home.partition(":")
    found = getattr(importlib.import_module(path), name)
    assert found is getattr(importlib.import_module(module), attribute or name)
    if name in run.__all__ and name != "run":
        assert found is getattr(run, name)


@pytest.mark.parametrize("path", [path for path, names in PATHS.items() if names])
def test_star_imports_bring_every_public_name(path):
    names: dict = {}
    exec(f"from {path} import *", names)
    assert {n for n in PATHS[path] if not n.startswith("_") and n != "*"} <= names.keys()
    assert set(PATHS[path]) - {"*"} <= set(dir(importlib.import_module(path)))


# What programs in the wild write, one line each, and what must come out.
@pytest.mark.parametrize(
    ("line", "expression", "same_as"),
    [
        (
            "from nemo_run.core.execution.local import LocalExecutor",
            "LocalExecutor",
            "LocalExecutor",
        ),
        ("from nemo_run.core.execution import LocalExecutor", "LocalExecutor", "LocalExecutor"),
        ("from nemo_run.core.execution.base import Executor", "Executor", "Executor"),
        (
            "from nemo_run.core.execution.base import ExecutorMacros",
            "ExecutorMacros",
            "ExecutorMacros",
        ),
        ("from nemo_run.core.execution.launcher import Torchrun", "Torchrun", "Torchrun"),
        ("from nemo_run.core.packaging import Packager", "Packager", "Packager"),
        ("from nemo_run.core.packaging.base import Packager", "Packager", "Packager"),
        ("from nemo_run.config import Config", "Config", "Config"),
        ("from nemo_run.config import Partial", "Partial", "Partial"),
        ("from nemo_run.config import Script", "Script", "Script"),
        ("from nemo_run.api import autoconvert", "autoconvert", "autoconvert"),
        ("from nemo_run.api import dryrun_fn", "dryrun_fn", "dryrun_fn"),
        ("from nemo_run.run.task import dryrun_fn", "dryrun_fn", "dryrun_fn"),
        ("from nemo_run.run.experiment import Experiment", "Experiment", "Experiment"),
        ("import nemo_run.run.experiment as e", "e.Experiment", "Experiment"),
        ("from nemo_run.run import experiment", "experiment.Experiment", "Experiment"),
        ("from nemo_run.run.plugin import ExperimentPlugin", "ExperimentPlugin", "Plugin"),
    ],
)
def test_lines_of_programs(line, expression, same_as):
    names: dict = {}
    exec(line, names)
    assert eval(expression, names) is getattr(run, same_as)


def test_every_public_name_of_the_package_loads():
    names: dict = {}
    exec("from nemo_run import *", names)
    assert set(run.__all__) <= names.keys()
    assert names["run"] is run.run
    assert run.__version__ == importlib.import_module("nemo_run.package_info").__version__
    assert run.__package_name__ == "nemo_run"


@pytest.mark.parametrize("name", CONFIG_NAMES.split())
def test_each_name_of_the_config_module_loads(name):
    assert getattr(importlib.import_module("nemo_run.config"), name) is getattr(run.config, name)
    assert name in dir(run.config)


def test_constants_have_the_values_that_programs_write_out():
    assert run.config.RUNDIR_NAME == "nemo_run"
    assert run.config.RUNDIR_SPECIAL_NAME == "/$nemo_run"
    assert run.config.SCRIPTS_DIR == "scripts"
    assert run.config.USE_WITH_RAY_CLUSTER_KEY == "use_with_ray_cluster"


def test_launchers_are_found_by_their_short_names():
    from nemo_run.core.execution.launcher import LAUNCHER_MAP

    assert LAUNCHER_MAP["torchrun"] is run.Torchrun
    assert LAUNCHER_MAP["ft"] is run.FaultTolerance


def test_serializers_have_one_class_under_both_paths():
    from nemo_run.core.serialization.yaml import YamlSerializer
    from nemo_run.core.serialization.zlib_json import ZlibJSONSerializer

    assert run.config.YamlSerializer is YamlSerializer
    assert run.config.ZlibJSONSerializer is ZlibJSONSerializer


def test_serialize_as_performance_scripts_call_it():
    from nemo_run.core.serialization.yaml import YamlSerializer
    from nemo_run.core.serialization.zlib_json import ZlibJSONSerializer
    from nemo_run.run.torchx_backend.packaging import _serialize

    task = run.Partial(os.path.join, "a")
    assert ZlibJSONSerializer().deserialize(_serialize(task)) == task
    text = _serialize(task, serializer_cls=YamlSerializer)
    assert text == YamlSerializer().serialize(task)


def test_a_programs_own_executor_has_its_bases_scheduler_name():
    from nemo_run.run.torchx_backend.schedulers import api

    class Mine(run.LocalExecutor):
        pass

    assert api.get_executor_str(run.LocalExecutor()) == "local_persistent"
    assert api.get_executor_str(Mine()) == "local_persistent"
    api.EXECUTOR_MAPPING[Mine] = "mine"
    try:
        assert api.get_executor_str(Mine()) == "mine"
    finally:
        del api.EXECUTOR_MAPPING[Mine]
    with pytest.raises(run.exceptions.PlanError, match="EXECUTOR_MAPPING"):
        api.get_executor_str(object())


def test_the_home_constant_follows_the_environment(home):
    from nemo_run.config import NEMORUN_HOME, get_nemorun_home

    assert str(home) == NEMORUN_HOME == get_nemorun_home()


RUN_LINES = [
    "import nemo_run as run; run.run",
    "from nemo_run import run as r; assert callable(r)",
    "from nemo_run.run.experiment import Experiment",
    "import nemo_run.run.experiment as e; assert e.Experiment",
    "from nemo_run.run import experiment; assert experiment.Experiment",
    "import nemo_run.run",
    "from nemo_run.run.api import run as f; assert callable(f)",
]
RUN_CHECK = """
import nemo_run, nemo_run.run.experiment
from nemo_run import run as called
assert called is nemo_run.run and callable(called)
assert nemo_run.run.experiment.Experiment is nemo_run.Experiment
def f(): print("called")
called(nemo_run.Partial(f), direct=True)
"""


@pytest.mark.parametrize("first", range(len(RUN_LINES)))
def test_run_is_a_function_and_a_package_in_any_order(first):
    lines = RUN_LINES[first:] + RUN_LINES[:first]
    assert python("\n".join(lines) + RUN_CHECK).splitlines()[-1] == "called"


def test_run_has_the_signature_and_the_help_of_the_function():
    from nemo_run.run.api import run as function

    assert inspect.signature(run.run) == inspect.signature(function)
    shown = pydoc.render_doc(run.run, renderer=pydoc.plaintext)
    assert "executor" in shown
    assert inspect.getdoc(function).splitlines()[0] in shown


@pytest.mark.parametrize("name", ["LazyEntrypoint", "LazyModule", "LazyTarget", "lazy_imports"])
def test_what_is_lazy_is_at_the_path_of_the_reference(name):
    path = importlib.import_module("nemo_run.cli.lazy")
    assert getattr(path, name) is getattr(run, name)
    assert name in path.__all__


def test_run_can_be_pickled():
    assert pickle.loads(pickle.dumps(run.run)) is run.run


@pytest.mark.parametrize(
    "path", ["nemo_run.run.experiment.Experiment", "nemo_run.run.plugin.ExperimentPlugin"]
)
def test_classes_are_pickled_by_where_they_live(path):
    module, _, name = path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    assert pickle.loads(pickle.dumps(cls)) is cls


@pytest.mark.parametrize("name", ["Experiment", "current"])
def test_replacing_a_name_reaches_the_module_that_owns_it(name):
    import nemo_run.run.experiment as path

    import nemo_run.management.experiment as own

    original = getattr(own, name)
    # What other programs' tests do with our paths is what is tested here.
    with mock.patch(f"nemo_run.run.experiment.{name}") as replaced:
        assert getattr(path, name) is getattr(own, name) is replaced
    assert getattr(path, name) is getattr(own, name) is original
    assert name not in vars(path)


def test_a_name_that_is_nobodys_stays_where_it_was_set():
    import nemo_run.run.experiment as path

    path.something_new = 1
    assert path.something_new == 1
    assert not hasattr(importlib.import_module("nemo_run.management.experiment"), "something_new")
    del path.something_new
    assert not hasattr(path, "something_new")


@pytest.mark.parametrize("path", ABSENT)
def test_names_of_other_versions_are_refused_with_a_sentence(path):
    parent, _, name = path.rpartition(".")
    sentence = absence(path)
    if path in PATHS:  # some of its names are here
        assert not sentence
        assert absence(f"{path}.anything_else")
        return
    assert sentence.startswith((path, f"NeMo Run has no {path}"))
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(path)
    assert str(caught.value) == sentence
    if not absence(parent):
        assert not hasattr(importlib.import_module(parent), name)
        with pytest.raises(ImportError) as caught:
            exec(f"from {parent} import {name}")
        assert str(caught.value) == sentence


def test_what_comes_later_is_not_here_already():
    for path in ABSENT:
        parent, _, name = path.rpartition(".")
        assert name not in PATHS.get(parent, {}), f"{path} exists: take it off the list"


def test_absence_shows_as_an_attribute_error_too():
    assert getattr(run, "DockerExecutor", None) is None
    with pytest.raises(
        AttributeError, match=r"DockerExecutor is not in this version .* comes later"
    ):
        run.DockerExecutor
    with pytest.raises(AttributeError, match="TorchX"):
        run.run.torchx_backend.runner
    with pytest.raises(AttributeError, match="nemo-run config convert"):
        importlib.import_module("nemo_run.cli.config").ConfigSerializer
    with pytest.raises(AttributeError, match="running Ray comes later"):
        importlib.import_module("nemo_run.core.execution.launcher").SlurmRay


def test_plain_mistakes_read_as_python_says_them():
    with pytest.raises(AttributeError, match=r"module 'nemo_run' has no attribute 'Confg'"):
        run.Confg
    with pytest.raises(
        AttributeError, match=r"module 'nemo_run\.run' has no attribute 'expermient'"
    ):
        run.run.expermient
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'nemo_run\.core\.nothing'"):
        importlib.import_module("nemo_run.core.nothing")


def test_programs_that_try_and_go_on_go_on():
    # As launchers do that support several executors.
    try:
        from nemo_run.core.execution.kubeflow import KubeflowExecutor
    except ImportError:
        KubeflowExecutor = None
    assert KubeflowExecutor is None


def test_the_paths_load_nothing_before_they_are_used():
    code = """
import sys, nemo_run, nemo_run.run.experiment, nemo_run.core.execution.local
loaded = [n for n in sys.modules if n.startswith(("nemo_run.management", "nemo_run.execution"))]
print(loaded)
"""
    assert python(code) == "[]"
