"""What every program is: it tells the controller its command line, and prints the answer."""

from __future__ import annotations

import os
import sys

from . import wire

# Not from ``typing``: to import it costs more than all else a program does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from typing import Any

_LOST = "Unable to contact slurm controller (connect failure)"


def main(program: str, folder: str) -> None:
    """Run one of Slurm's programs.

    Args:
        program: Its name.
        folder: The fake cluster's.
    """
    try:
        link = wire.connect(folder)
    except OSError:
        write(2, f"{program}: error: {_LOST}\n")
        leave(1)
    link.sendall(wire.pack(request(program)))
    if program == "srun":
        from .srun import follow

        leave(follow(link))
    if program == "salloc":
        from .salloc import follow

        leave(follow(link))
    leave(_printed(link))


def request(program: str) -> dict[str, Any]:
    """Return what the controller must know of this call."""
    umask = os.umask(0o22)
    os.umask(umask)
    uid = os.getuid()
    return {
        "program": program,
        "words": sys.argv[1:],
        "directory": _directory(),
        "environment": dict(os.environ),
        "uid": uid,
        "gid": os.getgid(),
        "user": _user(uid),
        "umask": umask,
        "pid": os.getpid(),
    }


def _directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  (pathlib costs more than the rest of this program)
    except FileNotFoundError:
        return "/"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _printed(link: socket.socket) -> int:
    reader = wire.Reader()
    while messages := wire.receive(link, reader):
        for message in messages:
            if "ask" in message:
                link.sendall(wire.pack({"stdin": sys.stdin.buffer.read()}))
            show(message)
            if "rc" in message:
                return int(message["rc"])
    write(2, f"{sys.argv[0]}: error: {_LOST}\n")
    return 1


def show(message: dict[str, Any]) -> None:
    """Print what a message says."""
    write(1, message.get("out", ""))
    write(2, message.get("err", ""))


def write(stream: int, text: str) -> None:
    """Write all of a text."""
    data = text.encode(errors="surrogateescape")
    while data:
        data = data[os.write(stream, data) :]


def leave(code: int) -> None:
    """End at once; nothing here needs the interpreter to tidy up."""
    os._exit(code)
