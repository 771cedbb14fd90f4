"""Run many trivial jobs and print what launcher and conductor cost, as JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time

import nemo_run as run
from nemo_run.management import store

if __name__ == "__main__":
    count = int(sys.argv[1])
    out = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    started = time.perf_counter()
    with run.Experiment("bench-many") as experiment:
        for _ in range(count):
            experiment.add(run.Script(inline="true"), executor=run.LocalExecutor(), name="job")
        experiment.run()
    wall = time.perf_counter() - started
    mine = resource.getrusage(resource.RUSAGE_SELF)
    record = store.find(experiment.id)
    while (events := record.journal.read()[0])[-1]["event"] != "conductor.ended":
        time.sleep(0.05)
    ended = events[-1]
    figures = {
        "wall": wall,
        "launcher_cpu": mine.ru_utime + mine.ru_stime,
        "conductor_cpu": ended["cpu_seconds"],
        "memory": ended["peak_memory_mib"],
    }
    os.write(out, (json.dumps(figures) + "\n").encode())
