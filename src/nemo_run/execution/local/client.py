"""The backend that runs jobs on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import Capabilities, LogFile
from nemo_run.execution.jobspec import Handle, Token
from nemo_run.execution.observation import Observation, State

from . import layout, processes, records
from .observing import Child, observe
from .render import GRACE, render
from .starting import prepare, start
from .waiting import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Collection, Mapping, Sequence

    from nemo_run.execution.backend import Artifact, Rendered
    from nemo_run.execution.jobspec import JobSpec


class LocalBackend:
    """Runs each job under a shell script in a session of its own.

    The jobs need no process of ours: they go on when the one that started them ends, and another
    one finds them by their files.

    Attributes:
        grace: Seconds a cancelled job has to end by itself.
    """

    name = "local"

    def __init__(self, *, grace: float = GRACE) -> None:
        self.grace = grace
        self.capabilities = Capabilities(
            groups=True, detach=True, max_running=max(32, 4 * (os.cpu_count() or 1))
        )
        self._children: dict[Handle, subprocess.Popen[bytes]] = {}

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
                processes.stop([_earlier(spec)], self.grace)
            prepare(job)
            self._children[handle] = start(spec)
        except OSError as error:
            return BackendError(
                f"Job {spec.job!r} could not be started in {folder}: {error.strerror or error}."
            )
        return handle

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        """Return the handles of those jobs that began."""
        folders = {spec.token: Path(layout.attempt_folder(spec)) for spec in specs}
        return {
            token: handle_of(folder)
            for token, folder in folders.items()
            if records.read_claim(folder) is not None
        }

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        """Look at jobs; costs a few small files each."""
        boot = processes.boot_id()
        return {handle: self._poll(handle, boot) for handle in handles}

    def _poll(self, handle: Handle, boot: str) -> Observation:
        folder, here = _place(handle)
        process = self._children.get(handle)
        child = Child(process.pid, process.poll()) if process else None
        try:
            return observe(folder, boot, child, here=here)
        except OSError as error:
            why = error.strerror or error
            return Observation(State.UNKNOWN, message=f"{folder} cannot be read: {why}.")

    def cancel(self, handles: Collection[Handle]) -> None:
        """End jobs with everything they started; those that ended are left alone."""
        claims = [_to_cancel(folder) for folder, here in map(_place, handles) if here]
        running = [claim for claim in claims if claim is not None]
        if running:
            tokens = [claim.token for claim in running]
            processes.stop(tokens, self.grace, [c.leader for c in running if c.leader])

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        """Return the log of each rank that runs here."""
        return [
            LogFile(
                member.name,
                spec.attempt,
                rank,
                f"{layout.log_folder(spec, member)}/rank-{rank}.log",
            )
            for member in spec.members
            for rank in layout.ranks_here(spec, member)
        ]

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        """Return when one of the jobs ended, at the latest after ``timeout`` seconds."""
        wait_for([folder for folder, here in map(_place, handles) if here], timeout)


def handle_of(folder: Path) -> Handle:
    """Return the handle of the attempt in ``folder`` on this machine."""
    return Handle(f"local://{quote(_host(), safe='')}{quote(os.fsencode(folder))}")


def _place(handle: Handle) -> tuple[Path, bool]:
    """Return the folder that a handle names, and whether it is on this machine."""
    parts = urlsplit(handle)
    folder = Path(os.fsdecode(unquote_to_bytes(parts.path)))
    return folder, parts.netloc == quote(_host(), safe="")


def _host() -> str:
    return os.uname().nodename


def _earlier(spec: JobSpec) -> Token:
    return Token(f"{spec.experiment}/{spec.job}/{spec.attempt - 1}")


def _to_cancel(folder: Path) -> records.Claim | None:
    """Note the wish to end an attempt, and return who runs it; None where nothing can run."""
    try:
        with (folder / layout.CLAIM).open("x") as file:
            # Its shell finds the claim taken, and starts nothing.
            file.write(f"{layout.CANCELLED}\n")
        return None
    except FileExistsError:
        claim = records.read_claim(folder)
    except OSError:
        return None
    if claim is None or claim.leader is None or records.read_exit(folder / layout.EXIT):
        return None
    if processes.is_alive(claim.leader):
        (folder / layout.CANCELLED).touch(0o600)
    return claim
