"""An engine that runs nothing, on a clock that a test moves.

::

    engine = FakeEngine(queue=30)
    backend = FakeBackend(engine)
    handles = backend.submit(jobs)
    engine.clock.advance(31)

With ``Capabilities(dependencies=True, detach=True, arrays=True)`` it waits for other jobs by itself
and keeps the limit of arrays; :meth:`FakeEngine.restart` begins a job anew, and
:meth:`FakeEngine.leave` writes a file that :meth:`FakeBackend.bring` copies.

A job takes as long and ends as its command says: ``sleep 5; exit 3`` in the last argument, or as
the engine's ``outcome`` function says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.exceptions import BackendError, SecretError
from nemo_run.execution.backend import Artifact, Capabilities, LogFile
from nemo_run.execution.jobspec import Handle, JobSpec, Token
from nemo_run.execution.secrets import values_of

from .fake_engine import FakeClock, FakeEngine, FakeJob, Outcome, outcome_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from nemo_run.execution.backend import Rendered, Wanted
    from nemo_run.execution.observation import Observation

__all__ = ["FakeBackend", "FakeClock", "FakeEngine", "FakeJob", "Outcome", "outcome_of"]


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
        if jobs:
            self.engine.calls.append([job.spec.token for job in jobs])
        answers: dict[Token, Handle | Exception] = {}
        refused: set[Token] = set()
        for job in jobs:
            after = [(one.kind, _token(one.job)) for one in job.after]
            error = self.engine.refuse(job.spec) or _missing(job.spec)
            if error is not None:
                answers[job.spec.token] = error
            if error is not None or any(token in refused for _, token in after):
                # What was to wait for a job that is not there is not asked for either.
                refused.add(job.spec.token)
                continue
            answers[job.spec.token] = self._begun(job.spec, after)
        return answers

    def _begun(self, spec: JobSpec, after: Sequence[tuple[str, Token]]) -> Handle | Exception:
        unknown = [token for _, token in after if token not in self.engine.jobs]
        if unknown:
            return BackendError(f"Job dependency problem: {unknown[0]} is not known.")
        self.engine.begin(spec, after)
        return _handle(spec.token)

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
        self.engine.polls += 1
        seen = self.engine.observe_all([_token(handle) for handle in handles])
        return {handle: seen[_token(handle)] for handle in handles}

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

    def bring(self, wanted: Sequence[Wanted]) -> Mapping[Token, Exception]:
        """Copy what jobs have left; of a file that is there in part, the rest."""
        try:
            self._ask("bring")
        except BackendError as error:
            return {one.spec.token: error for one in wanted}
        self.engine.bring_calls += 1
        failed: dict[Token, Exception] = {}
        for one in wanted:
            if self.engine.cut:
                why = "The connection broke while something was copied."
                failed[one.spec.token] = BackendError(why)
                continue
            self.engine.brought.append((one.spec.token, one.logs))
            self._copy(one)
        return failed

    def _copy(self, one: Wanted) -> None:
        spec, logs = one.spec, one.logs
        paths = [
            file.path.removeprefix(f"{spec.directory}/")
            for file in self.log_files(spec)
            if logs is not None and (file.member, file.rank) in logs
        ]
        for path, data in self.engine.files.get(spec.directory, {}).items():
            end = logs is None and path.startswith(f"attempts/{spec.attempt}/")
            if end or path in paths:
                _append(Path(one.folder, path), data)

    def wait(self, handles: Collection[Handle], timeout: float) -> None:  # noqa: ARG002
        """Move the clock to the next thing that happens, at most by ``timeout`` seconds."""
        clock = self.engine.clock
        event = self.engine.next_event()
        clock.advance(timeout if event is None else min(timeout, event - clock.time()))

    def _ask(self, what: str) -> None:
        if self.engine.down:
            raise BackendError(f"The engine does not answer: {what} failed.")


def _missing(spec: JobSpec) -> Exception | None:
    # Its jobs run nothing, so that a secret need only be there.
    try:
        values_of(spec)
    except SecretError as error:
        return error
    return None


def _append(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data[file.tell() :])


def _handle(token: Token) -> Handle:
    return Handle(f"fake://engine/{token}")


def _token(handle: Handle | Token) -> Token:
    return Token(handle.removeprefix("fake://engine/"))
