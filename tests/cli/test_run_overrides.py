"""``run.executor…`` as a command line gives it: names, fields, and what nobody may lose."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.cli.run_overrides.executors import choose_executor, executor_of
from nemo_run.config import factories
from nemo_run.config.files.layers import run_overrides_of
from nemo_run.config.files.load import load
from nemo_run.config.overrides.grammar import Override, parse_override
from nemo_run.exceptions import OverrideError
from profile_places import Places, make_places


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    return make_places(tmp_path, monkeypatch)


def words(*texts: str) -> list[Override]:
    return [parse_override(text) for text in texts]


def executor(*texts: str, default: object = None) -> object:
    return executor_of(words(*texts), default)


@dataclass(kw_only=True)
class RoomExecutor(run.LocalExecutor):
    """One that a program has written itself."""

    room: str = "north"


def for_tests_room(nodes: int = 1, room: str = "north") -> RoomExecutor:
    """A factory that a program has registered."""
    return RoomExecutor(nodes=nodes, room=room, env_vars={"FROM": "factory"})


def for_tests_base() -> run.Config[run.Executor]:
    return run.Config(run.LocalExecutor, nodes=7)


def for_tests_broken() -> run.Executor:
    raise ValueError("no such queue")


for _factory in (for_tests_room, for_tests_base, for_tests_broken):
    factories.register(_factory)


def test_a_kind_by_its_name() -> None:
    assert executor("run.executor=local") == run.LocalExecutor()
    assert executor("run.executor=LocalExecutor(nodes=2)") == run.LocalExecutor(nodes=2)


def test_fields_after_the_name_and_before_it() -> None:
    wanted = run.LocalExecutor(nodes=2, retries=1)
    assert (
        executor("run.executor=local", "run.executor.nodes=2", "run.executor.retries=1") == wanted
    )
    assert (
        executor("run.executor.nodes=2", "run.executor=local", "run.executor.retries=1") == wanted
    )
    assert executor("run.executor=local(nodes=5,retries=1)", "run.executor.nodes=2") == wanted


def test_fields_are_set_strictly_in_order() -> None:
    found = executor(
        "run.executor=local",
        "run.executor.nodes=2",
        "run.executor.nodes*=3",
        "run.executor.nodes+=1",
    )
    assert found == run.LocalExecutor(nodes=7)


def test_of_two_names_the_last_counts() -> None:
    assert executor("run.executor=for_tests_base", "run.executor=local") == run.LocalExecutor()


def test_without_any_word_the_default_stays_what_it_is() -> None:
    assert executor() is None
    default = run.LocalExecutor(nodes=3)
    found = executor(default=default)
    assert found == default
    assert found is not default


def test_fields_change_a_copy_of_the_default() -> None:
    default = run.LocalExecutor(nodes=3, env_vars={"A": "1"}, launcher=run.Torchrun())
    before = copy.deepcopy(default)
    found = executor(
        "run.executor.nodes=2", "run.executor.env_vars.B=2", "run.executor.launcher.rdzv_port=7",
        default=default,
    )  # fmt: skip
    assert default == before
    assert found == run.LocalExecutor(
        nodes=2, env_vars={"A": "1", "B": "2"}, launcher=run.Torchrun(rdzv_port=7)
    )


def test_a_default_may_be_a_configuration_or_a_name() -> None:
    config = run.Config(run.LocalExecutor, nodes=3)
    assert executor("run.executor.retries=1", default=config) == run.LocalExecutor(
        nodes=3, retries=1
    )
    assert config == run.Config(run.LocalExecutor, nodes=3)
    assert executor("run.executor.retries=1", default="for_tests_base") == run.LocalExecutor(
        nodes=7, retries=1
    )


def test_fields_alone_without_a_default_are_of_this_machine(
    error_snapshot: Callable[..., None],
) -> None:
    assert executor("run.executor.nodes=2") == run.LocalExecutor(nodes=2)
    with pytest.raises(OverrideError) as caught:
        executor("run.executor.partition=long")
    error_snapshot("run.executor: field of nobody", str(caught.value))


def test_values_keep_every_byte() -> None:
    """Also what looks like a key of the run, or like another assignment."""
    value = " a=b run.executor=x |#%'\"\\\n\té=run."
    found = executor("run.executor=local", f"run.executor.env_vars.A={value}")
    assert found == run.LocalExecutor(env_vars={"A": value})
    assert executor(
        "run.executor=local", "run.executor.env_vars[odd.name]=", "run.executor.job_dir=run.x"
    ) == run.LocalExecutor(env_vars={"odd.name": ""}, job_dir="run.x")


def test_a_factory_by_name_with_arguments_and_fields() -> None:
    found = executor(
        "run.executor=for_tests_room(nodes=2, room='a b')", "run.executor.env_vars.B=1"
    )
    assert found == RoomExecutor(nodes=2, room="a b", env_vars={"FROM": "factory", "B": "1"})


def test_a_factory_is_called_once_and_its_result_is_not_shared() -> None:
    calls = []

    def for_tests_counted() -> run.LocalExecutor:
        calls.append(1)
        return run.LocalExecutor()

    factories.register(for_tests_counted)
    one = executor("run.executor=for_tests_counted", "run.executor.env_vars.A=1")
    assert len(calls) == 1
    assert executor("run.executor=for_tests_counted") == run.LocalExecutor() != one


def test_a_factory_that_is_made_for_a_subclass_is_found() -> None:
    """The reference looked at four classes only."""

    def for_tests_of_room() -> RoomExecutor:
        return RoomExecutor(room="south")

    factories.register(for_tests_of_room)
    assert executor("run.executor=for_tests_of_room") == RoomExecutor(room="south")


def test_a_class_goes_by_its_place() -> None:
    for place in (f"{__name__}.RoomExecutor", f"{__name__}:RoomExecutor"):
        assert executor(f"run.executor={place}(room=x)") == RoomExecutor(room="x")
    assert executor("run.executor=nemo_run.LocalExecutor(nodes=2)") == run.LocalExecutor(nodes=2)
    for wrong in ("os.system", "os:system(command=true)", "pathlib.Path"):
        with pytest.raises(OverrideError, match="Executor"):
            executor(f"run.executor={wrong}")


def test_a_launcher_by_name_has_fields() -> None:
    wanted = run.LocalExecutor(launcher=run.Torchrun(rdzv_port=7))
    assert executor("run.executor.launcher=torchrun") == run.LocalExecutor(launcher="torchrun")
    assert executor("run.executor.launcher=torchrun", "run.executor.launcher.rdzv_port=7") == wanted
    assert executor("run.executor.launcher.rdzv_port=7", "run.executor.launcher=torchrun") == wanted
    default = run.LocalExecutor(launcher="torchrun")
    assert executor("run.executor.launcher.rdzv_port=7", default=default) == wanted


def test_no_executor_can_be_asked_for() -> None:
    assert executor("run.executor=none", default=run.LocalExecutor()) is None
    with pytest.raises(OverrideError, match="no fields"):
        executor("run.executor=none", "run.executor.nodes=2")


def test_a_profile_by_name_with_arguments_and_fields(places: Places) -> None:
    file = places.of_project("""
        [executors.h100]
        executor = "local"
        nodes = 4
        env_vars = { A = "1" }
        [executors."two words"]
        executor = "local"
    """)
    chosen = choose_executor(
        words("run.executor=h100(retries=2)", "run.executor.nodes=2", "run.executor.env_vars.B=2")
    )
    assert chosen.notes == (f"executor: profile h100 (local) from project {file}:2",)
    entries = chosen.config.__argument_history__["nodes"]
    assert [entry.where() for entry in entries] == [f"file {file}:4", "command line"]
    assert executor("run.executor=h100(retries=2)") == run.LocalExecutor(
        nodes=4, retries=2, env_vars={"A": "1"}
    )
    assert executor("run.executor=two words") == run.LocalExecutor()


def test_a_profile_may_give_a_kind_other_defaults(places: Places) -> None:
    places.of_project('[executors.local]\nexecutor = "local"\nretries = 2\n')
    assert executor("run.executor=local") == run.LocalExecutor(retries=2)
    assert executor("run.executor=LocalExecutor") == run.LocalExecutor()


def test_a_programs_factory_goes_before_a_profile_and_says_so(places: Places) -> None:
    places.of_project('[executors.for_tests_base]\nexecutor = "local"\n')
    chosen = choose_executor(words("run.executor=for_tests_base"))
    assert chosen.config == run.Config(run.LocalExecutor, nodes=7)
    [note] = chosen.notes
    assert "is not used" in note


def test_the_default_of_a_file_is_used_where_nobody_names_one(places: Places) -> None:
    file = places.of_project("""
        default_executor = "h100"
        [executors.h100]
        executor = "local"
        nodes = 4
    """)
    chosen = choose_executor([])
    assert chosen.config == run.Config(run.LocalExecutor, nodes=4)
    assert chosen.notes == (
        f"executor: profile h100 (local) from project {file}:3; the default_executor of {file}:2",
    )
    assert executor("run.executor.nodes+=1") == run.LocalExecutor(nodes=5)
    assert executor(default=run.LocalExecutor()) == run.LocalExecutor()
    assert executor("run.executor=none") is None


def test_what_a_file_says_of_one_executor_is_not_for_another() -> None:
    of_file = [
        Override("executor", ("executor",), data="local", kind="file", file="a.yaml", line=2),
        Override("executor.nodes", ("executor", "nodes"), data=3, kind="file", file="a.yaml"),
    ]
    assert executor_of(of_file) == run.LocalExecutor(nodes=3)
    both = [*of_file, *words("executor.retries=1")]
    assert executor_of(both) == run.LocalExecutor(nodes=3, retries=1)
    assert executor_of([*of_file, *words("executor=for_tests_base")]) == run.LocalExecutor(nodes=7)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("executor: h100", run.LocalExecutor(nodes=4)),
        ("executor: {nodes: 2}", run.LocalExecutor(nodes=2)),
        ("executor: {_factory_: h100(retries=1), nodes: 2}", run.LocalExecutor(nodes=2, retries=1)),
        ("executor: {_target_: nemo_run.LocalExecutor, nodes: 2}", run.LocalExecutor(nodes=2)),
        ("executor: null", None),
    ],
)
def test_a_file_says_the_same_in_its_section_run(
    places: Places, text: str, wanted: run.Executor | None
) -> None:
    places.of_project('[executors.h100]\nexecutor = "local"\nnodes = 4\n')
    Path("run.yaml").write_text(f"run:\n  {text}\n")
    overrides = run_overrides_of(load("run.yaml"))
    assert executor_of(overrides) == wanted
    if wanted is not None:
        changed = executor_of([*overrides, *words("executor.nodes+=1")])
        assert changed.nodes == wanted.nodes + 1


@pytest.mark.parametrize("text", ["[1]", "3", "{_target_: pathlib.Path}"])
def test_a_file_that_names_no_executor_is_told_its_line(text: str) -> None:
    Path("run.yaml").write_text(f"run:\n  executor: {text}\n")
    with pytest.raises(OverrideError, match=r"^run\.yaml:2: run\.executor"):
        executor_of(run_overrides_of(load("run.yaml")))


def test_words_without_the_run_in_front_are_understood() -> None:
    """``run.`` may be removed already; other words of the run are left alone."""
    found = executor_of(words("executor=local", "executor.nodes=2", "plugins=x", "detach=true"))
    assert found == run.LocalExecutor(nodes=2)


@pytest.mark.parametrize(
    ("case", "texts"),
    [
        ("unknown name", ["run.executor=for_tests_bse"]),
        ("no name", ["run.executor=a b("]),
        ("empty", ["run.executor="]),
        ("another operator", ["run.executor+=local"]),
        ("unknown field", ["run.executor=local", "run.executor.node=2"]),
        ("unknown field of a call", ["run.executor=local(node=2)"]),
        ("a field without its name", ["run.executor=local(2)"]),
        ("wrong value", ["run.executor=local", "run.executor.nodes=two"]),
        ("broken factory", ["run.executor=for_tests_broken"]),
        ("factory that does not take it", ["run.executor=for_tests_room(rom=x)"]),
        ("module that is not there", ["run.executor=no_such_module.Executor"]),
    ],
)
def test_what_cannot_be_used_is_said(
    case: str, texts: list[str], error_snapshot: Callable[..., None], places: Places
) -> None:
    """With the key, what was seen, what there is, and the nearest."""
    places.of_project('[executors.h100]\nexecutor = "local"\n')
    with pytest.raises(OverrideError) as caught:
        executor(*texts)
    said = str(caught.value)
    # Other tests of the same process register factories as well.
    start, end = said.find("Factories: "), said.find(". Profiles:")
    if start >= 0:
        assert "for_tests_base" in said[start:end]
        said = f"{said[:start]}Factories: <factories>{said[end:]}"
    said = re.sub(rf"({re.escape(__file__)}:|at line )\d+", "<line of the factory>", said)
    error_snapshot(f"run.executor: {case}", said, {str(places.root): "<root>"})
