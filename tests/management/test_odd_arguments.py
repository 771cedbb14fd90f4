"""What is given by mistake, whatever it is: a sentence with a type, never an error of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import nemo_run as run
from nemo_run.exceptions import NemoRunError, PlanError
from nemo_run.management.describe.dag import Edge


class Unspeakable:
    """Its own code fails whenever somebody wants to name it."""

    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__


TASK = run.Script(inline="true")
ODD: Any = Unspeakable()


def experiment() -> run.Experiment:
    return run.Experiment("odd", clean_mode=True)


def add(**given: Any) -> None:
    exp = experiment()
    exp.add(TASK, name="a")
    exp.add(TASK, **given)


UNSPEAKABLE: dict[str, Callable[[], Any]] = {
    "title": lambda: run.Experiment(ODD),
    "id": lambda: run.Experiment("t", id=ODD),
    "jobs": lambda: run.Experiment("t", jobs=ODD),
    "one of the jobs": lambda: run.Experiment("t", jobs=[ODD]),
    "task": lambda: experiment().add(ODD),
    "task of a group": lambda: experiment().add([TASK, ODD]),
    "executor": lambda: experiment().add(TASK, ODD),
    "name": lambda: add(name=ODD),
    "dependencies": lambda: add(dependencies=ODD),
    "dependency": lambda: add(dependencies=[ODD]),
    "policy": lambda: experiment().add([TASK], policy=ODD),
    "roles": lambda: experiment().add([TASK], roles=ODD),
    "role": lambda: experiment().add([TASK], roles=[ODD]),
    "plugins": lambda: add(plugins=ODD),
    "plugin": lambda: add(plugins=[ODD]),
    "launcher": lambda: add(executor=run.LocalExecutor(launcher=ODD)),
    "variable": lambda: add(executor=run.LocalExecutor(env_vars={"A": ODD})),
    "argument of a script": lambda: run.Script("x.sh", args=[ODD]),
    "variable of a script": lambda: run.Script("x.sh", env={"A": ODD}),
    "what is configured": lambda: run.Config(ODD),
    "what is run": lambda: run.run(ODD),
    "where it is run": lambda: run.run(TASK, ODD),
    "what is converted": lambda: run.autoconvert(ODD),
}


@pytest.mark.parametrize("case", UNSPEAKABLE)
def test_what_cannot_be_shown_is_named_by_its_class(case: str) -> None:
    with pytest.raises((NemoRunError, TypeError), match="Unspeakable"):
        UNSPEAKABLE[case]()


@pytest.mark.parametrize("given", [5, [5], "a", {"a": 1}])
def test_jobs_to_begin_with_are_a_list_of_jobs(given: Any) -> None:
    with pytest.raises(TypeError, match="it must be a list of jobs of another experiment"):
        run.Experiment("t", jobs=given)
    with pytest.raises(TypeError, match="it must be a list of jobs of another experiment"):
        experiment().jobs = given


def test_dependencies_are_a_list() -> None:
    with pytest.raises(TypeError, match=r"dependencies is 5 \(int\); it must be a list"):
        add(dependencies=5)
    with pytest.raises(PlanError, match=r"write|dependencies=\['a'\]"):
        add(dependencies="a")


@pytest.mark.parametrize("given", ["aftersome:a", Edge("a", "aftersome")])  # type: ignore[arg-type]
def test_an_unknown_kind_of_dependency_is_refused_with_the_nearest(given: str | Edge) -> None:
    with pytest.raises(PlanError, match=r"aftersome.*no kind of dependency.*Did you mean 'after"):
        add(dependencies=[given])


def test_roles_are_a_list() -> None:
    with pytest.raises(TypeError, match="roles is 'main'"):
        experiment().add([TASK] * 4, roles="main")


class Sets(run.Plugin):
    """Sets one variable."""

    def __init__(self, name: Any) -> None:
        super().__init__()
        self.name = name

    def setup(self, task: Any, executor: Any) -> None:
        executor.env_vars[self.name] = "1"


@pytest.mark.parametrize("name", ["A=B", "", "A\0B", "NEMORUN_JOB"])
def test_a_bad_variable_of_a_plugin_is_refused_like_one_of_the_executor(name: str) -> None:
    by_plugin, own = experiment(), experiment()
    own.add(TASK, run.LocalExecutor(env_vars={name: "1"}), name="job")
    with pytest.raises(PlanError) as expected:
        own.dryrun(log=False)
    by_plugin.add(TASK, name="job", plugins=[Sets(name)])
    for act in (lambda: by_plugin.dryrun(log=False), lambda: by_plugin.run()):
        with pytest.raises(PlanError) as told:
            act()
        assert str(told.value) == str(expected.value)
    assert not by_plugin.started


@pytest.mark.parametrize("name", ["A=B", ""])
def test_a_bad_variable_is_refused_in_this_process_too(name: str) -> None:
    with pytest.raises(PlanError, match=r"variable's name|part of a name"):
        run.run(TASK, run.LocalExecutor(env_vars={name: "1"}), direct=True)
    with pytest.raises(PlanError, match=r"variable's name|part of a name"):
        run.run(TASK, run.LocalExecutor(), plugins=[Sets(name)], direct=True)
