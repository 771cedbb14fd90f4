"""The same commands to the fake Slurm and to a real one: the same answers.

Job ids, times, folders and node names are replaced before they are compared.
"""

from __future__ import annotations

import difflib
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nemo_run.testing import FakeSlurm

FORM = "%i|%T|%t|%r|%j|%k|%o|%Z|%A|%K|%F|%l|%D|%P|%E"
NAMED = "jobarrayid:30,arrayjobid::|,arraytaskid,name:8,state,reason,comment,restartcnt,requeue:4"
FIELDS = (
    "jobid,jobname,state,exitcode,derivedexitcode,nnodes,ntasks,comment,submitline,timelimitraw"
)

LONG = """#!/bin/bash
#SBATCH --job-name=long --comment="two words"
#SBATCH -N2 --ntasks-per-node=2
#SBATCH --output=%x-%j.txt
echo "$1|$2"
env | grep -E '^SLURM_(JOB_NAME|N[A-Z]*|JOB_NUM_NODES|TASKS_PER_NODE|SUBMIT_DIR)=' |
  grep -v NODELIST | sort
srun -l sh -c 'echo $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $SLURM_STEP_ID $SLURM_NTASKS' | sort
srun -N1 -n1 sh -c 'echo $SLURM_NTASKS $SLURM_NNODES $SLURM_STEP_NUM_TASKS'
srun -n1 -w "$(scontrol show hostnames "$SLURM_JOB_NODELIST" | tail -1)" sh -c 'echo $SLURM_NODEID'
srun -N1 true
srun sh -c 'exit $SLURM_PROCID' 2>/dev/null; echo "status $?"
srun -n1 nosuchprogram 2>/dev/null; echo "status $?"
exit 3
"""

HET = """#!/bin/bash
#SBATCH -J het -o %x-%j.txt -N1 -n1
#SBATCH hetjob
#SBATCH -N1 -n2
echo $SLURM_HET_SIZE $SLURM_NTASKS_HET_GROUP_1
srun --het-group=0,1 sh -c 'echo $SLURM_PROCID $SLURM_NTASKS $SLURM_NODEID $SLURM_STEP_ID' | sort
srun --het-group=0 sh -c 'echo A $SLURM_PROCID' : --het-group=1 sh -c 'echo B $SLURM_PROCID' | sort
srun --het-group=1 sh -c 'echo only $SLURM_PROCID $SLURM_NODEID $SLURM_STEP_ID' | sort
exit 4
"""


