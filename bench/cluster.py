"""Figures on a real Slurm cluster over ssh, each beside what a person would type.

The cluster is that of ``tests/engines``; where it cannot be had, there are no rows.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import measure
from cases import COMMAND, HERE, PYTHON, Row

sys.path.insert(0, str(HERE.parent / "tests"))

from engines import packages
from engines.shared import Place
from engines.slurm import Slurm
from engines.slurm_conf import Shape
from engines.ssh import Login

_EDIT = 100_000_000
_LOG = 1_000_000_000


@dataclass
class Cluster:
    """A cluster, its login host, and a log of every time that ssh was started."""

    slurm: Slurm
    login: Login
    calls: Path

    @property
    def tunnel(self) -> str:
        """The arguments of the tunnel."""
        folder = self.login.home / "bench"
        return json.dumps(self.login.tunnel(str(folder)), default=str)

    def submit(self, kind: str, number: int, cwd: str | None = None) -> dict[str, float]:
        """Submit in a process of its own; return what it took, with the number of round trips."""
        before = self.round_trips()
        words = [PYTHON, str(HERE / "submit.py"), kind, str(number), self.tunnel]
        done = subprocess.run(words, capture_output=True, text=True, cwd=cwd, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        return {**json.loads(done.stdout), "round_trips": self.round_trips() - before}

    def round_trips(self) -> int:
        """Return how often a command was sent; the login and looks at the socket do not count."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return sum(" -O " not in line and " -N" not in line for line in lines)

    def clear(self) -> None:
        """End all jobs."""
        jobs = self.slurm.run("squeue", "-h", "-o", "%A").split()
        if jobs:
            self.slurm.run("scancel", *dict.fromkeys(jobs))
        deadline = time.monotonic() + 120
        while self.slurm.run("squeue", "-h") and time.monotonic() < deadline:
            time.sleep(0.5)


@contextmanager
def cluster() -> Iterator[Cluster | None]:
    """Bring a cluster up, unless it cannot be had; and down."""
    if missing := packages.missing(packages.ALL):
        print(f"No cluster: {' '.join(missing)} missing.", file=sys.stderr)
        yield None
        return
    place = Place.of("bench")

    def bring_up(shape: Shape) -> None:
        shape = replace(shape, accounting=True)
        Slurm(shape).up()
        Login(shape).up()
        place.ready(shape)

    shape = place.enter(bring_up)
    folder = Path(tempfile.mkdtemp(prefix="nemo-run-bench-ssh-"))
    slurm, login = Slurm(shape), Login(shape)
    wrapper = folder / "ssh"
    inner = login.bin / "ssh"
    wrapper.write_text(f'#!/bin/sh\necho " $* " >>{folder}/calls\nexec {inner} "$@"\n')
    wrapper.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{login.bin}:{before}"
    try:
        yield Cluster(slurm, login, folder / "calls")
    finally:
        os.environ["PATH"] = before
        place.leave()
        shutil.rmtree(folder, ignore_errors=True)


def submitting() -> Iterator[Row]:
    """1, 50 and 500 jobs, beside a loop of sbatch in one ssh; seconds and round trips."""
    with cluster() as found:
        if found is None:
            return
        # The first use of a machine logs in and makes folders.
        found.submit("jobs", 1)
        for number in (1, 50, 500):
            ours = found.submit("jobs", number)
            found.clear()
            loop = _loop(found, number)
            found.clear()
            what = f"submit {number} Slurm job{'s' * (number > 1)} over ssh"
            yield Row(f"{what}, wall", ours["seconds"], loop, "s", "")
            budget = "5" if number == 500 else ""
            yield Row(f"{what}, round trips", ours["round_trips"], None, "", budget)
        ours = found.submit("sweep", 500)
        found.clear()
        yield Row("submit a sweep of 500 as an array, wall", ours["seconds"], loop, "s", "")
        yield from _status(found)


def _loop(found: Cluster, number: int) -> float:
    script = "#!/bin/sh\ntrue\n"
    loop = (
        f"cd && printf '{script.encode('unicode_escape').decode()}' >loop.sh && "
        f"for i in $(seq {number}); do sbatch --hold --output=/dev/null loop.sh; done"
    )
    return measure.once(["ssh", found.login.host, loop]).wall


def _status(found: Cluster) -> Iterator[Row]:
    """The status of 1,000 jobs, beside squeue."""
    held = found.submit("held", 1000)
    before = found.round_trips()
    ours = measure.once([COMMAND, "experiment", "status", str(held["id"])])
    asked = found.round_trips() - before
    plain = measure.once(["ssh", found.login.host, "squeue -h -r"])
    found.clear()
    yield Row("status of 1,000 Slurm jobs, wall", ours.wall, plain.wall, "s", "")
    yield Row("status of 1,000 Slurm jobs, scheduler queries", asked, None, "", "1")


def resubmitting() -> Iterator[Row]:
    """A repository of 100 MB: the first submission, and one after an edit of one line."""
    with cluster() as found:
        if found is None:
            return
        folder = Path(tempfile.mkdtemp(prefix="nemo-run-bench-repository-"))
        try:
            yield from _resubmitted(found, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _resubmitted(found: Cluster, folder: Path) -> Iterator[Row]:
    for number in range(1000):
        path = folder / f"package{number // 50}" / f"file{number}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(secrets.token_bytes(_EDIT // 1000))
    (folder / "train.py").write_text("lr = 1\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *words], cwd=folder, check=True)
    packed = int(_said(f"git -C {folder} archive HEAD | gzip | wc -c"))
    for name in ("first", "again, after an edit of a line"):
        sent = _sent()
        ours = found.submit("code", 1, cwd=str(folder))
        what = f"submit a repository of 100 MB, {name}"
        budget = "< 100 kB" if name != "first" else ""
        yield Row(
            f"{what}, sent (beside a tarball)", (_sent() - sent) / 1e3, packed / 1e3, "kB", budget
        )
        yield Row(f"{what}, wall", ours["seconds"], None, "s", "")
        (folder / "train.py").write_text("lr = 2\n")
    found.clear()


def _said(command: str) -> str:
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout


def _sent() -> int:
    """Return how many bytes the shared connections of ssh have written."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"[mux]" in (process / "cmdline").read_bytes():
                found = re.search(r"wchar: (\d+)", (process / "io").read_text())
                total += int(found[1]) if found else 0
        except OSError:
            continue
    return total


def following() -> Iterator[Row]:
    """A log of 1 GB, beside cat over ssh: memory and seconds."""
    with cluster() as found:
        if found is None:
            return
        job = found.submit("log", _LOG)
        ours = measure.once([COMMAND, "experiment", "logs", "-f", str(job["id"])])
        path = _said(f"find {found.login.home}/bench -name 'rank-0.log' -size +900M").split()[0]
        plain = measure.once(["ssh", found.login.host, f"cat {path}"])
        yield Row("follow a log of 1 GB, peak memory", ours.memory, plain.memory, "MiB", "50 MB")
        yield Row("follow a log of 1 GB, wall", ours.wall, plain.wall, "s", "")
