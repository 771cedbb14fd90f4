"""Executors as programs in the wild make them, by the reference's paths and names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from nemo_run.core.execution.launcher import SlurmTemplate
from nemo_run.core.execution.slurm import (
    SlurmBatchRequest,
    SlurmExecutor,
    SlurmJobDetails,
    get_packaging_job_key,
)
from nemo_run.core.execution.utils import fill_template

import nemo_run as run


@dataclass(kw_only=True)
class Details(SlurmJobDetails):
    """Names of a program that looks for its logs itself."""

    log_prefix: str = "main"
    srun_prefix: str | None = None

    @property
    def stdout(self) -> Path:
        return Path(self.folder or "") / f"{self.log_prefix}_sbatch.log"

    @property
    def srun_stdout(self) -> Path:
        return Path(self.folder or "") / f"{self.srun_prefix or self.log_prefix}_%j_srun.log"

    @property
    def ls_term(self) -> str:
        assert self.folder is not None
        return os.path.join(self.folder, "*_srun.log")


def written(experiment: run.Experiment, capsys: pytest.CaptureFixture[str]) -> str:
    """What a dry run shows."""
    experiment.dryrun()
    return capsys.readouterr().out


def test_a_group_whose_members_name_their_logs(capsys) -> None:
    def executor(number: int) -> SlurmExecutor:
        return SlurmExecutor(
            account="acct", partition=None, nodes=1, ntasks_per_node=2, time="00:05:00", mem=0,
            tunnel=run.SSHTunnel(host="login", user="me", job_dir="/lustre/me", identity="/id"),
            container_image="/images/x.sqsh", container_mounts=["/a:/a"],
            job_details=Details(
                job_name="jobname", folder="/lustre/logs", srun_prefix=f"server{number}"
            ),
            wait_time_for_group_job=0, monitor_group_job_wait_time=20, heterogeneous=True,
            srun_args=["--no-container-mount-home", "--mpi=pmix", "--overlap"],
            additional_parameters={"time_min": "00:01:00"}, env_vars={"N": str(number)},
            dependency_type="afterany", dependencies=["4242"], packager=run.Packager(),
        )  # fmt: skip

    with run.Experiment("skills") as experiment:
        tasks = [run.Script(inline="serve"), run.Script(inline="ask")]
        experiment.add(tasks, executor=[executor(0), executor(1)], name="nemo-run")
        text = written(experiment, capsys)
    assert "#SBATCH --job-name=jobname" in text
    assert "#SBATCH --output=/lustre/logs/main_sbatch.log" in text
    assert "#SBATCH --time-min=00:01:00" in text
    assert '/lustre/logs/server1_"$SLURM_JOB_ID"_srun.log' in text
    assert "--no-container-mount-home --mpi=pmix" in text.replace(" \\\n    ", " ")
    assert "export NEMORUN_ONE_LOG=1" in text
    assert get_packaging_job_key("id", "nemo-run") == "id:nemo-run"


def test_an_executor_that_is_changed_after_it_was_made(capsys) -> None:
    executor = run.SlurmExecutor(
        account="acct", partition="batch", nodes=2, ntasks_per_node=8, mem="0", exclusive=True,
        gres="gpu:8", tunnel=run.LocalTunnel(job_dir="/lustre/me"), packager=run.Packager(),
    )  # fmt: skip
    executor.launcher = SlurmTemplate(
        template_inline="{{ pre }}\n{{ command }}\n", template_vars={"pre": "ulimit -n 9"}
    )
    executor.container_image = "nvcr.io/nvidia/nemo:25.09"
    executor.env_vars |= {"NVTE_X": "1"}
    executor.srun_args = ["--container-writable"]
    executor.network = "sharp"
    executor.retries = 1
    other = executor.clone()
    other.nodes = 4
    with run.Experiment("perf") as experiment:
        experiment.add(run.Script("train.py", entrypoint="python"), executor=executor, name="a")
        text = written(experiment, capsys)
    for line in (
        "#SBATCH --exclusive",
        "#SBATCH --gres=gpu:8",
        "#SBATCH --mem=0",
        "#SBATCH --network=sharp",
        "#SBATCH --nodes=2",
        "#SBATCH --requeue",
        "export NVTE_X=1",
        "ulimit -n 9",
    ):
        assert f"{line}\n" in text
    assert "--container-writable" in text


def test_a_batch_script_made_by_hand(tmp_path: Path) -> None:
    executor = run.SlurmExecutor(account="acct", tunnel=None, setup_lines="module load cuda")
    executor.job_name = "prep"
    text = SlurmBatchRequest(
        launch_cmd=["sbatch", "--parsable"],
        jobs=["prep"],
        command_groups=[["python prep.py --all"]],
        executor=executor,
        max_retries=0,
        extra_env={},
    ).materialize()
    assert "module load cuda\n" in text
    assert "#SBATCH --job-name=prep\n" in text
    (tmp_path / "t.j2").write_text("{{ a }} and {{ b }}")
    filled = fill_template("t.j2", {"a": 1, "b": 2}, template_dir=str(tmp_path))
    assert filled == "1 and 2"