@dataclass
class Side:
    """One of the two clusters, and what it answered."""

    environment: Mapping[str, str]
    folder: Path
    real: bool
    ids: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    def call(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command; ``{0}`` in it is the first job's id."""
        return subprocess.run(
            command.format(*self.ids, **dict.fromkeys(("user",), str(os.getuid()))),
            shell=True,
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
            stdin=subprocess.DEVNULL,
        )

    def submit(self, command: str) -> None:
        """Submit, and remember the id."""
        done = self.call(command)
        assert done.returncode == 0, done.stderr
        self.ids.append(done.stdout.split()[-1])

    def ask(self, *commands: str) -> None:
        """Run commands and keep what they say."""
        for command in commands:
            done = self.call(command)
            said = f"{done.stdout}--- {done.stderr}--- {done.returncode}"
            self.answers[command] = self.plain(said)

    def plain(self, text: str) -> str:
        """Return a text without what differs between any two clusters."""
        text = text.replace(str(self.folder), "<folder>")
        assert all(len(number) > 2 for number in self.ids), "a job id is told from other numbers"
        for at, number in sorted(enumerate(self.ids), key=lambda one: -int(one[1])):
            text = re.sub(rf"(?<!\d){number}(?!\d)", f"<{at}>", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]+", "<time>", text)
        text = re.sub(r"\bn(\[[\d,-]+\]|\d)(?!\w)", "<node>", text)
        # Which of them it is depends on who looked first.
        text = re.sub(r"Partition(Config|NodeLimit|TimeLimit)", "<limit>", text)
        text = re.sub(r"(?<=primary\) at )\S+", "<host>", text)
        # A busy machine lets a step wait a moment for the one before.
        text = re.sub(r"srun: (Job \S+ step creation temp|Step created for).*\n", "", text)
        return re.sub(r"StepId=\d+|(?<=\bjob )\d+", "<id>", text)

    def wait(self, *states: str) -> None:
        """Wait until the newest job is so."""
        end = time.monotonic() + 120
        command = f"squeue -h -a -t all -o %T -j {self.ids[-1]}"
        while not set(self.call(command).stdout.split()) <= {*states}:
            assert time.monotonic() < end, self.call(command)
            time.sleep(0.05 if not self.real else 0.5)

    def recorded(self, *states: str, rows: int = 1) -> None:
        """Wait until the accounting has all of the newest job, so; it learns of it in pieces."""
        end = time.monotonic() + 60
        command = f"sacct -X -n -P -o jobname,state -j {self.ids[-1]}"
        while True:
            got = [line.split("|") for line in self.call(command).stdout.splitlines()]
            named = all(name != "allocation" for name, _ in got)
            if len(got) == rows and named and {state.split()[0] for _, state in got} <= {*states}:
                return
            assert time.monotonic() < end, got
            time.sleep(0.05 if not self.real else 1)


@pytest.fixture
def both(tmp_path, slurm, shared_folder):
    """Tell a story to both and compare what they answer, command by command."""
    work = tmp_path / "fake"
    work.mkdir()
    # Each takes an id: from a hundred on they are told from other numbers.
    while len(slurm.run("bash", "-c", "sbatch --test-only --wrap true 2>&1").split()[2]) < 3:
        continue
    like = FakeSlurm(
        tmp_path / "slurm",
        cpus_per_node=slurm.shape.cpus,
        gpus_per_node=slurm.shape.gpus,
        partitions={"main": ("n[1-4]", "1-0", "10"), "debug": ("n1", "10", "10")},
        version=slurm.run("sbatch", "--version").strip(),
        first_job_id=100_000,
    )
    with like as fake:
        sides = (
            Side(fake.environment(), work, real=False),
            Side(slurm.env, shared_folder, real=True),
        )

        def tell(story: Callable[[Side], None]) -> None:
            for side in sides:
                story(side)
            ours, theirs = (side.answers for side in sides)
            lines: list[str] = []
            for command, said in ours.items():
                if said != theirs[command]:
                    lines.append(command)
                    lines += difflib.ndiff(theirs[command].splitlines(), said.splitlines())
            assert not lines, "\n".join(["- real, + fake", *lines])

        yield tell


REFUSALS = [
    "sbatch -p nope --wrap true",
    "sbatch --gpus-per-node=99 --wrap true",
    "sbatch --gres=gpu:99 --wrap true",
    "sbatch --array=0-2000 --wrap true",
    "sbatch --array=a --wrap true",
    "sbatch --array=5-3 --wrap true",
    "sbatch --dependency=foo:999 --wrap true",
    "sbatch --dependency=afterok:abc --wrap true",
    "sbatch --dependency=afterok --wrap true",
    "sbatch --mem=999999999 --wrap true",
    "sbatch -w n99 --wrap true",
    "sbatch -t abc --wrap true",
    "sbatch --begin=foo --wrap true",
    "sbatch --signal=XX --wrap true",
    "sbatch --nodes=abc --wrap true",
    "sbatch -N0 --wrap true",
    "sbatch -n0 --wrap true",
    "sbatch --nosuch --wrap true",
    "sbatch -J",
    "sbatch /nonexistent.sh",
    "sbatch text.sh",
    "sbatch empty.sh",
    "sbatch dos.sh",
    "sbatch --test-only -p nope --wrap true",
    "sbatch --test-only -N99 --wrap true",
    "sbatch --wrap true more",
    "srun -p nope true",
    "srun --jobid=999999 true",
    "srun",
    "salloc -p nope true",
    "squeue -j 999999",
    "squeue -t foo",
    "squeue --nosuch",
    "squeue -M no-such-cluster",
    "sbatch -M no-such-cluster --wrap true",
    "sacct -j 999999",
    "sacct -j foo",
    "sacct -j 999999 --format=nope",
    "sacct -s FOO",
    "scancel 999999",
    "scancel -v 999999",
    "scancel foo",
    "scancel",
    "scancel --name=no-such-name",
    "scancel -s FOO 1",
    "scontrol foo",
    "scontrol show foo",
    "scontrol show job 999999",
    "scontrol show partition nope",
    "scontrol show node n99",
    "scontrol requeue 999999",
    "scontrol show hostnames 'n[1-3,7],x[01-03]'",
    "scontrol show hostlist n1,n2,n3,n5",
    "scontrol show hostlistsorted n1,n5,n2",
    "scontrol ping",
    "sinfo -h -o '%P %a %l'",
    *(f"{name} --version" for name in ("sbatch", "squeue", "sacct", "srun", "scontrol", "sinfo")),
]


def test_refusals_and_answers_about_nothing(both):
    def story(side: Side) -> None:
        (side.folder / "text.sh").write_text("echo hi\n")
        (side.folder / "empty.sh").write_text("")
        (side.folder / "dos.sh").write_bytes(b"#!/bin/sh\r\ntrue\r\n")
        side.ask(*REFUSALS)

    both(story)


def test_a_job_that_waits_and_its_dependants(both):
    def story(side: Side) -> None:
        side.submit("sbatch --parsable -H -J held -o /dev/null --wrap true")
        side.submit("sbatch -J after -o /dev/null -d afterok:{0} --wrap true")
        side.submit("sbatch -J many -o /dev/null -d afterany:{0} --array=1-7:2%2 --wrap true")
        side.submit("sbatch -J late -o /dev/null --begin=now+1hour --wrap true")
        side.submit("sbatch -J big -o /dev/null -N99 --wrap true")
        side.submit("sbatch -J slow -o /dev/null -t 5-0 --wrap true")
        side.ask(f"squeue -h -j {{0}},{{1}},{{2}},{{3}},{{4}},{{5}} -S i -o '{FORM}'")
        side.ask(f"squeue -r -j {{2}} -o '{FORM}'", f"squeue -O '{NAMED}' -j {{2}} | tr -s ' '")
        side.ask(
            "squeue -h -j {1} -o %i",
            "squeue -j {0} | tr -s ' '",
            "squeue -h --start -j {0} -o '%i %S'",
        )
        side.ask("scontrol requeue {0}", "scontrol hold {1}")
        side.ask("squeue -h -j {1} -o '%T %r'")
        side.ask("scancel {0} {1} {2} {3} {4} {5}")
        side.ask("squeue -h -t all -j {0} -o '%i|%T|%r|%M|%R'", "squeue -h -j {0}")
        side.recorded("CANCELLED")
        side.ask("sacct -X -n -P -j {0} -o jobid,state,exitcode,end,nodelist")

    both(story)


def test_a_job_from_its_script_to_its_end(both):
    def story(side: Side) -> None:
        (side.folder / "long.sh").write_text(LONG)
        side.submit("sbatch --parsable long.sh one 'two three'")
        side.wait("FAILED")
        side.ask(f"squeue -h -t all -j {{0}} -o '{FORM}'", "cat long-{0}.txt")
        side.recorded("FAILED")
        side.ask(f"sacct -n -P -j {{0}} -o {FIELDS}", f"sacct -n -P -X -j {{0}} -o {FIELDS}")
        side.ask("scontrol show job {0} | grep -E 'JobState|Requeue|Command|WorkDir|Comment|Std'")

    both(story)


def test_a_heterogeneous_job(both):
    def story(side: Side) -> None:
        (side.folder / "het.sh").write_text(HET)
        side.submit("sbatch --parsable het.sh")
        side.wait("FAILED")
        side.ask("squeue -h -t all -j {0} -o '%i|%T|%D'", "cat het-{0}.txt")
        side.recorded("FAILED", rows=2)
        side.ask("sacct -n -P -j {0} -o jobid,jobname,state,exitcode")

    both(story)


def test_arrays_and_the_ends_of_their_elements(both):
    def story(side: Side) -> None:
        side.submit(
            "sbatch -o '%A_%a.txt' --array=0-3 --wrap 'echo $SLURM_ARRAY_TASK_ID "
            "$SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MAX; exit $SLURM_ARRAY_TASK_ID'"
        )
        side.wait("COMPLETED", "FAILED")
        side.ask("cat {0}_*.txt", "squeue -h -r -t all -S i -j {0} -o '%i %T %K %F'")
        side.recorded("COMPLETED", "FAILED", rows=4)
        side.ask("sacct -n -P -j {0} -o jobid,jobname,state,exitcode")
        side.ask("sacct -X -n -P -j {0}_2 -o jobid,state")

    both(story)


ENDS: Sequence[str] = ("kill -9 $$", "exit 137", "exit 200", "kill -USR1 $$", "srun false; exit 0")


@pytest.mark.parametrize("text", ENDS)
def test_exit_statuses(both, text):
    def story(side: Side) -> None:
        side.submit(f"sbatch -o /dev/null --wrap '{text}'")
        side.wait("COMPLETED", "FAILED")
        side.ask(
            "squeue -h -t all -j {0} -o '%T %r'", "scontrol show job {0} | grep -o ExitCode=.*"
        )
        side.ask("squeue -h -t all -j {0} -O jobarrayid:40,state:20,exit_code:12 | tr -s ' '")
        side.recorded("COMPLETED", "FAILED")
        side.ask("sacct -n -P -j {0} -o jobid,state,exitcode,derivedexitcode")

    both(story)


def test_a_cancel_and_a_requeue(both):
    def story(side: Side) -> None:
        side.submit("sbatch -o out.txt --wrap 'srun sleep 600'")
        side.wait("RUNNING")
        end = time.monotonic() + 60
        while not side.call("sacct -n -P -j {0}.0 -o state").stdout and time.monotonic() < end:
            time.sleep(0.5)
        side.ask("scancel {0}")
        side.wait("CANCELLED")
        side.recorded("CANCELLED")
        side.ask("sacct -X -n -P -j {0} -o jobid,jobname,state,exitcode")
        side.ask("squeue -h -t all -j {0} -O exit_code,state | tr -s ' '")
        side.submit("sbatch -o again.txt --wrap 'echo $SLURM_RESTART_COUNT; sleep 600'")
        side.wait("RUNNING")
        time.sleep(0.5)
        side.ask("scontrol requeue {1}")
        side.wait("PENDING", "COMPLETING", "RUNNING")
        end = time.monotonic() + 60
        while side.call("squeue -h -j {1} -O restartcnt").stdout.strip() != "1":
            assert time.monotonic() < end
            time.sleep(0.1)
        side.wait("RUNNING")
        side.ask(
            "squeue -h -j {1} -O restartcnt:4,state:8", "scontrol show job {1} | grep Restarts"
        )
        side.ask("scancel {1}")
        side.wait("CANCELLED")
        side.submit("sbatch --no-requeue -o /dev/null --wrap 'sleep 60'")
        side.wait("RUNNING")
        side.ask("scontrol requeue {2}", "scancel {2}")

    both(story)
