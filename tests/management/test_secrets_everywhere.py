"""A run with secrets leaves no trace of them: not one byte, in any spelling, anywhere."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nemo_run.cli.experiment import _COMMANDS
from nemo_run.execution.observation import State
from nemo_run.management.store import find, records
from nemo_run.testing import FakeSlurm
from nemo_run.testing.traces import command_lines, forms, traces

VALUE = "hf_Everywhere'\"$HOME `id` é-4711-0815-tail"
NAME = "TEST_HF_TOKEN"

TASKS = """
import os, sys

def train(token, folder, lr=0.1):
    secret = "hf_" + "Everywhere"
    assert token.startswith(secret) and os.environ["HF_TOKEN"] == token
    wait(folder, "args")
    return lr

def fails(token):
    held = {"token": token}
    raise ValueError("the server does not know " + repr(token) + " or " + token)

def wait(folder, name):
    import pathlib, time
    pathlib.Path(folder, "here-" + name).touch()
    while not pathlib.Path(folder, "gate").exists():
        time.sleep(0.02)
"""

PROGRAM = """
import os, sys
import nemo_run as run
from tasks import fails, train

where, root, mode = sys.argv[1:4]

def executor(where, root, **fields):
    if where == "local":
        return run.LocalExecutor(**fields)
    # Without a job_dir the job lies in the record.
    tunnel = run.LocalTunnel(job_dir="" if mode == "detached" else root + "/target")
    return run.SlurmExecutor(account="a", tunnel=tunnel, wait_time_for_group_job=0, **fields)

if __name__ == "__main__":
    token = run.Secret("TEST_HF_TOKEN")
    shell = f'''
        test ${{#TOKEN}} -gt 20 || exit 3
        touch {root}/here-"$1"
        while [ ! -e {root}/gate ]; do sleep 0.05; done
    '''
    script = lambda name: run.Script(inline=shell, args=[name], env={"TOKEN": token})
    with run.Experiment("secret") as experiment:
        more = {"partition": "nowhere"} if mode == "refused" else {}
        if mode == "all":
            variables = executor(where, root, env_vars={"HF_TOKEN": token, "PLAIN": "1"})
            experiment.add(run.Partial(train, token=token, folder=root), variables, name="args")
            failing = run.Partial(fails, token=token)
            experiment.add(failing, executor(where, root), name="fails")
            two = [script("first"), script("second")]
            experiment.add(two, [executor(where, root), executor(where, root)], name="group")
        experiment.add(script("script"), executor(where, root, **more), name="script")
        experiment.dryrun()
        experiment.run(detach=mode != "all" and mode != "refused")
