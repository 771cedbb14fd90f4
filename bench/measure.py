"""Measure whole processes: CPU seconds from the operating system's own books, and wall seconds."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost; seconds and MiB."""

    cpu: float
    wall: float
    memory: float

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.cpu - other.cpu, self.wall - other.wall, self.memory - other.memory)


def once(command: Sequence[str], **environment: str) -> Cost:
    """Run a command and return what it and the children it waited for cost (wait4(2))."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )
    complaint = process.stderr.read() if process.stderr else b""
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.stderr.write(complaint.decode(errors="replace"))
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    if process.stderr:
        process.stderr.close()
    wall = time.perf_counter() - started
    return Cost(used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024)


def median(command: Sequence[str], runs: int = 7, **environment: str) -> Cost:
    """Run a command once to warm up, then ``runs`` times, and return the medians."""
    once(command, **environment)
    return _medians([once(command, **environment) for _ in range(runs)])


def beside(
    ours: Sequence[str], plain: Sequence[str], runs: int = 7, **environment: str
) -> tuple[Cost, Cost]:
    """Measure two commands in turn, so that a change of the machine's speed meets both."""
    once(ours, **environment)
    once(plain, **environment)
    pairs = [(once(ours, **environment), once(plain, **environment)) for _ in range(runs)]
    first, second = zip(*pairs, strict=True)
    return _medians(first), _medians(second)


def _medians(costs: Sequence[Cost]) -> Cost:
    return Cost(
        statistics.median(c.cpu for c in costs),
        statistics.median(c.wall for c in costs),
        statistics.median(c.memory for c in costs),
    )
