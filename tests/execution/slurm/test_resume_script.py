"""How a job goes on after interruptions: the script that is sent, run by a small Slurm."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from slurm_specs import Part, executor, planned, shell

from nemo_run import LocalTunnel, Resume
from nemo_run.execution.jobspec import JobSpec
from nemo_run.execution.slurm.render import render
from nemo_run.testing.slurm import FakeSlurm, SlurmJob

# A limit of a minute is the shortest there is; the signal comes two seconds after the start.
SOON = {"time": "00:01:00", "signal_before": 58}

# A task that does nothing until it is asked to stop, and then ends with 0.
PATIENT = """
echo "$NEMORUN_ATTEMPT after '$NEMORUN_PREVIOUS_END'"
trap 'echo asked; exit 0' USR1 TERM
while :; do sleep 0.1; done
"""


class Cluster:
    """A small Slurm with a folder in which jobs run."""

    def __init__(self, folder: Path, slurm: FakeSlurm) -> None:
        self.folder = folder
        self.slurm = slurm

    def submit(self, text: str | list[str], attempt: int = 1, **fields) -> JobSpec:
        """Submit a job of one task; fields are of the executor and of its policy."""
        names = Resume.__dataclass_fields__
        policy = Resume(**{n: v for n, v in fields.items() if n in names and n != "signal"})
        others = {n: v for n, v in fields.items() if n not in names or n == "signal"}
        where = executor(
            tunnel=LocalTunnel(job_dir=str(self.folder)),
            **{"resume": policy, "time": "00:10:00", **others},
        )
        texts = [text] if isinstance(text, str) else text
        parts = [Part(shell(one, entrypoint="bash"), where, name) for name, one in zip("ab", texts)]
        job = "train" if len(parts) == 1 else "both"
        spec = planned(parts, working_directory="/", job=job)
        for _ in range(attempt - 1):
            spec = spec.next_attempt()
        assert render(without_files(spec)) == render(spec)
        files = [(Path(one.path), one.content) for one in render(spec)]
        for member in spec.members:
            files += [(Path(member.directory, n), t.encode()) for n, t in member.files.items()]
        for path, content in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        environment = {**os.environ, **self.slurm.environment()}
        subprocess.run(["sbatch", str(files[0][0])], env=environment, check=True, timeout=30)
        return spec

    @property
    def job(self) -> SlurmJob:
        """The job that was submitted last."""
        return self.slurm.jobs()[-1]

    def ended(self) -> SlurmJob:
        """Wait until the job is over and return it."""
        until(lambda: self.job.state not in {"PENDING", "RUNNING", "COMPLETING"}, self._told)
        return self.job

    def says(self, spec: JobSpec, attempt: int, text: str) -> None:
        """Wait until an attempt's log has a text."""
        until(lambda: text in log(spec, attempt), self._told)

    def _told(self) -> str:
        outputs = [f"{p}:\n{p.read_text()}" for p in self.folder.rglob("*.out")]
        return "\n".join([str(self.job), *outputs])


def without_files(spec: JobSpec) -> JobSpec:
    """Return a plan as it is read from the record, which keeps files beside it."""
    return replace(spec, members=tuple(replace(one, files={}) for one in spec.members))


