"""Processes of this machine: which one is ours, what belongs to it, and how to end it all.

The module is also a program that needs nothing but the standard library, so that the script of a
job can end its processes in the very way that a cancel does::

    python processes.py stop TOKEN GRACE             end what carries a token
    python processes.py stop TOKEN GRACE in FOLDER   the same, for one attempt's folder only
    python processes.py stop TOKEN GRACE LEADER      the same, for the shell that leads the job
    python processes.py port                         print a free port
"""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

TOKEN = b"NEMORUN_TOKEN="
LEADER = b"NEMORUN_LEADER="
FOLDER = b"NEMORUN_ATTEMPT_DIR="

_LINUX = sys.platform == "linux"
_PAUSE = 0.05
_STARTING = 5
"""How often to look again at a program that shows no variables."""

_LAST_WORD = 5.0
"""Seconds that the kernel gets to take away what was killed."""


class Identity(NamedTuple):
    """A process, told apart from every other that ever had its id.

    Attributes:
        pid: Its id.
        start: When it started, as the system writes it.
        boot: Which start of the machine that was.
    """

    pid: int
    start: str
    boot: str


class Process(NamedTuple):
    """One line of the table of processes."""

    pid: int
    parent: int
    session: int
    start: str
    state: str


@cache
def boot_id() -> str:
    """Return what tells this start of the machine from earlier ones."""
    if _LINUX:
        return _read("/proc/sys/kernel/random/boot_id").decode().strip()
    # kern.boottime moves when the clock is set.
    return _run(["sysctl", "-n", "kern.bootsessionuuid"]).strip()


@cache
def machine_id() -> str:
    """Return what tells this machine from others, through all its starts; empty if nothing does."""
    # machine-id(5). Many containers have none.
    return _read("/etc/machine-id").decode("ascii", "replace").strip()


def is_alive(identity: Identity) -> bool:
    """Return whether this very process still runs."""
    return identity.boot == boot_id() and is_running(identity)


def is_running(identity: Identity) -> bool:
    """Return whether this process still runs, given that the machine was not started anew."""
    found = look(identity.pid)
    return found is not None and found.start == identity.start


def look(pid: int) -> Process | None:
    """Return the process with an id; None if there is none, or only what is left of one."""
    if _LINUX:
        found = _parse(pid, _read(f"/proc/{pid}/stat"))
    else:
        rows = list(_ps(["-p", str(pid)]))
        found = rows[0] if rows else None
    return None if found is None or found.state in "ZX" else found


def command_line(pid: int) -> bytes:
    """Return what a process was started as, its words with a NUL or a space between them."""
    return (
        _read(f"/proc/{pid}/cmdline")
        if _LINUX
        else _run(["ps", "-ww", "-p", str(pid), "-o", "command="]).encode(
            "utf-8", "surrogateescape"
        )
    )


def table() -> dict[int, Process]:
    """Return all processes that run, by id."""
    if not _LINUX:
        return {p.pid: p for p in _ps(["-ax"]) if p.state not in "ZX"}
    found = (_parse(pid, _read(f"/proc/{pid}/stat")) for pid in _pids())
    return {p.pid: p for p in found if p is not None and p.state not in "ZX"}


def _pids() -> list[int]:
    # pathlib would double the time that this program takes to start.
    return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208


def _parse(pid: int, stat: bytes) -> Process | None:
    # proc_pid_stat(5): the name is in parentheses and may hold anything.
    fields = stat.rpartition(b")")[2].split()
    if len(fields) < 20:
        return None
    text = [f.decode() for f in fields[:20]]
    return Process(pid, int(text[1]), int(text[3]), text[19], text[0])


def _ps(selection: list[str]) -> Iterator[Process]:
    # macOS tells no session; the process group is the nearest it has.
    for line in _run(["ps", *selection, "-o", "pid=,ppid=,pgid=,stat=,lstart="]).splitlines():
        pid, parent, group, state, start = line.split(None, 4)
        yield Process(int(pid), int(parent), int(group), start.strip(), state[0])


