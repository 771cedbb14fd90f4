"""The backend that runs jobs on this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote_to_bytes, urlsplit

from nemo_run.exceptions import BackendError, SecretError, ShortageError
from nemo_run.execution import processes
from nemo_run.execution.backend import Capabilities, LogFile
from nemo_run.execution.jobspec import Handle, Token
from nemo_run.execution.observation import Observation, State

from . import layout, records
from .observing import Child, leads, observe
from .render import GRACE, render
from .starting import create, prepare, secrets, start
from .waiting import Watch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from nemo_run.execution.backend import Artifact, Rendered, Wanted
    from nemo_run.execution.jobspec import JobSpec

_SHORTAGES = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT}
)
"""What the machine may have again in a while: processes, memory, descriptors, disk."""

_AT_ONCE = 1.0
"""Seconds a cancel waits itself; what takes longer is left to a process of its own."""


class LocalBackend:
    """Runs each job under a shell script in a session of its own.

    The jobs need no process of ours: they go on when the one that started them ends, and another
    one finds them by their files.

    Args:
        grace: Seconds a cancelled job has to end by itself.
    """

    name = "local"
    executor = "nemo_run.execution.local.executor:LocalExecutor"

    def __init__(self, *, grace: float = GRACE) -> None:
        self.capabilities = Capabilities(
            groups=True, detach=True, max_running=max(32, 4 * (os.cpu_count() or 1))
        )
        self._grace = grace
        self._children: dict[Handle, subprocess.Popen[bytes]] = {}
        self._ended: dict[Handle, Child] = {}
        self._stopping: dict[Token, subprocess.Popen[bytes]] = {}
        self._watch = Watch()

    def render(self, spec: JobSpec) -> Sequence[Artifact]:
        """Return the script of a job; pure."""
        return render(spec)

    def submit(self, jobs: Sequence[Rendered]) -> Mapping[Token, Handle | Exception]:
        """Start jobs; one whose token ran already is not started again."""
        return {job.spec.token: self._submit(job) for job in jobs}

    def _submit(self, job: Rendered) -> Handle | Exception:
        spec = job.spec
        folder = Path(layout.attempt_folder(spec))
        handle = handle_of(folder)
        try:
            if handle in self._children or records.read_claim(folder) is not None:
                return handle
            if spec.attempt > 1:
                # What an attempt left running would run beside the next one.
                processes.stop([spec.token_of(spec.attempt - 1)], self._grace)
            with secrets(spec) as stdin:
                prepare(job)
                self._children[handle] = start(spec, stdin)
        except SecretError as error:
            return error
        except OSError as error:
            kind = ShortageError if error.errno in _SHORTAGES else BackendError
            return kind(
                f"Job {spec.job!r} could not be started in {folder}: {error.strerror or error}."
            )
        return handle

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        """Return the handles of those jobs that began, or whose shell is about to."""
        folders = {spec.token: Path(layout.attempt_folder(spec)) for spec in specs}
        claimed = {t for t, folder in folders.items() if records.read_claim(folder) is not None}
        written = {t for t, f in folders.items() if (f / layout.SCRIPT).exists()} - claimed
        places = {token: str(folders[Token(token)]) for token in written}
        shells = processes.carriers(places, processes.LEADER) if written else {}
        begun = claimed.union(token for token, pids in shells.items() if pids)
        # A short job may have begun and ended while the processes were looked at.
        begun.update(t for t in written if records.read_claim(folders[Token(t)]) is not None)
        return {Token(token): handle_of(folders[Token(token)]) for token in begun}

    def own(self, jobs: Collection[tuple[JobSpec, Handle]]) -> Collection[Token]:
        """Return the tokens of those jobs whose attempt lies where the handle says."""
        return {spec.token for spec, handle in jobs if _is_own(spec, handle)}

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        """Look at jobs. One system call for those that run; a few small files for the others."""
        self._reap()
        running = self._watch.running()
        return {
            handle: Observation(
                State.RUNNING,
                attempt=int(_place(handle).folder.name),
                started=running[handle].started,
            )
            if handle in running and not running[handle].group
            else self._look(handle)
            for handle in handles
        }

    def _look(self, handle: Handle) -> Observation:
        try:
            folder, here = _place(handle)
        except ValueError:
            message = f"The handle {handle!r} is none of a local job."
            return Observation(State.UNKNOWN, message=message)
        process = self._children.get(handle)
        child = Child(process.pid, None) if process else self._ended.get(handle)
        try:
            seen = observe(folder, child, here=here)
        except OSError as error:
            why = error.strerror or error
            return Observation(State.UNKNOWN, message=f"{folder} cannot be read: {why}.")
        if seen.state.terminal:
            self._watch.drop(handle)
        else:
            # Without a descriptor it is looked at by its files.
            with contextlib.suppress(OSError):
                self._watch.add(handle, folder)
        return seen

    def _reap(self) -> None:
        for handle, process in list(self._children.items()):
            if process.poll() is not None:
                del self._children[handle]
                if not _is_recorded(_place(handle).folder):
                    self._ended[handle] = Child(process.pid, process.returncode)
        for token, process in list(self._stopping.items()):
            if process.poll() is not None:
                del self._stopping[token]

    def cancel(self, handles: Collection[Handle]) -> None:
        """End jobs with everything they started; those that ended are left alone.

        Jobs that do not end at once get their time in the background.
        """
        self._reap()
        claims = {place.folder: _to_cancel(place) for place in _places(handles)}
        todo = {f: c for f, c in claims.items() if c and c.token not in self._stopping}
        if not todo:
            return
        leaders = [c.leader for f, c in todo.items() if c.leader and leads(c.leader, f)]
        running = {claim.token: str(folder) for folder, claim in todo.items()}
        if processes.stop(running, self._grace, leaders, patience=_AT_ONCE):
            return
        for token, folder in running.items():
            self._stopping[Token(token)] = _stop_in_background(token, folder, self._grace)

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        """Return the log of each rank that runs here."""
        return [
            LogFile(member.name, spec.attempt, rank, layout.log_file(spec, member, rank))
            for member in spec.members
            for rank in layout.ranks_here(spec, member)
        ]

    def bring(self, wanted: Sequence[Wanted]) -> Mapping[Token, Exception]:  # noqa: ARG002
        """Do nothing: a job of this machine writes into its record."""
        return {}

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        """Return when one of the jobs ended, at the latest after ``timeout`` seconds."""
        # Of those on other machines nothing is heard.
        self._watch.wait([h for h in handles if _is_named_here(h)], timeout)


def handle_of(folder: Path) -> Handle:
    """Return the handle of the attempt in ``folder`` on this machine."""
    return Handle(f"local://{_host()}{quote(os.fsencode(folder))}")


class Place(NamedTuple):
    """What a handle says.

    Attributes:
        folder: The attempt's folder; its name is the number of the attempt.
        named: Whether the machine has the name of this one.
    """

    folder: Path
    named: bool


def _place(handle: Handle) -> Place:
    """Return what a handle says.

    Raises:
        ValueError: It is none of ours.
    """
    parts = urlsplit(handle)
    path = unquote_to_bytes(parts.path)
    folder = Path(os.fsdecode(path))
    number = folder.name
    if parts.scheme != "local" or b"\0" in path or not (number.isascii() and number.isdecimal()):
        raise ValueError(f"{handle!r} is no handle of a local job")
    return Place(folder, parts.netloc == _host())


def _is_own(spec: JobSpec, handle: Handle) -> bool:
    """Whether a handle names the attempt of a spec, and what lies there was made for it."""
    try:
        folder = _place(handle).folder
        claim = records.read_claim(folder)
    except (ValueError, OSError):
        return False
    if claim is not None and claim.token not in {"", spec.token}:
        return False
    own = layout.attempt_folder(spec)
    return str(folder) == own or os.path.realpath(folder) == os.path.realpath(own)


def _is_named_here(handle: Handle) -> bool:
    return any(place.named for place in _places([handle]))


def _places(handles: Iterable[Handle]) -> Iterator[Place]:
    for handle in handles:
        with contextlib.suppress(ValueError):
            yield _place(handle)


def _host() -> str:
    return quote(os.uname().nodename, safe="")


def _is_recorded(folder: Path) -> bool:
    try:
        return records.read_exit(folder / layout.EXIT) is not None
    except OSError:
        return False


def _to_cancel(place: Place) -> records.Claim | None:
    """Note the wish to end an attempt, and return who runs it; None where nothing runs here."""
    folder = place.folder
    try:
        # Its shell finds the claim taken, and starts nothing.
        create(folder / layout.CLAIM, f"{layout.CANCELLED}\n")
        return None
    except FileExistsError:
        claim = records.read_claim(folder)
    except FileNotFoundError:
        return None
    if claim is None or claim.leader is None or records.read_exit(folder / layout.EXIT):
        return None
    here = claim.is_here(named=place.named)
    if not here or leads(claim.leader, folder):
        with contextlib.suppress(FileExistsError):
            create(folder / layout.CANCELLED, "")
    return claim if here else None


def _stop_in_background(token: str, folder: str, grace: float) -> subprocess.Popen[bytes]:
    environment = {n: v for n, v in os.environ.items() if n != "NEMORUN_TOKEN"}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", processes.__file__, "stop", token, str(grace), "in", folder],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