def until(condition: Callable[[], bool], told: Callable[[], str], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, told()
        time.sleep(0.05)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with FakeSlurm(tmp_path / "slurm", kill_wait=1.0) as slurm:
        yield Cluster(tmp_path / "root", slurm)


def log(spec: JobSpec, attempt: int) -> str:
    path = Path(spec.directory, "logs", str(attempt), "rank-0.log")
    return path.read_text() if path.exists() else ""


def records(spec: JobSpec) -> list[str]:
    """Return how the attempts ended, in order."""
    folders = sorted(Path(spec.directory, "attempts").iterdir(), key=lambda p: int(p.name))
    return [(f / "exit").read_text().strip() for f in folders if (f / "exit").exists()]


def output(spec: JobSpec) -> str:
    return "".join(p.read_text() for p in Path(spec.directory).glob("sbatch_*.out"))


def test_a_job_that_ends_by_itself_is_done(cluster: Cluster) -> None:
    spec = cluster.submit("echo \"first: '$NEMORUN_PREVIOUS_END'\"")
    assert cluster.ended().state == "COMPLETED"
    assert records(spec) == ["exit 0 by train"]
    assert log(spec, 1) == "first: ''\n"


def test_the_time_limit_ends_an_attempt_and_the_next_one_ends_the_job(cluster: Cluster) -> None:
    spec = cluster.submit('[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0' + PATIENT, **SOON)
    assert cluster.ended().state == "COMPLETED"
    assert cluster.job.restarts == 1
    assert records(spec) == ["exit 75 by time limit, requeued", "exit 0 by train"]
    assert "asked\n" in log(spec, 1)
    assert "Attempt 2 of at most 10, after time limit." in output(spec)


def test_a_task_may_watch_a_file_instead(cluster: Cluster) -> None:
    spec = cluster.submit(
        '[ "$NEMORUN_ATTEMPT" = 1 ] || { echo "$NEMORUN_PREVIOUS_END"; exit 0; }\n'
        'until [ -e "$NEMORUN_STOP_FILE" ]; do sleep 0.1; done; cat "$NEMORUN_STOP_FILE"; exit 3',
        **SOON,
    )
    assert cluster.ended().state == "COMPLETED"
    assert records(spec)[0] == "exit 3 by time limit, requeued"
    assert (log(spec, 1), log(spec, 2)) == ("time limit\n", "time limit\n")


def test_a_task_that_does_not_care_for_the_signal_goes_on_until_the_last_moment(
    cluster: Cluster,
) -> None:
    spec = cluster.submit(
        'while :; do sleep 0.2; echo tick; [ "$NEMORUN_ATTEMPT" = 1 ] || exit 0; done',
        time="00:01:00",
        signal_before=59,
    )
    cluster.says(spec, 1, "tick\n" * 15)  # it has outlived the signal
    assert Path(spec.directory, "attempts/1/stop").read_text() == "time limit\n"


def test_a_task_that_is_done_when_it_is_asked_to_stop_may_say_so(cluster: Cluster) -> None:
    text = """trap 'touch "$NEMORUN_FINISHED_FILE"; exit 0' USR1; while :; do sleep 0.1; done"""
    spec = cluster.submit(text, **SOON)
    assert cluster.ended().state == "COMPLETED"
    assert records(spec) == ["exit 0 by train"]


def test_a_policy_may_name_the_file_that_says_it(cluster: Cluster) -> None:
    text = (
        """trap 'touch "$NEMORUN_JOB_DIR/out 1.done"; exit 0' USR1; while :; do sleep 0.1; done"""
    )
    spec = cluster.submit(text, finished="out *.done", **SOON)
    assert cluster.ended().state == "COMPLETED"
    assert records(spec) == ["exit 0 by train"]


def test_a_preempted_job_goes_on(cluster: Cluster) -> None:
    spec = cluster.submit(
        '[ "$NEMORUN_ATTEMPT" = 1 ] || exec echo "$NEMORUN_PREVIOUS_END"' + PATIENT
    )
    cluster.says(spec, 1, "1 after")
    cluster.slurm.preempt(cluster.job.id)
    assert cluster.ended().state == "COMPLETED"
    assert records(spec) == ["exit 75 by preemption, requeued", "exit 0 by train"]
    assert log(spec, 2) == "preempted\n"


def test_the_death_of_its_node_is_known_to_the_next_attempt(cluster: Cluster) -> None:
    spec = cluster.submit(
        '[ "$NEMORUN_ATTEMPT" = 1 ] || exec echo "$NEMORUN_PREVIOUS_END"' + PATIENT
    )
    cluster.says(spec, 1, "1 after")
    cluster.slurm.fail_node(cluster.job.nodes[0])
    assert cluster.ended().state == "COMPLETED"
    assert log(spec, 2) == "node failure\n"
    assert records(spec) == ["exit 0 by train"]  # the first had no time to write one


def test_somebody_who_requeues_it_is_obeyed(cluster: Cluster) -> None:
    spec = cluster.submit(
        '[ "$NEMORUN_ATTEMPT" = 1 ] || exec echo "$NEMORUN_PREVIOUS_END"' + PATIENT
    )
    cluster.says(spec, 1, "1 after")
    environment = {**os.environ, **cluster.slurm.environment()}
    subprocess.run(["scontrol", "requeue", str(cluster.job.id)], env=environment, check=True)
    assert cluster.ended().state == "COMPLETED"
    assert log(spec, 2) == "unknown\n"


def test_a_group_goes_on_as_a_whole(cluster: Cluster) -> None:
    text = '[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0' + PATIENT
    fields = {"time": "00:01:00", "signal_before": 54, "wait_time_for_group_job": 0}
    spec = cluster.submit([text, text], **fields)
    assert cluster.ended().state == "COMPLETED"
    assert records(spec)[0] == "exit 75 by time limit, requeued"
    assert len(records(spec)) == 2
    for name in "ab":
        assert "asked\n" in Path(spec.directory, "logs", "1", name, "rank-0.log").read_text()


def test_a_cancelled_job_does_not_go_on(cluster: Cluster) -> None:
    spec = cluster.submit(PATIENT, retries=3)
    cluster.says(spec, 1, "1 after")
    environment = {**os.environ, **cluster.slurm.environment()}
    subprocess.run(["scancel", str(cluster.job.id)], env=environment, check=True)
    assert cluster.ended().state == "CANCELLED"
    assert records(spec) == ["exit 75 by cancelled"]


def test_an_error_of_the_task_is_no_interruption(cluster: Cluster) -> None:
    spec = cluster.submit("exit 3")
    assert cluster.ended().state == "FAILED"
    assert records(spec) == ["exit 3 by train"]


def test_errors_are_tried_again_as_often_as_retries_say_and_interruptions_do_not_count(
    cluster: Cluster,
) -> None:
    spec = cluster.submit('[ "$NEMORUN_ATTEMPT" = 1 ] || exit 3' + PATIENT, retries=1, **SOON)
    assert cluster.ended().state == "FAILED"
    assert records(spec) == [
        "exit 75 by time limit, requeued",
        "exit 3 by train, requeued",
        "exit 3 by train",
    ]


def test_the_attempts_may_be_used_up(cluster: Cluster) -> None:
    spec = cluster.submit(PATIENT, max_attempts=2, **SOON)
    assert cluster.ended().state == "FAILED"
    assert cluster.job.exit_code == (75, 0)
    assert records(spec)[1] == "exit 75 by resume: all 2 attempts are used, after time limit"
    assert "Not started again after time limit: all 2 attempts are used." in output(spec)


def test_the_time_may_be_used_up(cluster: Cluster) -> None:
    spec = cluster.submit(PATIENT, max_time=2, **SOON)
    assert cluster.ended().state == "FAILED"
    assert records(spec) == ["exit 75 by resume: all of 0:00:02 is used, after time limit"]


def test_without_progress_it_ends(cluster: Cluster) -> None:
    text = """
mkdir -p "$NEMORUN_JOB_DIR/a b"
[ "$NEMORUN_ATTEMPT" -gt 2 ] || echo > "$NEMORUN_JOB_DIR/a b/$NEMORUN_ATTEMPT.pt"
"""
    spec = cluster.submit(text + PATIENT, progress="a b/**", no_progress=1, **SOON)
    assert cluster.ended().state == "FAILED"
    assert [one.partition(" by ")[2] for one in records(spec)] == [
        "time limit, requeued",
        "time limit, requeued",
        "resume: no progress in 1 attempts, after time limit",
    ]


def test_what_it_is_not_to_go_on_after_ends_it_before_the_task_starts(cluster: Cluster) -> None:
    spec = cluster.submit(PATIENT, on=("node failure",))
    cluster.says(spec, 1, "1 after")
    cluster.slurm.preempt(cluster.job.id)
    assert cluster.ended().state == "FAILED"
    last = "exit 75 by resume: it is not to go on after preemption, after preemption"
    assert records(spec)[-1] == last
    assert log(spec, 2) == ""


def test_a_chained_attempt_ends_its_job_and_the_next_one_knows(cluster: Cluster) -> None:
    spec = cluster.submit(PATIENT, how="chain", **SOON)
    assert cluster.ended().state == "FAILED"
    assert cluster.job.exit_code == (75, 0)
    assert records(spec) == ["exit 75 by time limit"]
    spec = cluster.submit('echo "$NEMORUN_ATTEMPT: $NEMORUN_PREVIOUS_END"', attempt=2, how="chain")
    assert cluster.ended().state == "COMPLETED"
    assert log(spec, 2) == "2: time limit\n"


def test_the_executors_own_signal_reaches_the_tasks(cluster: Cluster) -> None:
    spec = cluster.submit(
        '[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0\n'
        "trap 'echo two; exit 0' USR2; while :; do sleep 0.1; done",
        time="00:01:00",
        signal="USR2@58",
    )
    assert cluster.ended().state == "COMPLETED"
    assert "two\n" in log(spec, 1)


def test_sigterm_may_be_that_signal(cluster: Cluster) -> None:
    spec = cluster.submit(
        '[ "$NEMORUN_ATTEMPT" = 1 ] || exit 0' + PATIENT, time="00:01:00", signal="TERM@58"
    )
    assert cluster.ended().state == "COMPLETED"
    assert records(spec)[0] == "exit 75 by time limit, requeued"


def test_an_outage_of_the_controller_is_no_end(cluster: Cluster) -> None:
    cluster.slurm.fail("scontrol", "Unable to contact slurm controller", times=2)
    spec = cluster.submit("exit 0")
    assert cluster.ended().state == "COMPLETED"
    assert records(spec) == ["exit 0 by train"]
