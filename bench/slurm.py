"""Slurm over SSH, beside the programs themselves over the same connection.

Bring up a cluster with ``cd tests && python -m engines.by_hand``, export what that prints, and run
``python bench/slurm.py --host NAME`` elsewhere, with the login host it names.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from nemo_run.execution.backend import Rendered
from nemo_run.execution.jobspec import Handle
from nemo_run.execution.slurm import polling
from nemo_run.execution.slurm.client import SlurmBackend
from nemo_run.execution.slurm.connections import host_of, tunnel_of
from nemo_run.packaging.git_archive import GitArchivePackager
from nemo_run.packaging.snapshot import CodePlace
from nemo_run.remote import round_trips
from slurm_jobs import small

HELD = "#SBATCH --hold"


class Bench:
    """One login host, and a folder of ours there."""

    def __init__(self, host: str, work: Path) -> None:
        self.host = host
        self.work = work
        home = self.ssh("pwd").strip()
        self.root = f"{home}/bench-{os.getpid()}"
        self.options: dict[str, Any] = {
            "tunnel": {"kind": "ssh", "host": host, "job_dir": self.root},
            "store": f"{self.root}/.nemo_run",
        }
        self.tunnel = tunnel_of(self.options)
        self.backend = SlurmBackend()
        self.ssh(f"mkdir -p {self.root}")

    def ssh(self, command: str) -> str:
        done = subprocess.run(
            ["ssh", self.host, command], check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout

    @staticmethod
    def shell(command: str) -> None:
        subprocess.run(command, shell=True, check=True)

    def jobs(self, name: str, count: int, **more: Any) -> list[Rendered]:
        root, options = f"{self.root}/{name}", self.options
        return [small(root, f"job{i}", header=HELD, options=options, **more) for i in range(count)]

    def submitted(self, jobs: list[Rendered]) -> tuple[list[Handle], float, int]:
        before, started = round_trips(self.tunnel), time.perf_counter()
        answers = self.backend.submit(jobs)
        took = time.perf_counter() - started
        assert all(isinstance(one, str) for one in answers.values()), answers
        return list(answers.values()), took, round_trips(self.tunnel) - before  # type: ignore[arg-type]

    def submitting(self) -> list[Handle]:
        loop = (
            f"cd {self.root} && printf '#!/bin/sh\\ntrue\\n' >plain.sh && "
            "for i in $(seq {count}); do sbatch --parsable --hold -o /dev/null plain.sh; done"
        )
        found: list[Handle] = []
        for count in (1, 50, 500):
            handles, ours, trips = self.submitted(self.jobs(f"submit{count}", count))
            found += handles
            plain = _seconds(lambda count=count: self.ssh(loop.format(count=count)))
            row(f"submit {count} jobs, round trips: {trips}", f"{ours:.2f} s", f"{plain:.2f} s")
        return found

    def looking(self, handles: list[Handle]) -> None:
        cluster = polling.Cluster(host_of(self.options))
        self.backend.poll(handles)
        cluster.moved()
        time.sleep(1.1)
        before, trips = cluster.queries, round_trips(self.tunnel)
        ours = _seconds(lambda: self.backend.poll(handles))
        asked = f"{cluster.queries - before} query, {round_trips(self.tunnel) - trips} round trip"
        plain = _seconds(lambda: self.ssh("squeue -h -r"))
        row(f"status of {len(handles)} jobs, {asked}", f"{ours:.2f} s", f"{plain:.2f} s")
        again = _seconds(lambda: self.backend.poll(handles))
        row(f"status of {len(handles)} jobs once more", f"{again * 1000:.0f} ms", "")

    def resubmitting(self) -> None:
        code = self.work / "code"
        code.mkdir()
        subprocess.run(["git", "init", "-q"], cwd=code, check=True)
        for i in range(100):
            (code / f"part{i}.bin").write_bytes(os.urandom(1 << 20))
        (code / "train.py").write_text("print(1)\n")
        for i, what in enumerate(("first submission of 100 MB", "again after a line was edited")):
            (code / "train.py").write_text(f"print({i})\n")
            started = time.perf_counter()
            snapshot = GitArchivePackager().snapshot(
                CodePlace(str(code), f"{os.environ['NEMORUN_HOME']}/code.git")
            )
            assert snapshot is not None
            snapshot.keep()
            packed = time.perf_counter() - started
            _, sent, trips = self.submitted(self.jobs(f"code{i}", 1, code=snapshot.tree))
            packs = f"{self.root}/.nemo_run/code.git/objects/pack/*.pack"
            size = int(self.ssh(f"stat -c %s $(ls -t {packs} | head -1)"))
            copied = f"rsync -az {code}/ {self.host}:{self.root}/rsync"
            plain = _seconds(lambda copied=copied: self.shell(copied))
            row(
                f"{what}: {size:,} bytes, round trips: {trips}",
                f"{packed:.2f} + {sent:.2f} s",
                f"rsync {plain:.2f} s",
            )

    def following(self) -> None:
        [job] = self.jobs("log", 1)
        log = f"{job.spec.directory}/logs/1/rank-0.log"
        self.ssh(f"mkdir -p {os.path.dirname(log)} && yes 0123456789abcdef | head -c 1G >{log}")
        record = self.work / "record"
        before = _peak()
        ours = _seconds(lambda: self.backend.bring(job.spec, str(record), [("job0", 0)]))
        assert (record / "logs/1/rank-0.log").stat().st_size == 1 << 30
        grown = _peak() - before
        plain = _seconds(lambda: self.shell(f"ssh {self.host} cat {log} >{self.work}/plain"))
        row(f"bring a log of 1 GiB, {grown:.0f} MiB more memory", f"{ours:.1f} s", f"{plain:.1f} s")


def row(what: str, ours: str, beside: str) -> None:
    """Print a line of the table."""
    print(f"| {what} | {ours} | {beside} |", flush=True)


def _seconds(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="login", help="what ssh calls the login node")
    host = parser.parse_args().host
    work = Path(tempfile.mkdtemp(prefix="nr-bench-"))
    os.environ["NEMORUN_HOME"] = str(work / "home")
    (work / "home").mkdir()
    bench = Bench(host, work)
    try:
        print("| what | ours | beside |\n| --- | --- | --- |")
        bench.following()
        handles = bench.submitting()
        more, _, _ = bench.submitted(bench.jobs("more", 1000 - len(handles)))
        bench.looking([*handles, *more])
        bench.resubmitting()
    finally:
        bench.ssh("scancel --me")
        bench.ssh(f"rm -rf {bench.root}")
        bench.tunnel.cleanup()
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
