"""A Slurm cluster on this machine: its controller, nodes and accounting, each stopped at will."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import images, slurm_conf
from .processes import PATH, Processes, until
from .slurm_conf import UID, USER, Shape

_FOLDERS = ["munge", "ctld", "spool", "log", "run", "gpus", "etc", "home", "shared", "procs"]
_HERE = Path(__file__).parent
START_LIMIT = 120


@dataclass
class Slurm:
    """A running cluster.

    Attributes:
        shape: What it looks like.
        extra: Lines of slurm.conf that differ from :func:`slurm_conf.slurm_conf`.
    """

    shape: Shape
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where everything of the cluster lies."""
        return self.shape.folder

    @property
    def conf(self) -> Path:
        """The file that SLURM_CONF names."""
        return self.folder / "slurm.conf"

    @property
    def env(self) -> dict[str, str]:
        """What a program needs to talk to this cluster, and nothing of the test's own."""
        return {"SLURM_CONF": str(self.conf), "PATH": PATH, "LANG": "C.UTF-8"}

    @property
    def has_accounting(self) -> bool:
        """Whether sacct works."""
        return self.shape.accounting

    @property
    def images(self) -> Path:
        """The folder of the container images."""
        return self.folder / "images"

    @property
    def processes(self) -> Processes:
        """The daemons."""
        return Processes(self.folder)

    # -- what a user does ---------------------------------------------------------------------

    def run(self, *argv: str, check: bool = True, limit: float = 60) -> str:
        """Run a command of Slurm as root and return what it printed."""
        done = subprocess.run(
            argv,
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            timeout=limit,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def sbatch(self, script: str, *options: str) -> int:
        """Submit a script given as text and return the job's id; its output goes nowhere."""
        argv = ["sbatch", "--parsable", "-o/dev/null", *options]
        done = subprocess.run(
            argv,
            env={**os.environ, **self.env},
            input=script if script.startswith("#!") else f"#!/bin/sh\n{script}\n",
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr}")
        return int(done.stdout.split(";")[0])

    def squeue(self, what: str = "%A %T", *options: str) -> list[str]:
        """Return the lines of ``squeue -a -t all`` with a format; ended jobs stay for a while."""
        return self.run("squeue", "-h", "-a", "-t", "all", "-o", what, *options).splitlines()

    def states(self) -> dict[str, str]:
        """Return the state of each job that the controller knows, by id (``7``, ``8_1``)."""
        return dict(line.split(maxsplit=1) for line in self.squeue("%i %T"))

    def state(self, job: int | str) -> str:
        """Return a job's state, or "" where the controller does not know it."""
        return self.states().get(str(job), "")

    def wait(self, job: int | str, *states: str, limit: float = 90) -> str:
        """Wait until a job has one of these states, by default one that is final."""
        wanted = states or ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED")
        until(lambda: self.state(job) in wanted, limit, lambda: f"job {job} is {self.state(job)!r}")
        return self.state(job)

    def jobs_of(self, text: str) -> list[str]:
        """Return the ids of those jobs, ended ones too, whose script's path contains ``text``."""
        lines = [line.split("|", 1) for line in self.squeue("%i|%o")]
        return [job for job, command in lines if text in command]

    # -- faults -------------------------------------------------------------------------------

    def stop_controller(self, sign: int = signal.SIGTERM) -> None:
        """End the controller; jobs run on, clients see "Unable to contact slurm controller"."""
        self.processes.stop("slurmctld", sign)

    def start_controller(self) -> None:
        """Start the controller again, with what it knew."""
        if not self.processes.pid("slurmctld"):
            self._spawn("slurmctld", "slurmctld", "-D")
        until(self._answers, START_LIMIT, self._why)

    def stop_accounting(self) -> None:
        """End slurmdbd: sacct fails, and the controller keeps what it has to tell."""
        self.processes.stop("slurmdbd")

    def start_accounting(self) -> None:
        """Start slurmdbd again."""
        if not self.processes.pid("slurmdbd"):
            socket = str(self.folder / "mysql" / "sock")
            # What MariaDB's library takes for the host "localhost".
            self._spawn("slurmdbd", "slurmdbd", "-D", env={"MYSQL_UNIX_PORT": socket})
        until(lambda: self._succeeds("sacctmgr", "-n", "list", "cluster"), START_LIMIT, self._why)

    def kill_node(self, node: str) -> None:
        """Cut a node's power; Slurm takes about half a minute to call it down."""
        self.processes.stop(f"slurmd-{node}", signal.SIGKILL)

    def boot_node(self, node: str) -> None:
        """Start a killed node again; it takes jobs a few seconds later."""
        if self.processes.pid(f"slurmd-{node}"):
            return
        init = self.folder / "run" / f"{node}.init"
        init.unlink(missing_ok=True)
        self.processes.spawn(
            f"unshare-{node}", "unshare", "--pid", "--fork", "--kill-child", "--mount", "--uts",
            _HERE / "host.sh", self.folder, node, _HERE / "node.sh", self.folder, node,
        )  # fmt: skip
        until(init.exists, START_LIMIT, f"{node} did not start")
        self.processes.record(f"slurmd-{node}", int(init.read_text()))

    def has_told_nodes(self) -> bool:
        """Whether nothing that the controller has to tell nodes is still under way.

        It goes on trying to tell a dead node to end its jobs. One that boots meanwhile hears of
        it late and ends the job of that id that has begun again: real clusters let a requeued
        job wait for two minutes, ours for five seconds (``cred_expire``).
        """
        lines = self.run("sdiag", check=False).splitlines()
        counts = [line.split(":")[1].strip() for line in lines if line.startswith("Agent ")]
        return bool(counts) and set(counts[:2]) == {"0"}

    def idle_nodes(self) -> set[str]:
        """Return the names of the nodes that take jobs."""
        lines = self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T", check=False).splitlines()
        good = {"idle", "mixed", "allocated", "completing"}
        return {node for node, state in map(str.split, lines) if state in good}

    def configure(self, **extra: str) -> None:
        """Change lines of slurm.conf, e.g. ``MinJobAge="2"``."""
        self.extra |= extra
        _write(self.conf, slurm_conf.slurm_conf(self.shape, self.extra))
        self.run("scontrol", "reconfigure")

    def heal(self) -> None:
        """Undo all faults: no jobs, everything up."""
        if self.has_accounting:
            self.start_accounting()
        self.start_controller()
        if self.extra:
            self.extra = {}
            self.configure()
        jobs = sorted(set(self.run("squeue", "-h", "-o", "%A").splitlines()))
        if jobs:
            self.run("scancel", *jobs, check=False)
        for number in range(1, self.shape.nodes + 1):
            self.boot_node(f"n{number}")
        # A controller that was killed may have drained nodes whose jobs it had not written down.
        nodes = f"nodename=n[1-{self.shape.nodes}]"
        self.run("scontrol", "update", nodes, "state=resume", check=False)
        until(lambda: len(self.idle_nodes()) == self.shape.nodes, START_LIMIT, self._why)

    # -- up and down --------------------------------------------------------------------------

    def up(self) -> None:
        """Bring everything up in an empty folder."""
        folder = self.folder
        for name in _FOLDERS:
            (folder / name).mkdir()
        _make_etc(self.shape)
        _make_gpus(self.shape)
        os.chmod(folder / "shared", 0o1777)
        home = folder / "home" / USER
        home.mkdir()
        os.chown(home, UID, UID)
        _write(folder / "munge" / "key", os.urandom(1024), 0o400)
        os.chmod(folder / "ctld", 0o700)
        self.processes.spawn(
            "munged", "munged", "--foreground", "--force", f"--key-file={folder}/munge/key",
            f"--socket={folder}/munge/sock", f"--pid-file={folder}/munge/pid",
            f"--seed-file={folder}/munge/seed", "--num-threads=2",
        )  # fmt: skip
        images.make_images(folder)
        _write(folder / "plugstack.conf", images.make_plugin(folder))
        _write(folder / "gres.conf", slurm_conf.gres_conf(self.shape))
        _write(folder / "cgroup.conf", slurm_conf.CGROUP_CONF)
        _write(self.conf, slurm_conf.slurm_conf(self.shape, self.extra))
        until((folder / "munge" / "sock").exists, START_LIMIT, self._why)
        if self.has_accounting:
            self._database()
            self.start_accounting()
            self.run("sacctmgr", "-i", "add", "cluster", "lab")
            self.run("sacctmgr", "-i", "add", "account", "test", "cluster=lab")
        self.start_controller()
        for number in range(1, self.shape.nodes + 1):
            (folder / "spool" / f"n{number}").mkdir()
            self.boot_node(f"n{number}")
        until(lambda: len(self.idle_nodes()) == self.shape.nodes, START_LIMIT, self._why)

    def down(self) -> None:
        """End every process of the cluster."""
        self.processes.stop_all()

    def _database(self) -> None:
        folder = self.folder / "mysql"
        folder.mkdir()
        shutil.chown(folder, "mysql", "mysql")
        subprocess.run(
            ["mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={folder}/data",
             "--auth-root-authentication-method=socket", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        # Nothing here has to outlive a power cut.
        self.processes.spawn(
            "mariadbd", "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={folder}/data",
            f"--socket={folder}/sock", f"--pid-file={folder}/pid", "--skip-networking",
            "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0",
            "--innodb-log-file-size=32M",
        )  # fmt: skip
        client = ["mariadb", "--no-defaults", "-uroot", "-S", f"{folder}/sock", "-e"]
        until(lambda: self._succeeds(*client, "select 1"), START_LIMIT, self._why)
        user = "'slurm'@'localhost'"
        self.run(*client, f"create user {user} identified by 'slurm'")
        self.run(*client, f"grant all on slurm_acct_db.* to {user}")
        _write(self.folder / "slurmdbd.conf", slurm_conf.slurmdbd_conf(self.shape), 0o600)

    def _spawn(self, name: str, *argv: str, env: Mapping[str, str] | None = None) -> None:
        """Start a daemon on the host that the controller and accounting run on."""
        self.processes.spawn(
            name, "unshare", "--mount", "--uts", _HERE / "host.sh", self.folder, "ctl", *argv,
            env={"SLURM_CONF": str(self.conf), **(env or {})},
        )  # fmt: skip

    def _succeeds(self, *argv: str) -> bool:
        with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
            self.run(*argv)
            return True
        return False

    def _answers(self) -> bool:
        return "is UP" in self.run("scontrol", "ping", check=False)

    def _why(self) -> str:
        """The last words of the daemons."""
        files = [*(self.folder / "log").glob("*")]
        words = [f"{file.name}:\n{file.read_text(errors='replace')[-600:]}" for file in files]
        return "\n".join(words)


def _make_etc(shape: Shape) -> None:
    """The files of /etc that the cluster's hosts see instead of the machine's."""
    etc = shape.folder / "etc"
    _write(etc / "hosts", slurm_conf.hosts(shape))
    home = shape.folder / "home" / USER
    lines = [line for line in _lines("passwd") if not line.startswith(f"{USER}:")]
    ours = f"{USER}:x:{UID}:{UID}:Ada:{home}:/bin/bash"
    _write(etc / "passwd", "\n".join([*lines, ours, ""]))
    groups = [line for line in _lines("group") if not line.startswith(f"{USER}:")]
    _write(etc / "group", "\n".join([*groups, f"{USER}:x:{UID}:", ""]))
    # No password of the machine is copied. "*" fits none, but the account is not locked, as "!"
    # would be for sshd without PAM.
    open_to_none = [f"{name}:*:19000:0:99999:7:::" for name in ("root", "sshd", USER)]
    _write(etc / "shadow", "\n".join([*open_to_none, ""]), 0o600)


def _lines(name: str) -> list[str]:
    return Path("/etc", name).read_text().splitlines()


def _make_gpus(shape: Shape) -> None:
    # slurmd wants a device file for each, and takes the number from its name.
    for number in range(shape.gpus):
        file = shape.folder / "gpus" / f"gpu{number}"
        os.mknod(file, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        file.chmod(0o666)


def _write(path: Path, content: str | bytes, mode: int = 0o644) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(mode)
