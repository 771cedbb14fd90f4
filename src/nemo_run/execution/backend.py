"""The one protocol between this library and an engine that runs jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nemo_run.remote import Tunnel

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
class After:
    """What an engine is to wait for before it starts a job.

    Attributes:
        kind: ``afterok``, ``afterany`` or ``afternotok``.
        job: The handle of that job, or the token of one that is submitted in the same call.
    """

    kind: str
    job: Handle | Token


@dataclass(frozen=True)
class Rendered:
    """A job and its artifacts: what :meth:`Backend.submit` sends.

    Attributes:
        spec: The job.
        artifacts: Its files.
        after: What the engine itself is to wait for; only where it can
            (:attr:`Capabilities.dependencies`).
    """

    spec: JobSpec
    artifacts: tuple[Artifact, ...]
    after: tuple[After, ...] = ()


@dataclass(frozen=True)
class Capabilities:
    """What an engine can do by itself.

    Attributes:
        dependencies: It starts a job after others ended.
        groups: It runs several tasks as one job.
        detach: Its jobs go on without the process that submitted them.
        requeue: It starts a preempted job again.
        arrays: It takes equal jobs as one array, with a limit of how many run at once.
        max_running: How many jobs it should be given at once; None for no limit.
        batch: How many jobs one call of :meth:`Backend.submit` should start.
        interval: Seconds between two looks at jobs that go on; 0: as often as one likes.
    """

    dependencies: bool = False
    groups: bool = False
    detach: bool = False
    requeue: bool = False
    arrays: bool = False
    max_running: int | None = None
    batch: int = 32
    interval: float = 0.0

    @property
    def finishes_alone(self) -> bool:
        """Whether a graph of jobs that was handed over needs no process of ours."""
        return self.dependencies and self.detach


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


@dataclass(frozen=True)
class Wanted:
    """What of an attempt is to be brought into the record.

    Attributes:
        spec: The job; ``spec.attempt`` is the attempt.
        folder: The job's folder in the record, which has the layout of ``spec.directory``.
        logs: Member and rank of the logs to bring; None for how it ended and its results.
    """

    spec: JobSpec
    folder: str
    logs: tuple[tuple[str, int], ...] | None = None


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

        Of a job with ``spec.secrets`` the values are looked up now
        (:func:`nemo_run.execution.secrets.values_of`), and reach its processes on no way that
        shows or keeps them: by what the engine has for secrets, or by a file that only its owner
        can read and that is removed. See :class:`Forgetting`.

        Returns:
            The handle of each job, or the reason why that one could not be started. Of a
            :class:`~nemo_run.exceptions.ShortageError` the job may be tried again later; one
            that is missing here is looked for with :meth:`find` later.
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

    def bring(self, wanted: Sequence[Wanted]) -> Mapping[Token, Exception]:
        """Copy what attempts have left on the target into the record; one request for all.

        Nothing to do where a job's folder is the one in the record. What is there already is not
        sent again, and a call that was cut off is made good by the next one. What members have
        logged (:func:`~nemo_run.execution.folders.metrics_file`) comes with every call, also with
        one that asks for no logs.

        Returns:
            Why, for each job of which something could not be brought, the others being whole:
            the target cannot be reached, or a file cannot be read.
        """
        ...

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        """Return when something may have changed, at the latest after ``timeout`` seconds."""
        ...


@runtime_checkable
class Forgetting(Protocol):
    """A backend that leaves secrets on the target for as long as a job may need them again."""

    def forget(self, specs: Collection[JobSpec]) -> None:
        """Remove the secrets of jobs that have ended; those that are gone already are no error.

        Args:
            specs: The jobs; ``spec.attempt`` is the last attempt that has ended, and what was
                delivered for later ones stays.
        """
        ...


@runtime_checkable
class Reaching(Protocol):
    """A backend whose jobs have their folders on another machine, which a tunnel leads to."""

    def tunnel(self, spec: JobSpec) -> Tunnel:
        """Return the way to the machine that has ``spec.directory``."""
        ...


@runtime_checkable
class Arrayed(Protocol):
    """A backend that sends files of its own for equal jobs that it starts together."""

    def render_arrays(self, jobs: Sequence[Rendered]) -> Sequence[Artifact]:
        """Return what would be sent for jobs together, beside what each of them needs; pure.

        Args:
            jobs: All jobs of a plan that this backend would start.
        """
        ...
