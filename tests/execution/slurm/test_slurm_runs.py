"""What the scripts do when they run, with a small srun in Slurm's place."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from few_tools import Tools
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slurm_specs import TREE, Part, executor, planned, shell

from nemo_run import LocalTunnel, Packager, Script
from nemo_run.execution.code import Code
from nemo_run.execution.commands import RANK_LOG
from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.slurm.details import SlurmJobDetails
from nemo_run.execution.slurm.render import render


class Place:
    """A cluster's folder, in which jobs run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = Tools(folder)

    def executor(self, **fields):
        fields.setdefault("wait_time_for_group_job", 0)
        fields.setdefault("monitor_group_job_wait_time", 5)
        return executor(tunnel=LocalTunnel(job_dir=str(self.folder)), **fields)

    def plan(self, *parts: Part, **more) -> JobSpec:
        return planned(parts, working_directory=str(self.folder), **more)

    def run(self, spec: JobSpec, **variables: str) -> subprocess.CompletedProcess[str]:
        artifacts = render(spec)
        files = [(Path(one.path), one.content) for one in artifacts]
        for member in spec.members:
            files += [(Path(member.directory, n), t.encode()) for n, t in member.files.items()]
        for path, content in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return self.tools.run(artifacts[0].path, **variables)

    def one(self, text: str, job: str = "train", **fields) -> JobSpec:
        return self.plan(Part(shell(text), self.executor(**fields)), job=job)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def log(spec: JobSpec, name: str = "rank-0.log", attempt: int = 1) -> str:
    return Path(spec.directory, "logs", str(attempt), name).read_text("utf-8")


def record(spec: JobSpec, attempt: int = 1) -> str:
    return Path(spec.directory, "attempts", str(attempt), "exit").read_text("utf-8")


def test_a_job_runs_and_says_how_it_ended(place: Place) -> None:
    spec = place.one("echo hello; echo oh >&2; exit 3")
    done = place.run(spec)
    assert done.returncode == 3
    assert log(spec) == "hello\noh\n"
    assert record(spec) == "exit 3 by train\n"
    started = Path(spec.directory, "attempts/1/started").read_text()
    assert started.split()[0] == "started"
    link = Path(spec.directory, "log-train_4242_0.out")
    assert link.read_text() == "hello\noh\n"


def test_a_run_again_is_an_attempt_of_its_own(place: Place) -> None:
    spec = place.one('echo "$NEMORUN_TOKEN $NEMORUN_ATTEMPT_DIR"')
    place.run(spec)
    done = place.run(spec, SLURM_RESTART_COUNT="1")
    assert done.returncode == 0
    assert log(spec, attempt=2) == f"digits_1/train/2 {spec.directory}/attempts/2\n"
    assert record(spec, attempt=2) == "exit 0 by train\n"
    assert Path(spec.directory, "log-train_4242_1.out").exists()


def test_of_an_array_one_task_that_failed_is_what_counts(place: Place) -> None:
    spec = place.one('exit "$SLURM_ARRAY_TASK_ID"', array="0-2")
    for task in ("0", "2", "1", "0"):
        place.run(spec, SLURM_ARRAY_TASK_ID=task)
    assert record(spec) == "exit 2 by train\n"


def test_ranks_know_who_they_are_and_have_logs_of_their_own(place: Place) -> None:
    text = 'echo "$RANK $LOCAL_RANK $NODE_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $MASTER_ADDR"'
    spec = place.one(text, nodes=2, ntasks_per_node=2)
    assert place.run(spec).returncode == 0
    for rank in range(4):
        node, local = divmod(rank, 2)
        assert log(spec, f"rank-{rank}.log") == f"{rank} {local} {node} 4 2 n1\n"


def test_a_rank_of_another_nodes_number_writes_its_own_log(place: Place) -> None:
    # What torchrun does to its processes when the rendezvous gave the nodes the other order.
    swapped = "RANK=$((1 - NODE_RANK)) LOCAL_RANK=0"
    task = f"{swapped} sh -c '{RANK_LOG}' sh sh -c 'echo \"I am $RANK\"'"
    spec = place.one(task, nodes=2)
    assert place.run(spec).returncode == 0
    assert [log(spec, f"rank-{rank}.log") for rank in range(2)] == ["I am 0\n", "I am 1\n"]


def test_the_first_failure_decides_and_not_those_that_it_ended(place: Place) -> None:
    spec = place.one('[ "$RANK" = 1 ] && sleep 0.3 && exit 7; exec sleep 30', ntasks_per_node=3)
    done = place.run(spec)
    assert done.returncode == 7
    assert record(spec) == "exit 7 by rank 1 of train\n"
    assert "task 1: Exited with exit code 7" in done.stderr


def test_a_process_that_was_killed_ends_with_137(place: Place) -> None:
    spec = place.one('[ "$RANK" = 1 ] && kill -9 $$; exec sleep 30', ntasks_per_node=2)
    assert place.run(spec).returncode == 137
    spec = place.one("kill -9 $$", job="alone")
    assert place.run(spec).returncode == 137


