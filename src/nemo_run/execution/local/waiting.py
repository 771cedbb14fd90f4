"""Knowing when local jobs end without looking at them all the time."""

from __future__ import annotations

import os
import select
import time
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.execution import processes

from . import layout, records

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from nemo_run.execution.jobspec import Handle

_BEGINNING = 0.02
"""Seconds until a job that was just started has written down who leads it."""

_WITHOUT_EVENTS = 0.5
"""Seconds between two looks where the system cannot tell that a process ended."""

_MOST = 256
"""How many descriptors to hold; jobs beyond are looked at by their files."""

_SHARE = 4
"""Which part of the descriptors that this process may have is the most to hold."""

HAS_EVENTS = hasattr(os, "pidfd_open")


class Watched(NamedTuple):
    """A job whose shell was seen alive.

    Attributes:
        descriptor: Becomes readable when the shell ends (pidfd_open(2)).
        started: When it began.
        group: Whether its members have records of their own.
    """

    descriptor: int
    started: float
    group: bool


class Watch:
    """The shells of running jobs, each by a descriptor that tells when it ends."""

    def __init__(self) -> None:
        self._watched: dict[Handle, Watched] = {}
        self._poll = select.poll() if HAS_EVENTS else None
        self._most = _most()

    def running(self) -> dict[Handle, Watched]:
        """Return the jobs whose shells run; one system call for all."""
        if self._poll is None or not self._watched:
            return {}
        ended = {descriptor for descriptor, _ in self._poll.poll(0)}
        return {h: w for h, w in self._watched.items() if w.descriptor not in ended}

    def add(self, handle: Handle, folder: Path) -> None:
        """Watch a job from now on, if its shell runs.

        Args:
            handle: The job.
            folder: Its attempt.
        """
        if self._poll is None or handle in self._watched or self._is_full():
            return
        claim = records.read_claim(folder)
        descriptor = _open(claim.leader) if claim and claim.leader else None
        if claim is None or descriptor is None:
            return
        group = next(folder.glob(f"*/{layout.EXIT}.*"), None) is not None
        self._watched[handle] = Watched(descriptor, claim.time, group)
        self._poll.register(descriptor, select.POLLIN)

    def drop(self, handle: Handle) -> None:
        """Watch a job no longer."""
        watched = self._watched.pop(handle, None)
        if watched and self._poll is not None:
            self._poll.unregister(watched.descriptor)
            os.close(watched.descriptor)

    def wait(self, handles: Collection[Handle], timeout: float) -> None:
        """Return when the shell of a job ended, at the latest after ``timeout`` seconds.

        Args:
            handles: The jobs that are waited for; those not watched are about to begin or to end.
            timeout: Seconds.
        """
        if self._poll is None:
            time.sleep(min(timeout, _WITHOUT_EVENTS))
            return
        if any(handle not in self._watched for handle in handles):
            timeout = min(timeout, _WITHOUT_EVENTS if self._is_full() else _BEGINNING)
        self._poll.poll(1000 * timeout)

    def _is_full(self) -> bool:
        return len(self._watched) >= self._most


def _most() -> int:
    import resource

    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if allowed == resource.RLIM_INFINITY else min(_MOST, allowed // _SHARE)


def _open(leader: processes.Identity) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None if it has."""
    if leader.boot != processes.boot_id():
        return None
    try:
        descriptor = os.pidfd_open(leader.pid)
    except OSError:
        return None
    runs = False
    try:
        runs = processes.is_running(leader)
    finally:
        if not runs:
            os.close(descriptor)
    return descriptor if runs else None