"""


class Place:
    """Where a run happens: a repository with a program, an engine, and everything they write."""

    def __init__(self, root: Path, where: str, environment: dict[str, str]) -> None:
        self.root = root
        self.where = where
        self.source = root / "source"
        self.environment = {**os.environ, **environment, NAME: VALUE}
        self.outputs = root / "outputs"
        self.outputs.mkdir()
        self.source.mkdir()
        (self.source / "tasks.py").write_text(TASKS)
        (self.source / "program.py").write_text(PROGRAM)
        for words in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", "-C", str(self.source), *words], check=True)

    def launch(self, mode: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "program.py", self.where, str(self.root), mode]
        return self.run(command, f"launch-{mode}")

    def run(self, command: list[str], name: str, **more: str | None) -> subprocess.CompletedProcess:
        given = {**self.environment, **{n: v for n, v in more.items() if v is not None}}
        environment = {n: v for n, v in given.items() if more.get(n, "") is not None}
        done = subprocess.run(
            command,
            cwd=self.source,
            env=environment,
            capture_output=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        (self.outputs / f"{name}.txt").write_bytes(done.stdout + done.stderr)
        return done

    def cli(self, *words: str, **more: str | None) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "nemo_run", *words]
        return self.run(command, "-".join(words).replace("/", "_"), **more)

    def left(self) -> list[str]:
        """Where the value stands in anything that is left, the sources of this test included."""
        return traces([self.root], [VALUE])


@pytest.fixture(params=["local", "slurm"])
def place(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Iterator[Place]:
    root = tmp_path / "all"
    root.mkdir()
    own = {"NEMORUN_HOME": str(root / "home")}
    os.environ["NEMORUN_HOME"] = own["NEMORUN_HOME"]  # the fixture "home" puts it back
    if request.param == "local":
        yield Place(root, "local", own)
        return
    with FakeSlurm(root / "slurm") as slurm:
        yield Place(root, "slurm", {**own, **slurm.environment()})


@pytest.fixture
def slurm_place(tmp_path: Path, home: Path) -> Iterator[Place]:
    root = tmp_path / "all"
    root.mkdir()
    os.environ["NEMORUN_HOME"] = str(root / "home")
    with FakeSlurm(root / "slurm") as slurm:
        yield Place(root, "slurm", {"NEMORUN_HOME": str(root / "home"), **slurm.environment()})


@contextmanager
def watching() -> Iterator[list[str]]:
    """Collect the command lines of all processes in which the value is seen meanwhile."""
    seen: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            seen.extend(command_lines([VALUE]))
            over.wait(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def until(true, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reports(place: Place, identity: str) -> None:
    """Have everything shown and exported that can be."""
    wanted = {
        "show": [[], ["--json"]],
        "status": [[], ["--json"]],
        "logs": [[]],
        "report": [["-o", str(place.root / "report.html")]],
        "export": [["-o", str(place.root / "export.tar.zst")]],
        "explain": [["token"]],
        "verify": [[]],
        "events": [["--json"]],
        "metrics": [[]],
        "diff": [[identity], [identity, "--json"], [identity, "--html", f"{place.root}/diff.html"]],
    }
    for command, ways in wanted.items():
        if command not in _COMMANDS:
            continue
        for way in ways:
            place.cli("experiment", command, identity, *way)
    for words in (["list"], ["list", "--json"], ["reindex"], ["list", "--csv"]):
        place.cli("experiment", *words)
    assert {"report.html", "export.tar.zst"} <= {path.name for path in place.root.iterdir()}
    place.cli("experiment", "artifacts", "list", identity)
    place.cli("remote", "push", identity, "--remote", f"file://{place.root}/remote")


def test_nothing_of_a_secret_is_left_anywhere(place: Place) -> None:
    names = ("args", "script", "first", "second")
    with watching() as seen:
        runner = threading.Thread(target=place.launch, args=["all"])
        runner.start()
        try:
            until(lambda: all((place.root / f"here-{name}").exists() for name in names))
            inside = environments_with_the_value()
        finally:
            (place.root / "gate").touch()
            runner.join()
    assert seen == []
    record = find("secret")
    states = {job: str(state) for job, state in record.status().states.items()}
    assert states == {
        "args": "SUCCEEDED",
        "fails": "FAILED",
        "group": "SUCCEEDED",
        "script": "SUCCEEDED",
    }
    # Those who are to have it, had it; the scripts that lead the jobs had nothing to do with it.
    assert any("worker.py" in command for command in inside)
    assert any("script.sh" in command for command in inside)
    assert not [command for command in inside if place.where == "slurm" and "_sbatch.sh" in command]
    assert not [command for command in inside if "slurm/bin" in command]
    reports(place, record.id)
    said = place.cli("experiment", "rerun", record.id)
    assert find("secret").id != record.id, said.stderr.decode()

    def has_ended() -> bool:
        # Jobs may have been handed over: whoever asks how they stand, has them looked at.
        place.cli("experiment", "status", find("secret").id)
        return find("secret").status().ended is not None

    until(has_ended)
    place.cli("experiment", "diff", record.id, find("secret").id)
    assert place.left() == []
    error = record.path / "jobs/fails/attempts/1/error.0.json"
    assert "does not know '***' or ***" in error.read_text()
    # The test would see it.
    (place.root / "planted").write_text(f"x{VALUE}x")
    assert place.left() == [str(place.root / "planted")]


def environments_with_the_value() -> list[str]:
    """Return the commands of the processes that have the value in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if VALUE.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def test_a_secret_of_a_job_that_was_cancelled_or_refused_is_gone(place: Place) -> None:
    if place.where == "slurm":
        place.launch("refused")
        assert [str(s) for s in find("secret").status().states.values()] == ["FAILED"]
        assert place.left() == []
    place.launch("cancelled")
    until(lambda: (place.root / "here-script").exists())
    place.cli("experiment", "cancel", "secret", "--yes")
    until(lambda: find("secret").status().ended is not None)
    assert [str(s) for s in find("secret").status().states.values()] == ["CANCELLED"]
    assert place.left() == []


