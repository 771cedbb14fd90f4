"""Where the tasks of a step read and write (srun(1), "IO REDIRECTION")."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Any

from .client import write
from .jobenv import file_name

Streams = tuple[int | None, int | None, int | None]


class Files:
    """The files and pipes that are open."""

    def __init__(self) -> None:
        self._open: dict[str, int] = {}
        self._labels: list[threading.Thread] = []
        self._ends: list[int] = []

    def of(self, plan: dict[str, Any], node: str, own: dict[str, str]) -> Streams:
        """Return a task's standard streams; None is srun's own."""
        options, rank = plan["options"], own["SLURM_PROCID"]
        values = plan["files"] | {"N": node, "n": own["SLURM_NODEID"], "t": rank}
        out = self._stream(options, options.get("output"), values, rank)
        given = options.get("error")
        err = out if given is None and out is not None else None
        if given is not None:
            err = self._stream(options, given, values, rank)
        if "label" in options:
            out = self._labelled(rank, 1) if out is None else out
            err = self._labelled(rank, 2) if err is None else err
        return self._input(options, values, rank), out, err

    def _input(self, options: dict[str, str], values: dict[str, str], rank: str) -> int | None:
        text = options.get("input", "all")
        if text in {"all", rank} and rank == "0":
            return None
        if text in {"all", "none"} or text.isdigit():
            return subprocess.DEVNULL
        return self._file(file_name(text, values), os.O_RDONLY)

    def _stream(
        self, options: dict[str, str], pattern: str | None, values: dict[str, str], rank: str
    ) -> int | None:
        if pattern is None or pattern == "all":
            return None
        if pattern == "none" or (pattern.isdigit() and pattern != rank):
            return subprocess.DEVNULL
        if pattern.isdigit():
            return None
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        if not options.get("open-mode", "truncate").startswith("a"):
            how |= os.O_TRUNC
        return self._file(file_name(pattern, values), how)

    def _file(self, path: str, how: int) -> int:
        if path not in self._open:
            self._open[path] = os.open(path, how, 0o666)
        return self._open[path]

    def _labelled(self, rank: str, stream: int) -> int:
        read, end = os.pipe()
        thread = threading.Thread(target=_label, args=(read, rank, stream), daemon=True)
        thread.start()
        self._labels.append(thread)
        self._ends.append(end)
        return end

    def started(self, _streams: Streams) -> None:
        """Close what only the task that was started holds: the ends of its pipes."""
        for end in self._ends:
            os.close(end)
        self._ends.clear()

    def close(self) -> None:
        """Wait until everything that was written is shown, and close."""
        for thread in self._labels:
            thread.join()
        for number in self._open.values():
            os.close(number)


def _label(read: int, rank: str, stream: int) -> None:
    with os.fdopen(read, "rb") as lines:
        for line in lines:
            text = line.decode(errors="surrogateescape").rstrip("\n")
            write(stream, f"{rank}: {text}\n")
