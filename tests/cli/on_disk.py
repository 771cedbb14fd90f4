"""Experiments that lie on disk as if they had been run."""

from __future__ import annotations

from pathlib import Path

from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management.store import events
from nemo_run.management.store.record import Record

DONE = Observation(State.SUCCEEDED, exit_code=0, started=100.0, ended=112.0)
FAILED = Observation(
    State.FAILED, Reason.EXIT_CODE, 3, message="rank 0 ended with 3", started=100.0, ended=105.0
)
RUNNING = Observation(State.RUNNING, started=100.0)


class Made:
    """An experiment that lies on disk as if it had been run."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.id = record.id

    def log(
        self, job: str, text: bytes, *, rank: int = 0, attempt: int = 1, member: str = ""
    ) -> Path:
        """Append to a log of a job."""
        path = self.record.job_dir(job) / "logs" / str(attempt) / member / f"rank-{rank}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text)
        return path

    def observed(self, job: str, seen: Observation) -> None:
        """Write into the journal what was seen of a job."""
        self.record.journal.append([events.job_observed(job, seen)])

    def journal(self, *written: events.Event) -> None:
        """Write other events."""
        self.record.journal.append(list(written))
