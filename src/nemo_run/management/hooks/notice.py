"""What is told of an event: a document for programs, with a sentence for people. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nemo_run.management.store import events

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nemo_run.management.store.events import Event

KINDS = (
    events.EXPERIMENT_STARTED,
    events.EXPERIMENT_RESUMED,
    events.EXPERIMENT_ENDED,
    events.JOB_SUBMITTED,
    events.JOB_OBSERVED,
    events.JOB_SKIPPED,
    events.JOB_RETRIED,
    events.JOB_RESTARTED,
    events.JOB_CANCEL_REQUESTED,
)
_STATE_OF = {
    events.EXPERIMENT_STARTED: "RUNNING",
    events.EXPERIMENT_RESUMED: "RUNNING",
    events.JOB_SUBMITTED: "SUBMITTED",
    events.JOB_SKIPPED: "SKIPPED",
}


@dataclass(frozen=True)
class Notice:
    """One event, ready to be told.

    Attributes:
        seq: Its number in the journal.
        kind: Its name.
        state: The state that it came to; empty if it changes none.
        document: What programs get.
    """

    seq: int
    kind: str
    state: str
    document: dict[str, Any] = field(hash=False)

    @property
    def ends(self) -> bool:
        """Whether the experiment has ended with it."""
        return self.kind == events.EXPERIMENT_ENDED


class Noticing:
    """Makes notices of the events of one experiment, which come in order.

    Args:
        experiment: What every notice says of the experiment: ``id``, ``title``, …
    """

    def __init__(self, experiment: dict[str, Any]) -> None:
        self._experiment = experiment
        self._last: dict[Any, tuple[Any, Any]] = {}

    def of(self, happened: Iterable[Event]) -> Iterator[Notice]:
        """Yield a notice for each event that somebody outside may want to know of."""
        for event in happened:
            kind, seq = event.get("event"), event.get("seq")
            if kind not in KINDS or type(seq) is not int or self._repeats(event):
                continue
            state = str(event.get("state") or _STATE_OF.get(kind, ""))
            yield Notice(
                seq,
                kind,
                state,
                {
                    # The same event is told again after a crash, under the same id.
                    "id": f"{self._experiment.get('id')}/{seq}",
                    "text": self._text(event, state),
                    "experiment": self._experiment,
                    **event,
                    **({"state": state} if state else {}),
                },
            )

    def _repeats(self, event: Event) -> bool:
        """Whether a job was seen in a state that it was in before."""
        if event["event"] not in (events.JOB_OBSERVED, events.JOB_SUBMITTED):
            return False
        state = event.get("state") or _STATE_OF.get(event["event"])
        seen, job = (event.get("attempt"), state), event.get("job")
        before, self._last[job] = self._last.get(job), seen
        return before == seen

    def _text(self, event: Event, state: str) -> str:
        kind = event["event"]
        title, job = self._experiment.get("title"), event.get("job")
        whose = f"{title}: {job}" if job else f"{title}"
        why = event.get("message") or event.get("reason") or event.get("because") or ""
        attempt = f", attempt {event['attempt']}" if _later(event) else ""
        words = {
            events.EXPERIMENT_STARTED: "started",
            events.EXPERIMENT_RESUMED: "goes on",
            events.JOB_RETRIED: f"is tried again{attempt}",
            events.JOB_RESTARTED: f"began anew{attempt}",
            events.JOB_CANCEL_REQUESTED: f"is to be cancelled, asked by {event.get('by')}",
        }.get(kind, f"{state}{attempt}")
        return f"{whose} {words}{f' ({why})' if why else ''}"


def _later(event: Event) -> bool:
    attempt = event.get("attempt")
    return type(attempt) is int and attempt > 1
