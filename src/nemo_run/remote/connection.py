"""The shared connection to one destination, and the sessions in it.

ssh holds it: the first login starts a master that goes on in the background (``ControlMaster``,
``ControlPersist`` of ssh_config(5)), and every process of this user finds its socket. Nothing is
kept here but where the socket is.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import RemoteError, RemoteTimeoutError

from . import openssh
from .failures import SSH_FAILED, error_of, not_taken, told_status
from .login import can_ask, log_in
from .streams import converse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .openssh import Destination, Settings
    from .streams import Exchange, Finished

# For each session: nothing of the user's configuration that is meant for people at a prompt.
_PLAIN = (
    *("-T", "-o", "RemoteCommand=none", "-o", "ClearAllForwardings=yes"),
    *("-o", "PermitLocalCommand=no", "-o", "ForwardX11=no"),
)
# A session of the shared connection never makes a connection of its own when that fails: ssh would
# run the command a second time where it is not known whether it ran.
_NO_OTHER_WAY = ("-o", "ProxyCommand=false", "-o", "ControlMaster=no")

_known: dict[tuple[object, ...], Connection] = {}
_lock = threading.Lock()


def connection(destination: Destination) -> Connection:
    """Return the connection to a destination; one for all who ask in this process.

    Raises:
        RemoteError: ssh is missing, or its configuration cannot be read.
    """
    key = (destination, *openssh.program(), os.getuid())
    with _lock:
        if key not in _known:
            _known[key] = Connection(destination, openssh.settings(destination))
        return _known[key]


@dataclass
class Connection:
    """How to reach a destination; see the module.

    Attributes:
        destination: Whom to log in to.
        settings: What the configuration says.
        socket: Where the shared connection listens; None where there can be none.
    """

    destination: Destination
    settings: Settings
    socket: Path | None = field(init=False)
    _logging_in: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.socket = self._socket()

    def _socket(self) -> Path | None:
        if not self.settings.shared or not hasattr(socket, "AF_UNIX"):
            return None
        if self.settings.control_path:
            return Path(self.settings.control_path)
        folder = openssh.private_folder()
        return folder / self.settings.identity if folder else None

    def _ssh(self, *more: str) -> list[str]:
        place = self.destination
        return [*openssh.program(), *more, *self.settings.options, *place.arguments()]

    def argv(self, *more: str, command: str | None = None, plain: bool = True) -> list[str]:
        """Return the argument list of a session, in the shared connection where there is one.

        Args:
            more: Further arguments of ssh.
            command: What to run there; None for the login shell, or nothing with ``-N``.
            plain: Whether it is a command of this library, not a person's session.
        """
        options = [*(_PLAIN if plain else ()), *more]
        if self.socket is None:
            options += ["-o", "ControlPath=none", *([] if can_ask() else ["-o", "BatchMode=yes"])]
        else:
            options += ["-o", f"ControlPath={self.socket}", *(_NO_OTHER_WAY if plain else ())]
        line = [*self._ssh(*options), "--", self.destination.host]
        return line if command is None else [*line, command]

    def connect(self) -> None:
        """Log in, unless this or another process of the user has.

        Raises:
            RemoteError: It did not work.
        """
        if self.socket is None or listens(self.socket):
            return
        with self._logging_in, _alone(self.socket):
            if listens(self.socket):
                return
            self._log_in(self.socket)

    def _log_in(self, path: Path) -> None:
        if self.settings.control_path is None:
            path.unlink(missing_ok=True)
        shared = ("ControlMaster=yes", f"ControlPath={path}", f"ControlPersist={openssh.PERSIST}")
        options = [word for one in shared for word in ("-o", one)]
        log = log_in(
            [*self._ssh(*_PLAIN, *options), "--", self.destination.host, "exit 0"],
            self.destination,
        )
        if listens(path):
            return
        if log is not None:
            raise error_of(log, self.destination.host, self.destination.typed())
        self.socket = None  # it works, but connections cannot be shared

    def exchange(self, exchange: Exchange) -> Finished:
        """Run a command there to its end.

        Raises:
            RemoteError: ssh failed. What the command's own exit code is, is no error here.
        """
        for attempt in range(3):
            self.connect()
            finished = self._try(exchange)
            if finished.timed_out:
                raise self._silent(exchange)
            if finished.return_code != SSH_FAILED or self._ended_there(finished.log):
                return finished
            if self.socket is None or attempt == 2:
                break
            if not_taken(finished.log):
                self._make_room(finished.log)
            elif not exchange.again:
                break
        during = "" if not_taken(finished.log) else "a command was running there"
        raise error_of(finished.log, self.destination.host, self.destination.typed(), during)

    def _ended_there(self, log: str) -> bool:
        # A session whose program was ended by a signal has no exit status; the connection goes on.
        alive = self.socket is not None and not not_taken(log) and listens(self.socket)
        return alive or told_status(log)

    def _make_room(self, log: str) -> None:
        """Go on without the shared connection, where it takes no more sessions."""
        if self.socket is not None and listens(self.socket) and "refused" in log:
            self.socket = None

    def _try(self, exchange: Exchange) -> Finished:
        with _log_file() as log:
            # Only at this level does ssh say whether the exit code is the command's.
            argv = self.argv("-E", log, "-o", "LogLevel=DEBUG2", command=exchange.command)
            finished = converse(argv, exchange)
            finished.log = Path(log).read_text("utf-8", "replace")
        return finished

    def _silent(self, exchange: Exchange) -> RemoteError:
        return RemoteTimeoutError(
            f"{self.destination.host}: nothing came for {exchange.timeout:g} s. The command was "
            "let go of and may still run there; check the machine, or give a longer timeout."
        )


def listens(path: Path) -> bool:
    """Return whether a master listens on a socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.settimeout(5)
            one.connect(str(path))
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let one process at a time log in, so that a person is asked once."""
    import fcntl

    folder = openssh.private_folder()
    if folder is None:
        yield
        return
    with (folder / f"{path.name[-40:]}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _log_file() -> Iterator[str]:
    descriptor, name = tempfile.mkstemp(prefix="nemo-run-ssh-")
    os.close(descriptor)
    try:
        yield name
    finally:
        Path(name).unlink(missing_ok=True)
