"""Another machine, reached by the user's own OpenSSH."""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_run.exceptions import RemoteError, shown

from .tunnel import Tunnel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .connection import Connection
    from .streams import Exchange, Finished


@dataclass
class SSHTunnel(Tunnel):
    """A machine reached by ``ssh``, with its configuration, agent, jump hosts and Kerberos.

    All processes of the user share one connection, so the login happens once.

    Attributes:
        job_dir: The folder there that experiments go to.
        host: The host: an address, or a name of ~/.ssh/config.
        user: The account; None: the configuration's.
        port: The port; None: the configuration's.
        identity: The private key to log in with; None: the configuration's and the agent's.
        shell: The shell that runs commands, such as ``/bin/bash -l``; None: the account's own.
        pre_command: What comes before each command, joined by ``&&``: ``module load python``.
    """

    job_dir: str = field()
    host: str = field()
    user: str | None = None
    port: int | None = None
    identity: str | None = None
    shell: str | None = None
    pre_command: str | None = None

    @property
    def key(self) -> str:
        """What tells this machine and account from others: ``user@host:port``."""
        account = f"{self.user}@{self.host}" if self.user else self.host
        return f"{account}:{self.port}" if self.port else account

    def connect(self) -> None:
        """Log in, unless a process of this user has; see :meth:`Tunnel.connect`."""
        found = self._connection()
        found.connect()
        if found.socket is None:  # nothing is held open, so only a session tells
            self.run("exit 0", warn=True)

    def log_out(self) -> None:
        """End the shared connection, for all processes; what runs in it is cut off."""
        self._connection().log_out()

    def setup(self) -> None:
        """Log in and make the folder for experiments."""
        folder = self.job_dir.removeprefix("~/")
        home = "" if folder == self.job_dir else '"$HOME"/'
        self.run(f"mkdir -p -- {home}{shlex.quote(folder)}")

    def command(self, argv: Sequence[str] = (), tty: bool = False) -> list[str]:
        """Return the argument list that runs a program there, over the same connection.

        Args:
            argv: The program and its arguments; none: the login shell.
            tty: Whether it talks to a person.

        Raises:
            RemoteError: The machine cannot be reached.
        """
        self.connect()
        line = self._before(shlex.join(argv)) if argv else None
        return self._connection().argv("-t" if tty else "-T", command=line)

    def forward(self, *ports: str) -> list[str]:
        """Return the argument list that forwards ports until it is ended, over the connection.

        Args:
            ports: As for ``ssh -L``: ``8080:node7:80``.

        Raises:
            RemoteError: The machine cannot be reached.
        """
        self.connect()
        return self._connection().forwarding(ports)

    def remote_shell(self) -> list[str]:
        """Return ssh's argument list without host and command, as ``rsync -e`` takes it."""
        self.connect()
        return self._connection().argv("-T")[:-2]

    def typed(self) -> str:
        """Return the command that a person would type to log in."""
        return self._connection().destination.typed()

    def put(self, local_path: str, remote_path: str) -> None:
        """Copy a file or folder there; see :meth:`Tunnel.put`."""
        from .copying import put

        put(self, local_path, remote_path)

    def get(self, remote_path: str, local_path: str) -> None:
        """Copy a file or folder from there; see :meth:`Tunnel.get`."""
        from .copying import get

        get(self, remote_path, local_path)

    def _connection(self) -> Connection:
        from .connection import connection
        from .openssh import Destination

        if not self.host or self.host.startswith("-") or self.host.split() != [self.host]:
            raise RemoteError(
                f"SSHTunnel(host={shown(self.host)}): the host is an address, or a name of "
                "~/.ssh/config."
            )
        if self.identity and not Path(self.identity).expanduser().is_file():
            raise RemoteError(
                f"SSHTunnel(identity=...): There is no {self.identity} on this machine."
            )
        return connection(Destination(self.host, self.user, self.port, self.identity))

    def _exchange(self, exchange: Exchange) -> Finished:
        return self._connection().exchange(exchange)

    def _before(self, command: str) -> str:
        line = f"{self.pre_command} && {command}" if self.pre_command else command
        return f"{self.shell} -c {shlex.quote(line)}" if self.shell else line

    def _command_line(self, command: str) -> tuple[str, bytes]:
        marker = f"nemo_run:{secrets.token_hex(8)}"
        return f"echo {marker}; {self._before(command)}", f"{marker}\n".encode()

    def _python(self, code: str) -> Any:
        return self._before(f"python3 -c '{code}'")
