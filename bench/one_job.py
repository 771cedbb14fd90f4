"""Run one trivial job and print how long `run.run` took, in wall seconds."""

from __future__ import annotations

import os
import sys
import time

import nemo_run as run


def nothing() -> None:
    """Do nothing."""


if __name__ == "__main__":
    task = run.Script(inline="true") if sys.argv[1] == "script" else run.Partial(nothing)
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    started = time.perf_counter()
    run.run(task, executor=run.LocalExecutor(), name="bench")
    os.write(out, f"{time.perf_counter() - started}\n".encode())
