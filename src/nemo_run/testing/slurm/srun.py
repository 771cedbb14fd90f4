"""srun: starts a step's tasks as its own processes, waits for them, and passes signals on."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from . import wire
from .client import show, write
from .taskfiles import Files

if TYPE_CHECKING:
    import socket

_PASSED_ON = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGINT,
)


class Task:
    """One process of a step."""

    def __init__(self, rank: int, node: str, child: subprocess.Popen[bytes]) -> None:
        self.rank = rank
        self.node = node
        self.child = child
        self.code: tuple[int, int] | None = None


def follow(link: socket.socket) -> int:
    """Do what the controller says; return the exit status."""
    reader = wire.Reader()
    while messages := wire.receive(link, reader):
        for message in messages:
            show(message)
            if "step" in message:
                return _run(link, reader, message["step"])
            if "rc" in message:
                return int(message["rc"])
    return 1


def _run(link: socket.socket, reader: wire.Reader, plans: list[dict[str, Any]]) -> int:
    components: list[list[Task]] = []
    files = Files()

    tasks: list[Task] = []
    early: list[tuple[int, int]] = []

    def pass_on(number: int, _frame: Any) -> None:
        early.append((number, len(tasks)))
        _signal(tasks, number)

    for number in _PASSED_ON:
        signal.signal(number, pass_on)
    failed = 0
    for plan in plans:
        for line in plan["said"]:
            write(2, line + "\n")
        try:
            components.append(_start(plan, files, tasks))
        except OSError as error:
            node = plan["tasks"][0][0]
            write(2, f"srun: error: {node}: task 0: Exited with exit code 2\n")
            text = f"execve(): {plan['command'][0]}: {os.strerror(error.errno or 0)}"
            write(2, f"slurmstepd-{node}: error: {text}\n")
            components.append([])
            failed = 2
    for got, started in early:
        _signal(tasks[started:], got)
    _tell(link, {"pids": [[task.child.pid for task in component] for component in components]})
    Waiting(plans[0], tasks, link, reader).wait()
    files.close()
    codes = [
        max((_code(task) for task in part), key=_status, default=(failed, 0)) for part in components
    ]
    _tell(link, {"codes": [list(code) for code in codes]})
    wire.receive(link, reader)
    return max([failed, *map(_status, codes)])


def _code(task: Task) -> tuple[int, int]:
    return task.code or (0, 0)


def _status(code: tuple[int, int]) -> int:
    return code[0] or (128 + code[1] if code[1] else 0)


def _tell(link: socket.socket, message: dict[str, Any]) -> None:
    try:
        link.sendall(wire.pack(message))
    except OSError:
        return


def _signal(tasks: list[Task], number: int) -> None:
    for task in tasks:
        if task.code is None:
            try:
                os.killpg(task.child.pid, number)
            except ProcessLookupError:
                continue


def _start(plan: dict[str, Any], files: Files, started: list[Task]) -> list[Task]:
    options = plan["options"]
    base = _environment(options) | plan["common"]
    base = {name: value for name, value in base.items() if not name.startswith("SLURM_STEP_GPUS")}
    directory = _directory(options)
    first = len(started)
    for node, own in plan["tasks"]:
        rank = int(own["SLURM_PROCID"])
        streams = files.of(plan, node, own)
        child = subprocess.Popen(
            plan["command"],
            stdin=streams[0],
            stdout=streams[1],
            stderr=streams[2],
            cwd=directory,
            env=base | own,
            start_new_session=True,
        )
        files.started(streams)
        started.append(Task(rank, node, child))
    return started[first:]


def _environment(options: dict[str, str]) -> dict[str, str]:
    parts = options.get("export", "ALL").split(",")
    own = dict(os.environ)
    if "ALL" not in parts:
        kept = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "NEMORUN_FAKE_SLURM")
        own = {
            name: value
            for name, value in own.items()
            if name in kept or name in parts or name.startswith("SLURM_")
        }
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            own[name] = value
    return own


def _directory(options: dict[str, str]) -> str | None:
    inside = options.get("container-workdir")
    if inside is None:
        return options.get("chdir")
    # There is no container: its folder is the one that is mounted there, if any.
    for mount in options.get("container-mounts", "").split(","):
        source, _, target = mount.partition(":")
        target = target.partition(":")[0] or source
        if source and (inside + "/").startswith(target.rstrip("/") + "/"):
            path = source.rstrip("/") + inside[len(target.rstrip("/")) :]
            if os.path.isdir(path):  # noqa: PTH112
                return path
    return options.get("chdir")


class Waiting:
    """Until all tasks have ended: what the first to fail means for the others."""

    def __init__(
        self, plan: dict[str, Any], tasks: list[Task], link: socket.socket, reader: wire.Reader
    ) -> None:
        self._tasks = tasks
        self._link = link
        self._reader = reader
        options = plan["options"]
        self._kill_all = options.get("kill-on-bad-exit", "0") in {"", "1"}
        self._grace = int(options.get("wait", "0") or 0)
        self._kill_wait = float(plan["kill_wait"])
        self._step = f"{plan['common']['SLURM_JOB_ID']}.{plan['common']['SLURM_STEP_ID']}"
        self._kill_at: float | None = None
        self._hard_at: float | None = None

    def wait(self) -> None:
        """Wait for all."""
        wake, waker = os.pipe()
        for task in self._tasks:
            threading.Thread(target=_watch, args=(task, waker), daemon=True).start()
        with selectors.DefaultSelector() as selector:
            selector.register(wake, selectors.EVENT_READ)
            selector.register(self._link, selectors.EVENT_READ)
            while any(task.code is None for task in self._tasks):
                for key, _ in selector.select(self._until()):
                    if key.fileobj is self._link and not self._from_controller():
                        selector.unregister(self._link)
                    elif key.fileobj == wake:
                        self._ended(os.read(wake, 4096))
                self._due()

    def _from_controller(self) -> bool:
        messages = wire.receive(self._link, self._reader)
        for message in messages:
            show(message)
        if not messages:
            _signal(self._tasks, signal.SIGKILL)
        return bool(messages)

    def _until(self) -> float | None:
        due = [moment for moment in (self._kill_at, self._hard_at) if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _due(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at, self._hard_at = None, now + self._kill_wait
            write(2, f"srun: launch/slurm: _step_signal: Terminating StepId={self._step}\n")
            _signal(self._tasks, signal.SIGTERM)
        if self._hard_at is not None and now >= self._hard_at:
            self._hard_at = None
            _signal(self._tasks, signal.SIGKILL)

    def _ended(self, _wakes: bytes) -> None:
        for task in self._tasks:
            status = task.child.returncode
            if task.code is not None or status is None:
                continue
            task.code = (status, 0) if status >= 0 else (0, -status)
            self._said(task)
            self._judge(task)

    def _said(self, task: Task) -> None:
        code, number = task.code or (0, 0)
        if number:
            text = signal.strsignal(number) or f"signal {number}"
            write(2, f"srun: error: {task.node}: task {task.rank}: {text}\n")
        elif code:
            write(2, f"srun: error: {task.node}: task {task.rank}: Exited with exit code {code}\n")

    def _judge(self, task: Task) -> None:
        if self._hard_at is not None:
            return
        now = time.monotonic()
        if task.code != (0, 0) and self._kill_all:
            self._kill_at = now
        elif self._grace and self._kill_at is None:
            self._kill_at = now + self._grace


def _watch(task: Task, waker: int) -> None:
    task.child.wait()
    os.write(waker, b".")
