"""Submitting, looking, ending and bringing home, on a cluster of small programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nemo_run.exceptions import BackendError, ShortageError
from nemo_run.execution.backend import After, Rendered, Wanted
from nemo_run.execution.jobspec import ArrayPlace, Handle
from nemo_run.execution.observation import Reason, State
from nemo_run.execution.slurm import polling
from nemo_run.execution.slurm.client import SlurmBackend
from nemo_run.remote import LocalTunnel, round_trips
from nemo_run.testing.slurm import FakeSlurm
from slurm_jobs import handles, runs, small, until


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlurm]:
    yield from _cluster(tmp_path, monkeypatch)


@pytest.fixture
def forgetful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSlurm]:
    """Ended jobs leave the controller at once, and nobody keeps accounts."""
    yield from _cluster(tmp_path, monkeypatch, min_job_age=0.0, accounting=False)


def _cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **settings: object
) -> Iterator[FakeSlurm]:
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    with FakeSlurm(tmp_path / "slurm", **settings) as slurm:  # type: ignore[arg-type]
        for name, value in slurm.environment().items():
            monkeypatch.setenv(name, value)
        yield slurm


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "exp"


backend = SlurmBackend()


# Submitting


def test_a_graph_is_submitted_in_one_round_trip(cluster: FakeSlurm, root: Path) -> None:
    first = small(root, "first", "exit 3")
    jobs = [
        small(root, "well", after=[After("afterok", first.spec.token)]),
        small(root, "any", after=[After("afterany", first.spec.token)]),
        small(root, "not", after=[After("afternotok", first.spec.token)]),
        first,
    ]
    before = round_trips(LocalTunnel())
    found = handles(backend, jobs)
    assert round_trips(LocalTunnel()) == before + 1
    seen = until(backend, found)
    assert [one.state for one in seen] == [
        State.SKIPPED,
        State.SUCCEEDED,
        State.SUCCEEDED,
        State.FAILED,
    ]
    assert seen[0].reason is Reason.DEPENDENCY
    assert (seen[3].exit_code, seen[3].message) == (3, "first: exit code 3")


def test_what_waits_for_a_refused_job_is_not_submitted(cluster: FakeSlurm, root: Path) -> None:
    bad = small(root, "bad", header="#SBATCH --partition=nope")
    dependant = small(root, "dependant", after=[After("afterany", bad.spec.token)])
    answers = backend.submit([dependant, bad, small(root, "good")])
    assert isinstance(answers[bad.spec.token], BackendError)
    assert "Invalid partition name specified. `sinfo -s` lists" in str(answers[bad.spec.token])
    assert "It waits for exp/bad/1, which was not submitted" in str(answers[dependant.spec.token])
    assert [job.name for job in cluster.jobs()] == ["good"]


def test_a_full_queue_is_a_shortage(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in _cluster(tmp_path, monkeypatch, max_submit=2):
        jobs = [small(root, f"job{i}", "sleep 1") for i in range(4)]
        answers = backend.submit(jobs)
        short = [one for one in answers.values() if isinstance(one, ShortageError)]
        assert len(short) == 2, answers
        until(backend, [one for one in answers.values() if isinstance(one, str)])
        found = handles(backend, jobs)
        until(backend, found)
        assert [runs(job) for job in jobs] == [1, 1, 1, 1]


def test_a_busy_controller_is_asked_again(cluster: FakeSlurm, root: Path) -> None:
    cluster.fail(
        "sbatch",
        "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
        times=2,
    )
    [handle] = handles(backend, [job := small(root, "job")])
    until(backend, [handle])
    assert runs(job) == 1


def test_an_answer_that_was_lost_on_the_way_does_not_make_a_second_job(
    cluster: FakeSlurm, root: Path
) -> None:
    """The controller took the job; sbatch says that it timed out."""
    cluster.fail(
        "sbatch",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        times=1,
        after=True,
    )
    [handle] = handles(backend, [job := small(root, "job")])
    until(backend, [handle])
    assert len(cluster.jobs()) == 1
    assert runs(job) == 1


def test_the_name_of_the_cluster_stays_with_the_job(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in _cluster(tmp_path, monkeypatch, cluster="lab"):
        [handle] = handles(backend, [small(root, "job", "exit 4")])
        assert handle.startswith("slurm://localhost/1;lab#/")
        assert until(backend, [handle])[0].exit_code == 4


def test_dependencies_of_the_executor_name_jobs_of_others(cluster: FakeSlurm, root: Path) -> None:
    [first] = handles(backend, [small(root, "first", "sleep 1")])
    number = first.split("#")[0].rpartition("/")[2]
    named = [number, first, f"slurm_tunnel://nemo_run/{number}"]
    later = small(root, "later", options={"dependencies": named, "dependency_type": "afterany"})
    [handle] = handles(backend, [later])
    assert f"--dependency=afterany:{number}:{number}:{number}" in cluster.job(2).submit_line
    assert until(backend, [handle])[0].state is State.SUCCEEDED
    wrong = backend.submit([small(root, "wrong", options={"dependencies": ["train"]})])
    assert "'train', which names no job" in str(*wrong.values())


def test_a_predecessor_that_slurm_has_forgotten_still_counts(
    forgetful: FakeSlurm, root: Path
) -> None:
    """Slurm itself takes any dependency on a job that it no longer knows for fulfilled."""
    good, bad = handles(backend, [small(root, "good"), small(root, "bad", "exit 1")])
    until(backend, [good, bad])
    jobs = [
        small(root, "a", after=[After("afterok", good)]),
        small(root, "b", after=[After("afterok", bad)]),
        small(root, "c", after=[After("afternotok", bad)]),
    ]
    answers = backend.submit(jobs)
    assert [isinstance(one, str) for one in answers.values()] == [True, False, True]
    assert "which did not succeed" in str(answers[jobs[1].spec.token])


# Exactly once

_LAUNCHER = """
import sys
sys.path.insert(0, {tests!r})
from slurm_jobs import handles, small
from nemo_run.execution.slurm.client import SlurmBackend
print(*handles(SlurmBackend(), [small({root!r}, f"job{{i}}") for i in range({count})]), sep="\\n")
"""


def _launcher(root: Path, count: int) -> subprocess.Popen[str]:
    tests = str(Path(__file__).parents[2])
    text = textwrap.dedent(_LAUNCHER).format(tests=tests, root=str(root), count=count)
    return subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)


def test_two_who_submit_the_same_jobs_at_once_get_the_same(cluster: FakeSlurm, root: Path) -> None:
    both = [_launcher(root, 20) for _ in range(2)]
    said = [one.communicate()[0].split() for one in both]
    assert said[0] == said[1]
    assert len(set(said[0])) == len(cluster.jobs()) == 20


def test_whoever_comes_while_sbatch_still_runs_waits_for_it(cluster: FakeSlurm, root: Path) -> None:
    """Also when the one who asked is gone."""
    cluster.delay("sbatch", 3.0, times=1)
    first = _launcher(root, 1)
    folder = root / "jobs" / "job0" / "attempts" / "1"
    while not (folder / "submitting").exists() or not (folder / "submitting").read_text():
        time.sleep(0.02)
    _end_family(first.pid)
    first.communicate()
    [handle] = handles(backend, [job := small(root, "job0")])
    assert [one.text_id for one in cluster.jobs()] == [handle.split("#")[0].rpartition("/")[2]]
    until(backend, [handle])
    assert runs(job) == 1


def _end_family(pid: int) -> None:
    """End a launcher and its agent, but not the sbatch that the agent started."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in [pid, *map(int, children)]:
        os.kill(one, 9)