@pytest.mark.parametrize(
    ("policy", "roles", "programs", "code", "by"),
    [
        ("all", "mm", ["sleep 0.3; exit 0", "sleep 0.1; exit 7"], 7, "b"),
        ("all", "mm", ["exec sleep 30", "exit 7"], 7, "b"),
        ("all", "mm", ["exit 0", "sleep 1.5; echo late"], 0, "b"),
        ("all", "mm", ["kill -9 $$", "exec sleep 30"], 137, "a"),
        ("main", "sm", ["exec sleep 30", "sleep 0.1; exit 0"], 0, "b"),
        ("main", "sm", ["exit 4", "sleep 1.5; exit 0"], 0, "b"),
        ("main", "sm", ["exec sleep 30", "exit 5"], 5, "b"),
        ("main", "mm", ["exit 0", "sleep 1.2; exit 0"], 0, "b"),
    ],
)
def test_a_group_ends_as_its_policy_says(place, policy, roles, programs, code, by) -> None:
    names = {"m": "main", "s": "sidecar"}
    parts = [
        Part(shell(text), place.executor(), name, names[role])
        for name, role, text in zip("ab", roles, programs, strict=True)
    ]
    spec = place.plan(*parts, policy=policy)
    done = place.run(spec)
    assert done.returncode == code
    assert record(spec) == f"exit {code} by {by}\n"
    assert f"{by} ended with exit code {code}" in done.stdout
    if "late" in programs[1]:
        assert log(spec, "b/rank-0.log") == "late\n"


def test_a_group_that_is_not_watched_goes_on_to_its_end(place: Place) -> None:
    given = place.executor(monitor_group_job=False)
    parts = [Part(shell("exit 7"), given, "a"), Part(shell("sleep 1; echo end"), given, "b")]
    spec = place.plan(*parts)
    assert place.run(spec).returncode == 7
    assert log(spec, "b/rank-0.log") == "end\n"


def test_variables_of_members_do_not_meet(place: Place) -> None:
    parts = [
        Part(shell('echo "$K ${ONLY-none}"'), place.executor(env_vars=variables), name)
        for name, variables in (
            ("a", {"K": "1", "ONLY": "a"}), ("b", {"K": "2"}), ("c", {"K": "3"})
        )
    ]  # fmt: skip
    spec = place.plan(*parts)
    assert place.run(spec).returncode == 0
    assert [log(spec, f"{name}/rank-0.log") for name in "abc"] == ["1 a\n", "2 none\n", "3 none\n"]


def test_members_find_each_other_by_name(place: Place) -> None:
    client = shell('echo "$NEMORUN_HOST_DATA_SERVER $NEMORUN_NODES_CLIENT $het_group_host_0"')
    spec = place.plan(
        Part(shell(), place.executor(), "data-server"),
        Part(client, place.executor(nodes=2), "client"),
    )
    assert place.run(spec).returncode == 0
    assert log(spec, "client/rank-0.log") == "n1 n1 n2 n1\n"


def test_macros_are_filled_in_and_nothing_else(place: Place) -> None:
    arguments = [
        "$head_node_ip:1", "${head_node_ip_var}", "${num_nodes_var}x${nproc_per_node_var}",
        "${node_rank_var}", "$HOME", "$head_node_ipx", "$$", "a${het_group_host_var}_0 b",
    ]  # fmt: skip
    task = Script(
        inline='printf "%s\\n" "$@" "$ADDR"',
        args=arguments,
        env={"ADDR": "tcp://$head_node_ip and $HOME"},
    )
    other = Part(shell(), place.executor(), "other")
    spec = place.plan(Part(task, place.executor(nodes=2, ntasks_per_node=3), "it"), other)
    assert place.run(spec).returncode == 0
    assert log(spec, "it/rank-0.log").splitlines() == [
        "n1:1", "n1", "2x3", "0", "$HOME", "$head_node_ipx", "$$", "an1 b",
        "tcp://n1 and $HOME",
    ]  # fmt: skip


_TEXT = st.text(
    st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=40
).filter(lambda text: "head_node_ip" not in text)
_SAY = "import json, os, sys; print(json.dumps([dict(os.environ), sys.argv[1:]]))"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(arguments=st.lists(_TEXT, max_size=3), value=_TEXT)
def test_texts_of_users_arrive_as_they_are(tmp_path: Path, arguments, value) -> None:
    names = ("PLAIN", "with.dot", "with space", "PS1", "BASH_X", "ü")
    given = executor(
        tunnel=LocalTunnel(job_dir=str(tmp_path)), env_vars=dict.fromkeys(names, value)
    )
    say = tmp_path / "say.py"
    say.write_text(_SAY)
    task = Script(str(say), entrypoint=sys.executable, args=arguments)
    spec = planned([Part(task, given)], working_directory=str(tmp_path))
    file = tmp_path / "step.sh"
    file.write_bytes(render(spec)[1].content)
    environment = {**os.environ, "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0"}
    done = subprocess.run(["sh", file], env=environment, capture_output=True, check=True)
    seen, said = json.loads(done.stdout)
    assert said == arguments
    assert {name: seen[name] for name in names} == dict.fromkeys(names, value)


