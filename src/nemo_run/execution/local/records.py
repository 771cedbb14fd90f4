"""The files in which a local job writes down who runs it and how it ended."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NamedTuple

from nemo_run.execution.observation import Observation, Reason, State, exit_reason
from nemo_run.execution.processes import Identity, boot_id, machine_id

from . import layout

if TYPE_CHECKING:
    from pathlib import Path


class Claim(NamedTuple):
    """Who runs an attempt, and since when.

    Attributes:
        leader: The shell that runs it; None while it is being written down, and when a cancel
            was faster.
        token: The attempt; empty as long as ``leader`` is None.
        time: When it was made.
        cancelled: Whether a cancel was faster.
        machine: The machine, by its machine-id(5); empty where it has none.
    """

    leader: Identity | None
    token: str
    time: float
    cancelled: bool
    machine: str = ""

    def is_here(self, *, named: bool) -> bool:
        """Return whether it was made on this machine, whatever that is called now.

        A container has a new name each time it starts, and a laptop one in each network.

        Args:
            named: Whether its machine had the name that this one has.
        """
        if self.leader is not None and self.leader.boot == boot_id():
            return True
        if self.machine and machine_id():
            return self.machine == machine_id()
        return named


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: Its exit status; 128 + n for signal n.
        by: Which process decided, of several.
        time: When.
    """

    code: int
    by: str
    time: float


def read_claim(folder: Path) -> Claim | None:
    """Return who runs the attempt in ``folder``; None if nobody ever did."""
    found = _text(folder / layout.CLAIM)
    if found is None:
        return None
    text, time = found
    lines = text.splitlines()
    if lines[:1] == [layout.CANCELLED]:
        return Claim(None, "", time, cancelled=True)
    if len(lines) < 4 or not text.endswith("\n"):
        return Claim(None, "", time, cancelled=False)
    if not lines[0].isdecimal():
        return Claim(None, "", time, cancelled=False)
    leader = Identity(int(lines[0]), lines[1], lines[2])
    machine = lines[4] if len(lines) > 4 else ""
    return Claim(leader, lines[3], time, cancelled=False, machine=machine)


def read_exit(path: Path) -> Ended | None:
    """Return how the process of a record ended; None while it runs."""
    found = _text(path)
    if found is None:
        return None
    text, time = found
    line, newline, _ = text.partition("\n")
    parts = line.removesuffix(".").split(None, 2)
    if not newline or len(parts) < 2 or parts[0] != "exit" or not parts[1].isdecimal():
        return None
    return Ended(int(parts[1]), parts[2].strip() if len(parts) > 2 else "", time)


def _text(path: Path) -> tuple[str, float] | None:
    try:
        # A pipe in its place would keep the reader waiting for a writer.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            text = file.read().decode("utf-8", "surrogateescape")
            return text, os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None


def describe(code: int) -> tuple[Reason, str]:
    """Return why a process of this machine failed, and words that say so."""
    reason, said = exit_reason(code)
    why = ", as the kernel does when memory runs out" if code == 128 + signal.SIGKILL else ""
    return reason, f"{said}{why}"


def outcome(ended: Ended, attempt: int, started: float | None) -> Observation:
    """Return the observation of a process, or of a job, that ended by itself."""
    if ended.code == 0:
        state, reason, message = State.SUCCEEDED, Reason.NONE, ""
    else:
        state = State.FAILED
        reason, what = describe(ended.code)
        message = f"{ended.by}: {what}" if ended.by else what
    return Observation(state, reason, ended.code, attempt, message, started, ended.time)
