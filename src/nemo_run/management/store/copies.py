"""Experiments that were made elsewhere and came here as a copy: by an archive, or a remote home.

A copy says what was known when it was made. It does not reach the jobs of the original, and nobody
drives it; what was under way in it is UNKNOWN, whatever its own files say.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nemo_run.execution.observation import State

from .files import read_file

if TYPE_CHECKING:
    from pathlib import Path

    from .status import ExperimentStatus

MARK = "imported.json"
FORMAT = 1


@dataclass(frozen=True)
class Copied:
    """Where a copy is from.

    Attributes:
        taken: When it was made of the original, in seconds since the epoch.
        arrived: When it came here.
        host: The machine where the experiment was made.
        folder: Its folder there.
        source: The archive or the remote home that it came from.
    """

    taken: float = 0.0
    arrived: float = 0.0
    host: str = ""
    folder: str = ""
    source: str = ""

    @property
    def sentence(self) -> str:
        """That it is a copy, for a person who wants to act on it."""
        import time

        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.taken))
        there = f" {self.folder} on {self.host}" if self.host else " an experiment made elsewhere"
        return f"This is a copy of{there} as it was at {when}; it does not reach its jobs."

    def text(self) -> str:
        """Return the file that says so."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1) + "\n"


def read(folder: Path) -> Copied | None:
    """Return where the copy in a folder is from; None where it is no copy."""
    try:
        said: Any = json.loads(read_file(folder / MARK))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        # Whatever it says, its being there says enough.
        return Copied()
    if not isinstance(said, dict):
        return Copied()
    texts = [str(said.get(name) or "") for name in ("host", "folder", "source")]
    return Copied(_time(said.get("taken")), _time(said.get("arrived")), *texts)


def as_copy(status: ExperimentStatus, copied: Copied) -> ExperimentStatus:
    """Return how a copy stands: nothing in it goes on. Pure."""
    jobs = {
        job.id: dataclasses.replace(
            job,
            unbrought="",
            cancel_requested=False,
            **(_unknown(job.state, copied) if not job.state.terminal else {}),
        )
        for job in status.jobs.values()
    }
    if status.started is None:
        jobs = dict(status.jobs)
    ended = status.ended
    if ended is None and status.started is not None:
        ended = copied.taken
    return dataclasses.replace(
        status,
        jobs=jobs,
        ended=ended,
        cancel_requested=False,
        conductor=None,
        copied=copied.sentence,
    )


def _unknown(state: State, copied: Copied) -> dict[str, Any]:
    if state is State.CREATED:
        return {"state": State.UNKNOWN, "message": f"not started then. {copied.sentence}"}
    return {"state": State.UNKNOWN, "message": f"last seen {state}. {copied.sentence}"}


def _time(value: object) -> float:
    return float(value) if type(value) in (int, float) and 0 <= value < 1e11 else 0.0  # type: ignore[operator, arg-type]
