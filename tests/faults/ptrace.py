"""Watching every call with which a tree of processes changes the disk: ptrace(2) and seccomp(2).

A filter in the kernel stops a process at the entry of the calls that matter, and at no other, so
that all else runs at full speed. Whoever is killed there has not made the call. Needs Linux on
x86_64 or aarch64, and the right to trace one's own children.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Where each call has its path, or its descriptor, and its second path. asm/unistd.h, x86_64 and
# aarch64, which lacks the older of two forms.
_CALLS: dict[str, tuple[int, int | None]] = {
    "write": (1, 64),
    "pwrite64": (18, 68),
    "writev": (20, 66),
    "sendfile": (40, 71),
    "copy_file_range": (326, 285),
    "fallocate": (285, 47),
    "ftruncate": (77, 46),
    "fsync": (74, 82),
    "fdatasync": (75, 83),
    "fchmod": (91, 52),
    "sync": (162, 81),
    "syncfs": (306, 267),
    "open": (2, None),
    "creat": (85, None),
    "truncate": (76, 45),
    "mkdir": (83, None),
    "rmdir": (84, None),
    "unlink": (87, None),
    "chmod": (90, None),
    "rename": (82, None),
    "link": (86, None),
    "symlink": (88, None),
    "openat": (257, 56),
    "mkdirat": (258, 34),
    "unlinkat": (263, 35),
    "fchmodat": (268, 53),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "linkat": (265, 37),
    "symlinkat": (266, 36),
    "execve": (59, 221),
}
_BY_PATH = frozenset({"open", "creat", "truncate", "mkdir", "rmdir", "unlink", "chmod", "execve"})
_TWO_PATHS = frozenset({"rename", "link"})
_AT = frozenset({"openat", "mkdirat", "unlinkat", "fchmodat"})
_TWO_AT = frozenset({"renameat", "renameat2", "linkat"})
_FLAGS = {"open": 1, "openat": 2}

_MACHINE = platform.machine()
_COLUMN = {"x86_64": 0, "aarch64": 1}.get(_MACHINE)
NUMBERS: dict[int, str] = {
    number: name
    for name, both in _CALLS.items()
    if _COLUMN is not None and (number := both[_COLUMN]) is not None
}

# linux/ptrace.h
_CONT, _GETEVENTMSG, _SEIZE, _LISTEN, _SYSCALL_INFO = 7, 0x4201, 0x4206, 0x4208, 0x420E
_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP, _STOP = 1, 2, 3, 4, 7, 128
_OPTIONS = sum(1 << event for event in (_FORK, _VFORK, _CLONE, _EXEC, _SECCOMP)) | 1 << 20
_WALL = 0x40000000
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


@dataclass(frozen=True)
class Call:
    """A call that a process is about to make.

    Attributes:
        pid: The process.
        role: What the process is.
        name: The call.
        path: What it changes.
        other: Its second path.
        words: Of an exec, the command line.
    """

    pid: int
    role: str
    name: str
    path: str
    other: str = ""
    words: tuple[str, ...] = ()


class Tree:
    """A program and all that it starts.

    Args:
        roots: Only what is changed below these folders counts; every exec of a program counts.
        role_of: From a command line to the name of a role; None keeps that of its parent.
        seen: Called at the entry of each call; may kill.
    """

    def __init__(
        self,
        roots: list[Path],
        role_of: Callable[[list[str]], str | None],
        seen: Callable[[Tree, Call], None],
    ) -> None:
        self._roots = tuple(f"{root}/" for root in roots)
        self._role_of = role_of
        self._seen = seen
        self.roles: dict[int, str] = {}
        self._tasks: dict[int, int] = {}

    def run(
        self, command: list[str], role: str, environment: dict[str, str], cwd: Path, limit: float
    ) -> bool:
        """Run a program until it and all that it started have ended; what it says goes nowhere.

        Returns:
            Whether they ended within ``limit`` seconds; else they were killed.
        """
        first = _begin(command, environment, cwd)
        self._tasks[first] = first
        self.roles[first] = role
        deadline = time.monotonic() + limit
        while self._tasks:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | _WALL)
            except ChildProcessError:
                # A task whose end was told before its beginning.
                return True
            if pid:
                self._changed(pid, status)
                continue
            if time.monotonic() > deadline:
                self.kill(set(self.roles.values()))
                self._drain()
                return False
            _sleep_until_child()
        return True

    def kill(self, roles: set[str]) -> None:
        """Kill every process that has one of these roles."""
        for pid, role in list(self.roles.items()):
            if role in roles:
                _kill(pid)

    def _drain(self) -> None:
        while self._tasks:
            try:
                pid, status = os.waitpid(-1, _WALL)
            except ChildProcessError:
                return
            self._changed(pid, status)

    def _changed(self, pid: int, status: int) -> None:
        if os.WIFEXITED(status) or os.WIFSIGNALED(status):
            self._tasks.pop(pid, None)
            self.roles.pop(pid, None)
            return
        self._know(pid)
        event, number = status >> 16, os.WSTOPSIG(status)
        if event == _STOP and number in (signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN):
            _ptrace(_LISTEN, pid, 0)
            return
        if event in (_FORK, _VFORK, _CLONE):
            self._know(_message(pid), parent=pid)
        elif event == _EXEC:
            self._execed(pid)
        elif event == _SECCOMP:
            call = self._call(pid)
            if call is not None:
                self._seen(self, call)
        _ptrace(_CONT, pid, 0 if event else number)

    def _know(self, pid: int, parent: int | None = None) -> None:
        if pid in self._tasks:
            return
        status = _status_of(pid)
        process = status.get("Tgid", pid)
        self._tasks[pid] = process
        if process not in self.roles:
            above = self._tasks.get(parent or 0, status.get("PPid", 0))
            self.roles[process] = self.roles.get(above, "?")

    def _execed(self, pid: int) -> None:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            return
        role = self._role_of(words[:-1])
        if role is not None:
            self.roles[pid] = role

    def _call(self, pid: int) -> Call | None:
        buffer = ctypes.create_string_buffer(88)
        if _ptrace(_SYSCALL_INFO, pid, 88, ctypes.addressof(buffer)) <= 0:
            return None
        number, *arguments = struct.unpack_from("<7Q", buffer.raw, 24)
        name = NUMBERS[number]
        role = self.roles.get(self._tasks[pid], "?")
        try:
            path, other = _paths(pid, name, arguments)
            words = _words(pid, arguments[1]) if name == "execve" else ()
        except OSError:
            return None
        if name == "execve":
            # Looking for a program along PATH starts nothing.
            return Call(pid, role, name, path, other, words) if Path(path).exists() else None
        if name != "sync" and not f"{path}/".startswith(self._roots):
            return None
        return Call(pid, role, name, path, other, words)


def possible() -> str:
    """Return why nothing can be traced here; empty if it can."""
    if _COLUMN is None or platform.system() != "Linux":
        return "needs Linux on x86_64 or aarch64"
    try:
        tree = Tree([], lambda _: None, lambda _tree, _call: None)
        worked = tree.run(["/bin/true"], "x", dict(os.environ), Path("/"), 20)
    except (OSError, ValueError) as error:
        return f"this system does not let a process trace its children ({error})"
    return "" if worked else "this system does not let a process trace its children"


def _begin(command: list[str], environment: dict[str, str], cwd: Path) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writer)
            os.read(reader, 1)
            os.chdir(cwd)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nowhere, stream)
            _set_filter()
            os.execve(command[0], command, environment)
        finally:
            os._exit(127)
    os.close(reader)
    try:
        if _ptrace(_SEIZE, pid, 0, _OPTIONS) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        os.write(writer, b".")
    except OSError:
        _kill(pid)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(writer)
    return pid


def _set_filter() -> None:
    """Let the kernel stop us at the calls that matter; seccomp(2), linux/filter.h."""
    trace, allow = 0x7FF00000, 0x7FFF0000
    load, equal, any_bit, answer = 0x20, 0x15, 0x45, 0x06
    wanted = os.O_CREAT | os.O_TRUNC
    lines: list[tuple[int, int, int, int]] = [(load, 0, 0, 0)]
    for number, name in NUMBERS.items():
        if name in _FLAGS:
            # Only if a file may be made or emptied; then the number is loaded again.
            low = 16 + 8 * _FLAGS[name]
            lines += [
                (equal, 0, 4, number),
                (load, 0, 0, low),
                (any_bit, 0, 1, wanted),
                (answer, 0, 0, trace),
                (answer, 0, 0, allow),
            ]
        else:
            lines += [(equal, 0, 1, number), (answer, 0, 0, trace)]
    lines.append((answer, 0, 0, allow))
    code = b"".join(struct.pack("<HBBI", *line) for line in lines)
    kept = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(
        struct.pack("@HP", len(lines), ctypes.addressof(kept)), struct.calcsize("@HP")
    )
    no_new_privileges, set_seccomp, by_filter = 38, 22, 2
    _libc.prctl(no_new_privileges, 1, 0, 0, 0)
    if _libc.prctl(set_seccomp, by_filter, ctypes.byref(program), 0, 0):
        os._exit(126)


def _ptrace(request: int, pid: int, address: int, data: int = 0) -> int:
    # Of PTRACE_CONT the signal is the data.
    if request == _CONT:
        address, data = 0, address
    return int(_libc.ptrace(request, pid, address, data))


def _message(pid: int) -> int:
    value = ctypes.c_ulong()
    _ptrace(_GETEVENTMSG, pid, 0, ctypes.addressof(value))
    return value.value


def _status_of(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines)
    return {name: int(value) for name, value in pairs if name in ("Tgid", "PPid")}


def _paths(pid: int, name: str, arguments: list[int]) -> tuple[str, str]:
    if name == "sync":
        return "", ""
    if name in _BY_PATH:
        return _resolved(pid, _AT_FDCWD, arguments[0]), ""
    if name in _TWO_PATHS:
        first, second = (_resolved(pid, _AT_FDCWD, a) for a in arguments[:2])
        return first, second
    if name in _AT:
        return _resolved(pid, arguments[0], arguments[1]), ""
    if name in _TWO_AT:
        return (
            _resolved(pid, arguments[0], arguments[1]),
            _resolved(pid, arguments[2], arguments[3]),
        )
    if name == "symlink":
        return _resolved(pid, _AT_FDCWD, arguments[1]), ""
    if name == "symlinkat":
        return _resolved(pid, arguments[1], arguments[2]), ""
    place = 2 if name == "copy_file_range" else 0
    return os.readlink(f"/proc/{pid}/fd/{arguments[place] & 0xFFFFFFFF}"), ""


def _resolved(pid: int, folder: int, address: int) -> str:
    text = os.fsdecode(_text(pid, address))
    if text.startswith("/"):
        return os.path.normpath(text)
    number = ctypes.c_int(folder & 0xFFFFFFFF).value
    place = "cwd" if number == _AT_FDCWD else f"fd/{number}"
    return os.path.normpath(f"{os.readlink(f'/proc/{pid}/{place}')}/{text}")


def _text(pid: int, address: int) -> bytes:
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        data = b""
        while b"\0" not in data and len(data) < 8192:
            # Up to the end of the page: the next one may not be there.
            memory.seek(address + len(data))
            data += memory.read(4096 - (address + len(data)) % 4096) or b"\0"
    return data.partition(b"\0")[0]


def _words(pid: int, address: int) -> tuple[str, ...]:
    words: list[str] = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        while len(words) < 50:
            memory.seek(address + 8 * len(words))
            (pointer,) = struct.unpack("<Q", memory.read(8))
            if not pointer:
                break
            words.append(os.fsdecode(_text(pid, pointer)))
    return tuple(words)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _sleep_until_child() -> None:
    # SIGCHLD is blocked by nobody here; a short sleep costs less than a handler.
    time.sleep(0.0005)
