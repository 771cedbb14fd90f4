"""An engine that runs nothing, on a clock that a test moves.

::

    engine = FakeEngine(queue=30)
    backend = FakeBackend(engine)
    handles = backend.submit(jobs)
    engine.clock.advance(31)

A job takes as long and ends as its command says: ``sleep 5; exit 3`` in the last argument, or as
the engine's ``outcome`` function says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.exceptions import BackendError
from nemo_run.execution.backend import Artifact, Capabilities, LogFile
from nemo_run.execution.jobspec import Handle, JobSpec, Member, Token
from nemo_run.execution.observation import Observation, Reason, State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nemo_run.execution.backend import Rendered


@dataclass
class FakeClock:
    """A clock that stands still until it is moved.

    Attributes:
        now: Seconds since the epoch.
    """

    now: float = 1_700_000_000.0

    def time(self) -> float:
        """Return the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds


@dataclass(frozen=True)
class Outcome:
    """How one member goes.

    Attributes:
        seconds: How long it runs.
        code: Its exit status; 128 + n for signal n.
    """

    seconds: float = 0.0
    code: int = 0


def outcome_of(member: Member) -> Outcome:
    """Return what a member's command says: ``sleep S``, ``exit N`` and ``kill -N`` count."""
    text = member.command[-1]
    sleep = re.search(r"sleep ([\d.]+)", text)
    leave = re.search(r"exit (\d+)", text)
    kill = re.search(r"kill -(\d+)", text)
    code = 128 + int(kill[1]) if kill else int(leave[1]) if leave else 0
    return Outcome(float(sleep[1]) if sleep else 0.0, code)


@dataclass
class FakeJob:
    """A job that the engine knows.

    Attributes:
        spec: What was asked for.
        submitted: When.
        cancelled: When it was cancelled, if it was.
        lost: Whether the engine forgot how it ended.
    """

    spec: JobSpec
    submitted: float
    cancelled: float | None = None
    lost: bool = False


