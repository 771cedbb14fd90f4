"""What the tests' own engines promise; see README.md."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from engines import images
from engines.processes import until
from engines.slurm import Slurm
from engines.ssh import Login


def test_an_ordinary_user_submits_from_the_login_host(login: Login, slurm: Slurm) -> None:
    script = "#!/bin/sh\nhostname; id -un; echo $SLURM_JOB_PARTITION"
    done = login.run(f"cd && echo '{script}' | sbatch --parsable -W -w n3 -o %x.out -J hello")
    assert done.strip().isdigit()
    assert (login.home / "hello.out").read_text().split() == ["n3", "ada", "main"]


def test_the_login_host_is_also_reached_through_the_jump_host(login: Login) -> None:
    done = subprocess.run(["ssh", login.by_jump, "hostname"], capture_output=True, text=True)
    assert done.stdout == "login\n"


def test_root_submits_here_and_accounting_knows_it(slurm: Slurm, shared_folder: Path) -> None:
    job = slurm.sbatch("srun -l hostname; exit 3", "-wn1,n2", "-N2", f"-o{shared_folder}/out")
    assert slurm.wait(job) == "FAILED"
    assert sorted((shared_folder / "out").read_text().splitlines()) == ["0: n1", "1: n2"]
    sacct = ("sacct", "-n", "-X", "-j", str(job), "-oState")
    until(lambda: "FAILED" in slurm.run(*sacct), 60, "sacct does not know the job")


def test_tasks_run_in_images(slurm: Slurm, shared_folder: Path) -> None:
    place = f"{shared_folder}:/data"
    python = "import sys, os; print(sys.version_info[0], os.getcwd(), os.listdir('/data'))"
    script = (
        f"srun --container-image={images.PYTHON} --container-mounts={place} "
        f'--container-workdir=/data python3 -c "{python}"\n'
        f"srun --container-image={images.BUSYBOX} sh -c 'test ! -e /usr && echo bare'"
    )
    job = slurm.sbatch(script, f"-o{shared_folder}/out")
    assert slurm.wait(job) == "COMPLETED", (shared_folder / "out").read_text()
    assert (shared_folder / "out").read_text().splitlines() == ["3 /data ['out']", "bare"]


def test_gpus_are_counted(slurm: Slurm, shared_folder: Path) -> None:
    job = slurm.sbatch("echo $CUDA_VISIBLE_DEVICES", "--gpus-per-node=2", f"-o{shared_folder}/out")
    slurm.wait(job)
    assert len((shared_folder / "out").read_text().split(",")) == 2


def test_connections_are_cut_and_what_runs_goes_on(own_login: Login) -> None:
    mark = own_login.home / "went-on"
    command = f"trap '' HUP PIPE; echo here; sleep 1; touch {mark}; sleep 60"
    with subprocess.Popen(["ssh", own_login.host, command], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"here\n"
        assert own_login.cut() >= 1
        assert client.wait(30) == 255
    until(mark.exists, 30, "the command did not go on")
    own_login.block()
    assert subprocess.run(["ssh", own_login.host, "true"], capture_output=True).returncode == 255
    own_login.unblock()
    assert own_login.run("echo again") == "again\n"


def test_the_controller_forgets_nothing(own_slurm: Slurm) -> None:
    job = own_slurm.sbatch("sleep 2")
    own_slurm.stop_controller()
    own_slurm.start_controller()
    assert own_slurm.wait(job) == "COMPLETED"


def test_a_program_is_slow(slow_sbatch: Callable[[float], Path]) -> None:
    assert "sleep 2.5" in (slow_sbatch(2.5) / "sbatch").read_text()