def test_two_jobs_at_once_meet_at_different_ports(place: Place) -> None:
    ports = []
    for number in ("7", "8"):
        spec = place.one('echo "$MASTER_PORT"', job=f"job{number}", ntasks_per_node=2)
        place.run(spec, SLURM_JOB_ID=number)
        ports.append(int(log(spec)))
    assert ports[0] != ports[1]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[0]))
        taken.listen()
        spec = place.one('echo "$MASTER_PORT"', job="again", ntasks_per_node=2)
        place.run(spec, SLURM_JOB_ID="7")
        assert int(log(spec)) not in ports


def test_the_code_is_unpacked_once_and_whole(place: Place) -> None:
    (place.folder / "main.py").write_text("x")
    store = place.folder / ".nemo_run/code"
    store.mkdir(parents=True)
    with tarfile.open(store / f"{TREE}.tar", "w") as tar:
        tar.add(place.folder / "main.py", "main.py")
    part = Part(shell("ls /nemo_run/code; echo x >a; pwd"), place.executor())
    spec = place.plan(part, code=Code(TREE, "/home/me/project"))
    half = Path(spec.directory, "code")
    half.mkdir(parents=True)
    (half / "left-by-a-cut").touch()
    assert place.run(spec).returncode == 0
    assert log(spec) == f"main.py\n{spec.directory}/code\n"
    place.run(spec, SLURM_RESTART_COUNT="1")
    assert log(spec, attempt=2) == f"a\nmain.py\n{spec.directory}/code\n"


def test_code_that_is_not_there_is_said(place: Place) -> None:
    spec = place.plan(Part(shell(), place.executor()), code=Code(TREE, "/home/me/project"))
    done = place.run(spec)
    assert done.returncode == 1
    assert record(spec) == "exit 1 by the code, which could not be unpacked\n"


def test_the_code_of_another_job_is_linked(place: Place) -> None:
    other = place.folder / "other/code"
    other.mkdir(parents=True)
    (other / "main.py").touch()
    given = place.executor(packager=Packager(symlink_from_remote_dir=str(other)))
    spec = place.plan(Part(shell("ls"), given))
    assert place.run(spec).returncode == 0
    assert log(spec) == "main.py\n"


def test_setup_lines_run_as_they_are_before_the_tasks(place: Place) -> None:
    spec = place.one(
        'echo "$MODULE"; exit 3', setup_lines="set -e\nexport MODULE='cuda 12'\necho set up"
    )
    done = place.run(spec)
    assert done.stdout == "set up\n"
    assert record(spec) == "exit 3 by train\n"
    assert log(spec) == "cuda 12\n"


def test_memory_is_logged_while_the_job_runs(place: Place) -> None:
    tool = place.tools.folder / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "$@"; exec sleep 30\n')
    tool.chmod(0o700)
    spec = place.one("sleep 0.5", memory_measure=True)
    assert place.run(spec).returncode == 0
    assert "--query-gpu" in log(spec, "memory-n1.log")


def test_errors_may_be_kept_apart(place: Place) -> None:
    spec = place.one("echo out; echo err >&2", ntasks_per_node=2, stderr_to_stdout=False)
    assert place.run(spec).returncode == 0
    for rank in range(2):
        assert log(spec, f"rank-{rank}.log") == "out\n"
        assert log(spec, f"rank-{rank}.err") == "err\n"
    assert Path(spec.directory, "log-train_4242_0.err").read_text() == "err\n"


class Named(SlurmJobDetails):
    """As programs name their logs."""

    @property
    def srun_stdout(self) -> Path:
        return Path(self.folder or "", "%j", f"{self.job_name}_srun.log")


def test_a_log_that_a_program_names_has_what_all_ranks_say(place: Place) -> None:
    details = Named(folder=str(place.folder / "my logs"), job_name="mine")
    spec = place.one("echo said", ntasks_per_node=2, job_details=details)
    assert place.run(spec).returncode == 0
    assert (place.folder / "my logs/4242/mine_srun.log").read_text() == "said\nsaid\n"
    assert not Path(spec.directory, "logs/1/rank-1.log").exists()


def test_a_folder_may_have_the_id_of_the_job_in_its_name(place: Place) -> None:
    details = SlurmJobDetails(folder=str(place.folder / "logs of/%j"))
    spec = place.one("echo said", job_details=details, setup_lines="echo set up")
    script = render(spec)[0].content.decode()
    assert f"#SBATCH --output={spec.directory}/sbatch_train_%j.out" in script
    Path(spec.directory).mkdir(parents=True)
    Path(spec.directory, "sbatch_train_4242.out").write_text("set up\n")
    place.run(spec)
    folder = place.folder / "logs of/4242"
    assert (folder / "sbatch_train_4242.out").read_text() == "set up\n"
    assert (folder / "log-train_4242_0.out").read_text() == "said\n"


def test_a_name_full_of_signs_is_a_name(place: Place) -> None:
    job = "it's 100% $x `y` ü"
    spec = place.one("echo fine", job=job)
    assert place.run(spec).returncode == 0
    assert log(spec) == "fine\n"
    assert Path(spec.directory, f"log-{job}_4242_0.out").read_text() == "fine\n"
