"""Plans are pure, and refuse what cannot run before anything has."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import nemo_run as run
from nemo_run.exceptions import PlanError
from nemo_run.execution import Executor, FaultTolerance, Launcher, LocalExecutor, Torchrun
from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.planning import PlanRequest, TaskRequest, launching_path, plan_job

needs_torch = pytest.mark.torch


def request(task: Any, executor: Executor | None = None, **more: Any) -> PlanRequest:
    member = TaskRequest(
        "train", task, executor or LocalExecutor(), task_json="{}", task_yaml="a: 1\n"
    )
    settings = {"environment": {"PATH": "/usr/bin:/bin"}, "sys_path": ("/src",)}
    settings |= {"working_directory": more.pop("cwd", "/")}
    return PlanRequest("exp_1", "train", "/exp/jobs/train", (member,), **settings | more)


def plan(task: Any, executor: Executor | None = None, **more: Any) -> JobSpec:
    return plan_job(request(task, executor, **more))


def refusal(task: Any, executor: Executor | None = None, **more: Any) -> str:
    with pytest.raises(PlanError) as caught:
        plan(task, executor, **more)
    return str(caught.value)


def partial() -> run.Partial:
    return run.Partial(print, "hello")


def test_a_python_task_runs_with_the_interpreter_that_launches() -> None:
    [member] = plan(partial()).members
    assert member.command == (sys.executable, "/exp/jobs/train/worker.py", "/exp/jobs/train")
    assert member.working_directory == "/"
    assert set(member.files) == {
        *("task.json", "task.yaml", "worker.py", "worker.json", "stand_in/nemo_run.py"),
    }
    assert "def main" in member.files["worker.py"]
    settings = json.loads(member.files["worker.json"])
    assert settings["sys_path"] == ["/src"]
    assert settings["main"] is None


def test_a_launching_script_travels_with_its_place() -> None:
    script = SimpleNamespace(
        text="def f(): ...\n", original_path="/home/me/launch.py", package=None, argv=("a.py", "-x")
    )
    member = TaskRequest("train", partial(), LocalExecutor(), launching_script=script)
    [planned] = plan_job(PlanRequest("e", "train", "/exp/train", (member,))).members
    assert planned.files["configs/__main__.py"] == "def f(): ...\n"
    settings = json.loads(planned.files["worker.json"])
    assert settings["main"] == "configs/__main__.py"
    assert settings["main_file"] == "/home/me/launch.py"
    assert settings["argv"] == ["a.py", "-x"]


def test_planning_three_times_gives_the_same_and_changes_nothing() -> None:
    task, executor = partial(), LocalExecutor(env_vars={"A": "1"}, launcher="default")
    before = copy.deepcopy((task, executor))
    plans = [plan(task, executor).to_json() for _ in range(3)]
    assert plans[0] == plans[1] == plans[2]
    assert (task, executor) == before
    assert executor.launcher == "default"


def test_a_spec_survives_its_file() -> None:
    spec = plan(partial(), LocalExecutor(ntasks_per_node=2, retries=3, env_vars={"A": "\udcff"}))
    assert JobSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert spec.retries == 3


def test_members_of_a_group_have_folders_of_their_own() -> None:
    members = tuple(TaskRequest(n, partial(), LocalExecutor()) for n in ("a", "b"))
    spec = plan_job(PlanRequest("e", "duo", "/exp/duo", members))
    assert [m.directory for m in spec.members] == ["/exp/duo/a", "/exp/duo/b"]


def test_the_scripts_variables_win_over_the_executors() -> None:
    script = run.Script(inline="true", env={"A": "script"})
    [member] = plan(script, LocalExecutor(env_vars={"A": "executor", "B": 2})).members
    assert (member.environment["A"], member.environment["B"]) == ("script", "2")


def test_python_output_is_not_held_back_unless_the_task_says_so() -> None:
    assert plan(partial()).members[0].environment["PYTHONUNBUFFERED"] == "1"
    executor = LocalExecutor(env_vars={"PYTHONUNBUFFERED": ""})
    assert plan(partial(), executor).members[0].environment["PYTHONUNBUFFERED"] == ""


@pytest.mark.parametrize("entrypoint", ["python", "python3"])
def test_python_means_the_interpreter_that_launches(entrypoint: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").touch()
    script = run.Script("train.py", args=["--lr", "a b"], entrypoint=entrypoint)
    [member] = plan(script, cwd=str(tmp_path)).members
    assert member.command == (sys.executable, "train.py", "--lr", "a b")


def test_an_entrypoint_may_have_options(tmp_path: Path) -> None:
    (tmp_path / "train.sh").touch()
    script = run.Script("train.sh", entrypoint="bash -eu")
    assert plan(script, cwd=str(tmp_path)).members[0].command == ("bash", "-eu", "train.sh")


def test_an_inline_script_is_a_file_of_the_job() -> None:
    [member] = plan(run.Script(inline="echo hi\n", args=["x"])).members
    assert member.command == ("bash", "/exp/jobs/train/scripts/train.sh", "x")
    assert "echo hi\n" in member.files["scripts/train.sh"]


def test_an_inline_python_script() -> None:
    [member] = plan(run.Script(inline="print(1)", entrypoint="python")).members
    assert member.command == (sys.executable, "/exp/jobs/train/scripts/train.py")


def test_a_module_is_found_without_being_imported(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg/__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "pkg/tool.py").touch()
    script = run.Script("pkg.tool", m=True, entrypoint="python")
    [member] = plan(script, cwd=str(tmp_path)).members
    assert member.command == (sys.executable, "-m", "pkg.tool")


def test_the_profiler_goes_around_each_process(tmp_path: Path) -> None:
    nsys = tmp_path / "nsys"
    nsys.touch(0o755)
    executor = LocalExecutor(launcher=Launcher(nsys_profile=True), env_vars={"PATH": str(tmp_path)})
    [member] = plan(partial(), executor).members
    assert member.command[:6] == ("nsys", "profile", "-s", "none", "-t", "nvtx,cuda")
    assert member.command[-3:] == plan(partial()).members[0].command
    assert "nsys_profile/README" in member.files


def test_more_processes_without_a_launcher_are_started_by_us() -> None:
    [member] = plan(partial(), LocalExecutor(ntasks_per_node=4, nodes=2)).members
    assert (member.nodes, member.processes_per_node, member.ranks_per_process) == (2, 4, 1)
    assert member.world_size == 8


@needs_torch
def test_torchrun_meets_on_a_free_port_and_gives_each_rank_a_log() -> None:
    pytest.importorskip("torch")
    [member] = plan(partial(), LocalExecutor(ntasks_per_node=2, launcher="torchrun")).members
    start = member.command[: member.command.index("--no-python")]
    assert start[:3] == (sys.executable, "-m", "torch.distributed.run")
    assert "--rdzv-endpoint=localhost:0" in start
    assert "--nproc-per-node=2" in start
    assert member.command[-3:] == plan(partial()).members[0].command
    assert (member.processes_per_node, member.ranks_per_process, member.world_size) == (1, 2, 2)


@needs_torch
def test_the_rendezvous_id_is_the_jobs_own_and_the_same_each_time() -> None:
    pytest.importorskip("torch")

    def identity(job: str, **more: Any) -> str:
        executor = LocalExecutor(launcher=Torchrun(**more))
        members = (TaskRequest(job, partial(), executor),)
        [member] = plan_job(PlanRequest("exp_1", job, "/x", members)).members
        [found] = [word for word in member.command if word.startswith("--rdzv-id=")]
        return found

    assert identity("a") == identity("a") != identity("b")
    assert identity("a", rdzv_id=0) == "--rdzv-id=0"


@needs_torch
def test_several_nodes_meet_where_the_environment_says() -> None:
    pytest.importorskip("torch")
    executor = LocalExecutor(
        nodes=2, ntasks_per_node=2, launcher=Torchrun(rdzv_port=1234),
        env_vars={"MASTER_ADDR": "node0", "NODE_RANK": "1"},
    )  # fmt: skip
    spec = plan(partial(), executor)
    command = spec.members[0].command
    assert "--rdzv-endpoint=node0:1234" in command
    assert "--node-rank=1" in command
    assert spec.options == {"node_rank": 1}


def test_the_fault_tolerant_launcher_gets_what_is_set_and_zero_is_a_value(tmp_path: Path) -> None:
    (tmp_path / "ft_launcher").touch(0o755)
    path = {"PATH": f"{tmp_path}:/bin"}
    launcher = FaultTolerance(max_restarts=0, rank_heartbeat_timeout=0.0, cfg_path="/ft.yaml")
    [member] = plan(partial(), LocalExecutor(launcher=launcher, env_vars=path)).members
    assert member.command[0] == "ft_launcher"
    assert "--max-restarts=0" in member.command
    assert "--ft-rank_heartbeat_timeout=0.0" in member.command
    assert member.environment["FAULT_TOL_CFG_PATH"] == "/ft.yaml"
    [bare] = plan(partial(), LocalExecutor(launcher="ft", env_vars=path)).members
    assert "--ignore-missing-fault-tol-cfg" in bare.command


def test_the_import_path_holds_what_a_bare_interpreter_lacks(tmp_path: Path) -> None:
    own = f"{sys.prefix}/lib/python3.99/site-packages"
    assert launching_path(["", own, "/src", "rel", "/src"], "/here") == (
        "/here", "/src", "/here/rel",
    )  # fmt: skip


REFUSED = {
    "env None": lambda: refusal(partial(), LocalExecutor(env_vars={"TOKEN": None})),
    "env bool": lambda: refusal(partial(), LocalExecutor(env_vars={"FLAG": True})),
    "env object": lambda: refusal(partial(), LocalExecutor(env_vars={"LIST": [1]})),
    "env NUL": lambda: refusal(partial(), LocalExecutor(env_vars={"A": "x\0y"})),
    "env half a character": lambda: refusal(partial(), LocalExecutor(env_vars={"A": "\ud800"})),
    "env name with =": lambda: refusal(partial(), LocalExecutor(env_vars={"A=B": "x"})),
    "env empty name": lambda: refusal(partial(), LocalExecutor(env_vars={"": "x"})),
    "env reserved": lambda: refusal(partial(), LocalExecutor(env_vars={"NEMORUN_TOKEN": "x"})),
    "argument NUL": lambda: refusal(run.Script(inline="true", args=["a\0b"])),
    "no nodes": lambda: refusal(partial(), LocalExecutor(nodes=0)),
    "half a process": lambda: refusal(partial(), LocalExecutor(ntasks_per_node=1.5)),
    "retries below zero": lambda: refusal(partial(), LocalExecutor(retries=-1)),
    "base executor": lambda: refusal(partial(), Executor()),
    "unknown launcher": lambda: refusal(partial(), LocalExecutor(launcher="torchrn")),
    "no ft_launcher": lambda: refusal(
        partial(), LocalExecutor(launcher="ft", env_vars={"PATH": "/nowhere"})
    ),
    "no program": lambda: refusal(run.Script(inline="x", entrypoint="no-such-shell")),
    "program that is no program": lambda: refusal(run.Script(inline="x", entrypoint="/etc/passwd")),
    "no module": lambda: refusal(run.Script("no_such_module.x", m=True, entrypoint="python")),
    "a name that is a path": lambda: plan_refusal([("../up", "main")], "all"),
    "two of one name": lambda: plan_refusal([("a", "main"), ("a", "main")], "all"),
    "only sidecars": lambda: plan_refusal([("a", "sidecar")], "main"),
    "ray cluster": lambda: refusal(
        run.Script(inline="true", metadata={"use_with_ray_cluster": True})
    ),
    "no task": lambda: plan_refusal([], "all"),
}


def plan_refusal(names: list[tuple[str, Any]], policy: Any) -> str:
    members = tuple(TaskRequest(n, partial(), LocalExecutor(), role=role) for n, role in names)
    with pytest.raises(PlanError) as caught:
        plan_job(PlanRequest("e", "job", "/exp/job", members, policy=policy))
    return str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_run_is_refused(case: str, error_snapshot) -> None:
    error_snapshot(f"plan: {case}", REFUSED[case](), replace={sys.executable: "<python>"})


@pytest.mark.skipif(sys.platform != "linux", reason="a limit of Linux")
def test_a_value_that_no_program_can_get_is_refused(error_snapshot) -> None:
    said = refusal(partial(), LocalExecutor(env_vars={"BIG": "x" * 200_000}))
    error_snapshot("plan: env too long", said)


@needs_torch
def test_several_nodes_need_to_know_each_other(error_snapshot) -> None:
    pytest.importorskip("torch")
    lonely = LocalExecutor(nodes=2, launcher="torchrun")
    error_snapshot("plan: nodes without a meeting point", refusal(partial(), lonely))
    beyond = {"MASTER_ADDR": "a", "NODE_RANK": "2"}
    said = refusal(partial(), LocalExecutor(nodes=2, launcher="torchrun", env_vars=beyond))
    error_snapshot("plan: node rank beyond the nodes", said)
    odd = {"MASTER_ADDR": "a", "NODE_RANK": "two"}
    said = refusal(partial(), LocalExecutor(nodes=2, launcher="torchrun", env_vars=odd))
    error_snapshot("plan: node rank that is no number", said)


def test_a_missing_script_names_its_neighbour(tmp_path: Path, error_snapshot) -> None:
    (tmp_path / "train.py").touch()
    (tmp_path / "folder").mkdir()
    names = {str(tmp_path): "<folder>"}
    said = refusal(run.Script("trian.py"), cwd=str(tmp_path))
    error_snapshot("plan: no such script", said, replace=names)
    said = refusal(run.Script("folder"), cwd=str(tmp_path))
    error_snapshot("plan: script is a folder", said, replace=names)


WITHOUT_TORCH = """
import nemo_run as run
from nemo_run.exceptions import PlanError
from nemo_run.execution.planning import PlanRequest, TaskRequest, plan_job
executor = run.LocalExecutor(launcher="torchrun", ntasks_per_node=2)
task = TaskRequest("train", run.Script(inline="true"), executor)
try:
    plan_job(PlanRequest("e", "train", "/exp/train", (task,)))
except PlanError as error:
    print(error)
"""


def test_torchrun_without_torch_is_refused_before_anything_runs(error_snapshot) -> None:
    """In an interpreter without its installed packages."""
    root = str(Path(run.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-S", "-c", WITHOUT_TORCH],
        env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    error_snapshot("plan: no torch", done.stdout, replace={sys.executable: "<python>"})
