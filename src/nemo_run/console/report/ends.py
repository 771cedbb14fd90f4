"""The end of a job's log, whatever its size."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nemo_run.console.terminal import plain

if TYPE_CHECKING:
    from nemo_run.management.store.job_status import JobStatus
    from nemo_run.management.store.record import Record

_LINES = 50
_BYTES = 1 << 15


def last_lines(record: Record, job: JobStatus) -> str:
    """Return the last 50 lines of the process that failed first, else of the first, uncoloured."""
    from nemo_run.management.results import failed_log
    from nemo_run.management.watch.tail import Cursor, last_states, read

    log = failed_log(record, job)
    if log is None:
        return ""
    size = Path(log.path).stat().st_size
    data, _ = read(Cursor(log.path, max(0, size - _BYTES)), _BYTES)
    lines = last_states(data).splitlines()
    if size > _BYTES and len(lines) > 1:
        lines = lines[1:]  # the first one is only the end of a line
    return "\n".join(map(plain, lines[-_LINES:]))
