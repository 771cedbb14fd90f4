"""Run many trivial jobs and print what launcher and conductor cost, as JSON.

    python bench/many_jobs.py COUNT [MAX_PARALLEL]

With a second number they are the points of a sweep, so many at once.
"""

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
        if len(sys.argv) > 2:
            script = run.Script(inline="true")
            points = run.sweep(script, {"env.I": [str(i) for i in range(count)]})
            experiment.add_sweep(points, run.LocalExecutor(), max_parallel=int(sys.argv[2]))
        else:
            for _ in range(count):
                experiment.add(run.Script(inline="true"), executor=run.LocalExecutor(), name="job")
        experiment.run()
    wall = time.perf_counter() - started
    begun = time.process_time()
    experiment.results().table()
    table = time.process_time() - begun
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
        "table": table,
    }
    os.write(out, (json.dumps(figures) + "\n").encode())