def carriers(tokens: Collection[str], prefix: bytes = TOKEN) -> dict[str, set[int]]:
    """Return which processes were started for which token.

    Args:
        tokens: The tokens to look for. A dict of them says for each in which folder its attempt
            lies, as another record may use the same token; empty where that is not known.
        prefix: Name of the variable, with its ``=``.
    """
    wanted = {prefix + os.fsencode(t): t for t in tokens}
    found: dict[str, set[int]] = {t: set() for t in tokens}
    for pid, variables in _environments():
        for variable in variables:
            if variable in wanted:
                token = wanted[variable]
                if _lies_in(variables, tokens[token] if isinstance(tokens, dict) else ""):
                    found[token].add(pid)
    return found


def _lies_in(variables: list[bytes], folder: str) -> bool:
    # Elsewhere the system does not tell where one variable ends and the next begins.
    if not folder or not _LINUX:
        return True
    place = FOLDER + os.fsencode(folder)
    return any(one == place or one.startswith(place + b"/") for one in variables)


def _environments() -> Iterator[tuple[int, list[bytes]]]:
    if _LINUX:
        for pid in _pids():
            yield pid, _environment(pid).split(b"\0")
        return
    for line in _run(["ps", "-axEww", "-o", "pid=,command="]).splitlines():
        number, _, rest = line.strip().partition(" ")
        yield int(number), os.fsencode(rest).split(b" ")


def _environment(pid: int) -> bytes:
    """Return the variables of a process, also of one that has this moment become a program."""
    found = _read(f"/proc/{pid}/environ")
    for _ in range(_STARTING):
        # Between taking the old program away and setting up the new one, execve(2) shows none.
        if found or not _has_program(pid):
            break
        time.sleep(_PAUSE / 20)
        found = _read(f"/proc/{pid}/environ")
    return found


