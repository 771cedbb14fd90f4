"""Whatever is done to the fake Slurm in whatever order: states follow each other as Slurm's do."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nemo_run.testing import FakeSlurm

OVER = {"COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED"}
# Between two looks a job may have gone on by more than one step; back it goes by a requeue alone.
NEXT = {
    "PENDING": OVER | {"PENDING", "RUNNING", "COMPLETING"},
    "RUNNING": OVER | {"RUNNING", "COMPLETING", "PENDING"},
    "COMPLETING": OVER | {"COMPLETING", "PENDING", "RUNNING"},
}
SCRIPTS = ("true", "exit 3", "sleep 60", "sleep 0.1", "srun -n2 sleep 60", "trap '' TERM; sleep 60")
OPTIONS = ("", "-H", "-N2", "--no-requeue", "--array=0-2%1", "--gpus-per-node=8", "-N9", "-n 40")


class Cluster(RuleBasedStateMachine):
    """Does what users and accidents do."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fake-slurm-"))
        self.slurm = FakeSlurm(self.folder / "slurm", nodes=3, kill_wait=0.1, requeue_delay=0.05)
        self.slurm.start()
        self.seen: dict[tuple[str, int], tuple[str, int]] = {}
        self.requeued: set[str] = set()

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words,
            env={**os.environ, **self.slurm.environment()},
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=30,
        )
        assert done.returncode != 70, done.stderr
        return done

    @rule(script=st.sampled_from(SCRIPTS), option=st.sampled_from(OPTIONS), after=st.integers(0, 3))
    def submit(self, script: str, option: str, after: int) -> None:
        jobs = self.slurm.jobs()
        wait = [f"--dependency=afterok:{jobs[-after].id}"] if 0 < after <= len(jobs) else []
        words = ["sbatch", "-o", "/dev/null", *option.split(), *wait, "--wrap", script]
        assert self.run(*words).returncode == 0

    @rule(at=st.integers(0, 20), command=st.sampled_from(("cancel", "requeue", "hold", "release")))
    def order(self, at: int, command: str) -> None:
        jobs = self.slurm.jobs()
        if not jobs:
            return
        name = jobs[at % len(jobs)].text_id
        if command == "requeue":
            self.requeued.add(name)
        self.run(*(("scancel", name) if command == "cancel" else ("scontrol", command, name)))

    @rule(at=st.integers(0, 20))
    def preempt(self, at: int) -> None:
        jobs = self.slurm.jobs()
        if jobs:
            self.slurm.preempt(jobs[at % len(jobs)].text_id)

    @rule(node=st.sampled_from(("n1", "n2", "n3")), back=st.booleans())
    def node(self, node: str, back: bool) -> None:
        (self.slurm.resume_node if back else self.slurm.fail_node)(node)

    @invariant()
    def states_follow_each_other(self) -> None:
        for place, job in enumerate(self.slurm.jobs()):
            key = (job.name, place)
            before, restarts = self.seen.get(key, ("PENDING", 0))
            assert job.restarts >= restarts
            if before in OVER and job.restarts == restarts:
                assert job.state == before, f"{job.text_id} was over as {before}"
            elif before not in OVER:
                assert job.state in NEXT[before], f"{job.text_id}: {before} to {job.state}"
            assert (job.pid != 0) <= (job.state in {"RUNNING", "COMPLETING"})
            assert (job.end is None) == (job.state not in OVER)
            self.seen[key] = (job.state, job.restarts)

    @invariant()
    def no_more_is_used_than_there_is(self) -> None:
        for line in self.run("sinfo", "-h", "-N", "-o", "%C").stdout.split():
            used, idle = map(int, line.split("/")[:2])
            assert 0 <= used <= 16
            assert used + idle == 16

    def teardown(self) -> None:
        if not hasattr(self, "slurm"):
            return
        try:
            self.run("scancel", "-u", str(os.getuid()))
            end = time.monotonic() + 20
            while any(job.state not in OVER for job in self.slurm.jobs()):
                assert time.monotonic() < end, self.run("squeue").stdout
                time.sleep(0.02)
            used = self.run("sinfo", "-h", "-N", "-o", "%C").stdout.split()
            assert [line.split("/")[0] for line in used] == ["0", "0", "0"]
        finally:
            self.slurm.stop()
            log = self.folder / "slurm" / "slurmctld.log"
            said = log.read_text()
            shutil.rmtree(self.folder, ignore_errors=True)
            assert said == ""


Cluster.TestCase.settings = settings(
    max_examples=8,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestCluster = Cluster.TestCase
