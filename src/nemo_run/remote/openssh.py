"""The user's OpenSSH: its argument lists and what its configuration says."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from nemo_run.exceptions import RemoteError

from .failures import error_of

# Seconds; those of the user's configuration come first.
CONNECT_TIMEOUT = 20
ALIVE_INTERVAL = 15
ALIVE_COUNT = 4
# How long the shared connection stays when nobody uses it: over a night.
PERSIST = 12 * 3600
_CONFIG_TIMEOUT = 30
# Another user's folder of that name must not stop us, and paths of sockets are short (108 bytes,
# unix(7)); /tmp outlives the login, as jobs do, and $XDG_RUNTIME_DIR does not.
_FOLDERS = ("/tmp/nemo-run-{uid}", "{runtime}/nemo-run")  # noqa: S108 - its owner is checked


@dataclass(frozen=True)
class Destination:
    """Whom to log in to. Fields that are None are the configuration's.

    Attributes:
        host: The host, as the user calls it.
        user: The account.
        port: The port.
        identity: The private key.
    """

    host: str
    user: str | None = None
    port: int | None = None
    identity: str | None = None

    def arguments(self) -> list[str]:
        """Return the arguments of ssh that say it, without the host itself."""
        found = []
        if self.user:
            found += ["-l", self.user]
        if self.port:
            found += ["-p", str(self.port)]
        if self.identity:
            found += ["-i", str(Path(self.identity).expanduser()), "-o", "IdentitiesOnly=yes"]
        return found

    def typed(self) -> str:
        """Return the command that a person would type."""
        return shlex.join([*program(), *self.arguments(), self.host])


def program() -> list[str]:
    """Return the words that start ssh: ``$NEMORUN_SSH``, such as ``ssh -F file``, or ``ssh``."""
    return shlex.split(os.environ.get("NEMORUN_SSH", "")) or ["ssh"]


@dataclass(frozen=True)
class Settings:
    """What the user's configuration says about a destination.

    Attributes:
        options: Our arguments, where the configuration leaves us the choice.
        control_path: Its own socket for shared connections; None where it names none.
        persist: For how long it stays when nobody uses it (ControlPersist of ssh_config(5)).
        identity: What tells this destination from others.
    """

    options: tuple[str, ...]
    control_path: str | None
    persist: str
    identity: str


def settings(destination: Destination) -> Settings:
    """Ask ssh what its configuration says (``ssh -G``); nothing is connected.

    Raises:
        RemoteError: There is no ssh, or the configuration cannot be read.
    """
    argv = [*program(), "-G", "-T", *destination.arguments(), "--", destination.host]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CONFIG_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise RemoteError(
            f"There is no program {error.filename!r} here. NeMo Run works with OpenSSH: install "
            "its client (openssh-client), or name it in $NEMORUN_SSH."
        ) from None
    except subprocess.TimeoutExpired:
        raise RemoteError(
            f"`{shlex.join(argv)}` has not ended after {_CONFIG_TIMEOUT} s; a `Match exec` of the "
            "configuration may hang."
        ) from None
    text = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode:
        log = done.stderr.decode("utf-8", "replace")
        raise error_of(log, destination.host, destination.typed())
    return _read(dict(_pairs(text)), destination, text)


def _pairs(text: str) -> list[tuple[str, str]]:
    split = [line.partition(" ") for line in text.splitlines()]
    return [(name.lower(), value.strip()) for name, _, value in reversed(split)]


def _read(says: dict[str, str], destination: Destination, text: str) -> Settings:
    options = []
    # `no` would take any key, and a changed one as well. What it is set for is not to be asked.
    if says.get("stricthostkeychecking") in ("no", "false", "off"):
        options += ["-o", "StrictHostKeyChecking=accept-new"]
    if says.get("connecttimeout", "none") in ("none", "0"):
        options += ["-o", f"ConnectTimeout={CONNECT_TIMEOUT}"]
    if says.get("serveraliveinterval", "0") == "0":
        options += ["-o", f"ServerAliveInterval={ALIVE_INTERVAL}"]
        options += ["-o", f"ServerAliveCountMax={ALIVE_COUNT}"]
    # People type into sessions that run this; ours run commands.
    if says.get("remotecommand", "none") != "none":
        options += ["-o", "RemoteCommand=none"]
    path, persist = says.get("controlpath"), says.get("controlpersist", "")
    name = "\0".join([*program(), *destination.arguments(), destination.host, text])
    return Settings(
        options=tuple(options),
        control_path=path,
        persist=str(PERSIST) if persist in ("", "no", "false") else persist,
        identity=hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16],
    )


def private_folder() -> Path | None:
    """Return the folder for our sockets, which only this user can enter; None: there is none."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    for pattern in _FOLDERS:
        if "{runtime}" in pattern and not runtime:
            continue
        folder = Path(pattern.format(uid=os.getuid(), runtime=runtime))
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            found = folder.lstat()
        except OSError:
            continue
        mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if mine and not stat.S_IMODE(found.st_mode) & 0o077:
            return folder
    return None
