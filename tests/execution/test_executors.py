"""Executors are data: making, copying, comparing and assigning them touches nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import nemo_run as run
from nemo_run.exceptions import PlanError
from nemo_run.execution import LAUNCHER_MAP, Executor, ExecutorMacros, Launcher, LocalExecutor
from nemo_run.execution.launcher import FaultTolerance, Torchrun


@dataclasses.dataclass(kw_only=True)
class Special(LocalExecutor):
    partition: str = "fast"


def test_the_fields_are_those_that_programs_use() -> None:
    names = {f.name for f in dataclasses.fields(LocalExecutor)}
    assert names >= {
        "packager", "launcher", "env_vars", "retries", "experiment_id", "job_dir",
        "experiment_dir", "_launcher_setup", "ntasks_per_node", "nodes",
    }  # fmt: skip
    with pytest.raises(TypeError):
        LocalExecutor(2)


def test_nothing_is_made_by_making_one(home: Path) -> None:
    executor = LocalExecutor(env_vars={"A": "1"}, retries=2, launcher="torchrun")
    executor.clone().assign("exp_1", "/nowhere/exp_1", "train", "jobs/train")
    assert not home.exists()
    assert executor == LocalExecutor(env_vars={"A": "1"}, retries=2, launcher="torchrun")


def test_a_clone_shares_nothing() -> None:
    executor = Special(env_vars={"A": "1"}, launcher=Torchrun(rdzv_port=1))
    other = executor.clone()
    assert other == executor
    assert type(other) is Special
    other.env_vars["A"] = "2"
    other.get_launcher().nsys_profile = True
    assert executor.env_vars == {"A": "1"}
    assert executor.launcher == Torchrun(rdzv_port=1)


def test_assigning_twice_is_assigning_once() -> None:
    executor = LocalExecutor()
    executor.assign("exp_1", "/home/exp_1", "train", "jobs/train")
    once = executor.clone()
    executor.assign("exp_1", "/home/exp_1", "train", "jobs/train")
    assert executor == once
    assert (executor.experiment_id, executor.experiment_dir) == ("exp_1", "/home/exp_1")
    assert executor.job_dir == "/home/exp_1/jobs/train"


def test_a_subclass_runs_where_its_base_runs() -> None:
    assert Special().backend == "local"
    assert Executor().backend == ""


def test_a_config_of_an_executor_builds_an_equal_one() -> None:
    executor = LocalExecutor(ntasks_per_node=2, env_vars={"A": "1"}, launcher=Torchrun())
    assert run.config.build(executor.to_config()) == executor


@pytest.mark.parametrize(
    ("name", "kind"),
    [(None, Launcher), ("default", Launcher), ("torchrun", Torchrun), ("ft", FaultTolerance)],
)
def test_a_launchers_name_becomes_an_object_that_can_be_changed(
    name: str | None, kind: type[Launcher]
) -> None:
    executor = LocalExecutor(launcher=name)
    launcher = executor.get_launcher()
    assert type(launcher) is kind
    launcher.nsys_profile = True
    assert executor.get_launcher() is launcher


def test_a_package_can_add_a_launcher() -> None:
    LAUNCHER_MAP["mine"] = Torchrun
    try:
        assert LocalExecutor(launcher="mine").get_launcher() == Torchrun()
    finally:
        del LAUNCHER_MAP["mine"]


def test_an_unknown_launcher_is_refused_with_the_nearest_name(error_snapshot) -> None:
    with pytest.raises(PlanError) as caught:
        LocalExecutor(launcher="torchrum").get_launcher()
    error_snapshot("executor: unknown launcher", str(caught.value))
    with pytest.raises(PlanError) as caught:
        LocalExecutor(launcher=3).get_launcher()
    error_snapshot("executor: launcher of a wrong type", str(caught.value))


def test_the_profilers_arguments() -> None:
    executor = LocalExecutor(launcher=Torchrun(nsys_profile=True, nsys_gpu_metrics=True))
    executor.assign("e", "/exp", "train", "train")
    assert executor.get_launcher_prefix() == [
        "profile", "-s", "none", "-t", "nvtx,cuda", "-o", "/exp/train/nsys_profile/profile_%p",
        "--force-overwrite", "true", "--capture-range=cudaProfilerApi",
        "--capture-range-end=stop", "--cuda-graph-trace=node", "--cuda-event-trace=false",
        "--gpu-metrics-device=all",
    ]  # fmt: skip
    assert executor.get_nsys_entrypoint() == ("nsys", "")
    assert LocalExecutor().get_launcher_prefix() is None


def test_configs_and_folder_are_made_when_asked_for(tmp_path: Path) -> None:
    executor = LocalExecutor()
    executor.assign("e", str(tmp_path), "train", "train")
    executor.create_job_dir()
    [path] = executor.package_configs(("a.yaml", "text"))
    assert Path(path).read_text() == "text"
    assert Path(path) == tmp_path / "train/configs/a.yaml"


def test_macros_leave_every_other_dollar_alone() -> None:
    macros = ExecutorMacros(
        head_node_ip_var="head", nproc_per_node_var="nproc", num_nodes_var="nodes",
        node_rank_var="SLURM_NODEID", het_group_host_var="het_host",
    )  # fmt: skip
    text = f"{macros.NODE_RANK_VAR} $$ $HOME ${{other}} {macros.group_host(1)} 100%"
    assert macros.substitute(text) == "$SLURM_NODEID $$ $HOME ${other} $het_host_1 100%"


EXECUTORS = """
import nemo_run as run

def small(tasks=1):
    return run.LocalExecutor(ntasks_per_node=tasks)

fixed = run.LocalExecutor(retries=3)
"""


def test_executors_of_a_file(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(EXECUTORS)
    assert run.import_executor("small", file, tasks=4) == LocalExecutor(ntasks_per_node=4)
    assert run.import_executor("fixed", file) == LocalExecutor(retries=3)
    assert run.import_executor("small", str(file), call=False)(2).ntasks_per_node == 2
    home.mkdir()
    (home / "executors.py").write_text(EXECUTORS)
    assert run.import_executor("small").ntasks_per_node == 1


def test_an_executor_that_is_not_in_the_file(tmp_path: Path, error_snapshot) -> None:
    file = tmp_path / "mine.py"
    with pytest.raises(PlanError) as caught:
        run.import_executor("small", file)
    error_snapshot("import_executor: no file", str(caught.value), replace={str(file): "<file>"})
    file.write_text(EXECUTORS)
    with pytest.raises(PlanError) as caught:
        run.import_executor("smal", file)
    error_snapshot(
        "import_executor: no such name", str(caught.value), replace={str(file): "<file>"}
    )
