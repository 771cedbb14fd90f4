"""The cluster's login host and a jump host before it, each a real sshd."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .processes import Processes, descendants, end, until
from .slurm_conf import JUMP, LOGIN, USER, Shape

_HERE = Path(__file__).parent
_SSHD = "/usr/sbin/sshd"
_PROGRAMS = ("ssh", "scp", "sftp")


@dataclass(frozen=True)
class Login:
    """An ordinary user's way to the cluster.

    ``ssh -F config HOST`` goes straight to the login host, ``HOST-by-jump`` through the jump host.
    ``login.bin`` holds an ``ssh`` that has this configuration as a user's own would be.
    """

    shape: Shape

    user = USER

    @property
    def host(self) -> str:
        """What the configuration calls the login host; every cluster's has a name of its own.

        A process may keep a connection, or what it knows of a host, for its lifetime, and a worker
        meets several clusters.
        """
        return f"login-{self.shape.folder.name[-4:]}"

    @property
    def by_jump(self) -> str:
        """The same host, reached through the jump host."""
        return f"{self.host}-by-jump"

    @property
    def folder(self) -> Path:
        """Where keys, configuration and programs lie."""
        return self.shape.folder / "ssh"

    @property
    def config(self) -> Path:
        """A configuration for ``ssh -F``."""
        return self.folder / "config"

    @property
    def identity(self) -> Path:
        """The user's private key."""
        return self.folder / "key"

    @property
    def bin(self) -> Path:
        """A folder for the front of PATH: ssh, scp and sftp with that configuration."""
        return self.folder / "bin"

    @property
    def address(self) -> str:
        """The login host's address, for clients without the configuration."""
        return self.shape.address(LOGIN)

    @property
    def port(self) -> int:
        """The port of both hosts."""
        return self.shape.port + 2

    @property
    def home(self) -> Path:
        """The user's home; the nodes see it too."""
        return self.shape.folder / "home" / USER

    def tunnel(self, job_dir: str | Path = "", *, jump: bool = False) -> dict[str, object]:
        """Return the arguments of an SSHTunnel to the login host, with a folder in the home."""
        folder = job_dir or self.home / "runs"
        return {"host": self.by_jump if jump else self.host, "user": USER, "job_dir": str(folder)}

    def run(self, command: str, *, check: bool = True, limit: float = 60) -> str:
        """Run a command on the login host as the user and return what it printed."""
        argv = [str(self.bin / "ssh"), self.host, command]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=limit, stdin=subprocess.DEVNULL
        )
        if check and done.returncode:
            raise RuntimeError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    # -- faults -------------------------------------------------------------------------------

    def sessions(self) -> list[int]:
        """Return the processes of sshd that serve connections to the login host."""
        listener = self._processes.pid("sshd-login")
        children = descendants(listener) if listener else []
        return [pid for pid in children if _program(pid) == _SSHD]

    def cut(self) -> int:
        """Cut all connections; what runs there goes on. Returns how many processes served them."""
        sessions = self.sessions()
        end(sessions, signal.SIGKILL, 5)
        return len(sessions)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay, but nothing comes through: as when a network drops packets."""
        stopped = [*self.sessions(), self._processes.pid("sshd-login")]
        stopped = [pid for pid in stopped if pid]
        _signal(stopped, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(stopped, signal.SIGCONT)

    def block(self) -> None:
        """Refuse new connections; those that are there stay."""
        self._processes.stop("sshd-login")

    def unblock(self) -> None:
        """Take connections again."""
        if not self._processes.pid("sshd-login"):
            self._serve("login", LOGIN)
            self._until_open()

    # -- up and down --------------------------------------------------------------------------

    def up(self) -> None:
        """Start both hosts; the cluster's folder is there."""
        self.folder.mkdir()
        self.bin.mkdir()
        for name in ("key", "hostkey_login", "hostkey_jump"):
            _keygen(self.folder / name)
        shutil.copy(f"{self.identity}.pub", self.folder / "authorized_keys")
        os.chmod(self.folder / "authorized_keys", 0o644)
        Path("/run/sshd").mkdir(exist_ok=True)
        self.config.write_text(self._client_config())
        self._known_hosts()
        for program in _PROGRAMS:
            wrapper = self.bin / program
            wrapper.write_text(f'#!/bin/sh\nexec {shutil.which(program)} -F {self.config} "$@"\n')
            wrapper.chmod(0o755)
        self._serve("login", LOGIN)
        self._serve("jump", JUMP)
        self._until_open()

    @property
    def _processes(self) -> Processes:
        return Processes(self.shape.folder)

    def _serve(self, name: str, number: int) -> None:
        file = self.folder / f"sshd_{name}.conf"
        file.write_text(self._server_config(name, self.shape.address(number)))
        self._processes.spawn(
            f"sshd-{name}", "unshare", "--mount", "--uts", _HERE / "host.sh",
            self.shape.folder, name, _SSHD, "-D", "-e", "-f", file,
        )  # fmt: skip

    def _until_open(self) -> None:
        def answers() -> bool:
            argv = [self.bin / "ssh", self.by_jump, "true"]
            done = subprocess.run(argv, capture_output=True, stdin=subprocess.DEVNULL)
            return done.returncode == 0

        until(answers, 60, self._why)

    def _why(self) -> str:
        logs = [self.shape.folder / "log" / f"sshd-{name}.out" for name in ("login", "jump")]
        return "\n".join(log.read_text()[-800:] for log in logs if log.exists())

    def _known_hosts(self) -> None:
        lines = []
        for name, number in (("login", LOGIN), ("jump", JUMP)):
            key = " ".join((self.folder / f"hostkey_{name}.pub").read_text().split()[:2])
            lines.append(f"[{self.shape.address(number)}]:{self.port} {key}\n")
        (self.folder / "known_hosts").write_text("".join(lines))

    def _server_config(self, name: str, address: str) -> str:
        return "\n".join(
            [
                f"Port {self.port}",
                f"ListenAddress {address}",
                f"HostKey {self.folder}/hostkey_{name}",
                "PidFile none",
                f"AuthorizedKeysFile {self.folder}/authorized_keys",
                # It would walk up to /tmp, which all may write to.
                "StrictModes no",
                "UsePAM no",
                "PasswordAuthentication no",
                "KbdInteractiveAuthentication no",
                "PermitRootLogin no",
                f"AllowUsers {USER}",
                "UseDNS no",
                "PrintMotd no",
                "MaxStartups 100",
                "MaxSessions 100",
                f"SetEnv SLURM_CONF={self.shape.folder}/slurm.conf",
                "Subsystem sftp internal-sftp",
                "LogLevel VERBOSE",
                "",
            ]
        )

    def _client_config(self) -> str:
        login, jump = self.address, self.shape.address(JUMP)
        return "\n".join(
            [
                "Host jump",
                f"  HostName {jump}",
                f"Host {self.host} {login}",
                f"  HostName {login}",
                f"Host {self.by_jump}",
                f"  HostName {login}",
                "  ProxyJump jump",
                "Host *",
                f"  Port {self.port}",
                f"  User {USER}",
                f"  IdentityFile {self.identity}",
                "  IdentitiesOnly yes",
                f"  UserKnownHostsFile {self.folder}/known_hosts",
                "  GlobalKnownHostsFile /dev/null",
                "  StrictHostKeyChecking yes",
                "",
            ]
        )


def _keygen(path: Path) -> None:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", path], check=True
    )


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe")
    return ""


def _signal(pids: list[int], sign: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
