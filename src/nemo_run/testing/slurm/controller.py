"""The controller: one process a fake cluster, which knows its jobs and is their parent.

It ends with whoever started it: a pipe from there closes, and everything is killed.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import control, sbatch, shown, wire
from . import options as opts
from .engine import Engine
from .model import COMPLETED
from .sacct import sacct
from .scancel import scancel
from .scontrol import scontrol
from .sessions import Session
from .sinfo import sinfo
from .squeue import squeue
from .state import Cluster, Fault, Settings
from .submission import Caller, NotTaken, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Job

_LOST = "Unable to contact slurm controller (connect failure)"
_BANNER = "{0}\n** RESTORE SLURMCTLD DAEMON TO SERVICE **\n{0}\n".format("*" * 41)
_MIXED = frozenset({"squeue", "sacct", "scancel", "sinfo", "scontrol"})


_ABSENT = {
    "squeue": frozenset({"json", "yaml", "step", "iterate"}),
    "sacct": frozenset({"json", "yaml", "completion", "helpformat", "batch-script", "env-vars"}),
    "sinfo": frozenset({"json", "yaml", "Format", "iterate", "list-reasons", "reservation"}),
}


class Link:
    """One program that is connected."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.reader = wire.Reader()
        self.asked: dict[str, Any] = {}
        self.session: Session | None = None

    def send(self, message: Any) -> None:
        """Send a message; a program that is gone misses it."""
        self.connection.settimeout(None)
        try:
            self.connection.sendall(wire.pack(message))
        except OSError:
            return
        finally:
            self.connection.settimeout(0)


