"""Submit jobs to the cluster that the bench brought up, and print what that took as JSON.

python bench/submit.py jobs|sweep|held|code|log N TUNNEL
"""

from __future__ import annotations

import json
import os
import sys
import time

import nemo_run as run


def point(number: int) -> int:
    return number


def main(kind: str, number: int, tunnel: dict[str, object]) -> None:
    """Submit, and wait until the cluster has all jobs."""
    packager = run.GitArchivePackager() if kind == "code" else run.Packager()
    executor = run.SlurmExecutor(
        time="00:05:00",
        tunnel=run.SSHTunnel(**tunnel),
        packager=packager,
        additional_parameters={"hold": True} if kind in {"held", "jobs", "sweep"} else {},
    )
    # Logged in before: a person does that once a day, and the plain loop has it too.
    executor.connect()
    started, used = time.perf_counter(), sum(os.times()[:4])
    experiment = run.Experiment(f"bench_{kind}", clean_mode=True)
    if kind in {"sweep", "held"}:
        task = run.Partial(point)
        experiment.add_sweep(run.sweep(task, number=list(range(number))), executor)
    elif kind == "log":
        line = "x" * 99
        body = f"yes {line} | head -c {number}"
        experiment.add(run.Script(inline=body), executor, name="job")
    else:
        for index in range(number):
            experiment.add(run.Script(inline="true"), executor, name=f"job{index}")
    experiment.run(detach=True)
    cost = {
        "seconds": time.perf_counter() - started,
        "cpu": sum(os.times()[:4]) - used,
        "id": experiment.id,
    }
    print(json.dumps(cost))
    known = experiment.status(return_dict=True) or {}
    missing = [job for job, one in known.items() if not one["handle"]]
    if missing:
        raise SystemExit(f"{len(missing)} jobs were not submitted: {missing[:3]}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]))
