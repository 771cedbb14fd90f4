"""The engine behind :class:`~nemo_run.testing.FakeBackend`: jobs on a clock that a test moves."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nemo_run.execution.observation import Observation, Reason, State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from nemo_run.execution.jobspec import JobSpec, Member, Token


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
        after: Kind of dependency, and the job that it waits for.
        cancelled: When it was cancelled, if it was.
        by: Who cancelled it; empty where it was asked for through the backend.
        lost: Whether the engine forgot how it ended.
        restarts: When the engine began it anew, and why.
    """

    spec: JobSpec
    submitted: float
    after: tuple[tuple[str, Token], ...] = ()
    cancelled: float | None = None
    by: str = ""
    lost: bool = False
    restarts: list[tuple[float, Reason]] = field(default_factory=list)


@dataclass(frozen=True)
class _Course:
    """When a job begins and ends, if nothing comes in between; None: never."""

    begins: float | None
    ends: float
    state: State
    because: str = ""


@dataclass
class FakeEngine:
    """What goes on living when a backend's process ends. Several backends may share one.

    Attributes:
        clock: Its time.
        queue: Seconds that each job waits before it begins.
        outcome: How a member goes.
        jobs: What was submitted, by token.
        submissions: Every request to start a job, also of one that it had already.
        calls: The tokens of each call that started jobs.
        files: What jobs have left on the target: their folder there, and the path in it.
        brought: Everything that was copied from there: token, and logs asked for.
        bring_calls: In how many calls.
        polls: How often it was looked at.
        refuse: Returns why a job is not taken; None where it is.
        down: While True, every request fails.
        cut: While True, nothing can be copied from the target.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    queue: float = 0.0
    outcome: Callable[[Member], Outcome] = outcome_of
    jobs: dict[Token, FakeJob] = field(default_factory=dict)
    submissions: list[Token] = field(default_factory=list)
    calls: list[list[Token]] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    brought: list[tuple[Token, tuple[tuple[str, int], ...] | None]] = field(default_factory=list)
    polls: int = 0
    refuse: Callable[[JobSpec], Exception | None] = lambda _: None
    down: bool = False
    bring_calls: int = 0
    cut: bool = False

    def begin(self, spec: JobSpec, after: Sequence[tuple[str, Token]] = ()) -> None:
        """Take a job; one that is there already stays as it is."""
        self.submissions.append(spec.token)
        self.jobs.setdefault(spec.token, FakeJob(spec, self.clock.time(), tuple(after)))

    def cancel(self, token: Token, by: str = "") -> None:
        """End a job, unless it has ended or is unknown.

        Args:
            token: The job.
            by: Who does so, where that is not us.
        """
        job = self.jobs.get(token)
        if job and not self.observe(token).state.terminal:
            job.cancelled, job.by = self.clock.time(), by

    def lose(self, token: Token) -> None:
        """Forget how a job goes."""
        self.jobs[token].lost = True

    def restart(self, token: Token, reason: Reason = Reason.PREEMPTED) -> None:
        """Begin a job anew by itself, under the same handle."""
        self.jobs[token].restarts.append((self.clock.time(), reason))

    def leave(self, spec: JobSpec, path: str, data: bytes) -> None:
        """Add to a file in the job's folder on the target.

        Args:
            spec: The job.
            path: Relative to its folder, as ``attempts/1/result.json``.
            data: What is appended.
        """
        folder = self.files.setdefault(spec.directory, {})
        folder[path] = folder.get(path, b"") + data

    def observe(self, token: Token) -> Observation:
        """Return how a job goes at this moment."""
        return self.observe_all([token])[token]

    def observe_all(self, tokens: Collection[Token]) -> dict[Token, Observation]:
        """Return how jobs go at this moment."""
        courses = self._courses()
        return {token: self._observe(token, courses) for token in tokens}

    def _observe(self, token: Token, courses: Mapping[Token, _Course]) -> Observation:
        job = self.jobs.get(token)
        if job is None:
            return Observation(State.UNKNOWN, message="the engine knows no such job")
        attempt = job.spec.attempt + len(job.restarts)
        if job.lost:
            return Observation(State.LOST, Reason.PROCESS_LOST, attempt=attempt)
        course, now = courses[token], self.clock.time()
        if course.state is State.SKIPPED and now >= course.ends:
            return Observation(
                State.SKIPPED,
                Reason.DEPENDENCY,
                attempt=attempt,
                message=course.because,
                ended=course.ends,
            )
        if job.cancelled is not None:
            return Observation(
                State.CANCELLED,
                Reason.CANCELLED,
                attempt=attempt,
                message=f"cancelled by {job.by}" if job.by else "",
                started=course.begins,
                ended=job.cancelled,
            )
        if course.begins is None or now < course.begins:
            why = job.restarts[-1][1] if job.restarts else Reason.NONE
            return Observation(State.PENDING, why, attempt=attempt)
        return self._course(job, course.begins)

    def _courses(self) -> dict[Token, _Course]:
        """Return when each job begins and ends; what it waits for was submitted before it."""
        found: dict[Token, _Course] = {}
        slots: dict[tuple[str, str], list[float]] = {}
        for token, job in self.jobs.items():
            course = self._with_its_turn(job, found, slots)
            found[token] = course
            array = job.spec.array
            if array is not None and array.max_parallel and course.begins is not None:
                slots.setdefault((job.spec.experiment, array.name), []).append(course.ends)
        return found

    def _with_its_turn(
        self,
        job: FakeJob,
        others: Mapping[Token, _Course],
        slots: Mapping[tuple[str, str], Sequence[float]],
    ) -> _Course:
        earliest = job.submitted
        for kind, token in job.after:
            before = others[token]
            well = before.state is State.SUCCEEDED
            if kind != "afterany" and (kind == "afterok") != well:
                # An engine that waits for what can never come gives up.
                return _Course(None, before.ends, State.SKIPPED, f"{kind} of {token} cannot be")
            earliest = max(earliest, before.ends)
        array = job.spec.array
        if array is not None and array.max_parallel:
            busy = sorted(slots.get((job.spec.experiment, array.name), ()))
            if len(busy) >= array.max_parallel:
                earliest = max(earliest, busy[-array.max_parallel])
        if job.restarts:
            earliest = job.restarts[-1][0]
        begins = earliest + self.queue
        if job.cancelled is not None:
            begun = begins if begins <= job.cancelled else None
            return _Course(begun, job.cancelled, State.CANCELLED)
        outcomes = {m.name: self.outcome(m) for m in job.spec.members}
        deciding, lasts = _decide(job.spec, outcomes)
        state = State.FAILED if outcomes[deciding].code else State.SUCCEEDED
        return _Course(begins, begins + lasts, state)

    def _course(self, job: FakeJob, begun: float) -> Observation:
        outcomes = {m.name: self.outcome(m) for m in job.spec.members}
        deciding, lasts = _decide(job.spec, outcomes)
        now, ended = self.clock.time(), begun + lasts
        attempt = job.spec.attempt + len(job.restarts)
        if now < ended:
            whole = Observation(State.RUNNING, attempt=attempt, started=begun)
        else:
            whole = _ended(outcomes[deciding].code, attempt, begun, ended)
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
        now = self.clock.time()
        times = [
            when
            for course in self._courses().values()
            for when in (course.begins, course.ends)
            if when is not None and when > now
        ]
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
