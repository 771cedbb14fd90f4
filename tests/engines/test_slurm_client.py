"""The Slurm backend over SSH on a real cluster: round trips, cuts, and what comes home."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.processes import until as eventually
from engines.slurm import Slurm
from engines.ssh import Login
from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import After, Wanted
from nemo_run.execution.jobspec import ArrayPlace
from nemo_run.execution.observation import State
from nemo_run.execution.slurm import polling
from nemo_run.execution.slurm.client import SlurmBackend
from nemo_run.execution.slurm.connections import tunnel_of
from nemo_run.packaging.git_archive import GitArchivePackager
from nemo_run.packaging.snapshot import CodePlace
from nemo_run.remote import round_trips
from slurm_jobs import handles, small, until

backend = SlurmBackend()


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEMORUN_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


def _options(login: Login, **more: object) -> dict[str, object]:
    fields = {**login.tunnel(), **more}
    plain = {n: v if isinstance(v, int) else str(v) for n, v in fields.items() if v is not None}
    return {"tunnel": {"kind": "ssh", **plain}}


@pytest.fixture
def far(login: Login, shared_folder: Path) -> Callable[..., object]:
    """Make small jobs that are submitted over SSH."""
    options = _options(login)

    def make(name: str, body: str = "true", **more: object) -> object:
        return small(shared_folder / "exp", name, body, options=options, **more)  # type: ignore[arg-type]

    return make


def test_a_graph_over_ssh(far: Callable[..., object]) -> None:
    first = far("first", "echo hello; exit 3")
    then = far("then", after=[After("afterany", first.spec.token)])
    never = far("never", after=[After("afterok", first.spec.token)])
    found = handles(backend, [never, then, first])
    assert all(handle.startswith("slurm://") and "localhost" not in handle for handle in found)
    seen = until(SlurmBackend(), found)
    assert [one.state for one in seen] == [State.SKIPPED, State.SUCCEEDED, State.FAILED]
    assert backend.find([first.spec]) == {first.spec.token: found[2]}
    assert set(backend.own([(first.spec, found[2]), (then.spec, found[2])])) == {first.spec.token}


def test_500_jobs_are_submitted_in_a_few_round_trips(
    far: Callable[..., object], login: Login
) -> None:
    held = "#SBATCH --hold"
    jobs = [far(f"job{i}", header=held) for i in range(500)]
    for i in range(1, 500, 2):
        after = (After("afterok", jobs[i - 1].spec.token),)
        jobs[i] = dataclasses.replace(jobs[i], after=after)
    tunnel = tunnel_of(jobs[0].spec.options)
    before = round_trips(tunnel)
    found = handles(backend, jobs)
    assert round_trips(tunnel) - before <= 5
    assert len(set(found)) == 500
    before = round_trips(tunnel)
    assert {one.state for one in backend.poll(found).values()} == {State.PENDING}
    assert round_trips(tunnel) - before == 1
    backend.cancel(found)
    assert {one.state for one in until(backend, found)} == {State.CANCELLED}


def test_a_job_of_another_record_with_the_same_id_is_not_taken(far: Callable[..., object]) -> None:
    first, second = far("same", identity="aaaa"), far("same", identity="bbbb")
    [handle] = handles(backend, [first])
    [answer] = backend.submit([second]).values()
    assert "belongs to another experiment with this id" in str(answer)
    assert not backend.find([second.spec])
    assert not backend.own([(second.spec, handle)])
    assert handles(backend, [first]) == [handle]


def test_an_array_over_ssh(far: Callable[..., object]) -> None:
    jobs = [far(f"p{i}", f"exit {i % 2}", array=ArrayPlace("sweep", i, 6, 3)) for i in range(6)]
    found = handles(backend, jobs)
    assert [one.split("#")[0].rpartition("_")[2] for one in found] == list("012345")
    assert [one.exit_code for one in until(backend, found)] == [0, 1, 0, 1, 0, 1]
    assert handles(backend, jobs) == found


def test_a_connection_that_is_cut_while_sbatch_runs_loses_nothing(
    own_slurm: Slurm, own_login: Login, slow_sbatch: Callable[[float], Path], tmp_path: Path
) -> None:
    folder = Path(own_login.tunnel()["job_dir"]) / "cut"  # type: ignore[arg-type]
    slow = slow_sbatch(5)
    options = _options(own_login, pre_command=f"export PATH={slow}:$PATH")
    job = small(folder, "job", "sleep 1", options=options)
    failed: list[BaseException] = []
    answers: dict[str, object] = {}

    def submit() -> None:
        try:
            answers.update(backend.submit([job]))
        except BackendError as error:
            failed.append(error)

    thread = threading.Thread(target=submit)
    thread.start()
    claim = Path(job.spec.directory, "attempts", "1", "submitting")
    eventually(lambda: claim.exists() and claim.read_text(), 60, "nobody submits")
    assert own_login.cut()
    thread.join()
    assert failed, answers
    plain = dataclasses.replace(
        job, spec=dataclasses.replace(job.spec, options=_options(own_login))
    )
    [handle] = handles(backend, [plain])
    assert until(backend, [handle])[0].state is State.SUCCEEDED
    assert len(own_slurm.jobs_of(str(folder))) == 1


def test_the_controller_restarts_while_we_look(own_slurm: Slurm, tmp_path: Path) -> None:
    [handle] = handles(backend, [small(tmp_path / "exp", "job", "sleep 20")])
    until(backend, [handle], lambda seen: seen.state is State.RUNNING)
    own_slurm.stop_controller()
    polling.Cluster("localhost").moved()
    time.sleep(1.1)
    with pytest.raises(BackendError, match="squeue failed"):
        backend.poll([handle])
    own_slurm.start_controller()
    [seen] = until(backend, [handle])
    assert (seen.state, seen.exit_code) == (State.SUCCEEDED, 0)


def test_a_job_that_an_operator_ends(slurm: Slurm, tmp_path: Path) -> None:
    [handle] = handles(backend, [small(tmp_path / "exp", "job", "sleep 100")])
    until(backend, [handle], lambda seen: seen.state is State.RUNNING)
    subprocess.run(["scancel", handle.split("#")[0].rpartition("/")[2]], check=True)
    [seen] = until(backend, [handle])
    assert seen.state is State.CANCELLED
    assert seen.message.startswith("it was cancelled")


def test_a_component_of_a_heterogeneous_job_that_fails_decides(
    slurm: Slurm, tmp_path: Path
) -> None:
    job = small(tmp_path / "exp", "het", "exit 4", header="#SBATCH --mem=1\n#SBATCH hetjob")
    [handle] = handles(backend, [job])
    [seen] = until(backend, [handle])
    assert (seen.state, seen.exit_code) == (State.FAILED, 4)


def test_logs_come_home_by_offset(far: Callable[..., object], login: Login, tmp_path: Path) -> None:
    job = far("job", "for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.5; done; exit 2")
    [handle] = handles(backend, [job])
    home = tmp_path / "record"
    mirror = home / "logs" / "1" / "rank-0.log"
    texts = set()
    deadline = time.monotonic() + 60
    while not (mirror.exists() and b"line 8\n" in mirror.read_bytes()):
        assert not backend.bring([Wanted(job.spec, str(home), (("job", 0),))])
        texts.add(mirror.read_text() if mirror.exists() else "")
        assert time.monotonic() < deadline
        if len(texts) == 3:
            login.cut()
    assert len(texts) > 3
    assert mirror.read_text() == "".join(f"line {i}\n" for i in range(1, 9))
    until(backend, [handle])
    assert not backend.bring([Wanted(job.spec, str(home))])
    assert (home / "attempts" / "1" / "exit").read_text() == "exit 2 by job\n"
    assert not list((home / "attempts" / "1").glob("*.sh"))


def test_a_log_that_was_replaced_is_brought_anew(
    far: Callable[..., object], tmp_path: Path
) -> None:
    job = far("job")
    log = Path(job.spec.directory, "logs", "1", "rank-0.log")
    log.parent.mkdir(parents=True)
    os.chmod(log.parent, 0o755)
    mirror = tmp_path / "record" / "logs" / "1" / "rank-0.log"
    for text in ("one\n", "one\ntwo\n", "two\n", "another, and longer\n", ""):
        log.write_text(text)
        assert not backend.bring([Wanted(job.spec, str(tmp_path / "record"), (("job", 0),))])
        assert mirror.read_text() == text


# Code


def _kept(folder: Path, home: Path) -> str:
    """Snapshot a repository and return its tree, kept in our own store."""
    snapshot = GitArchivePackager().snapshot(CodePlace(str(folder), str(home / "code.git")))
    assert snapshot is not None
    snapshot.keep()
    return snapshot.tree


def _repository(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    # Big, and of nothing that can be compressed.
    (folder / "big.bin").write_bytes(os.urandom(3_000_000))
    (folder / "train.py").write_text("print('one')\n")
    (folder / "run.sh").write_text("echo run\n")
    (folder / "run.sh").chmod(0o755)
    return folder


@pytest.mark.parametrize("git", [True, False])
def test_code_is_sent_once_and_then_only_what_changed(
    login: Login,
    shared_folder: Path,
    tmp_path: Path,
    wrapped: Callable[..., Path],
    git: bool,
) -> None:
    folder, home = _repository(tmp_path / "repo"), tmp_path / "home"
    store = str(shared_folder / "store")
    options = _options(login) | {"store": store}
    if not git:
        no_git = wrapped("git", before="exit 127")
        options = _options(login, pre_command=f"export PATH={no_git}:$PATH") | {"store": store}
    tunnel = tunnel_of(options)

    def submit(name: str, tree: str) -> int:
        body = (
            f"mkdir code && cd code && tar -xf {store}/code/{tree}.tar && ./run.sh && cat train.py"
        )
        job = small(shared_folder / "exp", name, f"cd $here; {body}", options=options, code=tree)
        before = round_trips(tunnel)
        [handle] = handles(backend, [job])
        trips = round_trips(tunnel) - before
        [seen] = until(backend, [handle])
        assert not backend.bring([Wanted(job.spec, str(tmp_path / name), ((name, 0),))])
        text = (tmp_path / name / "logs" / "1" / "rank-0.log").read_text()
        assert seen.state is State.SUCCEEDED, text
        said.append(text)
        return trips

    said: list[str] = []
    first = _kept(folder, home)
    assert submit("first", first) == 3
    assert submit("again", first) == 2
    (folder / "train.py").write_text("print('two')\n")
    assert submit("edited", _kept(folder, home)) == 3
    assert [text.splitlines() for text in said] == [
        ["run", "print('one')"],
        ["run", "print('one')"],
        ["run", "print('two')"],
    ]
    packs = sorted(p.stat().st_size for p in Path(store, "code.git").glob("objects/pack/*.pack"))
    assert len(packs) == (2 if git else 0)
    assert not git or packs[0] < 10_000
