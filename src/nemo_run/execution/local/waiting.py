"""Waiting for local jobs without looking at them all the time."""

from __future__ import annotations

import contextlib
import os
import select
import time
from typing import TYPE_CHECKING

from . import processes, records

if TYPE_CHECKING:
    from pathlib import Path

_BEGINNING = 0.02
"""Seconds until a job that was just started has written down who leads it."""

_WITHOUT_EVENTS = 0.5
"""Seconds between two looks where the system cannot tell that a process ended."""


def wait_for(folders: list[Path], timeout: float) -> None:
    """Return when the shell of one of the attempts ended, or after ``timeout`` seconds.

    Args:
        folders: The attempts.
        timeout: Seconds.
    """
    claims = [records.read_claim(folder) for folder in folders]
    leaders = [claim.leader for claim in claims if claim is not None and claim.leader]
    if not hasattr(os, "pidfd_open"):
        time.sleep(min(timeout, _WITHOUT_EVENTS))
        return
    beginning = any(claim is None or not (claim.leader or claim.cancelled) for claim in claims)
    with contextlib.ExitStack() as stack:
        poll = select.poll()
        for leader in leaders:
            descriptor = _open(leader)
            if descriptor is None:
                return
            stack.callback(os.close, descriptor)
            poll.register(descriptor, select.POLLIN)
        poll.poll(1000 * min(timeout, _BEGINNING if beginning else timeout))


def _open(leader: processes.Identity) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None if it has."""
    try:
        descriptor = os.pidfd_open(leader.pid)
    except OSError:
        return None
    if processes.is_running(leader):
        return descriptor
    os.close(descriptor)
    return None
