"""Jobs of every shape on a real cluster: groups, hetjobs, ranks that fail, GPUs, containers."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

import nemo_run as run
from engines import images
from engines.slurm import Slurm
from nemo_run.exceptions import JobFailedError


class Cluster:
    """A folder on the cluster that jobs lie in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def executor(self, **fields) -> run.SlurmExecutor:
        fields = {"wait_time_for_group_job": 0, "monitor_group_job_wait_time": 5, **fields}
        tunnel = run.LocalTunnel(job_dir=str(self.folder))
        return run.SlurmExecutor(tunnel=tunnel, packager=run.Packager(), **fields)

    def launched(self, tasks, executor, **more) -> Path:
        """Run one job to its end and return its folder; a failure is for the caller to read."""
        with run.Experiment("shapes", clean_mode=True) as exp:
            exp.add(tasks, executor, name="job", **more)
            with contextlib.suppress(JobFailedError):
                exp.run()
        return self.folder / "shapes" / exp.id / "jobs/job"


@pytest.fixture
def cluster(slurm: Slurm, shared_folder: Path) -> Cluster:
    return Cluster(shared_folder)


def shell(text: str) -> run.Script:
    return run.Script(inline=text, entrypoint="sh")


def record(job: Path) -> str:
    return (job / "attempts/1/exit").read_text()


def log(job: Path, name: str = "rank-0.log") -> str:
    lines = (job / "logs/1" / name).read_text().splitlines(keepends=True)
    # slurmstepd tells of its own in there too.
    return "".join(line for line in lines if not line.startswith("slurmstepd"))


def test_the_first_rank_that_fails_decides(cluster: Cluster) -> None:
    text = '[ "$RANK" = 2 ] && sleep 1 && exit 7; exec sleep 60'
    job = cluster.launched(shell(text), cluster.executor(nodes=2, ntasks_per_node=2))
    assert record(job) == "exit 7 by rank 2 of job\n"
    said = next(job.glob("sbatch_job_*.out")).read_text()
    assert "task 2: Exited with exit code 7" in said


@pytest.mark.parametrize(
    ("programs", "options", "ended"),
    [
        (["sleep 1", "exit 7"], {}, "exit 7 by "),
        (["exec sleep 60", "kill -9 $$"], {}, "exit 137 by "),
        (
            ["exec sleep 60", "sleep 1"],
            {"policy": "main", "roles": ["sidecar", "main"]},
            "exit 0 by ",
        ),
        (["exit 0", "sleep 3; echo late"], {}, "exit 0 by "),
    ],
)
def test_a_group_ends_as_its_policy_says(cluster: Cluster, programs, options, ended) -> None:
    given = cluster.executor()
    job = cluster.launched([shell(text) for text in programs], given, **options)
    assert record(job).startswith(ended)
    if "late" in programs[1]:
        assert [*job.glob("logs/1/*/rank-0.log")]
        assert any(file.read_text() == "late\n" for file in job.glob("logs/1/*/rank-0.log"))


def test_components_of_a_hetjob_have_machines_of_their_own(cluster: Cluster) -> None:
    say = 'echo "$(hostname) ${CUDA_VISIBLE_DEVICES:-none} $het_group_host_1"'
    big = cluster.executor(
        nodes=2, gpus_per_node=2, heterogeneous=True, het_group_indices=[0, 0, 1]
    )
    small = cluster.executor(gpus_per_node=1)
    plain = cluster.executor(mem="100", cpus_per_task=2)
    job = cluster.launched([shell(f"{say}; sleep 1")] * 3, [big, small, plain])
    assert record(job).startswith("exit 0")
    first = [log(job, f"{name}/rank-0.log").split() for name in _members(job)]
    assert first[0][0] == first[1][0] != first[2][0]
    assert [words[1] for words in first] == ["0,1", "0", "none"]
    assert {words[2] for words in first} == {first[2][0]}


def _members(job: Path) -> list[str]:
    order = (job / "attempts/1/job_sbatch.sh").read_text()
    names = next(line for line in order.splitlines() if line.startswith("names=("))
    return names.removeprefix("names=(").rstrip(")").split()


@pytest.mark.parametrize(
    ("fields", "seen"),
    [
        ({"gpus_per_node": 2, "gpus_via": "gres"}, "0,1"),
        ({"gpus_per_node": 2}, "0,1"),
        ({"gpus_per_task": 1}, "0"),
    ],
)
def test_gpus_arrive_however_they_were_asked_for(cluster: Cluster, fields, seen: str) -> None:
    job = cluster.launched(shell("echo $CUDA_VISIBLE_DEVICES"), cluster.executor(**fields))
    assert log(job) == f"{seen}\n"


def test_values_arrive_in_a_container_as_they_are(cluster: Cluster, shared_folder: Path) -> None:
    value = 'it\'s\n"two" lines $HOME `id` \\'
    data = shared_folder / "my data"
    data.mkdir()
    (data / "file").write_text("data\n")
    given = cluster.executor(
        nodes=2,
        container_image=images.BUSYBOX,
        container_mounts=[f"{data}:/data:ro"],
        env_vars={"TEXT": value, "OUT": "/nemo_run/out"},
    )
    text = 'printf "%s\\n" "$TEXT" "$OUT" "$(pwd)" "$NODE_RANK"; cat /data/file'
    job = cluster.launched(run.Script(inline=text, entrypoint="sh"), given)
    assert record(job) == "exit 0 by job\n"
    for rank in range(2):
        assert log(job, f"rank-{rank}.log") == (
            f"{value}\n/nemo_run/out\n/nemo_run/code\n{rank}\ndata\n"
        )


def test_options_with_odd_signs_arrive_at_slurm(cluster: Cluster) -> None:
    comment = 'it\'s 100% "fine" \\o/ # $HOME'
    given = cluster.executor(comment=comment, job_name_prefix="p-", setup_lines="echo 'set up'")
    text = "scontrol show job $SLURM_JOB_ID"
    job = cluster.launched(shell(text), given)
    said = log(job)
    assert f"Comment={comment}" in said
    assert "JobName=p-job" in said
    assert next(job.glob("sbatch_job_*.out")).read_text() == "set up\n"