@dataclass
class FakeEngine:
    """What goes on living when a backend's process ends. Several backends may share one.

    Attributes:
        clock: Its time.
        queue: Seconds that each job waits before it begins.
        outcome: How a member goes.
        jobs: What was submitted, by token.
        submissions: Every request to start a job, also of one that it had already.
        down: While True, every request fails.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    queue: float = 0.0
    outcome: Callable[[Member], Outcome] = outcome_of
    jobs: dict[Token, FakeJob] = field(default_factory=dict)
    submissions: list[Token] = field(default_factory=list)
    down: bool = False

    def begin(self, spec: JobSpec) -> None:
        """Take a job; one that is there already stays as it is."""
        self.submissions.append(spec.token)
        self.jobs.setdefault(spec.token, FakeJob(spec, self.clock.time()))

    def cancel(self, token: Token) -> None:
        """End a job, unless it has ended or is unknown."""
        job = self.jobs.get(token)
        if job and not self.observe(token).state.terminal:
            job.cancelled = self.clock.time()

    def lose(self, token: Token) -> None:
        """Forget how a job goes."""
        self.jobs[token].lost = True

    def observe(self, token: Token) -> Observation:
        """Return how a job goes at this moment."""
        job = self.jobs.get(token)
        if job is None:
            return Observation(State.UNKNOWN, message="the engine knows no such job")
        attempt = job.spec.attempt
        if job.lost:
            return Observation(State.LOST, Reason.PROCESS_LOST, attempt=attempt)
        begun = job.submitted + self.queue
        if job.cancelled is not None:
            started = begun if begun <= job.cancelled else None
            return Observation(
                State.CANCELLED,
                Reason.CANCELLED,
                attempt=attempt,
                started=started,
                ended=job.cancelled,
            )
        if self.clock.time() < begun:
            return Observation(State.PENDING, attempt=attempt)
        return self._course(job, begun)

    def _course(self, job: FakeJob, begun: float) -> Observation:
        outcomes = {m.name: self.outcome(m) for m in job.spec.members}
        deciding, lasts = _decide(job.spec, outcomes)
        now, ended = self.clock.time(), begun + lasts
        if now < ended:
            whole = Observation(State.RUNNING, attempt=job.spec.attempt, started=begun)
        else:
            whole = _ended(outcomes[deciding].code, job.spec.attempt, begun, ended)
        if len(job.spec.members) == 1:
            return whole
        members = tuple(
            (name, self._member(o, whole, begun, lasts)) for name, o in outcomes.items()
        )
        return Observation(**{**vars(whole), "members": members})

    def _member(self, o: Outcome, job: Observation, begun: float, lasts: float) -> Observation:
        if o.seconds > lasts:
            if job.state is State.RUNNING:
                return Observation(State.RUNNING, attempt=job.attempt, started=begun)
            return Observation(
                State.CANCELLED,
                Reason.CANCELLED,
                143,
                job.attempt,
                "ended with its group",
                begun,
                begun + lasts,
            )
        if self.clock.time() < begun + o.seconds:
            return Observation(State.RUNNING, attempt=job.attempt, started=begun)
        return _ended(o.code, job.attempt, begun, begun + o.seconds)

    def next_event(self) -> float | None:
        """Return when the state of a job changes next; None if none will."""
        times = []
        for token, job in self.jobs.items():
            if self.observe(token).state.terminal:
                continue
            begun = job.submitted + self.queue
            lasts = _decide(job.spec, {m.name: self.outcome(m) for m in job.spec.members})[1]
            times += [t for t in (begun, begun + lasts) if t > self.clock.time()]
        return min(times, default=None)


def _decide(spec: JobSpec, outcomes: Mapping[str, Outcome]) -> tuple[str, float]:
    """Return which member decides how a job ends, and after how many seconds."""
    main = [m.name for m in spec.members if spec.policy == "all" or m.role == "main"]
    failed = [name for name in main if outcomes[name].code]
    if failed:
        first = min(failed, key=lambda name: outcomes[name].seconds)
    else:
        first = max(main, key=lambda name: outcomes[name].seconds)
    return first, outcomes[first].seconds


def _ended(code: int, attempt: int, started: float, ended: float) -> Observation:
    if code == 0:
        return Observation(
            State.SUCCEEDED, exit_code=0, attempt=attempt, started=started, ended=ended
        )
    reason = Reason.SIGNAL if code > 128 else Reason.EXIT_CODE
    return Observation(State.FAILED, reason, code, attempt, f"exit code {code}", started, ended)


class FakeBackend:
    """A backend over a :class:`FakeEngine`. Waiting moves its clock, so that no test sleeps.

    Args:
        engine: The engine; a new one by default.
        capabilities: What it says it can do.
    """

    name = "fake"
    executor = ""

    def __init__(
        self, engine: FakeEngine | None = None, capabilities: Capabilities | None = None
    ) -> None:
        self.engine = engine or FakeEngine()
        self.capabilities = capabilities or Capabilities(groups=True, detach=True)

    def render(self, spec: JobSpec) -> Sequence[Artifact]:
        """Return the commands, as one text."""
        lines = [f"{m.name}: {' '.join(m.command)}\n" for m in spec.members]
        path = f"{spec.directory}/attempts/{spec.attempt}/commands.txt"
        return (Artifact(path, "".join(lines).encode("utf-8", "surrogateescape")),)

    def submit(self, jobs: Sequence[Rendered]) -> Mapping[Token, Handle | Exception]:
        """Give jobs to the engine."""
        self._ask("submit")
        for job in jobs:
            self.engine.begin(job.spec)
        return {job.spec.token: _handle(job.spec.token) for job in jobs}

    def find(self, specs: Collection[JobSpec]) -> Mapping[Token, Handle]:
        """Return the handles of the jobs that the engine has."""
        self._ask("find")
        return {s.token: _handle(s.token) for s in specs if s.token in self.engine.jobs}

    def own(self, jobs: Collection[tuple[JobSpec, Handle]]) -> Collection[Token]:
        """Return the tokens of the jobs that have this handle."""
        return {spec.token for spec, handle in jobs if _token(handle) == spec.token}

    def poll(self, handles: Collection[Handle]) -> Mapping[Handle, Observation]:
        """Look at jobs."""
        self._ask("poll")
        return {handle: self.engine.observe(_token(handle)) for handle in handles}

    def cancel(self, handles: Collection[Handle]) -> None:
        """End jobs."""
        self._ask("cancel")
        for handle in handles:
            self.engine.cancel(_token(handle))

    def log_files(self, spec: JobSpec) -> Sequence[LogFile]:
        """Return where logs would be; the engine writes none."""
        return [
            LogFile(
                m.name, spec.attempt, rank, f"{m.directory}/logs/{spec.attempt}/rank-{rank}.log"
            )
            for m in spec.members
            for rank in range(m.world_size)
        ]

    def bring(
        self, spec: JobSpec, folder: str, logs: Collection[tuple[str, int]] | None = None
    ) -> None:
        """Do nothing: there are no files."""

    def wait(self, handles: Collection[Handle], timeout: float) -> None:  # noqa: ARG002
        """Move the clock to the next thing that happens, at most by ``timeout`` seconds."""
        clock = self.engine.clock
        event = self.engine.next_event()
        clock.advance(timeout if event is None else min(timeout, event - clock.time()))

    def _ask(self, what: str) -> None:
        if self.engine.down:
            raise BackendError(f"The engine does not answer: {what} failed.")


def _handle(token: Token) -> Handle:
    return Handle(f"fake://engine/{token}")


def _token(handle: Handle) -> Token:
    return Token(handle.removeprefix("fake://engine/"))