class Controller:
    """Listens, and lets the engine act."""

    def __init__(self, cluster: Cluster, owner: int) -> None:
        self.cluster = cluster
        self.engine = Engine(cluster)
        self._owner = owner
        self._selector = selectors.DefaultSelector()
        self._stopping = False

    def serve(self) -> None:
        """Work until the owner is gone or says so."""
        wake, waker = socket.socketpair()
        waker.settimeout(0)
        signal.set_wakeup_fd(waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop())
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Whoever can write to it runs programs as this user.
        usual = os.umask(0o177)
        listener.bind(wire.SOCKET)
        os.umask(usual)
        listener.listen(512)
        listener.settimeout(0)
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._selector.register(wake, selectors.EVENT_READ, lambda _: wake.recv(4096))
        self._selector.register(self._owner, selectors.EVENT_READ, lambda _: self._stop())
        os.write(1, b"ready\n")
        while not self._stopping:
            for key, _ in self._selector.select(self.engine.until_next()):
                key.data(key.fileobj)
            self.engine.reap()
            self.engine.tick()
        self.engine.stop()

    def _stop(self) -> None:
        self._stopping = True

    def _accept(self, listener: Any) -> None:
        connection, _ = listener.accept()
        connection.settimeout(0)
        link = Link(connection)
        self._selector.register(connection, selectors.EVENT_READ, lambda _: self._read(link))

    def _read(self, link: Link) -> None:
        try:
            data = link.connection.recv(1 << 20)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(link.connection)
            link.connection.close()
            if link.session:
                link.session.closed()
            return
        for message in link.reader.feed(data):
            self._heard(link, message)

    def _heard(self, link: Link, message: dict[str, Any]) -> None:
        if link.session:
            self._guarded(link, link.session.caller, lambda: self._pass_on(link, message))
            return
        link.asked = link.asked | message
        if link.asked.get("program") == "control":
            answer = control.answer(self.engine, link.asked["verb"], link.asked["values"])
            link.send({"value": answer})
            if link.asked["verb"] == "stop":
                self._stop()
            return
        caller = Caller.of(link.asked)
        fault = None if "stdin" in message else self._fault(caller.program)
        if fault is None:
            self._guarded(link, caller, lambda: self._answer(link, caller))
        else:
            self.engine.at(self.engine.now() + fault.seconds, lambda: self._fail(link, fault))

    def _pass_on(self, link: Link, message: dict[str, Any]) -> None:
        assert link.session
        link.session.heard(message)

    def _fault(self, program: str) -> Fault | None:
        for fault in self.cluster.faults:
            if fault.times and fault.program in {"", program}:
                fault.times -= fault.times > 0
                return fault
        return None

    def _fail(self, link: Link, fault: Fault) -> None:
        caller = Caller.of(link.asked)
        if not fault.error:
            self._guarded(link, caller, lambda: self._answer(link, caller))
            return
        if fault.after:
            # Carried out, but what is answered is the fault.
            self._answer(_Deaf(link), caller)
        link.send({"err": fault.error + "\n", "rc": fault.code})

    def _guarded(self, link: Link, caller: Caller, act: Callable[[], None]) -> None:
        try:
            act()
        except NotTaken as refused:
            lead = f"{caller.program}: error: Batch job submission failed: "
            if "test-only" in " ".join(caller.words):
                lead = "allocation failure: "
            first, *before = refused.lines
            text = "".join(f"{line}\n" for line in [*before, lead + first])
            link.send({"err": text, "rc": refused.code})
        except Refused as refused:
            text = "".join(f"{line}\n" for line in refused.lines)
            link.send({refused.stream: text, "rc": refused.code})
        except Exception:  # noqa: BLE001  (the other jobs go on; whoever asked sees it, and the log)
            text = traceback.format_exc()
            sys.stderr.write(text)
            sys.stderr.flush()
            link.send({"err": f"The fake Slurm failed:\n{text}", "rc": 70})

    def _answer(self, link: Link, caller: Caller) -> None:
        program = caller.program
        if self._plain(link, caller):
            return
        if self.cluster.down and program == "scontrol" and "ping" in caller.words:
            link.send({"out": f"Slurmctld(primary) at {shown.host()} is DOWN\n{_BANNER}", "rc": 1})
            return
        if self.cluster.down and not (program == "sacct" or _offline(caller)):
            raise down(program, caller)
        if program == "sbatch":
            self._sbatch(link, caller)
        elif program in {"srun", "salloc"}:
            link.session = Session(self.engine, caller, link.send)
            link.session.begin()
        else:
            self._client(link, caller)

    def _plain(self, link: Link, caller: Caller) -> bool:
        first = caller.words[0] if caller.words else ""
        if first in {"--version", "-V"}:
            link.send({"out": self.cluster.settings.version + "\n", "rc": 0})
        elif first in {"--help", "--usage"}:
            link.send({"out": f"Usage: {caller.program} [OPTIONS]\n", "rc": 0})
        else:
            return False
        return True

    def _sbatch(self, link: Link, caller: Caller) -> None:
        try:
            jobs = sbatch.jobs_of(self.engine, caller, link.asked.get("stdin"))
        except sbatch.NeedsInput:
            link.send({"ask": "stdin"})
            return
        self._check_cluster("sbatch", jobs[0].options)
        if "test-only" in jobs[0].options:
            link.send({"err": f"sbatch: {sbatch.tested(self.engine, jobs[0])}\n", "rc": 0})
            return
        number = sbatch.admit(self.engine, jobs)
        text = str(number)
        if "parsable" not in jobs[0].options:
            text = f"Submitted batch job {text}"
        elif self.cluster.settings.cluster or "clusters" in jobs[0].options:
            text = f"{text};{self.cluster.name}"
        if "wait" not in jobs[0].options:
            link.send({"out": "" if "quiet" in jobs[0].options else text + "\n", "rc": 0})
            return
        link.send({"out": text + "\n"})
        self._wait_for(link, jobs)

    def _wait_for(self, link: Link, jobs: list[Job]) -> None:
        def look(_job: Job) -> None:
            if all(job.ended for job in jobs):
                link.send(
                    {"rc": max(job.exit_code[0] or int(job.state != COMPLETED) for job in jobs)}
                )

        for job in jobs:
            job.waiters.append(look)
        look(jobs[0])

    def _check_cluster(self, program: str, found: dict[str, str]) -> None:
        name = found.get("clusters", self.cluster.name)
        if name not in {self.cluster.name, "all"}:
            raise Refused(
                f"{program}: error: No cluster '{name}' known by database.",
                f"{program}: error: '{name}' can't be reached now, or it is an invalid entry for "
                "--cluster.  Use 'sacctmgr list clusters' to see available clusters.",
            )

    def _client(self, link: Link, caller: Caller) -> None:
        program, now = caller.program, self.engine.now()
        try:
            found, words = opts.parse(program, caller.words, mixed=program in _MIXED)
        except opts.Unknown as unknown:
            raise Refused(str(unknown), f'Try "{program} --help" for more information') from None
        self._check_cluster(program, found)
        absent = _ABSENT.get(program, frozenset()) & found.keys()
        if absent:
            # Better than to answer as if it had not been asked for.
            raise Refused(f"{program}: the fake Slurm does not have --{min(absent)}", code=70)
        if program == "scancel":
            link.send({"err": scancel(self.engine, caller, words, found), "rc": 0})
        elif program == "scontrol":
            link.send({"out": scontrol(self.engine, caller, words, found), "rc": 0})
        else:
            lines = {
                "squeue": lambda: squeue(self.cluster, caller, found, now),
                "sacct": lambda: sacct(self.cluster, caller, found, now),
                "sinfo": lambda: sinfo(self.cluster, found),
            }[program]()
            if "clusters" in found and "noheader" not in found and program != "sacct":
                lines = [f"CLUSTER: {self.cluster.name}", *lines]
            link.send({"out": "".join(f"{line}\n" for line in lines), "rc": 0})


