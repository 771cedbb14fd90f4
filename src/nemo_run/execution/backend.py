"""The one protocol between this library and an engine that runs jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .jobspec import Handle, JobSpec, Token
    from .observation import Observation


@dataclass(frozen=True)
class Artifact:
    """One file or request body, exactly as it will be sent.

    Attributes:
        path: Where it goes on the target; absolute.
        content: Its bytes.
        mode: Permissions.
        language: What to highlight it as: ``sh``, ``json``, ``yaml``, ``text``.
    """

    path: str
    content: bytes
    mode: int = 0o600
    language: str = "text"


@dataclass(frozen=True)
class Rendered:
    """A job and its artifacts: what :meth:`Backend.submit` sends."""

    spec: JobSpec
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do by itself.

    Attributes:
        dependencies: It starts a job after others ended.
        groups: It runs several tasks as one job.
        detach: Its jobs go on without the process that submitted them.
        requeue: It starts a preempted job again.
        max_running: How many jobs it should be given at once; None for no limit.
    """

    dependencies: bool = False
    groups: bool = False
    detach: bool = False
    requeue: bool = False
    max_running: int | None = None


@dataclass(frozen=True)
class LogFile:
    """One log on the target: who wrote it and where it lies.

    Attributes:
        member: The member's name.
        attempt: Which try, from 1.
        rank: The process, from 0 over the member's world size.
        path: The file.
    """

    member: str
    attempt: int
    rank: int
    path: str


class Backend(Protocol):
    """One kind of engine. Rendering is pure; everything else talks to the engine.

    Every call takes many jobs, so that one request serves them all.

    Attributes:
        name: Its entry point's name, and the ``backend`` of its executors.
        executor: The class of its executor as ``package.module:MyExecutor``, so that a profile
            and the command line can ask for it by the backend's name; empty: they cannot.
        capabilities: What the engine can do by itself.
    """

    name: str
    executor: str
    capabilities: Capabilities

    def render(self, spec: JobSpec) -> Sequence[Artifact]:
        """Return what would be sent for ``spec``; pure: touches nothing, always the same."""
        ...

    def submit(self, jobs: Sequence[Rendered]) -> Mapping[Token, Handle | Exception]:
        """Start jobs. A token that the engine has already is not started again.

        Returns:
            The handle of each job, or the reason why that one could not be started.
        """
        ...

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        """Return the handles of those jobs that the engine knows, by token."""
        ...

    def own(self, jobs: Collection[tuple[JobSpec, Handle]]) -> Collection[Token]:
        """Return the tokens of those jobs that the engine calls by this handle.

        Handles are read from files, which somebody else may have written: one that names the
        job of another token must not be polled or cancelled. Of each spec only the token and the
        directory count.
        """
        ...

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        """Look at jobs; one request for all. What cannot be told is UNKNOWN."""
        ...

    def cancel(self, handles: Collection[Handle]) -> None:
        """End jobs with all their processes. Ended and unknown ones are left alone."""
        ...

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        """Return the logs that a job has so far, or will have, in order of member and rank."""
        ...

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        """Return when something may have changed, at the latest after ``timeout`` seconds."""
        ...
