"""The fake Slurm's programs, as users and as programs call them."""

from __future__ import annotations

import time

# sbatch


def test_a_script_runs_with_its_arguments_and_its_environment(shell):
    (shell.directory / "job.sh").write_text(
        "#!/bin/bash\n#SBATCH --job-name=one --nodes=2\n#SBATCH --ntasks-per-node=2\n"
        '#SBATCH --comment="two words"\n\n#SBATCH -p main\n'
        'echo "$1|$2|$SLURM_JOB_ID|$SLURM_JOB_NODELIST|$SLURM_NNODES|$SLURM_NTASKS|$MINE|$PWD"\n'
        "#SBATCH --nodes=9\nexit 3\n"
    )
    job = shell.out("sbatch --parsable -o %x-%j.txt job.sh one 'two three'", MINE="a b")
    assert shell.wait(job) == "FAILED"
    told = (shell.directory / f"one-{job}.txt").read_text()
    assert told == f"one|two three|{job}|n[1-2]|2|4|a b|{shell.directory}\n"
    found = shell.slurm.job(job)
    assert (found.exit_code, found.reason, found.comment) == (
        (3, 0),
        "NonZeroExitCode",
        "two words",
    )


def test_the_command_line_wins_over_the_environment_and_that_over_the_script(shell):
    (shell.directory / "job.sh").write_text("#!/bin/sh\n#SBATCH -J script --time=5 --qos=low\n")
    job = shell.out("sbatch --parsable -J line job.sh", SBATCH_TIMELIMIT="7", SBATCH_JOB_NAME="env")
    assert shell.out(f"squeue -h -t all -j {job} -o '%j %l %q'") == "line 7:00 low"


def test_arrays_run_as_many_at_once_as_they_may(shell):
    job = shell.submit("-o %A_%a.txt --array=0-3%2 --wrap 'echo $SLURM_ARRAY_TASK_ID; sleep 0.3'")
    assert shell.out("squeue -h -o '%i %r %T'").splitlines() == [
        f"{job}_[2-3%2] JobArrayTaskLimit PENDING",
        f"{job}_0 None RUNNING",
        f"{job}_1 None RUNNING",
    ]
    for at in range(4):
        shell.wait(f"{job}_{at}", "COMPLETED")
        assert (shell.directory / f"{job}_{at}.txt").read_text() == f"{at}\n"
    raw = shell.out(f"sacct -n -P -X -j {job} -o jobidraw").splitlines()
    assert len(set(raw)) == 4
    assert job in raw


def test_dependants_start_after_success_and_never_after_failure(shell):
    good = shell.submit("--wrap 'sleep 1.5'")
    bad = shell.submit("--wrap 'sleep 1.5; exit 2'")
    after = shell.submit(f"-d afterok:{good} --wrap true")
    never = shell.submit(f"-d afterok:{bad} --wrap true")
    dropped = shell.submit(f"-d afterok:{bad} --kill-on-invalid-dep=yes --wrap true")
    anyway = shell.submit(f"-d afterany:{bad} --wrap true")
    sorry = shell.submit(f"-d afternotok:{bad} --wrap true")
    assert (
        shell.out(f"squeue -h -j {after} -o '%r %E'") == f"Dependency afterok:{good}(unfulfilled)"
    )
    for job in (after, anyway, sorry):
        assert shell.wait(job) == "COMPLETED"
    assert shell.wait(dropped) == "CANCELLED"
    left = shell.out(f"squeue -h -j {never} -o '%T %r %E'")
    assert left == f"PENDING DependencyNeverSatisfied afterok:{bad}(failed)"


def test_a_heterogeneous_job_has_components_under_one_id(shell):
    (shell.directory / "het.sh").write_text(
        "#!/bin/bash\n#SBATCH -N1 -J het\n#SBATCH hetjob\n#SBATCH -N2\n"
        "echo $SLURM_HET_SIZE $SLURM_JOB_NODELIST_HET_GROUP_1\n"
        "srun --het-group=1 -o g1.txt sh -c 'echo $SLURMD_NODENAME $SLURM_PROCID'\n"
        "srun --het-group=0 sh -c 'echo a $SLURM_PROCID' : --het-group=1 sh -c 'echo b'\n"
        "sleep 1\n"
    )
    job = shell.submit("het.sh")
    assert shell.out("squeue -h -o '%i %D'").splitlines() == [f"{job}+0 1", f"{job}+1 2"]
    assert shell.wait(f"{job}+1") == "COMPLETED"
    assert sorted((shell.directory / "g1.txt").read_text().split("\n")[:2]) == ["n2 0", "n3 1"]
    lines = (shell.directory / f"slurm-{job}.out").read_text().splitlines()
    assert lines[0] == "2 n[2-3]"
    assert sorted(lines[1:]) == ["a 0", "b", "b"]


# srun


def test_tasks_have_their_ranks_and_the_highest_status_counts(shell):
    (shell.directory / "job.sh").write_text(
        "#!/bin/bash\n#SBATCH -N2 --ntasks-per-node=2\n"
        "srun -o %t-%N.txt sh -c "
        "'echo $SLURM_LOCALID $SLURM_NODEID $SLURM_STEP_ID; exit $SLURM_PROCID'\n"
    )
    job = shell.submit("job.sh")
    shell.wait(job)
    assert shell.slurm.job(job).exit_code == (3, 0)
    told = {path.name: path.read_text() for path in shell.directory.glob("?-n?.txt")}
    assert told == {
        "0-n1.txt": "0 0 0\n",
        "1-n1.txt": "1 0 0\n",
        "2-n2.txt": "0 1 0\n",
        "3-n2.txt": "1 1 0\n",
    }
    assert shell.out(f"sacct -n -P -j {job} -o jobid,state,exitcode").splitlines() == [
        f"{job}|FAILED|3:0",
        f"{job}.batch|FAILED|3:0",
        f"{job}.0|FAILED|3:0",
    ]


def test_a_bad_exit_ends_the_other_tasks_where_that_is_asked(shell):
    began = time.monotonic()
    done = shell("srun -n2 --kill-on-bad-exit=1 sh -c '[ $SLURM_PROCID = 0 ] && sleep 30; exit 5'")
    assert time.monotonic() - began < 10
    assert done.returncode == 143
    assert "task 1: Exited with exit code 5" in done.stderr