def test_a_secret_on_a_target_is_for_its_owner_only_and_goes_with_the_job(
    slurm_place: Place,
) -> None:
    slurm_place.launch("detached")
    until(lambda: (slurm_place.root / "here-script").exists())
    (file,) = (slurm_place.root / "home").rglob("secrets/*/*")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {stat.S_IMODE(p.stat().st_mode) for p in (file.parent, file.parent.parent)} == {0o700}
    # There, and nowhere else, also when somebody takes the record with him.
    reports(slurm_place, find("secret").id)
    assert (slurm_place.root / "export.tar.zst").exists()
    assert slurm_place.left() == [str(file)]
    (slurm_place.root / "gate").touch()
    until(lambda: not file.exists())
    until(lambda: slurm_place.left() == [])


def test_a_conductor_killed_between_delivery_and_start_leaves_nothing_after_a_resume(
    slurm_place: Place,
) -> None:
    place = slurm_place
    # An sbatch that never gets to ask.
    stuck = place.root / "stuck"
    stuck.mkdir()
    (stuck / "sbatch").write_text(f"#!/bin/sh\ntouch {place.root}/asked\nexec sleep 300\n")
    (stuck / "sbatch").chmod(0o755)
    path = place.environment["PATH"]
    place.environment["PATH"] = f"{stuck}{os.pathsep}{path}"
    launching = threading.Thread(target=place.launch, args=["killed"])
    launching.start()
    until(lambda: (place.root / "asked").exists())
    record = find("secret")
    conductor = record.status().conductor
    assert conductor is not None
    for group in sessions_of(conductor.pid):
        os.killpg(group, signal.SIGKILL)
    launching.join()
    (file,) = (place.root / "target").rglob("secrets/*/*")
    place.environment["PATH"] = path

    # From a shell that does not know the secret, the job cannot start; nothing is left of it.
    place.cli("experiment", "resume", record.id, **{NAME: None})
    until(lambda: record.status().ended is not None)
    known = record.status().jobs["script"]
    assert known.state is State.FAILED
    assert NAME in known.message
    assert "resume" in known.message
    until(lambda: place.left() == [])

    # From one that does, it is started.
    place.cli("experiment", "resume", record.id)
    until(lambda: (place.root / "here-script").exists())
    (place.root / "gate").touch()

    def succeeded() -> bool:
        # It was handed over to Slurm: whoever asks how it stands, has it looked at.
        place.cli("experiment", "status", record.id)
        return find("secret").status().jobs["script"].state is State.SUCCEEDED

    until(succeeded)
    assert place.left() == []
    assert not file.exists()


def sessions_of(leader: int) -> set[int]:
    """Return the process groups of a process and of all that it has started."""
    children: dict[int, list[int]] = {}
    groups: dict[int, int] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(process.name))
        groups[int(process.name)] = int(fields[2])
    found, waiting = set(), [leader]
    while waiting:
        one = waiting.pop()
        found.add(groups[one])
        waiting += children.get(one, [])
    return found


def test_a_local_job_needs_its_secret_again_for_each_attempt(tmp_path: Path, home: Path) -> None:
    source = textwrap.dedent(
        f"""
        import nemo_run as run
        if __name__ == "__main__":
            task = run.Script(
                inline='sleep 0.3; test ${{#TOKEN}} -gt 20 && test "$NEMORUN_ATTEMPT" = 2',
                env={{"TOKEN": run.Secret("{NAME}")}},
            )
            run.run(task, run.LocalExecutor(retries=1), name="twice")
        """
    )
    (tmp_path / "twice.py").write_text(source)
    # What a shell cannot hold is handed on as an argument, but not with a secret in it.
    environment = {**os.environ, NAME: VALUE, "odd.name": VALUE}
    with watching() as seen:
        command = [sys.executable, "twice.py"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0
    assert seen == []
    assert records()
    assert traces([home], [VALUE]) == []


def test_the_search_finds_a_value_however_it_is_packed(tmp_path: Path) -> None:
    import base64
    import gzip
    import zipfile

    body = f"before {VALUE} after".encode()
    kinds = {
        "plain": body,
        "hex": body.hex().encode(),
        "b64": base64.b64encode(b"x" + body),
        "gz": gzip.compress(gzip.compress(body)),
        "utf16": body.decode().encode("utf-16"),
    }
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
    with zipfile.ZipFile(tmp_path / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", body)
    repository = tmp_path / "code.git"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    hashed = ["git", "-C", str(repository), "hash-object", "-w", "--stdin"]
    subprocess.run(hashed, input=body, check=True, stdout=subprocess.DEVNULL)
    found = traces([tmp_path], [VALUE])
    assert {Path(one.split(" ")[0].rstrip(":")).name for one in found} >= {*kinds, "zip"}
    assert f"{repository}: git objects" in found
    assert len(forms(VALUE)) > 8
