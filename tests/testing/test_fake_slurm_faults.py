"""What goes wrong with clusters, on the fake Slurm: away, slow, deaf, late, full, many at once."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from nemo_run.testing import FakeSlurm

AWAY = "Unable to contact slurm controller (connect failure)"


def test_nothing_answers_while_the_controller_is_away_and_jobs_run_on(shell):
    job = shell.submit("-o out.txt --wrap 'sleep 0.5; echo done'")
    shell.slurm.down()
    for command, text, code in (
        ("sbatch --wrap true", f"sbatch: error: Batch job submission failed: {AWAY}", 1),
        ("squeue", f"slurm_load_jobs error: {AWAY}", 1),
        (f"scancel {job}", f"scancel: error: Kill job error on job id {job}: {AWAY}", 8),
        ("sinfo", f"slurm_load_partitions: {AWAY}", 1),
        ("srun true", f"srun: error: Unable to allocate resources: {AWAY}", 1),
        (f"scontrol show job {job}", f"slurm_load_jobs error: {AWAY}", 1),
    ):
        done = shell(command)
        assert (done.stderr.strip(), done.stdout, done.returncode) == (text, "", code)
    assert shell("scontrol ping").returncode == 1
    assert shell.out("scontrol show hostnames 'n[1-2]'") == "n1\nn2"
    assert shell.until("out.txt") == "done\n"
    assert shell.out(f"sacct -X -n -P -j {job} -o jobid") == job
    shell.slurm.up()
    assert shell.out("squeue -h") == ""
    assert shell.wait(job) == "COMPLETED"


def test_an_answer_that_comes_late(shell):
    shell.slurm.delay("sbatch", 0.5, times=1)
    began = time.monotonic()
    shell.submit("--wrap true")
    assert time.monotonic() - began >= 0.5
    began = time.monotonic()
    shell.submit("--wrap true")
    assert time.monotonic() - began < 0.5


def test_an_answer_that_is_lost_after_the_job_was_taken(shell):
    text = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    shell.slurm.fail("sbatch", text, after=True)
    done = shell("sbatch -J once -o /dev/null --wrap true")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", text + "\n")
    assert [job.name for job in shell.slurm.jobs()] == ["once"]
    shell.slurm.fail("sbatch", text)
    assert shell("sbatch -J twice --wrap true").returncode == 1
    assert [job.name for job in shell.slurm.jobs()] == ["once"]
    shell.submit("-J three --wrap true")
    assert len(shell.slurm.jobs()) == 2


def test_the_accounting_learns_late_and_forgets_nothing(cluster):
    shell = cluster(min_job_age=0.2)
    shell.slurm.late_accounting(0.8)
    job = shell.submit("-o /dev/null --wrap true")
    shell.wait(job)
    assert shell.out(f"sacct -X -n -P -j {job} -o state") == ""
    time.sleep(0.9)
    assert shell.out(f"sacct -X -n -P -j {job} -o state") == "COMPLETED"
    assert "Invalid job id specified" in shell(f"scontrol show job {job}").stderr
    assert "Invalid job id specified" in shell(f"squeue -j {job}").stderr


def test_a_cluster_without_accounting(cluster):
    shell = cluster(accounting=False)
    done = shell("sacct -j 1")
    assert (done.returncode, done.stderr) == (1, "Slurm accounting storage is disabled\n")


@pytest.mark.parametrize(
    ("settings", "options", "text"),
    [
        ({"accounts": ["team"]}, "-A other", "Invalid account or account/partition combination"),
        ({"qos": ["normal"]}, "-q best", "Invalid qos specification"),
        ({"features": ["a100"]}, "-C h100", "Invalid feature specification"),
        ({"max_submit": 0}, "", "QOSMaxSubmitJobPerUserLimit"),
        ({"max_array_size": 10}, "--array=0-10", "Invalid job array specification"),
        ({"gpus_per_node": 4}, "--gpus-per-node=8", "node configuration is not available"),
    ],
)
def test_what_a_site_does_not_allow(cluster, settings, options, text):
    shell = cluster(**settings)
    done = shell(f"sbatch {options} --wrap true")
    assert done.returncode == 1
    assert text in done.stderr
    assert shell.slurm.jobs() == []


def test_a_name_of_the_cluster_is_part_of_what_is_parsable(cluster):
    shell = cluster(cluster="east", first_job_id=70)
    assert shell.out("sbatch --parsable --wrap true") == "70;east"
    assert shell.out("sacct -X -n -P -j 70 -o cluster") == "east"
    assert "ClusterName             = east" in shell.out("scontrol show config")


def test_another_user_cancels(shell):
    job = shell.submit("-H --wrap true")
    shell.slurm.cancel_as(4711, job)
    assert shell.out(f"sacct -X -n -P -j {job} -o state") == "CANCELLED by 4711"


def test_a_node_that_is_gone_and_comes_back(cluster):
    shell = cluster(nodes=2)
    shell.slurm.fail_node("n2")
    assert "down" in shell.out("sinfo -h -o '%N %T'")
    job = shell.submit("-N2 -o /dev/null --wrap true")
    waits = shell.out(f"squeue -h -j {job} -o %r")
    assert waits == "ReqNodeNotAvail, UnavailableNodes:n2"
    shell.slurm.resume_node("n2")
    assert shell.wait(job) == "COMPLETED"


def test_a_job_without_memory(shell):
    job = shell.submit("-o /dev/null --wrap 'sleep 60'")
    shell.wait(job, "RUNNING")
    shell.slurm.out_of_memory(job)
    assert shell.wait(job, "OUT_OF_MEMORY") == "OUT_OF_MEMORY"


def test_nodes_that_are_full_make_jobs_wait(cluster):
    shell = cluster(nodes=1, cpus_per_node=2, gpus_per_node=2)
    first = shell.submit(
        "--gpus-per-node=2 -o one.txt --wrap 'echo $CUDA_VISIBLE_DEVICES; sleep 1'"
    )
    second = shell.submit("--gpus-per-node=1 -o two.txt --wrap 'echo $CUDA_VISIBLE_DEVICES'")
    small = shell.submit("-o /dev/null --wrap true")
    assert shell.out(f"squeue -h -j {second} -o '%T %r'") == "PENDING Resources"
    assert shell.wait(small) == "COMPLETED"
    shell.wait(first)
    shell.wait(second)
    assert (shell.until("one.txt"), shell.until("two.txt")) == ("0,1\n", "0\n")


def test_a_hundred_at_once_are_a_hundred_jobs(shell):
    with ThreadPoolExecutor(25) as pool:
        ids = list(pool.map(lambda _: shell.submit("-o /dev/null --wrap true"), range(100)))
    assert sorted(map(int, ids)) == list(range(1, 101))
    for job in ids:
        shell.wait(job, "COMPLETED")


def test_a_thousand_waiting_jobs_are_listed_fast(shell):
    for _ in range(4):
        shell.submit("-H --array=0-249 --wrap true")
    began = time.monotonic()
    lines = shell.out("squeue -h -r -o '%i|%T|%o|%k'").splitlines()
    assert len(lines) == 1000
    assert time.monotonic() - began < 2, "35 ms on a quiet machine"


def test_two_clusters_know_nothing_of_each_other(cluster):
    one, two = cluster(), cluster()
    one.submit("-J mine -H --wrap true")
    assert two.out("squeue -h") == ""
    assert one.out("squeue -h -o %j") == "mine"


def test_a_folder_with_a_long_name_and_a_space(tmp_path):
    folder = tmp_path / ("long name " * 12)
    with FakeSlurm(folder) as slurm:
        done = subprocess.run(
            ["sbatch", "-W", "-o", "/dev/null", "--wrap", "srun true"],
            env=slurm.environment(),
            capture_output=True,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert slurm.jobs()[0].state == "COMPLETED"


def test_what_a_container_was_asked_for_is_kept_and_its_folder_is_the_mounted_one(shell):
    (shell.directory / "code").mkdir()
    shell.out(
        "srun -o where.txt --container-image=lab/py:1 --container-workdir=/nemo/code"
        f" --container-mounts={shell.directory}:/nemo --no-container-mount-home pwd"
    )
    step = shell.slurm.jobs()[0].steps[0]
    assert step.containers["container-image"] == "lab/py:1"
    assert "no-container-mount-home" in step.submit_line
    assert (shell.directory / "where.txt").read_text() == f"{shell.directory}/code\n"


def test_a_controller_that_is_gone_is_one_that_cannot_be_reached(tmp_path):
    slurm = FakeSlurm(tmp_path / "slurm").start()
    slurm.stop()
    done = subprocess.run(["squeue"], env=slurm.environment(), capture_output=True, text=True)
    assert done.returncode == 1
    assert AWAY in done.stderr
    slurm.start()
    assert subprocess.run(["squeue"], env=slurm.environment(), capture_output=True).returncode == 0
    slurm.remove()
    assert not slurm.folder.exists()