class _Deaf(Link):
    """A program that hears no answer."""

    def __init__(self, link: Link) -> None:
        super().__init__(link.connection)
        self.asked = link.asked

    def send(self, message: Any) -> None:
        """Lose it."""


def _offline(caller: Caller) -> bool:
    """Whether a call needs no controller: it only works on names."""
    return caller.program == "scontrol" and "show" in caller.words and "host" in str(caller.words)


def down(program: str, caller: Caller) -> Refused:
    """Return what a program says when no controller answers."""
    words = caller.words
    named = [word for word in words if not word.startswith("-")]
    text = {
        "sbatch": f"sbatch: error: Batch job submission failed: {_LOST}",
        "squeue": f"slurm_load_jobs error: {_LOST}",
        "scancel": f"slurm_load_jobs error: {_LOST}",
        "sinfo": f"slurm_load_partitions: {_LOST}",
        "srun": f"srun: error: Unable to allocate resources: {_LOST}",
        "salloc": f"salloc: error: Job submit/allocate failed: {_LOST}",
        "scontrol": f"slurm_load_jobs error: {_LOST}",
        "sacct": f"sacct: error: {_LOST}",
    }[program]
    if program == "sbatch" and "--test-only" in words:
        text = f"allocation failure: {_LOST}"
    if program == "scancel" and named:
        text = f"scancel: error: Kill job error on job id {named[0]}: {_LOST}"
        return Refused(text, code=8)
    if program == "scontrol" and "config" in words:
        text = f"slurm_load_ctl_conf error: {_LOST}"
    elif program == "scontrol" and named[:1] == ["requeue"]:
        text = f"Unexpected message received for job {named[-1]}"
    return Refused(text)


def main() -> None:
    """Serve the folder that is named on the command line; settings come on standard input."""
    folder, owner = sys.argv[1], int(sys.argv[2])
    os.chdir(folder)
    settings = Settings(**json.loads(sys.stdin.readline()))
    cluster = Cluster(settings, folder)
    controller = Controller(cluster, owner)
    try:
        controller.serve()
    finally:
        Path(wire.SOCKET).unlink(missing_ok=True)