def test_a_job_whose_answer_nobody_noted_is_found(cluster: FakeSlurm, root: Path) -> None:
    job = small(root, "job")
    [handle] = handles(backend, [job])
    folder = root / "jobs" / "job" / "attempts" / "1"
    # As after a crash of the login node: the claim is on disk, what sbatch said is not.
    (folder / "submitted").unlink()
    claim = folder / "submitting"
    claim.write_text(claim.read_text().splitlines()[0] + "\n")
    assert backend.find([job.spec, small(root, "other").spec]) == {job.spec.token: handle}
    (folder / "submitted").unlink()
    assert handles(backend, [job]) == [handle]
    assert len(cluster.jobs()) == 1


# Arrays


def _element(
    root: Path,
    index: int,
    size: int,
    body: str = "exit $((SLURM_ARRAY_TASK_ID % 2))",
    parallel: int = 0,
):  # type: ignore[no-untyped-def]
    return small(root, f"point-{index}", body, array=ArrayPlace("sweep", index, size, parallel))


def test_equal_jobs_are_one_array(cluster: FakeSlurm, root: Path) -> None:
    jobs = [_element(root, i, 6) for i in range(6)]
    found = handles(backend, jobs)
    assert [handle.split("#")[0] for handle in found] == [
        f"slurm://localhost/1_{i}" for i in range(6)
    ]
    assert backend.find([job.spec for job in jobs]) == dict(
        zip([job.spec.token for job in jobs], found, strict=True)
    )
    seen = until(backend, found)
    assert [one.exit_code for one in seen] == [0, 1, 0, 1, 0, 1]
    assert handles(backend, jobs) == found
    assert handles(backend, jobs[2:4]) == found[2:4]
    again = [_element(root, i, 6) for i in (1, 3, 5)]
    assert all(runs(job) == 1 for job in [*jobs, *again])
    # Output goes where it would without an array.
    [out] = (root / "jobs" / "point-3").glob("sbatch_point-3_*.out")
    assert out.name == f"sbatch_point-3_{cluster.job('1_3').id}.out"


