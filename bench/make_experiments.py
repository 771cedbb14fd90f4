"""Write many synthetic experiments, to measure how fast they are listed.

    python bench/make_experiments.py FOLDER [COUNT] [TITLES]

The folder can then be used as NEMORUN_HOME. Nothing in it was ever run.
"""

from __future__ import annotations

import json
import sys
from itertools import count
from pathlib import Path

from nemo_run.execution.observation import Observation, Reason, State
from nemo_run.management.store import events, layout
from nemo_run.management.store.journal import FORMAT

_START = 1_700_000_000_000_000_000
_ENDS = (
    Observation(State.SUCCEEDED, exit_code=0),
    Observation(State.SUCCEEDED, exit_code=0),
    Observation(State.FAILED, Reason.EXIT_CODE, exit_code=1),
    Observation(State.CANCELLED, Reason.CANCELLED),
)


def make_experiments(
    home: Path, number: int = 10_000, titles: int = 100, jobs: int = 3, facts: int = 20
) -> None:
    """Write experiments that ended, and a few that are still running.

    Args:
        home: The folder to use as ``NEMORUN_HOME``.
        number: How many experiments.
        titles: How many different titles.
        jobs: How many jobs each has.
        facts: How many parameters each job has, besides its result; 0: no task and no result.
    """
    job_ids = [f"job-{n}" for n in range(jobs)]
    for n in range(number):
        title = f"title-{n % titles:05d}"
        made = _START + n * 1_000_000_000
        folder = home / layout.EXPERIMENTS / title / f"{title}_{made}"
        folder.mkdir(parents=True)
        meta = {
            "format": 1,
            "id": folder.name,
            "title": title,
            "created": made / 1e9,
            "user": "somebody",
            "jobs": [{"id": job, "executor": "LocalExecutor"} for job in job_ids],
        }
        (folder / layout.META).write_text(json.dumps(meta))
        if n % 10 == 0:
            marked = {"format": 1, "tags": ["best"] if n % 50 == 0 else ["kept"], "note": ""}
            (folder / "marks.json").write_text(json.dumps(marked))
        if facts:
            for place, job in enumerate(job_ids):
                _write_facts(folder / layout.JOBS / job, n, place, facts)
        running = n >= number - 5
        (folder / layout.JOURNAL).write_text(
            _journal(title, job_ids, made / 1e9, n, running=running)
        )


def _write_facts(folder: Path, n: int, job: int, facts: int) -> None:
    folder.mkdir(parents=True)
    model = {f"option_{k}": k * n for k in range(facts - 2)}
    arguments = {
        "lr": 10.0 ** -(1 + n % 5),
        "seed": job,
        "model": {"$": "config", "target": "models:GPT", "arguments": model},
    }
    value = {"$": "partial", "target": "__main__:train", "arguments": arguments}
    task = {"format": "nemo-run/graph", "version": 1, "value": value}
    (folder / "task.json").write_text(json.dumps(task, indent=2))
    result = {"accuracy": (n * 7919 % 1000) / 1000, "loss": 1 / (1 + n)}
    document = {"format": "nemo-run/result", "version": 1, "value": result}
    (folder / "result.json").write_text(json.dumps(document))


def _journal(title: str, job_ids: list[str], made: float, n: int, *, running: bool) -> str:
    end = Observation(State.RUNNING) if running else _ENDS[n % len(_ENDS)]
    happened = [events.experiment_created(title, job_ids), events.experiment_started()]
    for job in job_ids:
        happened.append(events.job_intent(job, 1, f"{job}/1"))
        happened.append(events.job_submitted(job, 1, f"local://here/{job}"))
        happened.append(events.job_observed(job, Observation(State.RUNNING, started=made)))
        if not running:
            happened.append(events.job_observed(job, end))
    numbered = [{"seq": seq, "time": made, **event} for seq, event in zip(count(1), happened)]
    numbered[0]["format"] = FORMAT
    return "".join(f"{json.dumps(event)}\n" for event in numbered)


if __name__ == "__main__":
    make_experiments(Path(sys.argv[1]), *map(int, sys.argv[2:]))
