"""What the tests of Slurm's scripts share: jobs of many kinds, planned as experiments plan them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from nemo_run import FaultTolerance, LocalTunnel, Packager, SlurmTemplate, SSHTunnel
from nemo_run.config.script import Script
from nemo_run.execution.code import Code
from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.launcher import Launcher
from nemo_run.execution.planning import PlanRequest, TaskRequest, plan_job
from nemo_run.execution.slurm.executor import SlurmExecutor

ROOT = "/lustre/me"
TREE = "9bdc3e1fae1f4d6d9c3f2a7f0d7c5b9f2f0c1d2e"


class Part(NamedTuple):
    """One task of a job: what it runs, where, and who it is."""

    task: Script
    executor: SlurmExecutor
    name: str = "train"
    role: str = "main"


def executor(**fields: Any) -> SlurmExecutor:
    """Return an executor whose jobs lie below :data:`ROOT` on this machine."""
    fields.setdefault("tunnel", LocalTunnel(job_dir=ROOT))
    fields.setdefault("packager", Packager())
    return SlurmExecutor(**fields)


def far(**fields: Any) -> SlurmExecutor:
    """Return an executor for a cluster that is reached over SSH."""
    return executor(tunnel=SSHTunnel(job_dir=ROOT, host="login", user="me"), **fields)


def shell(text: str = "true", **fields: Any) -> Script:
    return Script(inline=text, **fields)


def planned(parts: Sequence[Part], **more: Any) -> JobSpec:
    """Return the spec of a job, as its plan makes it."""
    first = parts[0].executor
    job = more.pop("job", parts[0].name if len(parts) == 1 else "group")
    return plan_job(
        PlanRequest(
            experiment="digits_1",
            job=job,
            directory=f"/record/digits/digits_1/jobs/{job}",
            members=tuple(
                TaskRequest(name=job if len(parts) == 1 else p.name, task=p.task,
                            executor=p.executor, role=p.role)  # type: ignore[arg-type]
                for p in parts
            ),
            target=first.target("/record/digits/digits_1", "digits", "digits_1", job),
            working_directory=more.pop("working_directory", "/home/me/project"),
            python="/usr/bin/python3",
            environment=more.pop("environment", {}),
            **more,
        )
    )  # fmt: skip


def one(task: Script | None = None, **fields: Any) -> JobSpec:
    return planned([Part(task or shell(), executor(**fields))])


def group(policy: str = "all", **fields: Any) -> JobSpec:
    fields = {"wait_time_for_group_job": 0, **fields}
    return planned(
        [
            Part(shell("serve"), executor(**fields), "server", "sidecar"),
            Part(shell("ask"), executor(nodes=2, ntasks_per_node=2, **fields), "client 1", "main"),
        ],
        policy=policy,
    )


def heterogeneous(**fields: Any) -> JobSpec:
    fields = {"heterogeneous": True, "het_group_indices": [0, 0, 1], **fields}
    big = executor(nodes=2, ntasks_per_node=8, gpus_per_node=8, partition="gpu", **fields)
    return planned(
        [
            Part(shell(), big, "train"),
            Part(shell(), executor(gpus_per_node=8), "watch"),
            Part(shell("echo $het_group_host_0"), executor(partition="cpu", mem="8G"), "data"),
        ]
    )


CODE = Code(TREE, "/home/me/project")
IMAGE = "nvcr.io#nvidia/nemo:25.09"
ODD = {"TEXT": 'it\'s\n"two" lines $HOME `id` \\ ü', "my.name": "x y", "AT": "$head_node_ip:1"}

VARIANTS: Mapping[str, JobSpec] = {
    "single": one(env_vars=ODD, account="acct", partition="batch", gpus_per_node=8),
    "ranks": one(nodes=2, ntasks_per_node=8, cpus_per_task=4, stderr_to_stdout=False),
    "torchrun": planned(
        [
            Part(
                shell(),
                far(
                    nodes=2, ntasks_per_node=8, cpus_per_task=4, launcher="torchrun", exclusive=True
                ),
            )
        ]
    ),
    "container": planned(
        [
            Part(
                shell("python /nemo_run/code/train.py"),
                far(
                    nodes=2,
                    container_image=IMAGE,
                    container_mounts=["/data:/data:ro", "/$nemo_run/x:/x"],
                    container_env=["NCCL_DEBUG"],
                    env_vars={"OUT": "/nemo_run/out"},
                ),
            )
        ],
        code=CODE,
    ),
    "code": planned([Part(shell("python /nemo_run/code/train.py"), far())], code=CODE),
    "link": planned(
        [Part(shell(), far(packager=Packager(symlink_from_remote_dir="/lustre/me/other/code")))]
    ),
    "group": group(),
    "main": group("main", monitor_group_job=False, wait_time_for_group_job=5),
    "het": heterogeneous(),
    "extras": one(
        memory_measure=True,
        setup_lines="module load cuda\nexport A='b c'\n",
        srun_args=["--mpi=pmix", "--comment=${num_nodes_var} nodes $HOME"],
        additional_parameters={"reservation": "a 'b'", "no-kill": True, "hint": None},
        retries=2,
        signal="B:USR1@60",
    ),
    "ft": planned([Part(shell(), far(nodes=2, launcher=FaultTolerance(max_restarts=1)))]),
    "template": one(launcher=SlurmTemplate(template_inline="{{ command }}")),
    "nsys": planned(
        [Part(shell(), far(launcher=Launcher(nsys_profile=True, nsys_gpu_metrics=True)))]
    ),
    "odd name": planned([Part(shell(), executor(array="0-3"))], job="it's 100% $x"),
}
