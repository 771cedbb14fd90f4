"""A real sshd of our own: private processes on high ports, with keys of their own."""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SSHD = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def key(path: Path) -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)],
        check=True,
    )
    return path


def greets(port: int) -> bool:
    """Whether an sshd answers there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as one:
            return one.recv(4) == b"SSH-"
    except OSError:
        return False


def children(pid: int) -> list[int]:
    """All processes below one, the nearest first."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)
    pairs = [tuple(map(int, row.split())) for row in rows.stdout.splitlines()]
    found, new = [], [pid]
    while new:
        new = [one for one, parent in pairs if parent in new]
        found += new
    return found


@dataclass
class Host:
    """One sshd and what a client needs to reach it."""

    folder: Path
    name: str
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def key(self) -> Path:
        return self.folder / "id"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        return (self.folder / f"{self.name}.log").read_text()

    def start(self, *settings: str, program: str = "") -> None:
        """Start it; ``settings`` come first and so win (sshd_config(5))."""
        host_key = self.folder / f"{self.name}_key"
        if not host_key.exists():
            key(host_key)
        public = host_key.with_suffix(".pub").read_text().split()
        with self.known_hosts.open("a") as file:
            file.write(f"[127.0.0.1]:{self.port} {public[0]} {public[1]}\n")
        # Sessions are killed at any time, which need not hit what the .bashrc of whoever runs the
        # tests starts.
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        config = self.folder / f"{self.name}.conf"
        lines = [
            *settings,
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {host_key}",
            f"PidFile {self.folder}/{self.name}.pid",
            f"AuthorizedKeysFile {self.folder}/id.pub",
            f"SetEnv HOME={home}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "LogLevel VERBOSE",
            "MaxStartups 100",
        ]
        config.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # sshd's own, where it runs as root
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [program or str(SSHD), "-D", "-e", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        for _ in range(200):
            with socket.socket() as one:
                if not one.connect_ex(("127.0.0.1", self.port)):
                    return
            time.sleep(0.05)
        raise RuntimeError(f"sshd does not start: {self.log}")

    def sessions(self) -> list[int]:
        """The processes of those who are logged in."""
        assert self.process
        return children(self.process.pid)

    def logins(self) -> int:
        return len(re.findall(r"Accepted \S+ for ", self.log))

    def cut(self) -> None:
        """Break all connections."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        if self.process:
            self.cut()
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Lab:
    """The folder of keys, the configuration of the client, and the hosts."""

    folder: Path
    hosts: list[Host] = field(default_factory=list)

    @property
    def config(self) -> Path:
        return self.folder / "ssh_config"

    def host(self, name: str, *settings: str, client: str = "", program: str = "") -> Host:
        """Start a host and tell the client about it.

        Args:
            name: What the client calls it.
            settings: Of sshd.
            client: Lines of the client's configuration for it.
            program: The sshd to run.
        """
        host = Host(self.folder, name)
        self.hosts.append(host)
        host.start(*settings, program=program)
        own = "\n    ".join(client.splitlines())
        with self.config.open("a") as file:
            file.write(
                f"Host {name}\n    {own}\n    HostName 127.0.0.1\n    Port {host.port}\n"
                f"    User {getpass.getuser()}\n    IdentityFile {host.key}\n"
                f"    IdentitiesOnly yes\n    UserKnownHostsFile {host.known_hosts}\n"
            )
        return host

    def close(self) -> None:
        # The shared connections in the background end with the hosts that they lead to.
        for host in self.hosts:
            host.stop()


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    if SSHD is None:
        if os.environ.get("CI") == "true":
            pytest.fail("There is no sshd; tests/install_engines.py installs it.")
        pytest.skip("There is no sshd on this machine (package openssh-server).")
    with tempfile.TemporaryDirectory(prefix="nrl-") as folder:
        one = Lab(Path(folder).resolve())
        key(one.folder / "id")
        monkeypatch.setenv("NEMORUN_SSH", f"ssh -F {one.config}")
        try:
            yield one
        finally:
            one.close()


@pytest.fixture
def cluster(lab: Lab) -> Host:
    """A host that is called ``cluster``."""
    return lab.host("cluster")


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object]) -> None:
        end = time.monotonic() + 20
        while not condition():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.02)

    return wait


@pytest.fixture
def tunnel() -> Callable[..., object]:
    """Makes tunnels to ``cluster``."""
    from nemo_run.remote import SSHTunnel

    def make(**fields: object) -> SSHTunnel:
        return SSHTunnel(**{"job_dir": "/tmp/nowhere", "host": "cluster", **fields})

    return make