def test_more_than_a_cluster_takes_as_one_array_are_several(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slurm in _cluster(tmp_path, monkeypatch, max_array_size=4):
        body = "echo $((SLURM_ARRAY_TASK_ID + NEMORUN_ARRAY_OFFSET))"
        jobs = [_element(root, i, 10, body, parallel=2) for i in range(10)]
        before = round_trips(LocalTunnel())
        found = handles(backend, jobs)
        assert round_trips(LocalTunnel()) - before <= 2
        ids = [handle.split("#")[0].rpartition("/")[2] for handle in found]
        assert [one.partition("_")[2] for one in ids] == list("0123012301")
        lines = dict.fromkeys(one.submit_line for one in slurm.jobs())
        assert ["%2" in line for line in lines] == [True] * 3
        # The limit holds for all of them: the later ones wait for the earlier ones.
        assert ["afterany" in line for line in lines] == [False, True, True]
        assert all(one.state is State.SUCCEEDED for one in until(backend, found))
        logs = [(root / f"jobs/point-{i}/logs/1/rank-0.log").read_text() for i in range(10)]
        assert logs == [f"{i}\n" for i in range(10)]


def test_one_element_of_an_array_is_ended_alone(cluster: FakeSlurm, root: Path) -> None:
    found = handles(backend, [_element(root, i, 3, "sleep 2") for i in range(3)])
    backend.cancel(found[1:2])
    assert [one.state for one in until(backend, found)] == [
        State.SUCCEEDED,
        State.CANCELLED,
        State.SUCCEEDED,
    ]


def test_jobs_that_differ_are_no_array(cluster: FakeSlurm, root: Path) -> None:
    place = [ArrayPlace("sweep", i, 3) for i in range(3)]
    jobs = [small(root, f"p{i}", array=place[i], header=f"#SBATCH --mem={i + 1}") for i in range(3)]
    found = handles(backend, jobs)
    assert not any("_" in one.split("#")[0] for one in found)
    assert len(cluster.jobs()) == len(set(found)) == 3


# Looking


def test_all_who_look_share_one_query(cluster: FakeSlurm, root: Path) -> None:
    found = handles(backend, [small(root, f"job{i}", "sleep 3") for i in range(20)])
    backend.poll(found[:1])
    here = polling.Cluster("localhost")
    before = here.queries
    text = (
        "import sys; from nemo_run.execution.slurm.client import SlurmBackend; "
        "b = SlurmBackend(); [b.poll(sys.argv[1:]) for _ in range(50)]"
    )
    others = [subprocess.Popen([sys.executable, "-c", text, *found]) for _ in range(4)]
    assert [one.wait() for one in others] == [0] * 4
    # They add jobs, each of them the same ones, and look 200 times within seconds.
    assert here.queries - before <= 4


def test_an_outage_says_nothing_about_jobs(cluster: FakeSlurm, root: Path) -> None:
    [handle] = handles(backend, [small(root, "job", "sleep 1")])
    cluster.down()
    polling.Cluster("localhost").moved()
    time.sleep(1.1)
    for _ in range(2):
        with pytest.raises(BackendError, match="Unable to contact slurm controller"):
            backend.poll([handle])
        time.sleep(1.1)
    cluster.up()
    assert until(backend, [handle])[0].state is State.SUCCEEDED


def test_a_job_that_only_its_own_record_remembers(forgetful: FakeSlurm, root: Path) -> None:
    """No accounting, and the controller has forgotten it."""
    well, badly = handles(backend, [small(root, "well"), small(root, "badly", "kill -9 $BASHPID")])
    seen = until(backend, [well, badly])
    assert [one.state for one in seen] == [State.SUCCEEDED, State.FAILED]
    assert (seen[1].reason, seen[1].exit_code) == (Reason.SIGNAL, 137)


def test_accounts_that_come_late_lose_nothing(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slurm in _cluster(tmp_path, monkeypatch, min_job_age=0.0):
        slurm.late_accounting(4.0)
        [handle] = handles(backend, [small(root, "job", "sleep 30", header="#SBATCH --time=1")])
        until(backend, [handle], lambda seen: seen.state is State.RUNNING)
        subprocess.run(["scancel", "1"], check=True)
        seen = until(backend, [handle])
        assert seen[0].state is State.CANCELLED, seen


def test_a_requeued_job_is_followed_to_its_next_attempt(cluster: FakeSlurm, root: Path) -> None:
    body = '[ "${SLURM_RESTART_COUNT:-0}" = 0 ] && sleep 60; exit 5'
    [handle] = handles(backend, [small(root, "job", body, header="#SBATCH --requeue")])
    until(backend, [handle], lambda seen: seen.state is State.RUNNING)
    subprocess.run(["scontrol", "requeue", "1"], check=True)
    [seen] = until(backend, [handle])
    assert (seen.state, seen.exit_code, seen.attempt) == (State.FAILED, 5, 2)


def test_whoever_cancelled_a_job_is_named(cluster: FakeSlurm, root: Path) -> None:
    [handle] = handles(backend, [small(root, "job", "sleep 60")])
    until(backend, [handle], lambda seen: seen.state is State.RUNNING)
    subprocess.run(["scancel", "1"], check=True)
    [seen] = until(backend, [handle])
    assert seen.state is State.CANCELLED
    assert seen.message == f"it was cancelled by user {os.getuid()}"


@pytest.mark.parametrize("accounting", [True, False])
def test_a_cancelled_job_whose_task_ends_with_0_is_cancelled(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, accounting: bool
) -> None:
    """Where the controller forgets it at once."""
    body = "trap 'exit 0' TERM; sleep 60 & wait"
    for _ in _cluster(tmp_path, monkeypatch, min_job_age=0.0, accounting=accounting):
        [handle] = handles(backend, [small(root, "job", body)])
        until(backend, [handle], lambda seen: seen.state is State.RUNNING)
        if accounting:
            subprocess.run(["scancel", "1"], check=True)
        else:
            backend.cancel([handle])
        assert until(backend, [handle])[0].state is State.CANCELLED


def test_what_lies_on_the_target_is_for_its_user_only(cluster: FakeSlurm, root: Path) -> None:
    before = os.umask(0o022)
    try:
        [handle] = handles(backend, [small(root, "job")])
    finally:
        os.umask(before)
    for folder in (root, root / "jobs", root / "jobs" / "job", root / "jobs/job/attempts/1"):
        assert folder.stat().st_mode & 0o777 == 0o700, folder
    assert (root / "jobs/job/attempts/1/submitting").stat().st_mode & 0o777 == 0o600
    until(backend, [handle])


def test_a_job_that_never_starts_says_why(cluster: FakeSlurm, root: Path) -> None:
    [handle] = handles(backend, [small(root, "job", header="#SBATCH --time=5-0")])
    [seen] = until(backend, [handle], lambda seen: bool(seen.message))
    assert seen.state is State.PENDING
    assert "never starts: its time limit is longer than its partition allows" in seen.message


# Ending


def test_a_job_of_somebody_else_is_left_alone(cluster: FakeSlurm, root: Path) -> None:
    mine, other = handles(
        backend, [small(root, "mine", "sleep 60"), small(root, "other", "sleep 60")]
    )
    number = other.split("#")[0].rpartition("/")[2]
    forged = Handle(f"slurm://localhost/{number}#{mine.partition('#')[2]}")
    assert not backend.own([(small(root, "mine").spec, forged)])
    backend.cancel([forged])
    assert backend.poll([forged])[forged].state is State.UNKNOWN
    assert not until(backend, [other], lambda seen: seen.state is State.RUNNING)[0].state.terminal
    backend.cancel([mine, other])
    assert {one.state for one in until(backend, [mine, other])} == {State.CANCELLED}


def test_a_home_that_was_removed_is_not_made_again(
    cluster: FakeSlurm, root: Path, tmp_path: Path
) -> None:
    [handle] = handles(backend, [small(root, "job")])
    shutil.rmtree(tmp_path / "home")
    assert until(backend, [handle])[0].state is State.SUCCEEDED
    backend.cancel([handle])
    assert not (tmp_path / "home").exists()


# Bringing


def test_100_jobs_are_brought_in_one_round_trip(
    cluster: FakeSlurm, root: Path, tmp_path: Path
) -> None:
    """Results and logs; one that cannot be read does not stand in the way of the others."""
    made = [small(root, f"j{i}", array=ArrayPlace("many", i, 100)) for i in range(100)]
    for job in made:
        folder = Path(job.spec.directory)
        (folder / "attempts" / "1").mkdir(parents=True)
        (folder / "logs" / "1").mkdir(parents=True)
        (folder / "attempts" / "1" / "result.json").write_text(job.spec.job)
        (folder / "logs" / "1" / "rank-0.log").write_text("hello\n")
    # No file, so nobody can read it as one, not even root.
    bad = Path(made[7].spec.directory, "logs", "1", "rank-0.log")
    bad.unlink()
    bad.mkdir()
    home = tmp_path / "record"
    wanted = [Wanted(job.spec, str(home / job.spec.job)) for job in made]
    wanted += [replace(one, logs=((one.spec.job, 0),)) for one in wanted]
    before = round_trips(LocalTunnel())
    failed = backend.bring(wanted)
    assert round_trips(LocalTunnel()) - before == 1
    assert list(failed) == [made[7].spec.token]
    assert "rank-0.log cannot be read: Is a directory" in str(failed[made[7].spec.token])
    for job in made:
        copy = home / job.spec.job
        assert (copy / "attempts" / "1" / "result.json").read_text() == job.spec.job
        log = copy / "logs" / "1" / "rank-0.log"
        assert job is made[7] or log.read_text() == "hello\n"


# Two records with one id


@pytest.mark.parametrize("left", ["all", "claim", "nothing said", "answer"])
def test_a_job_of_another_record_with_the_same_id_is_not_taken(
    cluster: FakeSlurm, root: Path, left: str
) -> None:
    """However much of its submission is left in the folder."""
    first = small(root, "job", identity="aaaa")
    second = small(root, "job", identity="bbbb")
    [handle] = handles(backend, [first])
    folder = root / "jobs" / "job" / "attempts" / "1"
    if left in {"claim", "nothing said"}:
        (folder / "submitted").unlink()
    if left == "nothing said":
        claim = folder / "submitting"
        claim.write_text(claim.read_text().splitlines()[0] + "\n")
    if left == "answer":
        (folder / "submitting").unlink()
    [answer] = backend.submit([second]).values()
    assert isinstance(answer, BackendError)
    assert not isinstance(answer, ShortageError)
    assert f"{root}/jobs/job belongs to another experiment with this id" in str(answer)
    assert f"submitted from {os.uname().nodename} at 2" in str(answer)
    # A second try of it lands in the same folder.
    [again] = backend.submit([small(root, "job", identity="bbbb", attempt=2)]).values()
    assert "belongs to another experiment" in str(again)
    assert backend.find([second.spec]) == {}
    assert not list(backend.own([(second.spec, handle)]))
    assert list(backend.own([(first.spec, handle)])) == [first.spec.token]
    assert backend.find([first.spec]) == {first.spec.token: handle}
    assert handles(backend, [first]) == [handle]
    assert len(cluster.jobs()) == 1


def test_an_array_of_another_record_is_not_taken(cluster: FakeSlurm, root: Path) -> None:
    def array(identity: str) -> list[Rendered]:
        jobs = [_element(root, i, 3) for i in range(3)]
        return [replace(job, spec=replace(job.spec, identity=identity)) for job in jobs]

    found = handles(backend, array("aaaa"))
    answers = backend.submit(array("bbbb"))
    assert all("belongs to another experiment" in str(one) for one in answers.values())
    assert handles(backend, array("aaaa")) == found
    assert len(cluster.jobs()) == 3


def test_records_without_identity_go_on(cluster: FakeSlurm, root: Path) -> None:
    job = small(root, "job")
    [handle] = handles(backend, [job])
    assert handles(backend, [job]) == [handle]
    assert list(backend.own([(job.spec, handle)])) == [job.spec.token]
    assert "identity" not in job.spec.to_json()


def test_whose_a_handle_is_is_asked_once(cluster: FakeSlurm, root: Path) -> None:
    job, other = small(root, "job", identity="aaaa"), small(root, "job", identity="bbbb")
    [handle] = handles(backend, [job])
    before = round_trips(LocalTunnel())
    for _ in range(3):
        assert list(SlurmBackend().own([(job.spec, handle)])) == [job.spec.token]
    assert round_trips(LocalTunnel()) - before == 1
    # What is known of one says nothing of another.
    assert not list(backend.own([(other.spec, handle)]))
    assert round_trips(LocalTunnel()) - before == 2
