"""What programs written for the reference implementation use beside tunnels."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from .ssh import SSHTunnel
    from .tunnel import RunResult, Tunnel


class Callback:
    """Told what happens while :meth:`Tunnel.keep_alive` stays; override what is of interest."""

    def setup(self, tunnel: Tunnel) -> None:
        """Take the tunnel, before it is connected."""
        self.tunnel = tunnel

    def on_start(self) -> None:
        """It is connected."""

    def on_interval(self) -> None:
        """The interval has passed once more."""

    def on_stop(self) -> None:
        """It ends, in whatever way."""

    def on_error(self, error: BaseException) -> None:
        """It ends because of ``error``, which is raised afterwards."""


def keep_alive(tunnel: Tunnel, *callbacks: Callback, interval: float = 1) -> None:
    """Connect and stay until interrupted; see :meth:`Tunnel.keep_alive`."""
    for one in callbacks:
        one.setup(tunnel)
    try:
        tunnel.connect()
        for one in callbacks:
            one.on_start()
        while True:
            time.sleep(interval)
            for one in callbacks:
                one.on_interval()
    except BaseException as error:
        for one in callbacks:
            one.on_error(error)
        raise
    finally:
        for one in callbacks:
            one.on_stop()


class SSHConfigFile:
    """A configuration of ssh, to which hosts can be added by name; for editors that read it.

    Args:
        config_path: The file; by default ~/.ssh/config.
    """

    def __init__(self, config_path: str | None = None) -> None:
        self.config_path = str(Path(config_path or "~/.ssh/config").expanduser())

    def add_entry(self, user: str, hostname: str, port: int, name: str) -> None:
        """Add a host, or replace the one of that name.

        Args:
            user: The account.
            hostname: The address.
            port: The port.
            name: What ssh shall call it.
        """
        lines = [f"Host {name}", f"    User {user}", f"    HostName {hostname}", f"    Port {port}"]
        self._write([*self._without(name), *lines])

    def remove_entry(self, name: str) -> None:
        """Remove a host; harmless where there is none of that name."""
        rest = self._without(name)
        if rest != self._lines():
            self._write(rest)

    def _lines(self) -> list[str]:
        try:
            return Path(self.config_path).read_text("utf-8", "surrogateescape").splitlines()
        except FileNotFoundError:
            return []

    def _without(self, name: str) -> list[str]:
        kept, inside = [], False
        for line in self._lines():
            words = line.replace("=", " ").split()
            if words and words[0].lower() in ("host", "match"):
                inside = words[0].lower() == "host" and words[1:] == [name]
            if not inside:
                kept.append(line)
        return kept

    def _write(self, lines: list[str]) -> None:
        from nemo_run.atomic import make_folder, write_for_user

        make_folder(Path(self.config_path).parent)
        write_for_user(self.config_path, "\n".join([*lines, ""]))


def delete_tunnel_dir(file_path: str | os.PathLike[str]) -> None:
    """Delete a folder of a tunnel on this machine; harmless where there is none."""
    if Path(file_path).exists():
        shutil.rmtree(file_path)


def rsync(
    c: SSHTunnel,
    source: str | Sequence[str],
    target: str,
    exclude: str | Sequence[str] = (),
    delete: bool = False,
    strict_host_keys: bool = True,
    rsync_opts: str = "",
    ssh_opts: str = "",
    hide_output: bool = True,
) -> RunResult:
    """Copy to another machine with ``rsync``, over the tunnel's connection.

    :meth:`SSHTunnel.put` needs no rsync on either side; this is for programs that call it.

    Args:
        c: The tunnel.
        source: What to copy, one or several.
        target: The folder there.
        exclude: Patterns to leave out.
        delete: Delete what is there and not here.
        strict_host_keys: Host keys are always checked, so it must be True.
        rsync_opts: More options of rsync.
        ssh_opts: More options of ssh.
        hide_output: Do not show what rsync says.

    Raises:
        ValueError: ``strict_host_keys`` is False.
        RemoteError: rsync is missing, or failed.
    """
    from nemo_run.exceptions import RemoteCommandError, RemoteError

    from .tunnel import RunResult

    if not strict_host_keys:
        raise ValueError(
            "rsync(strict_host_keys=False): host keys are always checked. Run "
            f"`{c.typed()}` once and answer yes."
        )
    sources = [source] if isinstance(source, str) else [*source]
    patterns = [exclude] if isinstance(exclude, str) else [*exclude]
    argv = [
        *("rsync", "-pthrz", "-e", shlex.join([*c.remote_shell(), *shlex.split(ssh_opts)])),
        *(f"--exclude={one}" for one in patterns),
        *(["--delete"] if delete else []),
        *shlex.split(rsync_opts),
        *("--", *sources, f"{c.host}:{target}"),
    ]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, encoding="utf-8"
        )
    except FileNotFoundError:
        raise RemoteError("There is no rsync on this machine; SSHTunnel.put needs none.") from None
    result = RunResult(done.stdout, done.stderr, done.returncode, shlex.join(argv))
    if not hide_output:
        sys.stdout.write(done.stdout)
    if result.failed:
        raise RemoteCommandError(
            f"rsync to {c.key}:{target} ended with exit code {done.returncode}: "
            f"{done.stderr.strip()}",
            result,
        )
    return result
