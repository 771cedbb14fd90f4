"""Processes that outlive the call that started them; stopped by pid and start time, not by name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MARK = "NR_ENGINE"
# Kept so that Python does not warn of children that go on.
_started: list[subprocess.Popen[bytes]] = []


def start_time(pid: int) -> int:
    """The kernel's start tick of a process, which guards against a recycled id; 0 if it is gone."""
    try:
        # "pid (comm) state …": comm may hold blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def until(what: Callable[[], object], seconds: float, saying: Callable[[], str] | str) -> None:
    """Poll until ``what`` is true; generous limits cost nothing when things go well."""
    limit = time.monotonic() + seconds
    while not what():
        if time.monotonic() > limit:
            text = saying if isinstance(saying, str) else saying()
            raise TimeoutError(f"not within {seconds:g} s: {text}")
        time.sleep(0.05)


@dataclass(frozen=True)
class Processes:
    """The daemons of one engine, recorded in ``folder/procs``."""

    folder: Path

    def spawn(self, name: str, *argv: str | Path, env: dict[str, str] | None = None) -> int:
        """Start a daemon in the foreground mode of its own; its output goes to a log file."""
        (self.folder / "procs").mkdir(exist_ok=True)
        (self.folder / "log").mkdir(exist_ok=True)
        with (self.folder / "log" / f"{name}.out").open("ab") as log:
            process = subprocess.Popen(
                [str(one) for one in argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**_plain_environment(), **(env or {}), _MARK: str(self.folder)},
            )
        _started.append(process)
        self.record(name, process.pid)
        return process.pid

    def record(self, name: str, pid: int) -> None:
        """Remember a process as ``name``."""
        text = json.dumps({"pid": pid, "start": start_time(pid), "at": time.time()})
        (self.folder / "procs" / f"{name}.json").write_text(text)

    def pid(self, name: str) -> int:
        """Return the id of a recorded process that is still there; 0 if there is none."""
        try:
            one = json.loads((self.folder / "procs" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return 0
        return one["pid"] if one["start"] and start_time(one["pid"]) == one["start"] else 0

    def stop(self, name: str, sign: int = signal.SIGTERM, grace: float = 5) -> None:
        """End one daemon and wait for it."""
        if pid := self.pid(name):
            end([pid], sign, grace)

    def stop_all(self) -> None:
        """End all daemons, newest first, then what they left behind."""
        files = sorted((self.folder / "procs").glob("*.json"), key=_when, reverse=True)
        pids = [pid for file in files if (pid := self.pid(file.stem))]
        end([child for pid in pids for child in descendants(pid)] + pids, signal.SIGTERM, 4)
        end(list(self._marked()), signal.SIGKILL, 2)

    def _marked(self) -> Iterator[int]:
        """Those that were adopted by init: their environment names this folder."""
        mark = f"{_MARK}={self.folder}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)


def end(pids: Sequence[int], sign: int, grace: float) -> None:
    """Signal processes, and kill those that are still there after ``grace`` seconds."""
    left = {pid: start_time(pid) for pid in pids if pid != os.getpid()}
    for last in (sign, signal.SIGKILL):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, last)
        limit = time.monotonic() + grace
        while left and time.monotonic() < limit:
            left = {pid: start for pid, start in left.items() if start and start_time(pid) == start}
            time.sleep(0.02)


def descendants(pid: int) -> list[int]:
    """The children of a process and theirs, deepest first."""
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, file.read_text().split()):
                found += [*descendants(child), child]
    return found


def _when(file: Path) -> float:
    with contextlib.suppress(OSError, ValueError):
        return float(json.loads(file.read_text())["at"])
    return 0.0


def _plain_environment() -> dict[str, str]:
    """Nothing of the test's own environment reaches the daemons, and through them the jobs."""
    return {"PATH": PATH, "LANG": "C.UTF-8"}
