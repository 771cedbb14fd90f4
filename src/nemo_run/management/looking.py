"""One look at an experiment that its engines finish alone, by whoever asks how it stands.

What is new is written to the journal as a conductor would write it, with the results of jobs that
have ended; where more is left to do than to look, a conductor is started again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import time
from typing import TYPE_CHECKING, Any

from nemo_run import atomic
from nemo_run.exceptions import StoreError
from nemo_run.execution.registry import get_backend

from .conductor.charge import taken
from .store.files import open_file, read_file
from .store.locks import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nemo_run.execution.backend import Backend

    from .store.record import Record
    from .store.status import ExperimentStatus

_LOCK = "look.lock"
_LAST = "look.json"
_PATIENCE = 30.0
"""Seconds to wait for somebody else who is looking; what that one sees is as good."""


def is_due(known: ExperimentStatus) -> bool:
    """Whether nobody else looks at the experiment, and there may be something to see."""
    if known.copied:
        return False
    rest = known.ended is not None and any(job.unbrought for job in known.jobs.values())
    return known.handed_over or rest


def look(
    record: Record,
    known: ExperimentStatus,
    backend_named: Callable[[str], Backend] = get_backend,
) -> ExperimentStatus:
    """Return how an experiment stands that was handed over, asking its engines at most once.

    They are not asked again before the interval has passed that they want between two looks.

    Args:
        record: The experiment.
        known: What its journal says.
        backend_named: Returns the backend of a name.

    Returns:
        The status; where an engine cannot be reached, the last that is known, with a doubt.
    """
    try:
        with _alone(record):
            now = record.status()
            if not is_due(now) or taken(record):
                return now
            return _looked(record, now, backend_named)
    except TimeoutError:
        return _doubted(record, record.status())
    except OSError as error:
        # Somebody else's, or a disk that is full: nothing can be written down.
        why = f"{error.strerror or error}: {error.filename or record.path}"
        since = known.conductor.ended if known.conductor is not None else None
        return dataclasses.replace(known, doubt=_told(since, why))


def _looked(
    record: Record, known: ExperimentStatus, backend_named: Callable[[str], Backend]
) -> ExperimentStatus:
    from .conductor.one_look import OneLook

    last = _last(record)
    work = OneLook(record, backend_named)
    now = time.time()
    if now - _number(last.get("time")) < work.interval() and last.get("seq") == known.seq:
        return _doubted(record, known)
    why = work.look()
    seen = record.status()
    since = _number(last.get("since")) or _number(last.get("seen")) or now
    said: dict[str, Any] = {"time": time.time(), "seq": seen.seq, "seen": now}
    if why:
        said.update(why=why, since=since, seen=last.get("seen"))
    atomic.write_text(record.path / _LAST, json.dumps(said) + "\n")
    if seen.seq != known.seq:
        from .hooks.launch import start as tell_hooks

        tell_hooks(record)
        if seen.ended is not None:
            from .sharing.at_end import push_at_end

            push_at_end(record)
    if work.needs_conductor and not taken(record):
        from .conductor.launch import start, wait_until_in_charge

        wait_until_in_charge(record, start(record, hand_over=True))
        seen = record.status()
    return _doubted(record, seen)


def _doubted(record: Record, known: ExperimentStatus) -> ExperimentStatus:
    last = _last(record)
    why = str(last.get("why") or "")
    if not why or not is_due(known):
        return known
    return dataclasses.replace(known, doubt=_told(_number(last.get("since")) or None, why))


def _told(since: float | None, why: str) -> str:
    when = f" since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(since))}" if since else ""
    return f"This is what was last known; nothing new could be learned{when}: {why}"


def _last(record: Record) -> dict[str, Any]:
    """Return what the last look came to; nothing where there was none."""
    try:
        last = json.loads(read_file(record.path / _LAST))
    except (OSError, ValueError, RecursionError):
        return {}
    return last if isinstance(last, dict) else {}


def _number(value: object) -> float:
    return float(value) if type(value) in (int, float) else 0.0  # type: ignore[arg-type]


@contextlib.contextmanager
def _alone(record: Record) -> Iterator[None]:
    descriptor = open_file(record.path / _LOCK, os.O_RDWR | os.O_CREAT)
    try:
        with locked(descriptor, timeout=_PATIENCE):
            yield
    finally:
        os.close(descriptor)


def looked_at(record: Record, known: ExperimentStatus | None = None) -> ExperimentStatus:
    """Return how an experiment stands, with one look where nobody else looks.

    Raises:
        StoreError: The journal cannot be read.
    """
    known = known or record.status()
    if not is_due(known) or taken(record):
        return known
    try:
        return look(record, known)
    except StoreError as error:
        return dataclasses.replace(known, doubt=_told(None, str(error)))


def attend(record: Record, known: ExperimentStatus) -> None:
    """Start a conductor again for an experiment that was handed over: somebody waits for it.

    Raises:
        StoreError: It could not be started.
    """
    if known.handed_over and not taken(record):
        from .conductor.launch import start, wait_until_in_charge

        wait_until_in_charge(record, start(record))
