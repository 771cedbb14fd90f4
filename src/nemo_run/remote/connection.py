"""The shared connection to one destination, and the sessions in it.

ssh holds it: the first login starts a master that goes on in the background (``ControlMaster``,
``ControlPersist`` of ssh_config(5)), and every process of this user finds its socket. Nothing is
kept here but where the socket is.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import AuthenticationError, RemoteTimeoutError

from . import openssh
from .failures import SSH_FAILED, cannot_share, error_of, is_full, lost, not_taken, told_status
from .login import can_ask, log_in
from .streams import converse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .openssh import Destination, Settings
    from .streams import Exchange, Finished

# For each session: nothing of the user's configuration that is meant for people at a prompt.
_PLAIN = (
    *("-T", "-o", "ClearAllForwardings=yes"),
    *("-o", "PermitLocalCommand=no", "-o", "ForwardX11=no"),
)
# Who was refused, and has nobody to ask, does not knock again for so long (seconds): guards count.
_PAUSE = 60.0
# How often a command that has not begun is tried.
_TRIES = 3
# How long (seconds) to wait until the shared connection has room for one more session, and until
# another process has logged in; how often to look.
_ROOM = 60.0
_OTHERS = 120.0
_LOOK = 0.2
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
    _refused: tuple[float, str] | None = field(init=False, default=None)
    _logging_in: threading.Lock = field(init=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.socket = self._socket()

    def _socket(self) -> Path | None:
        if not hasattr(socket, "AF_UNIX"):
            return None
        if self.settings.control_path:
            return Path(self.settings.control_path)
        folder = openssh.private_folder()
        return folder / self.settings.identity if folder else None

    def _ssh(self, *more: str) -> list[str]:
        place = self.destination
        return [*openssh.program(), *more, *self.settings.options, *place.arguments()]

    def argv(self, *more: str, command: str | None = None) -> list[str]:
        """Return the argument list for a person's session, in the connection if shared.

        Args:
            more: Further arguments of ssh.
            command: What to run there; None for the login shell.
        """
        path = self.socket or "none"
        line = [*self._ssh(*more, "-o", f"ControlPath={path}"), "--", self.destination.host]
        return line if command is None else [*line, command]

    def forwarding(self, ports: Sequence[str]) -> list[str]:
        """Return the argument list that forwards ports (``ssh -L``) until it is ended."""
        options = [word for port in ports for word in ("-L", port)]
        if self.socket is None:
            return self.argv("-N", "-T", "-o", "ExitOnForwardFailure=yes", *options)
        stays = [sys.executable, "-m", "nemo_run.remote.forwarding", str(self.socket)]
        return [*stays, *self.argv("-T", *options)]

    def connect(self) -> None:
        """Log in, unless this or another process of the user has.

        Raises:
            RemoteError: It did not work.
        """
        path = self.socket
        if path is None or listens(path):
            return
        if self._refused and time.monotonic() < self._refused[0] and not can_ask():
            raise AuthenticationError(self._refused[1])
        with self._logging_in, _alone(path, self.destination):
            if self.socket is not None and not listens(path):
                self._log_in(path)

    def _log_in(self, path: Path) -> None:
        own = self.settings.control_path is None
        if own:
            path.unlink(missing_ok=True)
        # `auto` removes what a dead master has left, in the place that the user chose.
        shared = (
            f"ControlMaster={'yes' if own else 'auto'}",
            f"ControlPath={path}",
            f"ControlPersist={self.settings.persist}",
            "LogLevel=INFO",
        )
        options = [word for one in shared for word in ("-o", one)]
        log = log_in(
            [*self._ssh(*_PLAIN, *options), "--", self.destination.host, "exit 0"],
            self.destination,
        )
        if listens(path):
            return
        if log is not None and not cannot_share(log):
            error = error_of(log, self.destination.host, self.destination.typed())
            if isinstance(error, AuthenticationError):
                self._refused = time.monotonic() + _PAUSE, str(error)
            raise error
        self.socket = None  # connections cannot be shared; each session logs in

    def log_out(self) -> None:
        """End the shared connection; harmless where there is none."""
        if self.socket is not None and listens(self.socket):
            argv = [*self._ssh("-O", "exit", "-S", str(self.socket)), "--", self.destination.host]
            subprocess.run(argv, capture_output=True, check=False)

    def exchange(self, exchange: Exchange) -> Finished:
        """Run a command there to its end.

        A command that has not begun is tried again; one that may have run only where the exchange
        says so.

        Raises:
            RemoteError: ssh failed. What the command's own exit code is, is no error here.
        """
        runs = 2 if exchange.again else 1
        for _ in range(_TRIES):
            self.connect()
            finished = self._where_there_is_room(exchange)
            if self._ended_there(finished):
                return finished
            begun = self.socket is None or not not_taken(finished.log)
            runs -= begun
            if runs == 0 or is_full(finished.log):
                break
        during = "" if not begun else "a command may have been running there"
        raise error_of(finished.log, self.destination.host, self.destination.typed(), during)

    def _where_there_is_room(self, exchange: Exchange) -> Finished:
        """Run it in the shared connection, or beside it where that is full (MaxSessions)."""
        finished = self._try(exchange, self.socket)
        lets_in = True
        until = time.monotonic() + _ROOM
        while self.socket and is_full(finished.log) and time.monotonic() < until:
            if lets_in:
                beside = self._try(exchange, None)
                if self._ended_there(beside):
                    return beside
                lets_in = False
            time.sleep(_LOOK)
            finished = self._try(exchange, self.socket)
        return finished

    def _ended_there(self, finished: Finished) -> bool:
        if finished.return_code != SSH_FAILED or told_status(finished.log):
            return True
        # A program that was ended by a signal has no exit status; its connection goes on.
        shared = self.socket is not None and lost(finished.log)
        return shared and self.socket is not None and listens(self.socket)

    def _try(self, exchange: Exchange, path: Path | None) -> Finished:
        if path is not None:
            options = [*_NO_OTHER_WAY, "-o", f"ControlPath={path}"]
        else:
            asks = self.socket is None and can_ask()
            options = ["-o", "ControlPath=none", *([] if asks else ["-o", "BatchMode=yes"])]
        with _log_file() as log:
            # Only at this level does ssh say whether the exit code is the command's.
            telling = ["-E", log, "-o", "LogLevel=DEBUG2"]
            argv = [*self._ssh(*_PLAIN, *telling, *options), "--", self.destination.host]
            finished = converse([*argv, exchange.command], exchange)
            finished.log = Path(log).read_text("utf-8", "replace")
        if finished.timed_out:
            raise RemoteTimeoutError(
                f"{self.destination.host}: nothing came for {exchange.timeout:g} s. The command "
                "was let go of and may still run there; check the machine, or give it more time."
            )
        return finished


def listens(path: Path) -> bool:
    """Return whether a master listens on a socket."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            one.settimeout(5)
            one.connect(str(path))
    except (TimeoutError, BlockingIOError):
        return True  # it is there, and busy
    except OSError:
        return False
    return True


@contextlib.contextmanager
def _alone(path: Path, destination: Destination) -> Iterator[None]:
    """Let one process at a time log in, so that a person is asked once.

    Raises:
        RemoteTimeoutError: Another process does not come through, and nobody here can be asked.
    """
    import fcntl

    folder = openssh.private_folder()
    if folder is None:
        yield
        return
    until = None if can_ask() else time.monotonic() + _OTHERS
    # One of a few files for all time; that two hosts share one now and then is no harm.
    with (folder / f"{path.name[:2]}.lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if until and time.monotonic() > until:
                    raise RemoteTimeoutError(
                        f"{destination.host}: another process has been logging in for "
                        f"{_OTHERS:g} s; it may wait for an answer in its terminal."
                    ) from None
                time.sleep(_LOOK)
        yield


@contextlib.contextmanager
def _log_file() -> Iterator[str]:
    descriptor, name = tempfile.mkstemp(prefix="nemo-run-ssh-")
    os.close(descriptor)
    try:
        yield name
    finally:
        Path(name).unlink(missing_ok=True)