def _has_program(pid: int) -> bool:
    """Whether it is a program of ours that runs: no thread of the kernel, and nobody else's."""
    try:
        return bool(os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115
    except OSError:
        return False


class Belonging(NamedTuple):
    """What runs for some jobs.

    Attributes:
        shells: The shells that lead the jobs and write down how the others ended.
        tasks: Everything else: what carries a token, and all that it started.
    """

    shells: dict[int, Process]
    tasks: dict[int, Process]


def belonging(tokens: Collection[str], leaders: Collection[Identity] = ()) -> Belonging:
    """Return what runs for some jobs.

    Args:
        tokens: The jobs; see :func:`carriers`.
        leaders: The shells that lead them, where they are known.
    """
    everything = table()
    alive = {p.pid for p in leaders if p.pid in everything and everything[p.pid].start == p.start}
    shells = alive.union(*carriers(tokens, LEADER).values())
    tasks = set[int]().union(*carriers(tokens).values())
    tasks |= {p.pid for p in everything.values() if p.session in alive}
    tasks |= set(_below(tasks | shells, everything))
    tasks -= {*shells, os.getpid()}
    return Belonging(_pick(shells, everything), _pick(tasks, everything))


def _pick(pids: set[int], everything: dict[int, Process]) -> dict[int, Process]:
    return {pid: everything[pid] for pid in pids if pid in everything}


def _below(roots: Iterable[int], everything: dict[int, Process]) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for process in everything.values():
        children.setdefault(process.parent, []).append(process.pid)
    todo = list(roots)
    seen: set[int] = set()
    while todo:
        for child in children.get(todo.pop(), ()):
            if child not in seen:
                seen.add(child)
                todo.append(child)
                yield child


def stop(
    tokens: Collection[str],
    grace: float,
    leaders: Collection[Identity] = (),
    *,
    keep: Collection[int] = (),
    patience: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """End every process of some jobs: by request, and after ``grace`` seconds by force.

    The shells that lead the jobs are left to end by themselves, which they do when nothing else
    is left, so that they can write down how it ended. As long as one lives it may start another
    process, so that is when this is done.

    Args:
        tokens: The jobs; see :func:`carriers`.
        grace: Seconds to leave between the two.
        leaders: The shells that lead the jobs, where they are known.
        keep: Shells that are not waited for.
        patience: Seconds after which to return, whatever is left.
        clock: Tells seconds.
        sleep: Waits seconds.

    Returns:
        Whether none is left.
    """
    begun = clock()
    asked: dict[int, Process] = {}
    while True:
        found = belonging(tokens, leaders)
        shells = {pid: p for pid, p in found.shells.items() if pid not in keep}
        ours = {pid: p for pid, p in found.tasks.items() if pid not in keep}
        # One whose parent ended has a new parent, so those seen once are remembered.
        tasks = {**{pid: p for pid, p in asked.items() if _still(p)}, **ours}
        if not tasks and not shells:
            return True
        late = clock() - begun - grace
        for pid, process in tasks.items():
            if late >= 0:
                send(process, signal.SIGKILL)
            elif pid not in asked and process.parent not in asked:
                # What one starts that was asked already is how it cleans up.
                _ask(process)
        if late >= _LAST_WORD:
            for process in shells.values():
                send(process, signal.SIGKILL)
        if late >= 2 * _LAST_WORD or clock() - begun >= patience:
            return False
        asked.update(tasks)
        sleep(_PAUSE)


def _ask(process: Process) -> None:
    send(process, signal.SIGTERM)
    if process.state == "T":
        # One that was stopped hears nothing until it goes on.
        send(process, signal.SIGCONT)


def _still(process: Process) -> bool:
    found = look(process.pid)
    return found is not None and found.start == process.start


def send(process: Process, number: signal.Signals) -> None:
    """Send a signal to this very process, and to no other that has its id by now.

    Args:
        process: The process.
        number: The signal.
    """
    try:
        descriptor = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None
    except ProcessLookupError:
        return
    except OSError:
        descriptor = None  # a kernel before 5.3, or a sandbox
    try:
        if not _still(process):
            return
        if descriptor is None:
            os.kill(process.pid, number)
        else:
            # The descriptor holds on to one process: what was looked at is what is signalled.
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        return
    finally:
        if descriptor is not None:
            os.close(descriptor)


def free_port() -> int:
    """Return a port that nobody listens on."""
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
    return port


def _read(path: str) -> bytes:
    """Return what the kernel says, or nothing: processes end, and some belong to others.

    Raises:
        OSError: Descriptors or memory ran out, which says nothing about the process.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""
    try:
        pieces = []
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _run(command: list[str]) -> str:
    import subprocess

    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    return done.stdout.decode("utf-8", "surrogateescape")


def _stop_for(leader: int, token: str, grace: float) -> bool:
    """End the processes of a job for the shell that leads it, and for those between it and us."""
    shell = look(leader)
    leaders = [Identity(leader, shell.start, boot_id())] if shell else []
    return stop([token], grace, leaders, keep=_up_to(leader))


def _up_to(leader: int) -> set[int]:
    """Return the shells that wait for this program: they end after it."""
    found: set[int] = set()
    current = look(os.getpid())
    while current and current.pid != leader:
        current = look(current.parent)
        found.update([current.pid] if current else [])
    return found if leader in found else set()


def main(arguments: list[str]) -> int:
    """Run as a program; see the module."""
    match arguments:
        case ["port"]:
            sys.stdout.write(f"{free_port()}\n")
            return 0
        case ["stop", token, grace]:
            return 0 if stop([token], float(grace)) else 1
        case ["stop", token, grace, "in", folder]:
            return 0 if stop({token: folder}, float(grace)) else 1
        case ["stop", token, grace, leader]:
            return 0 if _stop_for(int(leader), token, float(grace)) else 1
    sys.stderr.write("usage: processes.py stop TOKEN GRACE [LEADER | in FOLDER] | port\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
